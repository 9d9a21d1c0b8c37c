/** Student's t distribution as a loss and a head, for values with outliers. */
import type { Tensor } from '../../tensor.ts'
import { checkOptions, type LossOptions } from '../loss-reduction.ts'
import {
  type Distribution,
  type DistributionHead,
  requireProbability,
  solveQuantile,
} from './distribution.ts'
import { normalQuantile } from './gaussian.ts'
import { type Likelihood, likelihoodLoss } from './likelihood.ts'
import { sampleGamma } from './sampling.ts'
import { digammaStep, incompleteBeta, lnGammaStep, sigmoid, softplus } from './special-functions.ts'

/** Degrees of freedom stay above this, so that the distribution has a variance. */
const LEAST_FREEDOM = 2

/**
 * -ln p(target) of Student's t with location μ, scale e^(s/2) and ν = 2 + softplus(n) degrees of freedom, as
 * -torch.distributions.StudentT(ν, μ, e^(s/2)).log_prob(target):
 *
 *     ln Γ(ν/2) - ln Γ((ν + 1)/2) + ½·ln(νπ) + s/2 + (ν + 1)/2·ln(1 + d²/(ν·eˢ)),   d = target - μ
 *
 * @param prediction [..., 3]: μ, s and n
 * @param target [...]
 */
export function studentTNegativeLogLikelihood(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  const place = 'studentTNegativeLogLikelihood'
  checkOptions(place, options)
  return likelihoodLoss(place, { prediction, target, options }, { size: 3, likelihood })
}

const likelihood: Likelihood = (row, target, slopes) => {
  const [location, logScale, raw] = row
  const freedom = LEAST_FREEDOM + softplus(raw)
  const scaled = (target - location) * Math.exp(-logScale)
  const q = ((target - location) * scaled) / freedom
  const bend = Math.log1p(q)
  slopes[0] = (-(freedom + 1) * scaled) / (freedom * (1 + q))
  slopes[1] = 0.5 - (0.5 * (freedom + 1) * q) / (1 + q)
  slopes[2] =
    sigmoid(raw) *
    0.5 *
    (bend - digammaStep(freedom / 2, 0.5) + (1 - ((freedom + 1) * q) / (1 + q)) / freedom)
  slopes[3] = -slopes[0]
  return 0.5 * (Math.log(freedom * Math.PI) + logScale + (freedom + 1) * bend) - lnGammaStep(freedom / 2, 0.5)
}

/** Student's t from the three numbers of `studentTNegativeLogLikelihood`. */
export const studentT: DistributionHead = {
  name: 'studentT',
  size: 3,
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
