/** The negative binomial distribution as a loss and a head, for counts that vary more than their mean. */
import { incompleteBeta, lnGamma, lnGammaStep, softplus } from '../../kernels/reference/special-functions.ts'
import type { Tensor } from '../../tensor.ts'
import { checkOptions, type LossOptions } from '../loss-reduction.ts'
import { type Distribution, type DistributionHead, requireProbability, solveCount } from './distribution.ts'
import { likelihoodLoss, likelihoodSizes } from './likelihood.ts'
import { sampleGamma, samplePoisson } from './sampling.ts'

/**
 * -ln P(target) of the negative binomial distribution with mean μ = softplus(m) and dispersion α = softplus(a), whose variance
 * is μ + α·μ² (Salinas et al. 2020); with r = 1/α, and as -torch.distributions.NegativeBinomial(r, logits=ln(α·μ)).log_prob:
 *
 *     ln Γ(r) + ln Γ(z + 1) - ln Γ(z + r) + r·ln(1 + μ/r) + z·ln(1 + r/μ)
 *
 * With a scale ν of the series that the count belongs to, μ = ν·softplus(m) and α = softplus(a)/√ν.
 *
 * @param prediction [..., 2]: m and a
 * @param target [...] counts z ≥ 0, NaN for one that is missing; between whole numbers the formula is continued by the gamma
 *   function
 * @param options.scale ν > 0 in the shape of the target, a constant; default 1
 * @throws {RangeError} for a negative target
 */
export function negativeBinomialNegativeLogLikelihood(
  prediction: Tensor,
  target: Tensor,
  { scale, ...options }: LossOptions & { scale?: Tensor } = {},
): Tensor {
  const place = 'negativeBinomialNegativeLogLikelihood'
  checkOptions(place, options, ['scale'])
  const { array } = target
  for (let n = 0; n < array.length; n++) {
    if (array[n] < 0) throw new RangeError(`${place}: expected counts ≥ 0, got ${array[n]} at ${n}`)
  }
  return likelihoodLoss(place, 'negativeBinomial', { prediction, target, scale }, options)
}

/** A head whose distribution depends on the scale of the series, too. */
export interface CountHead extends DistributionHead {
  loss(prediction: Tensor, target: Tensor, options?: LossOptions & { scale?: Tensor }): Tensor
  /** @param scale ν of the series; default 1 */
  from(prediction: ArrayLike<number>, at?: number, scale?: number): Distribution
}

/** The negative binomial distribution from the two numbers of `negativeBinomialNegativeLogLikelihood`. */
export const negativeBinomial: CountHead = {
  name: 'negativeBinomial',
  size: likelihoodSizes.negativeBinomial,
  loss: negativeBinomialNegativeLogLikelihood,
  from: (prediction: ArrayLike<number>, at = 0, scale = 1) =>
    counts(scale * softplus(prediction[at]), Math.sqrt(scale) / softplus(prediction[at + 1])),
}

function counts(mean: number, r: number): Distribution {
  const cumulative = (x: number) => (x < 0 ? 0 : incompleteBeta(r / (r + mean), r, Math.floor(x) + 1))
  return {
    mean,
    variance: mean + mean ** 2 / r,
    logDensity: (z) =>
      z < 0 || !Number.isInteger(z)
        ? Number.NEGATIVE_INFINITY
        : lnGammaStep(r, z) - lnGamma(z + 1) - r * Math.log1p(mean / r) - z * Math.log1p(r / mean),
    cumulative,
    quantile(p) {
      requireProbability('NegativeBinomial.quantile', p)
      return solveCount(cumulative, p)
    },
    // A Poisson distribution whose mean is drawn from a gamma distribution.
    sample: (random) => samplePoisson(random, (sampleGamma(random, r) * mean) / r),
  }
}
