/** Metrics of one class, for where classes are of unequal size and accuracy says little. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { Tensor } from '../tensor.ts'
import { type Contribution, eachVerdict, type Metric, metric, requireSame, weights } from './metrics.ts'

export interface ClassOptions {
  /** The class that is looked for, of prediction [..., C] and target [...] int32. Default 1, which is also that of logits [...] and targets 0 and 1. */
  of?: number
}

/** Targets by what was predicted and what was right. */
interface Counts {
  truePositive: number
  falsePositive: number
  falseNegative: number
}

/** The part of what was predicted to be of the class that is; 0 where nothing was. */
export function precision(options: ClassOptions = {}): Metric {
  return ofClass('precision', options, ({ truePositive, falsePositive }) => ({
    sum: truePositive,
    weight: truePositive + falsePositive,
  }))
}

/** The part of the class that was predicted to be of it; 0 where there is none. */
export function recall(options: ClassOptions = {}): Metric {
  return ofClass('recall', options, ({ truePositive, falseNegative }) => ({
    sum: truePositive,
    weight: truePositive + falseNegative,
  }))
}

/** The harmonic mean of precision and recall, 2·TP / (2·TP + FP + FN) (van Rijsbergen 1979); 0 where both are. */
export function f1(options: ClassOptions = {}): Metric {
  return ofClass('f1', options, ({ truePositive, falsePositive, falseNegative }) => ({
    sum: 2 * truePositive,
    weight: 2 * truePositive + falsePositive + falseNegative,
  }))
}

/** Numerator and denominator are sums of counts, so that those of batches add up to that of the whole set. */
function ofClass(name: string, options: ClassOptions, ratio: (counts: Counts) => Contribution): Metric {
  refuseUnknownOptions(name, options, ['of'])
  const { of = 1 } = options
  requireInteger(name, 'of', of, 0)
  return metric(
    (prediction, target, { mask } = {}) => {
      const counts = { truePositive: 0, falsePositive: 0, falseNegative: 0 }
      eachDecision(name, { prediction, target, mask, of }, (isPredicted, isActual, weight) => {
        if (isPredicted && isActual) counts.truePositive += weight
        else if (isPredicted) counts.falsePositive += weight
        else if (isActual) counts.falseNegative += weight
      })
      return ratio(counts)
    },
    ({ sum, weight }) => (weight === 0 ? 0 : sum / weight),
  )
}

/** Calls `visit` for each target that counts: whether the class was predicted, whether it is right, and the weight. */
function eachDecision(
  name: string,
  { prediction, target, mask, of }: { prediction: Tensor; target: Tensor; mask?: Tensor; of: number },
  visit: (isPredicted: boolean, isActual: boolean, weight: number) => void,
): void {
  if (target.dataType === 'int32') {
    eachVerdict(name, { prediction, target, mask }, (predicted, actual, weight) =>
      visit(predicted === of, actual === of, weight),
    )
    return
  }
  requireSame(name, prediction.shape, target.shape)
  if (of > 1)
    throw new RangeError(`${name}: expected of to be 0 or 1 for logits and targets 0 and 1, got ${of}`)
  const weightOf = weights(name, target, mask)
  for (const [i, actual] of target.array.entries())
    visit(prediction.array[i] > 0 === (of === 1), actual > 0.5 === (of === 1), weightOf(i))
}
