/** From what a model gives for each token to log-probabilities, in double precision. */
import { NonFiniteOutputError } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'

/** log p_i = z_i − log Σ_j exp z_j */
export function logSoftmax(logits: FloatArray, step: number, result: Float64Array): void {
  let largest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logits.length; i++) {
    if (!(logits[i] < Number.POSITIVE_INFINITY)) throw new NonFiniteOutputError(step, i, logits[i])
    if (logits[i] > largest) largest = logits[i]
  }
  if (largest === Number.NEGATIVE_INFINITY) throw new NonFiniteOutputError(step, 0, largest)
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - largest)
  const log = Math.log(sum)
  for (let i = 0; i < logits.length; i++) result[i] = logits[i] - largest - log
}

/** Rounding to float32 and other people's epsilons stay far below it. */
const sumTolerance = 1e-3

export function normalizeProbabilities(probabilities: FloatArray, step: number, result: Float64Array): void {
  let sum = 0
  for (let i = 0; i < probabilities.length; i++) {
    const value = probabilities[i]
    if (!Number.isFinite(value)) throw new NonFiniteOutputError(step, i, value)
    if (value < 0) refuseProbabilities(`${value} for token ${i}`, step)
    sum += value
  }
  if (Math.abs(sum - 1) > sumTolerance) refuseProbabilities(`a sum of ${sum}`, step)
  const log = Math.log(sum)
  for (let i = 0; i < probabilities.length; i++) result[i] = Math.log(probabilities[i]) - log
}

function refuseProbabilities(got: string, step: number): never {
  throw new RangeError(
    `generate: expected probabilities, of sum 1, got ${got} at step ${step}; ` +
      'leave outputs out if the model gives logits or log-probabilities',
  )
}
