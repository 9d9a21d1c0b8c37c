/** How much each input counted for a prediction, by the slopes of the prediction in its inputs. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import type { Model } from '../layers/layer.ts'
import { Tensor } from '../tensor.ts'
import { gaussLegendre } from './quadrature.ts'
import { type BaselineOptions, type ExplanationOptions, explanationOptions, Subject } from './subject.ts'

/** What each input added to the score, 0 at steps that do not count. */
export interface Explanation {
  /** [B]: the numbers that are explained, one for each sequence */
  score: Tensor
  /** The column of the output that each of them is; absent where `target` is a function. */
  targets?: Int32Array
  /** In the shape of x; of symbols [B, T, E], what each number of their vectors added */
  attribution: Tensor
  /** [B, T]: the attributions of each step, or symbol, summed */
  steps: Tensor
  /** [B, ...]: the attributions of each feature summed over the steps */
  features: Tensor
}

export interface IntegratedGradientsOptions extends BaselineOptions {
  /** Points between the baseline and x at which gradients are taken; default 50. */
  points?: number
}

export interface IntegratedGradients extends Explanation {
  /** [B]: the score of the baseline */
  baselineScore: Tensor
  /**
   * [B]: Σ attributions - (score - baselineScore), which is 0 but for what the sum over `points` lacks to the integral. Where it
   * is not small beside score - baselineScore, take more points.
   */
  gap: Tensor
}

/**
 * attribution = x ∘ ∂score/∂x (Shrikumar et al. 2016): to first order, what the score would lose if the input were 0. One pass
 * backward; but where a function saturates its slope is small, however much the input counted.
 *
 * Neither the gradients of parameters nor the model's mode change.
 *
 * @param x [B, T, ...], or symbols int32 [B, T] of a model with an Embedding
 * @throws {TypeError | RangeError} if x, an option or the model's output does not fit
 */
export function gradientTimesInput(model: Model, x: Tensor, options: ExplanationOptions = {}): Explanation {
  const place = 'gradientTimesInput'
  refuseUnknownOptions(place, options, explanationOptions)
  const subject = new Subject(place, model, x, options)
  const nothing = subject.baseline(undefined)
  const slopes = meanGradients(subject, nothing, { points: Float64Array.of(1), weights: Float64Array.of(1) })
  return explanationOf(subject, attributionsOf(subject, nothing, slopes))
}

/**
 * attribution = (x - x') ∘ ∫₀¹ ∂score/∂x (x' + α(x - x')) dα for a baseline x' (Sundararajan, Taly & Yan 2017, "Axiomatic
 * attribution for deep networks"). The attributions of a sequence sum to its score less that of the baseline, up to `gap`.
 * The integral is summed by the rule of Gauss and Legendre.
 *
 * Neither the gradients of parameters nor the model's mode change.
 *
 * @param x [B, T, ...], or symbols int32 [B, T] of a model with an Embedding
 * @throws {TypeError | RangeError} if x, an option or the model's output does not fit
 */
export function integratedGradients(
  model: Model,
  x: Tensor,
  options: IntegratedGradientsOptions = {},
): IntegratedGradients {
  const place = 'integratedGradients'
  refuseUnknownOptions(place, options, [...explanationOptions, 'baseline', 'points'])
  const { points = 50 } = options
  requireInteger(place, 'points', points)
  const subject = new Subject(place, model, x, options)
  const baseline = subject.baseline(options.baseline)
  const attribution = attributionsOf(
    subject,
    baseline,
    meanGradients(subject, baseline, gaussLegendre(points)),
  )

  const score = subject.score.array
  const baselineScore = scoresOf(subject, baseline)
  const gap = baselineScore.map((low, b) => {
    let sum = 0
    for (let i = b * subject.width; i < (b + 1) * subject.width; i++) sum += attribution[i]
    return sum - (score[b] - low)
  })
  return {
    ...explanationOf(subject, attribution),
    baselineScore: new Tensor(subject.score.shape, baselineScore),
    gap: new Tensor(subject.score.shape, gap),
  }
}

/** Σₖ weightₖ · ∂score/∂x at baseline + pointₖ·(x - baseline), for every sequence; in float64 until the end. */
function meanGradients(
  subject: Subject,
  baseline: FloatArray,
  { points, weights }: { points: Float64Array; weights: Float64Array },
): Float64Array {
  const { inputs, width, batchSize } = subject
  const [B] = subject.shape
  const sum = new Float64Array(inputs.length)
  for (let first = 0; first < B * points.length; first += batchSize) {
    const count = Math.min(batchSize, B * points.length - first)
    const at = (n: number) => ({ b: Math.floor((first + n) / points.length), k: (first + n) % points.length })
    const variants = subject.variants(count, (n) => at(n).b)
    for (let n = 0; n < count; n++) {
      const { b, k } = at(n)
      if (points[k] === 1) continue
      const own = variants.inputs.subarray(n * width, (n + 1) * width)
      for (let i = 0; i < width; i++) {
        const low = baseline[b * width + i]
        // Where both are the same the input stays as it is: a masked step may hold anything, NaN included.
        const difference = inputs[b * width + i] - low
        if (difference !== 0) own[i] = low + points[k] * difference
      }
    }
    const { gradient } = subject.gradients(variants)
    for (let n = 0; n < count; n++) {
      const { b, k } = at(n)
      for (let i = 0; i < width; i++) sum[b * width + i] += weights[k] * gradient[n * width + i]
    }
  }
  return sum
}

/** (x - baseline) ∘ slopes, 0 at steps that do not count. */
function attributionsOf(
  { inputs, counts, stepWidth }: Subject,
  baseline: FloatArray,
  slopes: Float64Array,
): FloatArray {
  return inputs.map((value, i) =>
    counts[Math.floor(i / stepWidth)] ? (value - baseline[i]) * slopes[i] : 0,
  ) as FloatArray
}

function scoresOf(subject: Subject, inputs: FloatArray): FloatArray {
  const [B] = subject.shape
  const scores = subject.score.array.slice() as FloatArray
  for (let first = 0; first < B; first += subject.batchSize) {
    const count = Math.min(subject.batchSize, B - first)
    const variants = subject.variants(count, (n) => first + n, inputs)
    scores.set(subject.scores(variants), first)
  }
  return scores
}

function explanationOf(subject: Subject, attribution: FloatArray): Explanation {
  const { shape, stepWidth, score, targets } = subject
  const [B, T, ...features] = shape
  const steps = attribution.slice(0, B * T).fill(0)
  const overSteps = attribution.slice(0, B * stepWidth).fill(0)
  for (const [i, value] of attribution.entries()) {
    const step = Math.floor(i / stepWidth)
    steps[step] += value
    overSteps[Math.floor(step / T) * stepWidth + (i % stepWidth)] += value
  }
  return {
    score,
    ...(targets && { targets }),
    attribution: new Tensor(shape, attribution),
    steps: new Tensor([B, T], steps),
    features: new Tensor([B, ...features], overSteps),
  }
}
