/** Softmax over rows, alone and fused with the cross-entropy. */
import type { FloatArray, SoftmaxBackward, SoftmaxCrossEntropy, SoftmaxForward } from '../contract.ts'

/**
 * The maximum of x[start .. start + C) and Σ exp(x - maximum). They stay apart: adding log(sum) to a large maximum would
 * cost its digits.
 */
function exponentials(x: FloatArray, start: number, C: number): { maximum: number; sum: number } {
  let maximum = Number.NEGATIVE_INFINITY
  for (let c = 0; c < C; c++) maximum = Math.max(maximum, x[start + c])
  let sum = 0
  for (let c = 0; c < C; c++) sum += Math.exp(x[start + c] - maximum)
  return { maximum, sum }
}

/** y = softmax(x) over each row of [N, C]; with `log`, y = log softmax(x). */
export function softmaxForward({ N, C, log, x, y }: SoftmaxForward): void {
  for (let n = 0; n < N; n++) {
    const { maximum, sum } = exponentials(x, n * C, C)
    for (let i = n * C; i < (n + 1) * C; i++) {
      y[i] = log ? x[i] - maximum - Math.log(sum) : Math.exp(x[i] - maximum) / sum
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
    const row = exponentials(logits, n * C, C)
    sum += rowWeight * (Math.log(row.sum) - (logits[n * C + target] - row.maximum))
    weight += rowWeight
    if (!dlogits) continue
    for (let c = 0; c < C; c++) {
      const probability = Math.exp(logits[n * C + c] - row.maximum) / row.sum
      dlogits[n * C + c] = rowWeight * (probability - (c === target ? 1 : 0))
    }
  }
  return { sum, weight }
}
