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
 * dlogits = w[t]·(softmax(x) - onehot(t)), zero in ignored rows. With `labelSmoothing` ε every class c counts for ε/C·w[c] of
 * the loss, and the target for 1 - ε of what it did.
 */
export function softmaxCrossEntropy(call: SoftmaxCrossEntropy): { sum: number; weight: number } {
  const { N, C, logits, targets, classWeights, ignoreIndex, labelSmoothing = 0, dlogits } = call
  const weightOf = (c: number) => (classWeights ? classWeights[c] : 1)
  let allWeights = 0
  for (let c = 0; c < C; c++) allWeights += weightOf(c)
  let sum = 0
  let weight = 0
  for (let n = 0; n < N; n++) {
    const target = targets[n]
    if (target === ignoreIndex) {
      dlogits?.fill(0, n * C, (n + 1) * C)
      continue
    }
    const rowWeight = weightOf(target)
    const row = exponentials(logits, n * C, C)
    // What each class counts for in the loss: nearly all of it is the target's.
    const ofTarget = (1 - labelSmoothing) * rowWeight
    const share = labelSmoothing / C
    const negativeLog = (c: number) => Math.log(row.sum) - (logits[n * C + c] - row.maximum)
    sum += ofTarget * negativeLog(target)
    for (let c = 0; share > 0 && c < C; c++) sum += share * weightOf(c) * negativeLog(c)
    weight += rowWeight
    if (!dlogits) continue
    for (let c = 0; c < C; c++) {
      const probability = Math.exp(logits[n * C + c] - row.maximum) / row.sum
      const ofAll = share * (allWeights * probability - weightOf(c))
      dlogits[n * C + c] = ofTarget * (probability - (c === target ? 1 : 0)) + ofAll
    }
  }
  return { sum, weight }
}
