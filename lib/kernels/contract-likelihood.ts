/** The contract's part on the likelihoods of distribution heads. Its rules hold here too (contract.ts). */
import type { FloatArray } from './contract.ts'

/** A family of distributions; a row of its predictions has 2 numbers, that of studentT 3. */
export type Likelihood = 'gaussian' | 'studentT' | 'negativeBinomial'

export interface LikelihoodKernels {
  /** Returns sum = Σ w[n]·-ln p(target[n]) and weight = Σ w[n] over the targets that count. */
  likelihood(kind: Likelihood, call: LikelihoodCall): { sum: number; weight: number }
}

/**
 * -ln p(y) of each target y given its row of predictions:
 *
 *     gaussian           μ, s       ½·(s + (y - μ)²/eˢ), without the constant ½·ln 2π
 *     studentT           μ, s, n    ln Γ(ν/2) - ln Γ((ν + 1)/2) + ½·ln(νπ) + s/2 + (ν + 1)/2·ln(1 + (y - μ)²/(ν·eˢ)),
 *                                   ν = 2 + softplus(n)
 *     negativeBinomial   m, a       ln Γ(r) + ln Γ(y + 1) - ln Γ(y + r) + r·ln(1 + μ/r) + y·ln(1 + r/μ),
 *                                   μ = scale·softplus(m), r = √scale/softplus(a), y ≥ 0
 *
 * softplus(x) = ln(1 + eˣ), in which an x below -300 counts as -300, so that no quotient of two leaves the range of double.
 * A target that is NaN is missing: it does not count, nor does one whose mask is 0, whatever its row. What counts with an
 * infinite target, scale or prediction, or with a NaN in its row or as its scale, has the loss NaN and gradients of NaN.
 * All is computed in double, of which the gradients are rounded.
 *
 * prediction [N, 2 or 3], target [N]; scale [N], positive, of negativeBinomial only (default all 1); mask [N], the weights w
 * (default all 1); dprediction, of prediction's shape, and dtarget [N], the gradients of `sum`, are overwritten, with 0 for
 * what does not count; the caller scales them.
 */
export interface LikelihoodCall {
  N: number
  prediction: FloatArray
  target: FloatArray
  scale?: FloatArray
  mask?: FloatArray
  dprediction?: FloatArray
  dtarget?: FloatArray
}
