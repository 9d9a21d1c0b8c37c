/** The Gaussian distribution as a head: mean and logarithm of the variance. */
import { normalCumulative, normalDensity } from '../../kernels/reference/error-function.ts'
import { gaussianNegativeLogLikelihood } from '../losses.ts'
import { type Distribution, type DistributionHead, requireProbability } from './distribution.ts'
import { likelihoodSizes } from './likelihood.ts'

/**
 * N(μ, eˢ) from the two numbers μ and s. Its loss is `gaussianNegativeLogLikelihood`, without the constant ½·ln 2π, so it
 * compares with losses of its own kind only; `logDensity` has the constant.
 */
export const gaussian: DistributionHead = {
  name: 'gaussian',
  size: likelihoodSizes.gaussian,
  loss: gaussianNegativeLogLikelihood,
  from: (prediction, at = 0) => normal(prediction[at], Math.exp(prediction[at + 1])),
}

function normal(mean: number, variance: number): Distribution {
  const deviation = Math.sqrt(variance)
  return {
    mean,
    variance,
    logDensity: (x) => -0.5 * ((x - mean) ** 2 / variance + Math.log(2 * Math.PI * variance)),
    cumulative: (x) => normalCumulative((x - mean) / deviation),
    quantile: (p) => mean + deviation * normalQuantile(p),
    sample: (random) => random.normal(mean, deviation),
  }
}

const known = new Map<number, number>()

/**
 * Φ⁻¹(p): Newton's method on Φ(x) = p for the smaller of p and 1 - p, from √(-2·ln p), beyond which it does not lie. Results
 * are kept, since few different ones are asked for.
 *
 * @throws {RangeError} unless 0 < p < 1
 */
export function normalQuantile(p: number): number {
  requireProbability('normalQuantile', p)
  if (p > 0.5) return -normalQuantile(1 - p)
  const found = known.get(p)
  if (found !== undefined) return found
  // ln Φ is concave: from the far side every step stops short of the root, and none overshoots.
  let x = -Math.sqrt(-2 * Math.log(p))
  for (let n = 0; n < 100; n++) {
    const below = normalCumulative(x)
    const step = (Math.log(below / p) * below) / normalDensity(x)
    x -= step
    if (Math.abs(step) <= 1e-15 * Math.abs(x)) break
  }
  if (known.size > 1000) known.clear()
  known.set(p, x)
  return x
}
