/** The two inner loops everything else is made of. Sums are doubles whatever the arrays hold. */
import type { FloatArray } from '../contract.ts'

/** Σ a[aStart + k]·b[bStart + k] over k < n. Four partial sums, so that an addition need not wait for the last one. */
export function dot(a: FloatArray, aStart: number, b: FloatArray, bStart: number, n: number): number {
  let sum0 = 0
  let sum1 = 0
  let sum2 = 0
  let sum3 = 0
  let k = 0
  for (; k + 3 < n; k += 4) {
    sum0 += a[aStart + k] * b[bStart + k]
    sum1 += a[aStart + k + 1] * b[bStart + k + 1]
    sum2 += a[aStart + k + 2] * b[bStart + k + 2]
    sum3 += a[aStart + k + 3] * b[bStart + k + 3]
  }
  for (; k < n; k++) sum0 += a[aStart + k] * b[bStart + k]
  return sum0 + sum1 + (sum2 + sum3)
}

/** y[yStart + k] += alpha·x[xStart + k] over k < n. */
export function addScaled(
  alpha: number,
  x: FloatArray,
  xStart: number,
  y: FloatArray,
  yStart: number,
  n: number,
): void {
  for (let k = 0; k < n; k++) y[yStart + k] += alpha * x[xStart + k]
}
