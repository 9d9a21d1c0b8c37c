/**
 * The values of a graph: what a Tensor is, with the integer types that shape arithmetic needs. int64 is stored as
 * doubles, which hold every integer up to 2^53; what goes beyond is an error, never a wrong number.
 */
import type { FloatArray } from '../../kernels/contract.ts'
import { eachRow, stridesOf, type View } from '../../operations/shape.ts'
import { sizeOf } from '../../tensor.ts'

export type ElementType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool'
export type ValueArray = FloatArray | Int32Array | Uint8Array

/** Immutable: values share arrays. */
export interface Value {
  readonly type: ElementType
  readonly shape: readonly number[]
  /** Float32Array, Float64Array (also int64), Int32Array or Uint8Array (bool, 0 or 1), row-major */
  readonly data: ValueArray
}

/** A graph wants more memory, or more work, than it may have. */
export class LimitError extends RangeError {
  override readonly name = 'LimitError'
}

/** No single value may be larger, whatever a graph computes for its shape. */
const maximumBytes = 2 ** 31

/** More than any network has; long lists of axes make long loops. */
const maximumRank = 64

/** Makes the arrays of new values, up to a number of bytes in all, and counts the steps of what is done with them. */
export class Memory {
  #bytes: number
  #steps: number

  /** A step is a multiplication or the like: some nanoseconds. Default: no limits. */
  constructor({ bytes = Number.POSITIVE_INFINITY, steps = Number.POSITIVE_INFINITY } = {}) {
    this.#bytes = bytes
    this.#steps = steps
  }

  /** Zeros, which take steps to fill. @throws {LimitError} if the limits do not allow it */
  array(type: ElementType, shape: readonly number[]): ValueArray {
    const length = sizeOf(shape)
    this.spend(length * bytesOf[type], shape)
    this.step(length * (1 + shape.length))
    switch (type) {
      case 'float32':
        return new Float32Array(length)
      case 'int32':
        return new Int32Array(length)
      case 'bool':
        return new Uint8Array(length)
      default:
        return new Float64Array(length)
    }
  }

  /** What is refused costs nothing. */
  spend(bytes: number, shape: readonly number[]): void {
    requireRank(shape.length)
    if (!(bytes <= maximumBytes && bytes <= this.#bytes))
      throw new LimitError(`a value of shape [${shape}] takes ${bytes} bytes, more than the limit`)
    this.#bytes -= bytes
  }

  /** For what takes more than a step for each element that is read or made, before it is done. */
  step(count: number): void {
    if (!(count <= this.#steps)) throw new LimitError(`${count} steps are more than the limit`)
    this.#steps -= count
  }
}

export function requireRank(rank: number): void {
  if (rank > maximumRank) throw new RangeError(`expected at most ${maximumRank} axes, got ${rank}`)
}

const bytesOf = { float32: 4, float64: 8, int32: 4, int64: 8, bool: 1 }

export function isFloat(value: Value): value is Value & { readonly data: FloatArray } {
  return value.type === 'float32' || value.type === 'float64'
}

/** A vector of int64, as shapes are. */
export function integers(numbers: readonly number[]): Value {
  return { type: 'int64', shape: [numbers.length], data: Float64Array.from(numbers) }
}

export function scalar(type: ElementType, number: number): Value {
  const value = { type, shape: [], data: new Memory().array(type, []) }
  value.data[0] = number
  return value
}

/** Another shape of the same elements. */
export function reshaped(value: Value, shape: readonly number[]): Value {
  requireRank(shape.length)
  if (sizeOf(shape) === value.data.length) return { type: value.type, shape, data: value.data }
  throw new RangeError(
    `shape [${value.shape}] has ${value.data.length} elements, which do not fill [${shape}]`,
  )
}

/** The copy of a view: element [i, j, ...] is that at offset + i·strides[0] + j·strides[1] + ... */
export function copyView(value: Value, view: View, memory: Memory): Value {
  const data = memory.array(value.type, view.shape)
  if (data.length === 0) return { type: value.type, shape: view.shape, data }
  const source = value.data
  const stride = view.strides.at(-1) ?? 1
  eachRow(view, ({ start, position, count }) => {
    if (stride === 1) data.set(source.subarray(start, start + count), position)
    else if (stride === 0) data.fill(source[start], position, position + count)
    else for (let i = 0; i < count; i++) data[position + i] = source[start + i * stride]
  })
  return { type: value.type, shape: view.shape, data }
}

/** Axis `permutation[i]` of the value becomes axis i. */
export function permuted(value: Value, permutation: readonly number[], memory: Memory): Value {
  const { shape } = value
  const isPermutation =
    permutation.length === shape.length && shape.every((_, axis) => permutation.includes(axis))
  if (!isPermutation) throw new RangeError(`[${permutation}] does not permute the axes of [${shape}]`)
  if (permutation.every((axis, i) => axis === i)) return value
  const strides = stridesOf(shape)
  const view = {
    shape: permutation.map((axis) => shape[axis]),
    strides: permutation.map((axis) => strides[axis]),
    offset: 0,
  }
  return copyView(value, view, memory)
}

/** Repeats along axes of length 1 and new leading axes until the value has `shape`. */
export function expanded(value: Value, shape: readonly number[], memory: Memory): Value {
  const missing = shape.length - value.shape.length
  if (missing === 0 && shape.every((n, axis) => n === value.shape[axis])) return value
  const own = stridesOf(value.shape)
  const strides = shape.map((_, axis) => ((value.shape[axis - missing] ?? 1) === 1 ? 0 : own[axis - missing]))
  return copyView(value, { shape, strides, offset: 0 }, memory)
}

/** The shape that shapes broadcast to: aligned at the last axis, equal or 1 on each. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((n) => n !== 1)
    if (sizes.every((n) => n === sizes[0])) return sizes[0] ?? 1
    throw new RangeError(`shapes ${shapes.map((shape) => `[${shape}]`).join(' and ')} do not broadcast`)
  })
}

/** Throws a RangeError unless every number is one that doubles hold exactly. */
export function requireExact(numbers: ArrayLike<number>): void {
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isSafeInteger(numbers[i])) continue
    throw new RangeError(`an int64 beyond 2^53: ${numbers[i]}; such numbers are not supported`)
  }
}
