/** Error rates of what was recognised against what was said: of words, of characters, and of labels while training. */
import { type EditDistance, editDistance } from '../edit-distance.ts'
import { describe, refuseUnknownOptions } from '../errors.ts'
import { ctcGreedyDecode } from '../inference/ctc-decoding.ts'
import type { Tensor } from '../tensor.ts'
import { type Metric, type MetricOptions, metric } from './metrics.ts'

export interface ErrorRate extends EditDistance {
  /** total / length; above 1 where insertions abound. */
  rate: number
  /** Words or characters of the references. */
  length: number
}

/**
 * Word error rate: the edits from each reference to its hypothesis, over the words of all references. Words are what
 * whitespace separates; case and punctuation count.
 *
 * @throws {RangeError} if the lists differ in length, or no reference has a word
 */
export function wordErrorRate(references: readonly string[], hypotheses: readonly string[]): ErrorRate {
  return errorRate('wordErrorRate', 'word', (text) => text.split(/\s+/).filter(Boolean), {
    references,
    hypotheses,
  })
}

/** Character error rate: the same for Unicode characters (code points), spaces included. */
export function characterErrorRate(references: readonly string[], hypotheses: readonly string[]): ErrorRate {
  return errorRate('characterErrorRate', 'character', (text) => [...text], { references, hypotheses })
}

function errorRate(
  place: string,
  unit: string,
  cut: (text: string) => readonly string[],
  { references, hypotheses }: { references: readonly string[]; hypotheses: readonly string[] },
): ErrorRate {
  if (!Array.isArray(references) || references.length !== hypotheses?.length) {
    throw new RangeError(
      `${place}: expected as many hypotheses as references, got ${describe(references)} and ${describe(hypotheses)}`,
    )
  }
  const sum: ErrorRate = { rate: 0, length: 0, total: 0, substitutions: 0, insertions: 0, deletions: 0 }
  for (const [n, reference] of references.entries()) {
    const said = cut(reference)
    const edits = editDistance(said, cut(hypotheses[n]))
    sum.length += said.length
    for (const kind of ['total', 'substitutions', 'insertions', 'deletions'] as const)
      sum[kind] += edits[kind]
  }
  if (sum.length === 0) throw new RangeError(`${place}: expected references with at least one ${unit}`)
  return { ...sum, rate: sum.total / sum.length }
}

/**
 * A metric for models trained with `ctcLoss`: the edits from each target to what greedy decoding reads, over the labels of all
 * targets.
 *
 * @param options.blank the class that stands for no label; default 0
 */
export function labelErrorRate(options: { blank?: number } = {}): Metric {
  refuseUnknownOptions('labelErrorRate', options, ['blank'])
  const { blank = 0 } = options
  return metric((prediction: Tensor, target: Tensor, { lengths, targetLengths }: MetricOptions = {}) => {
    const [B, S] = target.shape
    const heard = ctcGreedyDecode(prediction, { blank, ...(lengths && { lengths }) })
    let sum = 0
    let weight = 0
    for (let b = 0; b < B; b++) {
      const length = targetLengths ? targetLengths[b] : S
      sum += editDistance(target.array.subarray(b * S, b * S + length), heard[b]).total
      weight += length
    }
    return { sum, weight }
  })
}
