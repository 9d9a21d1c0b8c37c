/** What a distribution and a head that predicts one are, and what all of them share. */
import type { Random } from '../../random.ts'
import type { Tensor } from '../../tensor.ts'
import type { LossOptions } from '../loss-reduction.ts'

/** The distribution of one number. */
export interface Distribution {
  readonly mean: number
  readonly variance: number
  /** ln p(x): of the density, or of the probability of a count. */
  logDensity(x: number): number
  /** P(X ≤ x) */
  cumulative(x: number): number
  /** The smallest x with P(X ≤ x) ≥ p. @throws {RangeError} unless 0 < p < 1 */
  quantile(p: number): number
  sample(random: Random): number
}

/** A family of distributions as the last layer of a network: what its numbers mean, and the loss to train them by. */
export interface DistributionHead {
  readonly name: string
  /** Numbers for each value forecast: the length of a prediction's last axis. */
  readonly size: number
  /** Mean of -ln p(target) over the targets that are not missing (NaN). prediction [..., size], target [...]. */
  loss(prediction: Tensor, target: Tensor, options?: LossOptions): Tensor
  /** The distribution that the numbers from `at` on stand for. */
  from(prediction: ArrayLike<number>, at?: number): Distribution
}

/** @throws {RangeError} unless 0 < p < 1 */
export function requireProbability(place: string, p: number): void {
  if (!(p > 0 && p < 1)) throw new RangeError(`${place}: expected a probability between 0 and 1, got ${p}`)
}

/**
 * The x with cumulative(x) = p of a continuous distribution: Newton's method from `start`, halving instead wherever a step
 * would leave what is known to hold x.
 */
export function solveQuantile(
  { cumulative, logDensity }: Pick<Distribution, 'cumulative' | 'logDensity'>,
  p: number,
  { start, width }: { start: number; width: number },
): number {
  let [low, high] = [start - width, start + width]
  for (let reach = width; cumulative(low) > p; reach *= 2) low -= reach
  for (let reach = width; cumulative(high) < p; reach *= 2) high += reach
  let x = start
  for (let n = 0; n < 200 && high - low > 1e-15 * Math.max(Math.abs(low), Math.abs(high)); n++) {
    const error = cumulative(x) - p
    if (error > 0) high = x
    else low = x
    const next = x - error / Math.exp(logDensity(x))
    const isInside = next > low && next < high
    const previous = x
    x = isInside ? next : (low + high) / 2
    if (Math.abs(x - previous) <= 1e-14 * Math.abs(x)) break
  }
  return x
}

/** The smallest whole k ≥ 0 with cumulative(k) ≥ p: doubling, then halving. */
export function solveCount(cumulative: (k: number) => number, p: number): number {
  let high = 1
  while (cumulative(high) < p) high *= 2
  let low = -1
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (cumulative(middle) < p) low = middle
    else high = middle
  }
  return high
}
