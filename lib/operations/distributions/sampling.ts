/** Random numbers of the distributions that are made of others. */

import { lnGamma } from '../../kernels/reference/special-functions.ts'
import type { Random } from '../../random.ts'

/**
 * A number of the gamma distribution with this shape and scale 1 (Marsaglia & Tsang 2000); below a shape of 1 one of
 * shape + 1 times u^(1/shape).
 */
export function sampleGamma(random: Random, shape: number): number {
  if (shape < 1) return sampleGamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    if (Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/**
 * A number of the Poisson distribution: by products of uniform numbers below a mean of 10, above by transformed rejection
 * (PTRS of Hörmann 1993), whose time does not grow with the mean.
 */
export function samplePoisson(random: Random, mean: number): number {
  if (mean < 10) {
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = random.uniform(); product > limit; product *= random.uniform()) count++
    return count
  }
  const b = 0.931 + 2.53 * Math.sqrt(mean)
  const a = -0.059 + 0.02483 * b
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
  const right = 0.9277 - 3.6224 / (b - 2)
  for (;;) {
    const u = random.uniform() - 0.5
    const v = 1 - random.uniform()
    const us = 0.5 - Math.abs(u)
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43)
    if (us >= 0.07 && v <= right) return k
    if (k < 0 || (us < 0.013 && v > us)) continue
    const accepted = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b)
    if (accepted <= k * Math.log(mean) - mean - lnGamma(k + 1)) return k
  }
}
