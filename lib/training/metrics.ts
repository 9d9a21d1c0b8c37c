/**
 * Metrics: plain numbers, without gradients. Each is a function of a prediction and a target; over many
 * batches its sums are added before the last step is taken, so that the metric of a set does not depend on
 * how it was cut.
 */
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { sameShape } from '../operations/common.ts'
import { sizeOf, type Tensor } from '../tensor.ts'

export interface MetricOptions {
  /** 1 where an element counts, in the shape of the target or its leading axes, as for the losses. */
  mask?: Tensor
  /** Steps of each sequence of the prediction, and labels of each target, where targets have lengths of their own. */
  lengths?: Int32Array
  targetLengths?: Int32Array
}

/** What a batch contributes: a sum and how many elements (or what weight) it is over. */
export interface Contribution {
  sum: number
  weight: number
}

export interface Metric {
  (prediction: Tensor, target: Tensor, options?: MetricOptions): number
  /** The part of one batch. */
  measure(prediction: Tensor, target: Tensor, options?: MetricOptions): Contribution
  /** The metric of the added parts. */
  finish(total: Contribution): number
}

/**
 * What `fit` accepts: a metric made by `metric`, or any function, whose batches are weighed by their size.
 */
export type MetricFunction =
  | Metric
  | ((prediction: Tensor, target: Tensor, options?: MetricOptions) => number)

/** Makes a metric from the sum of a batch and, if it is not the mean, what to do with the total. */
export function metric(
  measure: Metric['measure'],
  finish: Metric['finish'] = ({ sum, weight }) => sum / weight,
): Metric {
  const whole = (prediction: Tensor, target: Tensor, options?: MetricOptions) =>
    finish(measure(prediction, target, options))
  return Object.assign(whole, { measure, finish })
}

/** Mean of |prediction - target|. */
export const mae: Metric = elementwise('mae', (p, t) => Math.abs(p - t))

/** Mean of (prediction - target)². */
export const mse: Metric = elementwise('mse', (p, t) => (p - t) ** 2)

/** √ of the mean of (prediction - target)², the mean being that of the whole set. */
export const rmse: Metric = metric(mse.measure, (total) => Math.sqrt(mse.finish(total)))

/** The part of predictions with |prediction - target| < tolerance. */
export function within({ tolerance }: { tolerance: number }): Metric {
  return elementwise('within', (p, t) => (Math.abs(p - t) < tolerance ? 1 : 0))
}

/** The part of logits on the right side of 0 for targets 0 and 1. */
export const binaryAccuracy: Metric = elementwise('binaryAccuracy', (p, t) => (p > 0 === t > 0.5 ? 1 : 0))

/**
 * The part of rows whose largest entry is at the target class. prediction [..., C]; target [...] int32,
 * negative classes (as ignoreIndex -100) not counted.
 */
export const accuracy: Metric = metric((prediction, target, { mask } = {}) => {
  let sum = 0
  let weight = 0
  eachVerdict('accuracy', { prediction, target, mask }, (predicted, actual, w) => {
    weight += w
    if (predicted === actual) sum += w
  })
  return { sum, weight }
})

/**
 * e to the mean of -ln softmax(prediction)[target]: how many tokens the model wavers between. prediction [..., C], logits or
 * log-probabilities; target [...] int32, negative classes (as ignoreIndex -100) not counted; a mask of 0 and 1.
 */
export const perplexity: Metric = metric(
  (prediction, target, { mask } = {}) => {
    requireSame('perplexity', prediction.shape.slice(0, -1), target.shape)
    const C = prediction.shape.at(-1)!
    const weightOf = weights('perplexity', target, mask)
    const logits = prediction.array as FloatArray
    const targets = Int32Array.from(target.array, (each, n) => (weightOf(n) === 0 ? -1 : Math.max(each, -1)))
    return kernelsFor(logits).softmaxCrossEntropy({ N: targets.length, C, logits, targets, ignoreIndex: -1 })
  },
  ({ sum, weight }) => Math.exp(sum / weight),
)

/**
 * Calls `visit` with the class that is predicted, the largest of prediction [..., C], the class in target [...] int32, and its
 * weight; not for negative classes and those that a mask leaves out.
 */
export function eachVerdict(
  name: string,
  { prediction, target, mask }: { prediction: Tensor; target: Tensor; mask?: Tensor },
  visit: (predicted: number, actual: number, weight: number) => void,
): void {
  requireSame(name, prediction.shape.slice(0, -1), target.shape)
  const C = prediction.shape.at(-1)!
  const weightOf = weights(name, target, mask)
  const [scores, classes] = [prediction.array, target.array]
  for (let n = 0; n < classes.length; n++) {
    const weight = weightOf(n)
    if (classes[n] < 0 || weight === 0) continue
    let best = 0
    for (let k = 1; k < C; k++) if (scores[n * C + k] > scores[n * C + best]) best = k
    visit(best, classes[n], weight)
  }
}

/** The mean of a function of an element of the prediction and the one of the target. */
function elementwise(name: string, score: (p: number, t: number) => number): Metric {
  return metric((prediction, target, { mask } = {}) => {
    requireSame(name, prediction.shape, target.shape)
    const weightOf = weights(name, target, mask)
    const [p, t] = [prediction.array, target.array]
    let sum = 0
    let weight = 0
    for (let i = 0; i < t.length; i++) {
      const w = weightOf(i)
      if (w === 0) continue
      sum += w * score(p[i], t[i])
      weight += w
    }
    return { sum, weight }
  })
}

/** The weight of element i of the target. */
export function weights(name: string, target: Tensor, mask: Tensor | undefined): (i: number) => number {
  if (!mask) return () => 1
  requireSame(`${name}: mask`, mask.shape, target.shape.slice(0, mask.shape.length))
  const inner = sizeOf(target.shape.slice(mask.shape.length))
  const values = mask.array
  return (i) => values[Math.floor(i / inner)]
}

export function requireSame(place: string, actual: readonly number[], expected: readonly number[]): void {
  if (!sameShape(actual, expected))
    throw new RangeError(`${place}: expected shape [${expected}], got [${actual}]`)
}
