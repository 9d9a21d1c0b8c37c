/**
 * A pool of typed arrays for what a training step needs and nobody outside sees: caches, gradients of intermediate
 * tensors, and the data of tensors that a `recycle` scope owned. It keeps the resident set flat from step to step and
 * saves the zeroing and page faults of fresh allocations. Lengths are rounded up to size classes, four to a power
 * of two, so that batches of varying length share buffers.
 */
import type { FloatArray } from './kernels/contract.ts'

const free = new Map<number, ArrayBuffer[]>()

/** The smallest size class, in bytes, that holds `bytes`: 2ᵏ·{1, 1.25, 1.5, 1.75}, at least 64. */
function sizeClass(bytes: number): number {
  if (bytes <= 64) return 64
  const quarter = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2)
  return Math.ceil(bytes / quarter) * quarter
}

/** An array of `length`, of the type of `like`, with arbitrary contents. */
export function takeBuffer(like: FloatArray, length: number): FloatArray {
  const bytes = sizeClass(length * like.BYTES_PER_ELEMENT)
  const buffer = free.get(bytes)?.pop() ?? new ArrayBuffer(bytes)
  return like instanceof Float64Array
    ? new Float64Array(buffer, 0, length)
    : new Float32Array(buffer, 0, length)
}

/** The same, filled with zeros. */
export function takeZeros(like: FloatArray, length: number): FloatArray {
  return takeBuffer(like, length).fill(0)
}

/**
 * Gives an array from `takeBuffer` back. The caller may not touch it again. Other arrays (an operation of the user's own
 * may return any) are left to the garbage collector: part of a buffer is not ours to lend, and odd sizes would pile up.
 */
export function giveBuffer(array: FloatArray): void {
  const buffer = array.buffer as ArrayBuffer
  if (array.byteOffset !== 0 || buffer.byteLength !== sizeClass(buffer.byteLength)) return
  const list = free.get(buffer.byteLength)
  if (list) list.push(buffer)
  else free.set(buffer.byteLength, [buffer])
}

/** Lets the garbage collector have every buffer that nobody uses. */
export function clearBuffers(): void {
  free.clear()
}
