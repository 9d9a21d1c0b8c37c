import type { FloatArray } from '../kernels/contract.ts'
import type { TensorArray } from '../tensor.ts'

/** Zeros of the same type. */
export function arrayLike(like: FloatArray, length: number): FloatArray
export function arrayLike(like: TensorArray, length: number): TensorArray
export function arrayLike(like: TensorArray, length: number): TensorArray {
  if (like instanceof Float32Array) return new Float32Array(length)
  return like instanceof Float64Array ? new Float64Array(length) : new Int32Array(length)
}
