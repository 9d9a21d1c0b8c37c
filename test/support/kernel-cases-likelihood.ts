/** Calls of the likelihoods of distribution heads, as those of kernel-cases.ts. */
import type { Likelihood } from '../../lib/kernels/contract-likelihood.ts'
import { type KernelCase, kernelCase, type Result } from './kernel-cases.ts'

/** Numbers in a row of predictions. */
export const likelihoods: Record<Likelihood, number> = { gaussian: 2, studentT: 3, negativeBinomial: 2 }
const kinds = Object.keys(likelihoods) as Likelihood[]

export const likelihoodCases: KernelCase[] = kinds.flatMap((kind) =>
  [false, true].map((everything) =>
    kernelCase(
      `likelihood ${kind} ${everything ? 'with gradients, a mask, missing targets and scales' : 'alone'}`,
      // Both sides compute in double: what is off is the rounding of the gradients, up to 2⁻²⁴ of each.
      () => 1,
      (size, take, kernels): Result => {
        const N = size === 'large' ? 60_001 : size
        const isCount = kind === 'negativeBinomial'
        const target = take(N, isCount ? (value) => Math.round(20 * value * value) : undefined)
        const call = { N, prediction: take(N * likelihoods[kind]), target }
        if (!everything) {
          const { sum, weight } = kernels.likelihood(kind, call)
          return { sums: Float64Array.of(sum, weight) }
        }
        for (let n = 3; n < N; n += 7) target[n] = Number.NaN
        const mask = take(N, (value) => (value < -0.5 ? 0 : value < 0.5 ? 1 : 0.25))
        const scale = isCount ? take(N, (value) => Math.fround(value * value + 0.1)) : undefined
        const [dprediction, dtarget] = [take(N * likelihoods[kind]), take(N)]
        const { sum, weight } = kernels.likelihood(kind, { ...call, mask, scale, dprediction, dtarget })
        return { sums: Float64Array.of(sum, weight), dprediction, dtarget }
      },
    ),
  ),
)
