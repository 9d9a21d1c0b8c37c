/** Dropout of elements, of features, of whole rows of a table; and the random masks that the LSTM's own needs. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import { requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { ambientRandom } from '../random.ts'
import { outputBuffer, record } from '../tape.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { floats } from './common.ts'
import { multiply } from './pointwise.ts'

/**
 * Inverted dropout (Srivastava et al. 2014): each element is 0 with the given probability and else multiplied by
 * 1 / (1 - probability), so that its expectation stays. The seed comes from `ambientRandom()`. Always samples: whether
 * the model is training is the layer's matter.
 *
 * @param options.probability in [0, 1)
 * @param options.acrossTime whether x [B, T, ...] loses the same elements at every step; default false
 * @throws {RangeError} if an option is out of range, or x has no axis of steps with features behind
 */
export function dropout(
  x: Tensor,
  { probability, acrossTime = false }: { probability: number; acrossTime?: boolean },
): Tensor {
  requireNumber('dropout', 'probability', probability, { low: 0, high: 1, open: true })
  if (probability === 0) return x
  const [like] = floats('dropout', x)
  const kept = 1 - probability
  const [B, , ...features] = x.shape
  if (acrossTime && features.length === 0)
    throw new RangeError(`dropout: expected x of shape [B, T, F] with acrossTime, got [${x.shape}]`)
  const shape = acrossTime ? [B, 1, ...features] : x.shape
  return multiply(x, bernoulliMask(like, shape, { probability: kept, value: 1 / kept }))
}

/**
 * Embedding dropout (Gal & Ghahramani 2016): whole symbols are dropped, so that one that is has the vector 0 wherever it stands in
 * `indices`; the vectors of the others are multiplied by 1 / (1 - probability). One draw for each symbol of the vocabulary a call.
 *
 * @param y [..., E], the vectors that `embedding` gave for the indices
 * @param indices [...], int32, each in [0, V)
 * @param options.probability in [0, 1)
 * @throws {RangeError} if the probability is out of range
 */
export function dropSymbols(
  y: Tensor,
  indices: Tensor,
  { vocabularySize, probability }: { vocabularySize: number; probability: number },
): Tensor {
  requireNumber('dropSymbols', 'probability', probability, { low: 0, high: 1, open: true })
  if (probability === 0) return y
  const [like] = floats('dropSymbols', y)
  const kept = 1 - probability
  const symbols = takeBuffer(like, vocabularySize)
  kernelsFor(symbols).bernoulli({
    out: symbols,
    seed: ambientRandom().uint32(),
    probability: kept,
    value: 1 / kept,
  })
  const array = outputBuffer(like, indices.size)
  for (const [n, index] of indices.array.entries()) array[n] = symbols[index]
  giveBuffer(symbols)
  return multiply(y, record('mask', [], [{ shape: [...indices.shape, 1], array }], () => {})[0])
}

/** A constant tensor whose elements are `value` with the given probability, else 0. */
export function bernoulliMask(
  like: FloatArray,
  shape: readonly number[],
  { probability, value = 1 }: { probability: number; value?: number },
): Tensor {
  const array = outputBuffer(like, sizeOf(shape))
  kernelsFor(array).bernoulli({ out: array, seed: ambientRandom().uint32(), probability, value })
  return record('mask', [], [{ shape, array }], () => {})[0]
}
