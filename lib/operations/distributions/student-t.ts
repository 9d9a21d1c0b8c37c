/** Student's t distribution as a loss and a head, for values with outliers. */
import { LEAST_FREEDOM } from '../../kernels/reference/likelihood.ts'
import { incompleteBeta, lnGammaStep, softplus } from '../../kernels/reference/special-functions.ts'
import type { Tensor } from '../../tensor.ts'
import { checkOptions, type LossOptions } from '../loss-reduction.ts'
import {
  type Distribution,
  type DistributionHead,
  requireProbability,
  solveQuantile,
} from './distribution.ts'
import { normalQuantile } from './gaussian.ts'
import { likelihoodLoss, likelihoodSizes } from './likelihood.ts'
import { sampleGamma } from './sampling.ts'

/**
 * -ln p(target) of Student's t with location μ, scale e^(s/2) and ν = 2 + softplus(n) degrees of freedom, as
 * -torch.distributions.StudentT(ν, μ, e^(s/2)).log_prob(target):
 *
 *     ln Γ(ν/2) - ln Γ((ν + 1)/2) + ½·ln(νπ) + s/2 + (ν + 1)/2·ln(1 + d²/(ν·eˢ)),   d = target - μ
 *
 * @param prediction [..., 3]: μ, s and n
 * @param target [...], NaN where one is missing
 */
export function studentTNegativeLogLikelihood(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  const place = 'studentTNegativeLogLikelihood'
  checkOptions(place, options)
  return likelihoodLoss(place, 'studentT', { prediction, target }, options)
}

/** Student's t from the three numbers of `studentTNegativeLogLikelihood`. */
export const studentT: DistributionHead = {
  name: 'studentT',
  size: likelihoodSizes.studentT,
  loss: studentTNegativeLogLikelihood,
  from: (prediction, at = 0) =>
    scaledT(prediction[at], Math.exp(prediction[at + 1] / 2), LEAST_FREEDOM + softplus(prediction[at + 2])),
}

function scaledT(mean: number, scale: number, freedom: number): Distribution {
  const logDensity = (x: number) =>
    lnGammaStep(freedom / 2, 0.5) -
    0.5 * Math.log(freedom * Math.PI) -
    Math.log(scale) -
    0.5 * (freedom + 1) * Math.log1p(((x - mean) / scale) ** 2 / freedom)
  const cumulative = (x: number) => {
    const square = ((x - mean) / scale) ** 2
    const tail = 0.5 * incompleteBeta(freedom / (freedom + square), freedom / 2, 0.5)
    return x < mean ? tail : 1 - tail
  }
  return {
    mean,
    variance: (scale ** 2 * freedom) / (freedom - 2),
    logDensity,
    cumulative,
    quantile(p) {
      requireProbability('StudentT.quantile', p)
      // A normal quantile, widened by the first term of Cornish & Fisher (1938).
      const z = normalQuantile(p)
      const start = mean + scale * (z + (z ** 3 + z) / (4 * freedom))
      return p === 0.5 ? mean : solveQuantile({ cumulative, logDensity }, p, { start, width: scale })
    },
    sample: (random) => {
      const chiSquared = 2 * sampleGamma(random, freedom / 2)
      return mean + scale * random.normal() * Math.sqrt(freedom / chiSquared)
    },
  }
}
