/** How much each input counted for a prediction, by hiding it and predicting again. */
import { describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { Model } from '../layers/layer.ts'
import { Tensor } from '../tensor.ts'
import { type BaselineOptions, explanationOptions, Subject } from './subject.ts'

export interface OcclusionOptions extends BaselineOptions {
  /**
   * What is hidden at a time: a step or symbol with all its features, a feature at all steps, or one number alone; default
   * 'steps'.
   */
  by?: 'steps' | 'features' | 'elements'
  /** Steps hidden together, where steps are hidden; default 1. A step's attribution is the mean over the windows it is in. */
  window?: number
}

export interface Occlusion {
  /** [B]: the numbers that are explained, one for each sequence */
  score: Tensor
  /** The column of the output that each of them is; absent where `target` is a function. */
  targets?: Int32Array
  /** [B, T] by steps, [B, ...] by features, [B, T, ...] by elements; 0 at steps that do not count */
  attribution: Tensor
}

/** What is hidden of sequence `b` in one run: numbers of its inputs; and where in its attribution that is noted. */
interface Patch {
  b: number
  hidden: readonly number[]
  places: readonly number[]
}

/**
 * attribution = score(x) - score(x with a part of it replaced by the baseline) (Zeiler & Fergus 2014): what the prediction
 * loses without it. Any model will do, also one with steps in it that have no slope; it runs once for each part.
 *
 * @param x [B, T, ...], or symbols int32 [B, T] of a model with an Embedding
 * @throws {TypeError | RangeError} if x, an option or the model's output does not fit
 */
export function occlusion(model: Model, x: Tensor, options: OcclusionOptions = {}): Occlusion {
  const place = 'occlusion'
  refuseUnknownOptions(place, options, [...explanationOptions, 'baseline', 'by', 'window'])
  const { by = 'steps', window = 1 } = options
  if (!['steps', 'features', 'elements'].includes(by)) {
    throw new TypeError(`${place}: expected by to be 'steps', 'features' or 'elements', got ${describe(by)}`)
  }
  requireInteger(place, 'window', window)
  if (window > 1 && by !== 'steps')
    throw new TypeError(`${place}: window: ${window} hides steps together; leave out by: '${by}' or window`)
  const subject = new Subject(place, model, x, options)
  const baseline = subject.baseline(options.baseline)

  const patches = patchesOf(subject, by, window)
  const { inputs, shape, width, stepWidth, score, targets } = subject
  const [B, T, ...features] = shape
  const placeShape = { steps: [T], features, elements: [T, ...features] }[by]
  const places = { steps: T, features: stepWidth, elements: width }[by]
  const lost = new Float64Array(B * places)
  const times = new Uint32Array(B * places)
  for (let first = 0; first < patches.length; first += subject.batchSize) {
    const some = patches.slice(first, first + subject.batchSize)
    const variants = subject.variants(some.length, (n) => some[n].b)
    for (const [n, { b, hidden }] of some.entries()) {
      for (const i of hidden) variants.inputs[n * width + i] = baseline[b * width + i]
    }
    const scores = subject.scores(variants)
    for (const [n, patch] of some.entries()) {
      for (const at of patch.places) {
        lost[patch.b * places + at] += score.array[patch.b] - scores[n]
        times[patch.b * places + at]++
      }
    }
  }
  const attribution = inputs instanceof Float64Array ? lost : new Float32Array(lost.length)
  for (const [i, n] of times.entries()) attribution[i] = n > 1 ? lost[i] / n : lost[i]
  return { score, ...(targets && { targets }), attribution: new Tensor([B, ...placeShape], attribution) }
}

function patchesOf(subject: Subject, by: OcclusionOptions['by'], window: number): Patch[] {
  const [B, T] = subject.shape
  return Array.from({ length: B }, (_, b) => b).flatMap((b): Patch[] => {
    const counting = Array.from({ length: T }, (_, t) => t).filter((t) => subject.counts[b * T + t])
    if (counting.length === 0) return []
    const { stepWidth: F } = subject
    const numbersOf = (t: number) => Array.from({ length: F }, (_, f) => t * F + f)
    if (by === 'elements') return counting.flatMap(numbersOf).map((i) => ({ b, hidden: [i], places: [i] }))
    if (by === 'features') {
      return numbersOf(0).map((f) => ({ b, hidden: counting.map((t) => t * F + f), places: [f] }))
    }
    // Windows begin among the steps that count: how far a batch is padded changes nothing.
    const starts = Math.max(counting.length - window, 0) + 1
    return Array.from({ length: starts }, (_, start) => {
      const places = counting.slice(start, start + window)
      return { b, hidden: places.flatMap(numbersOf), places }
    })
  })
}
