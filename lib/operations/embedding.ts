/** Rows of a table, looked up by int32 indices. */
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats } from './common.ts'

/**
 * y[...] = weight[indices[...]], as torch.nn.functional.embedding.
 *
 * @param indices [...], int32, each in [0, V)
 * @param weight [V, E]
 * @param paddingIndex a row that gets no gradient
 * @returns [..., E]
 * @throws {RangeError} if an index has no row; the message names its position
 */
export function embedding(
  indices: Tensor,
  weight: Tensor,
  { paddingIndex }: { paddingIndex?: number } = {},
): Tensor {
  if (weight.shape.length !== 2) {
    throw new RangeError(`embedding: expected weight of shape [V, E], got [${weight.shape}]`)
  }
  const [V, E] = weight.shape
  const rows = indices.array
  if (!(rows instanceof Int32Array)) {
    throw new TypeError(`embedding: expected indices of type int32, got ${indices.dataType}`)
  }
  const outside = rows.findIndex((row) => row < 0 || row >= V)
  if (outside >= 0) {
    const position = positionOf(outside, indices.shape)
    throw new RangeError(`embedding: expected indices[${position}] in [0, ${V - 1}], got ${rows[outside]}`)
  }
  const [ws] = floats('embedding', weight)
  const N = rows.length
  const kernels = kernelsFor(ws)
  const y = outputBuffer(ws, N * E)
  kernels.embeddingForward({ N, E, indices: rows, weight: ws, y })
  return recordOne('embedding', [weight], [...indices.shape, E], y, (dy, gradientOf) => {
    const dweight = gradientOf(weight)!
    const padding = paddingIndex === undefined ? undefined : paddingIndex * E
    const kept = padding === undefined ? undefined : dweight.slice(padding, padding + E)
    kernels.embeddingBackward({ N, E, indices: rows, dy, dweight })
    if (kept) dweight.set(kept, padding)
  })
}

function positionOf(offset: number, shape: readonly number[]): number[] {
  const position: number[] = []
  for (const n of shape.toReversed()) {
    position.unshift(offset % n)
    offset = Math.floor(offset / n)
  }
  return position
}
