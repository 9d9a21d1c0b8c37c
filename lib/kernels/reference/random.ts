/** Random masks. */
import { keysOf, mix } from '../../random.ts'
import type { BernoulliCall } from '../contract.ts'

/** out[i] = value where u(seed, i) < probability, else 0; u is the top 24 bits of `hash(seed, i)`, so that u fits float32. */
export function bernoulli({ out, seed, probability, value }: BernoulliCall): void {
  const [k1, k2] = keysOf(seed)
  for (let i = 0; i < out.length; i++) {
    const uniform = (mix(mix((i + k1) | 0) ^ k2) >>> 8) * 2 ** -24
    out[i] = uniform < probability ? value : 0
  }
}
