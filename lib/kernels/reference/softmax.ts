/** Softmax over rows, alone and fused with the cross-entropy. */
import type { FloatArray, SoftmaxBackward, SoftmaxCrossEntropy, SoftmaxForward } from '../contract.ts'

/** log Σ exp(x) over x[start .. start + C), with the maximum taken out so that no exp overflows. */
function logSumExp(x: FloatArray, start: number, C: number): number {
  let max = Number.NEGATIVE_INFINITY
  for (let c = 0; c < C; c++) max = Math.max(max, x[start + c])
  // A row of nothing but -Infinity (everything masked) would give -Infinity - -Infinity.
  if (max === Number.NEGATIVE_INFINITY) return max
  let sum = 0
  for (let c = 0; c < C; c++) sum += Math.exp(x[start + c] - max)
  return max + Math.log(sum)
}

/** y = softmax(x) over each row of [N, C]; with `log`, y = log softmax(x). */
export function softmaxForward({ N, C, log, x, y }: SoftmaxForward): void {
  for (let n = 0; n < N; n++) {
    const total = logSumExp(x, n * C, C)
    for (let c = 0; c < C; c++) {
      const logProbability = x[n * C + c] - total
      y[n * C + c] = log ? logProbability : Math.exp(logProbability)
    }
  }
}

/** dx += y∘(dy - Σ dy∘y), or with `log` dx += dy - exp(y)·Σ dy. */
export function softmaxBackward({ N, C, log, y, dy, dx }: SoftmaxBackward): void {
  for (let n = 0; n < N; n++) {
    let sum = 0
    for (let i = n * C; i < (n + 1) * C; i++) sum += log ? dy[i] : dy[i] * y[i]
    for (let i = n * C; i < (n + 1) * C; i++)
      dx[i] += log ? dy[i] - Math.exp(y[i]) * sum : y[i] * (dy[i] - sum)
  }
}

/**
 * Returns sum = Σ -w[t]·log softmax(x)[t] and weight = Σ w[t] over the rows whose target t is not ignored; writes
 * dlogits = w[t]·(softmax(x) - onehot(t)), zero in ignored rows.
 */
export function softmaxCrossEntropy(call: SoftmaxCrossEntropy): { sum: number; weight: number } {
  const { N, C, logits, targets, classWeights, ignoreIndex, dlogits } = call
  let sum = 0
  let weight = 0
  for (let n = 0; n < N; n++) {
    const target = targets[n]
    if (target === ignoreIndex) {
      dlogits?.fill(0, n * C, (n + 1) * C)
      continue
    }
    const rowWeight = classWeights ? classWeights[target] : 1
    const total = logSumExp(logits, n * C, C)
    sum += rowWeight * (total - logits[n * C + target])
    weight += rowWeight
    if (!dlogits) continue
    for (let c = 0; c < C; c++) {
      dlogits[n * C + c] = rowWeight * (Math.exp(logits[n * C + c] - total) - (c === target ? 1 : 0))
    }
  }
  return { sum, weight }
}
