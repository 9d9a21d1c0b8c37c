/** The likelihoods of distribution heads, a target at a time. */
import type { Likelihood, LikelihoodCall } from '../contract-likelihood.ts'
import {
  digamma,
  digammaStep,
  lnGamma,
  lnGammaStep,
  sigmoid,
  softplus,
  softplusRate,
} from './special-functions.ts'

/**
 * -ln p of one target. Writes the slopes of it, with respect to each of the row's numbers, then to the target, into
 * `slopes`; everything in double precision. `scale` is 1 where none is given.
 */
type OneLikelihood = (row: Float64Array, target: number, slopes: Float64Array, scale: number) => number

const gaussian: OneLikelihood = ([mean, logVariance], target, slopes) => {
  const scaled = (target - mean) * Math.exp(-logVariance)
  const square = (target - mean) * scaled
  slopes[0] = -scaled
  slopes[1] = 0.5 * (1 - square)
  slopes[2] = scaled
  return 0.5 * (logVariance + square)
}

/** Degrees of freedom stay above this, so that the distribution has a variance. */
export const LEAST_FREEDOM = 2

const studentT: OneLikelihood = ([location, logScale, raw], target, slopes) => {
  const freedom = LEAST_FREEDOM + softplus(raw)
  const scaled = (target - location) * Math.exp(-logScale)
  const q = ((target - location) * scaled) / freedom
  const bend = Math.log1p(q)
  const share = ((freedom + 1) * q) / (1 + q)
  slopes[0] = (-(freedom + 1) * scaled) / (freedom * (1 + q))
  slopes[1] = 0.5 - 0.5 * share
  slopes[2] = sigmoid(raw) * 0.5 * (bend - digammaStep(freedom / 2, 0.5) + (1 - share) / freedom)
  slopes[3] = -slopes[0]
  return 0.5 * (Math.log(freedom * Math.PI) + logScale + (freedom + 1) * bend) - lnGammaStep(freedom / 2, 0.5)
}

const negativeBinomial: OneLikelihood = ([rawMean, rawDispersion], count, slopes, scale) => {
  const mean = scale * softplus(rawMean)
  const r = Math.sqrt(scale) / softplus(rawDispersion)
  const whole = r + mean
  const rise = Math.log1p(mean / r)
  const fall = Math.log1p(r / mean)
  slopes[0] = -softplusRate(rawMean) * (r / whole) * (count - mean)
  // dr/da = -r·(rate of a), where the bracket is small as 1/r.
  const inR = rise + (count - mean) / whole - digammaStep(r, count)
  slopes[1] = -(inR * r) * softplusRate(rawDispersion)
  slopes[2] = digamma(count + 1) - digamma(count + r) + fall
  return lnGamma(count + 1) - lnGammaStep(r, count) + r * rise + count * fall
}

const families = {
  gaussian: { size: 2, one: gaussian },
  studentT: { size: 3, one: studentT },
  negativeBinomial: { size: 2, one: negativeBinomial },
}

/** Returns the weighed sum of -ln p(target) over the targets that count, and of their weights; writes the sum's gradient. */
export function likelihood(kind: Likelihood, call: LikelihoodCall): { sum: number; weight: number } {
  const { N, prediction, target, scale, mask, dprediction, dtarget } = call
  const { size, one } = families[kind]
  const row = new Float64Array(size)
  const slopes = new Float64Array(size + 1)
  let sum = 0
  let weight = 0
  for (let n = 0; n < N; n++) {
    const own = mask ? mask[n] : 1
    if (own === 0 || Number.isNaN(target[n])) slopes.fill(0)
    else {
      for (let k = 0; k < size; k++) row[k] = prediction[n * size + k]
      const ownScale = scale ? scale[n] : 1
      const loss = one(row, target[n], slopes, ownScale)
      const isUsable = [...row, target[n], ownScale].every(Number.isFinite)
      if (!isUsable) slopes.fill(Number.NaN)
      sum += own * (isUsable ? loss : Number.NaN)
      weight += own
    }
    for (let k = 0; dprediction && k < size; k++) dprediction[n * size + k] = own * slopes[k]
    if (dtarget) dtarget[n] = own * slopes[size]
  }
  return { sum, weight }
}
