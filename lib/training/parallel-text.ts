/** Pairs of token sequences, what comes of what: data for an EncoderDecoder. */
import { describe, refuseUnknownOptions } from '../errors.ts'
import { Tensor } from '../tensor.ts'
import type { DataSet } from './dataset.ts'

export interface ParallelTextSource {
  /** Tokens of each source. */
  source: readonly ArrayLike<number>[]
  /** Tokens of what comes of it, its end token included, where the model shall learn to end. */
  target: readonly ArrayLike<number>[]
}

/**
 * A data set of pairs: x [B, S] and y [B, T] int32, filled up with zeros that do not count. `fit` makes batches of pairs of
 * similar length of them, and hands the model the target, of which each step reads what came before it (teacher forcing).
 *
 * @throws {RangeError | TypeError} if the two differ in number, or a sequence is empty or no list of tokens; the message names
 *   the pair
 */
export function parallelText(pairs: ParallelTextSource): DataSet {
  refuseUnknownOptions('parallelText', pairs, ['source', 'target'])
  const source = tokensOf('source', pairs.source)
  const target = tokensOf('target', pairs.target)
  if (source.length !== target.length) {
    throw new RangeError(
      `parallelText: expected a target for each source, got ${source.length} sources and ${target.length} targets`,
    )
  }
  if (source.length === 0) throw new RangeError('parallelText: expected at least one pair, got none')
  const longest = source.reduce((most, { length }) => Math.max(most, length), 0)
  return {
    size: source.length,
    // By target, of which every step costs most; among equal ones by source.
    lengthOf: (index) => target[index].length + source[index].length / (longest + 1),
    batch(indices) {
      const x = padded(source, indices)
      const y = padded(target, indices)
      return { x: x.tokens, lengths: x.lengths, y: y.tokens, targetLengths: y.lengths }
    },
  }
}

/** [B, T] of the sequences at `indices`, T the longest of them. */
function padded(sequences: readonly Int32Array[], indices: ArrayLike<number>) {
  const lengths = Int32Array.from(indices, (index) => sequences[index].length)
  const T = lengths.reduce((most, n) => Math.max(most, n), 1)
  const tokens = new Int32Array(lengths.length * T)
  for (let b = 0; b < lengths.length; b++) tokens.set(sequences[indices[b]], b * T)
  return { tokens: new Tensor([lengths.length, T], tokens), lengths }
}

function tokensOf(name: string, sequences: readonly ArrayLike<number>[]): Int32Array[] {
  if (!Array.isArray(sequences)) {
    throw new TypeError(
      `parallelText: expected ${name} to be an array of token lists, got ${describe(sequences)}`,
    )
  }
  return sequences.map((each, n) => {
    if (typeof each?.length !== 'number')
      throw new TypeError(`parallelText: expected ${name} ${n} to be a list of tokens, got ${describe(each)}`)
    if (each.length === 0) throw new RangeError(`parallelText: ${name} ${n} is empty; leave such pairs out`)
    const odd = Array.prototype.findIndex.call(each, (token) => !(Number.isInteger(token) && token >= 0))
    if (odd < 0) return each instanceof Int32Array ? each : Int32Array.from(each)
    throw new RangeError(
      `parallelText: expected tokens to be integers of at least 0, got ${describe(each[odd])} at ${odd} of ${name} ${n}`,
    )
  })
}
