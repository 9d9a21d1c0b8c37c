/** Batch normalisation (Ioffe & Szegedy 2015). */
import type { BatchNormBackward, BatchNormForward, BatchNormStatistics } from '../contract-batch-norm.ts'

export function batchNormStatistics({ N, C, mask, x, mean, variance }: BatchNormStatistics): void {
  for (let c = 0; c < C; c++) {
    let [count, sum, squares] = [0, 0, 0]
    for (let n = 0; n < N; n++) {
      if (mask?.[n] === 0) continue
      sum += x[n * C + c]
      count++
    }
    const centre = sum / count
    for (let n = 0; n < N; n++) if (mask?.[n] !== 0) squares += (x[n * C + c] - centre) ** 2
    mean[c] = centre
    variance[c] = squares / count
  }
}

/** y = (x - mean) / √(variance + eps) ∘ gain + shift. */
export function batchNormForward(call: BatchNormForward): void {
  const { N, C, x, mean, variance, gain, shift, eps, y } = call
  for (let c = 0; c < C; c++) {
    const scale = (gain ? gain[c] : 1) / Math.sqrt(variance[c] + eps)
    for (let n = 0; n < N; n++) y[n * C + c] = (x[n * C + c] - mean[c]) * scale + (shift ? shift[c] : 0)
  }
}

/** With x̂ = (x - mean)·rstd: dgain += Σ dy∘x̂;  dshift += Σ dy;  dx += rstd·gain∘(dy - (Σ dy + x̂∘Σ dy∘x̂) / count). */
export function batchNormBackward(call: BatchNormBackward): void {
  const { N, C, x, mean, variance, gain, eps, ofBatch, mask, dy, dx, dgain, dshift } = call
  let count = 0
  for (let n = 0; n < N; n++) count += mask?.[n] === 0 ? 0 : 1
  for (let c = 0; c < C; c++) {
    const rstd = 1 / Math.sqrt(variance[c] + eps)
    const normalised = (i: number) => (x[i] - mean[c]) * rstd
    let [sum, projection] = [0, 0]
    for (let i = c; i < N * C; i += C) {
      if (dy[i] === 0) continue
      sum += dy[i]
      projection += dy[i] * normalised(i)
    }
    if (dgain) dgain[c] += projection
    if (dshift) dshift[c] += sum
    if (!dx) continue
    for (let n = 0; n < N; n++) {
      const i = n * C + c
      const isSource = ofBatch && mask?.[n] !== 0
      const through = isSource ? (sum + normalised(i) * projection) / count : 0
      dx[i] += rstd * (gain ? gain[c] : 1) * (dy[i] - through)
    }
  }
}
