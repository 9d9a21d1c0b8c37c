/** Checks shared by the operations. */
import { describe } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Tensor } from '../tensor.ts'

/** The arrays of tensors that must be of one float type. @throws {TypeError} if they are not */
export function floats(place: string, ...tensors: Tensor[]): FloatArray[] {
  const [first] = tensors
  for (const each of tensors) {
    if (each.dataType === 'int32' || each.dataType !== first.dataType) {
      const got = [...new Set(tensors.map((t) => t.dataType))].join(' and ')
      throw new TypeError(`${place}: expected tensors of one float type, got ${got}`)
    }
  }
  return tensors.map((each) => each.array as FloatArray)
}

/** Throws a RangeError unless `actual` is a tensor of this shape. */
export function requireShape(place: string, name: string, actual: Tensor, shape: readonly number[]): void {
  if (!(actual instanceof Tensor)) throw new TypeError(`${place}: expected ${name} to be a Tensor`)
  if (sameShape(actual.shape, shape)) return
  throw new RangeError(`${place}: expected ${name} of shape [${shape}], got [${actual.shape}]`)
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis])
}

/** An axis counted from the front; -1 is the last. @throws {RangeError} if the shape has no such axis */
export function requireAxis(place: string, shape: readonly number[], axis: number): number {
  const fromFront = axis < 0 ? axis + shape.length : axis
  if (Number.isInteger(axis) && fromFront >= 0 && fromFront < shape.length) return fromFront
  const bounds = `from ${-shape.length} to ${shape.length - 1}`
  throw new RangeError(`${place}: expected an axis ${bounds} for shape [${shape}], got ${axis}`)
}

/** Throws unless `mask` holds one byte for each step of B sequences of T. */
export function requireMask(place: string, mask: Uint8Array, { B, T }: { B: number; T: number }): void {
  if (mask instanceof Uint8Array && mask.length === B * T) return
  throw new RangeError(
    `${place}: expected mask to be a Uint8Array of B·T = ${B * T} bytes, got ${describe(mask)}`,
  )
}

/** Throws unless `lengths` holds one count of valid steps in [0, T] for each of B sequences. */
export function requireLengths(place: string, lengths: Int32Array, { B, T }: { B: number; T: number }): void {
  if (!(lengths instanceof Int32Array)) throw new TypeError(`${place}: expected lengths to be an Int32Array`)
  if (lengths.length !== B) {
    throw new RangeError(`${place}: expected ${B} lengths, one for each sequence, got ${lengths.length}`)
  }
  const outside = lengths.findIndex((length) => length < 0 || length > T)
  if (outside >= 0) {
    throw new RangeError(`${place}: expected lengths[${outside}] in [0, ${T}], got ${lengths[outside]}`)
  }
}

/** Throws a RangeError unless `blank`, the class of CTC that stands for no label, is one of C classes. */
export function requireBlank(place: string, blank: number, C: number): void {
  if (Number.isInteger(blank) && blank >= 0 && blank < C) return
  throw new RangeError(`${place}: expected blank to be a class in [0, ${C - 1}], got ${describe(blank)}`)
}
