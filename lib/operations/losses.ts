/**
 * Losses: scalars made from a prediction and a target. Every one takes the same two options. `reduction` is 'mean'
 * (default) or 'sum'. `mask` weighs the elements, 1 counts and 0 does not, so that padding can be left out
 * (`maskOf(lengths, T)`); its shape is that of the target, or its leading axes ([B, T] for a target [B, T, F]). The mean
 * is then Σ mask·loss / Σ mask, and 0 where nothing counts. What is masked must still be finite.
 */
import { giveBuffer, takeBuffer, takeZeros } from '../buffers.ts'
import { describe, requireNumber } from '../errors.ts'
import type { FloatArray, Kernels } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { needsGradient, outputBuffer, recordOne } from '../tape.ts'
import { Tensor } from '../tensor.ts'
import { floats, requireLengths, requireShape } from './common.ts'
import { likelihoodLoss } from './distributions/likelihood.ts'
import {
  checkOptions,
  expandMask,
  type LossOptions,
  reciprocal,
  reduceLoss,
  reduceValues,
} from './loss-reduction.ts'
import { maximum, multiply, subtract } from './pointwise.ts'
import { reshape } from './shape.ts'

export type { LossOptions } from './loss-reduction.ts'

/** What a loss is told by `fit`: a mask where targets are per step, lengths where targets have lengths of their own. */
export interface LossContext extends LossOptions {
  /** Steps of each sequence of the prediction. */
  lengths?: Int32Array
  /** Labels of each target. */
  targetLengths?: Int32Array
}

export type Loss = (prediction: Tensor, target: Tensor, options?: LossContext) => Tensor

/** A 0/1 tensor [B, T] that is 1 at the valid steps of each sequence. */
export function maskOf(
  lengths: Int32Array,
  T: number,
  { dataType = 'float32' }: { dataType?: 'float32' | 'float64' } = {},
): Tensor {
  requireLengths('maskOf', lengths, { B: lengths.length, T })
  const size = lengths.length * T
  const mask = dataType === 'float64' ? new Float64Array(size) : new Float32Array(size)
  for (const [b, length] of lengths.entries()) mask.fill(1, b * T, b * T + length)
  return new Tensor([lengths.length, T], mask)
}

/** Mean of (prediction - target)², as torch.nn.MSELoss. */
export function meanSquaredError(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions('meanSquaredError', options)
  return differenceLoss('meanSquaredError', { prediction, target, options }, (kernels, d, value, slope) => {
    kernels.unaryForward('square', d, value)
    if (slope) kernels.axpy(2, d, slope)
  })
}

/** Mean of |prediction - target|, as torch.nn.L1Loss. */
export function meanAbsoluteError(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkOptions('meanAbsoluteError', options)
  return differenceLoss('meanAbsoluteError', { prediction, target, options }, (kernels, d, value, slope) => {
    kernels.unaryForward('abs', d, value)
    if (!slope) return
    const ones = takeBuffer(d, d.length).fill(1)
    kernels.unaryBackward('abs', { x: d, y: value, dy: ones, dx: slope })
    giveBuffer(ones)
  })
}

/**
 * ½d² where |d| ≤ delta, else delta·(|d| - ½delta), d = prediction - target; as torch.nn.HuberLoss (Huber 1964).
 *
 * @param options.delta where the square turns into a line; default 1
 */
export function huber(
  prediction: Tensor,
  target: Tensor,
  { delta = 1, ...options }: LossOptions & { delta?: number } = {},
): Tensor {
  checkOptions('huber', options, ['delta'])
  requireNumber('huber', 'delta', delta, { low: Number.MIN_VALUE })
  return differenceLoss('huber', { prediction, target, options }, (kernels, d, value, slope) => {
    // With the clipped difference s = clip(d, ±delta), which is the slope, the loss is s·d - ½s².
    const bound = takeBuffer(d, d.length).fill(delta)
    const below = takeBuffer(d, d.length)
    const clipped = takeBuffer(d, d.length)
    kernels.binary('minimum', d, bound, below)
    kernels.binary('maximum', below, bound.fill(-delta), clipped)
    kernels.unaryForward('square', clipped, below)
    kernels.axpy(-0.5, below, value.fill(0))
    kernels.multiplyAdd(clipped, d, value)
    if (slope) kernels.axpy(1, clipped, slope)
    for (const each of [bound, below, clipped]) giveBuffer(each)
  })
}

/**
 * -ln σ(x) for target 1, -ln(1 - σ(x)) for target 0, as torch.nn.BCEWithLogitsLoss: softplus(x) - x·target.
 *
 * @param logits any shape
 * @param target probabilities in [0, 1], the same shape
 */
export function binaryCrossEntropy(logits: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const place = 'binaryCrossEntropy'
  checkOptions(place, options)
  requireShape(place, 'target', target, logits.shape)
  const [x, t] = floats(place, logits, target)
  const kernels = kernelsFor(x)
  const value = takeBuffer(x, x.length)
  const negative = takeBuffer(x, x.length)
  kernels.unaryForward('softplus', x, value)
  kernels.unaryForward('negate', x, negative)
  kernels.multiplyAdd(negative, t, value)
  const { whole, scale, weigh } = reduceValues(place, value, target, options)
  giveBuffer(value)
  giveBuffer(negative)
  const y = outputBuffer(x, 1)
  y[0] = whole
  return recordOne(place, [logits, target], [], y, ([dy], gradientOf) => {
    const dlogits = gradientOf(logits)
    const dtarget = gradientOf(target)
    const slope = takeBuffer(x, x.length)
    if (dlogits) {
      kernels.unaryForward('sigmoid', x, slope)
      kernels.axpy(-1, t, slope)
      kernels.axpy(dy * scale, weigh(slope), dlogits)
    }
    if (dtarget) {
      slope.set(x)
      kernels.axpy(-dy * scale, weigh(slope), dtarget)
    }
    giveBuffer(slope)
  })
}

/**
 * -w[t]·ln softmax(logits)[t] of the target class t, as torch.nn.CrossEntropyLoss; with `labelSmoothing` ε
 * (1 - ε)·w[t]·-ln p[t] + ε/C·Σ_c w[c]·-ln p[c]. The mean divides by Σ w[t] over the targets that count, and is 0 where none
 * does.
 *
 * @param logits [..., C]
 * @param target [...], int32, each in [0, C) or `ignoreIndex`
 * @param options.classWeights C numbers; default all 1
 * @param options.ignoreIndex a target that does not count; default -100
 * @param options.labelSmoothing ε in [0, 1]: the part of the target that all classes share (Szegedy et al. 2016); default 0
 * @param options.mask 0/1 in the shape of the target or its leading axes
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  {
    classWeights,
    ignoreIndex = -100,
    labelSmoothing = 0,
    ...options
  }: LossOptions & {
    classWeights?: readonly number[] | FloatArray
    ignoreIndex?: number
    labelSmoothing?: number
  } = {},
): Tensor {
  checkOptions('crossEntropy', options, ['classWeights', 'ignoreIndex', 'labelSmoothing'])
  requireNumber('crossEntropy', 'labelSmoothing', labelSmoothing, { low: 0, high: 1 })
  const C = logits.shape.at(-1) ?? 0
  requireShape('crossEntropy', 'target', target, logits.shape.slice(0, -1))
  const [x] = floats('crossEntropy', logits)
  const targets = countedTargets(target, { C, ignoreIndex, mask: options.mask })
  if (classWeights && classWeights.length !== C) {
    throw new RangeError(`crossEntropy: expected ${C} classWeights, got ${classWeights.length}`)
  }
  const weights = classWeights && takeBuffer(x, C)
  weights?.set(classWeights!)
  const N = targets.length
  const kernels = kernelsFor(x)
  const dlogits = needsGradient([logits]) ? takeBuffer(x, N * C) : undefined
  const result = kernels.softmaxCrossEntropy({
    N,
    C,
    logits: x,
    targets,
    classWeights: weights,
    ignoreIndex,
    labelSmoothing,
    dlogits,
  })
  if (weights) giveBuffer(weights)
  const scale = options.reduction === 'sum' ? 1 : reciprocal(result.weight)
  const y = outputBuffer(x, 1)
  y[0] = result.sum * scale
  return recordOne('crossEntropy', [logits], [], y, ([dy], gradientOf) => {
    kernels.axpy(dy * scale, dlogits!, gradientOf(logits)!)
    giveBuffer(dlogits!)
  })
}

/**
 * ½·(s + (target - μ)² / eˢ) with the predicted mean μ and log-variance s: torch.nn.GaussianNLLLoss for a variance of
 * eˢ, without its constant ½·ln 2π (Nix & Weigend 1994).
 *
 * @param prediction [..., 2]: mean and logarithm of the variance
 * @param target [...], NaN where one is missing
 */
export function gaussianNegativeLogLikelihood(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  const place = 'gaussianNegativeLogLikelihood'
  checkOptions(place, options)
  return likelihoodLoss(place, 'gaussian', { prediction, target }, options)
}

/**
 * Pinball loss (Koenker & Bassett 1978): max(q·d, (q - 1)·d), d = target - prediction, averaged over the quantiles too.
 *
 * @param prediction [..., Q], one estimate for each quantile
 * @param target [...]
 * @param options.quantiles Q numbers in (0, 1)
 */
export function quantileLoss(
  prediction: Tensor,
  target: Tensor,
  { quantiles, ...options }: LossOptions & { quantiles: readonly number[] },
): Tensor {
  checkOptions('quantileLoss', options, ['quantiles'])
  if (!quantiles?.every((q) => q > 0 && q < 1)) {
    throw new RangeError(`quantileLoss: expected quantiles in (0, 1), got ${describe(quantiles)}`)
  }
  const Q = quantiles.length
  requireShape('quantileLoss', 'prediction', prediction, [...target.shape, Q])
  const [like] = floats('quantileLoss', prediction, target)
  const row = (numbers: readonly number[]) =>
    new Tensor([Q], like instanceof Float64Array ? new Float64Array(numbers) : new Float32Array(numbers))
  const difference = subtract(reshape(target, [...target.shape, 1]), prediction)
  const above = multiply(difference, row(quantiles))
  const below = multiply(difference, row(quantiles.map((q) => q - 1)))
  return reduceLoss('quantileLoss', maximum(above, below), options)
}

/** A loss of the difference d alone: `value` is written with it, `slope`, zeros before, with its derivative. */
type Pointwise = (kernels: Kernels, d: FloatArray, value: FloatArray, slope: FloatArray | undefined) => void

/** One pass over the difference computes loss and slope together; nothing but the slope is kept for the backward. */
function differenceLoss(
  place: string,
  { prediction, target, options }: { prediction: Tensor; target: Tensor; options: LossOptions },
  pointwise: Pointwise,
): Tensor {
  requireShape(place, 'target', target, prediction.shape)
  const [p, t] = floats(place, prediction, target)
  const kernels = kernelsFor(p)
  const difference = takeBuffer(p, p.length)
  const value = takeBuffer(p, p.length)
  const slope = needsGradient([prediction, target]) ? takeZeros(p, p.length) : undefined
  kernels.binary('subtract', p, t, difference)
  pointwise(kernels, difference, value, slope)
  const { whole, scale, weigh } = reduceValues(place, value, target, options)
  giveBuffer(difference)
  giveBuffer(value)
  const y = outputBuffer(p, 1)
  y[0] = whole
  return recordOne(place, [prediction, target], [], y, ([dy], gradientOf) => {
    const weighed = weigh(slope!)
    const dprediction = gradientOf(prediction)
    const dtarget = gradientOf(target)
    if (dprediction) kernels.axpy(dy * scale, weighed, dprediction)
    if (dtarget) kernels.axpy(-dy * scale, weighed, dtarget)
    giveBuffer(slope!)
  })
}

/** The targets, checked, with `ignoreIndex` in place of those the mask excludes. */
function countedTargets(
  target: Tensor,
  { C, ignoreIndex, mask }: { C: number; ignoreIndex: number; mask?: Tensor },
): Int32Array {
  const classes = target.array
  if (!(classes instanceof Int32Array)) {
    throw new TypeError(`crossEntropy: expected target of type int32, got ${target.dataType}`)
  }
  const counts = mask && expandMask('crossEntropy', mask, target.shape).array
  const targets = counts ? classes.map((each, n) => (counts[n] ? each : ignoreIndex)) : classes
  const outside = targets.findIndex((each) => each !== ignoreIndex && (each < 0 || each >= C))
  if (outside >= 0) {
    const found = targets[outside]
    throw new RangeError(
      `crossEntropy: expected targets in [0, ${C - 1}] or ${ignoreIndex}, got ${found} at ${outside}`,
    )
  }
  return targets
}
