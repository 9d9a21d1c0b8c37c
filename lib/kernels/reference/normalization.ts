/** Layer normalisation of rows (Ba, Kiros & Hinton 2016); the LSTM normalises its rows with the same functions. */
import type { FloatArray, LayerNormBackward, LayerNormForward } from '../contract.ts'

/** The mean of x[start .. start + F) and 1/sqrt(var + eps), var being the biased variance. */
export function momentsOf(
  x: FloatArray,
  start: number,
  F: number,
  eps: number,
): { mean: number; rstd: number } {
  let sum = 0
  for (let f = 0; f < F; f++) sum += x[start + f]
  const mean = sum / F
  let squares = 0
  for (let f = 0; f < F; f++) squares += (x[start + f] - mean) ** 2
  return { mean, rstd: 1 / Math.sqrt(squares / F + eps) }
}

/**
 * Turns dv, the gradient of the normalised row v̂, into the gradient of the row itself, in place:
 * rstd·(dv - mean(dv) - v̂·mean(dv∘v̂)). dv [F]; v̂ = normalised[start .. start + F).
 */
export function differentiateNormalised(
  dv: FloatArray,
  normalised: FloatArray,
  start: number,
  rstd: number,
): void {
  const F = dv.length
  let sum = 0
  let projection = 0
  for (let f = 0; f < F; f++) {
    sum += dv[f]
    projection += dv[f] * normalised[start + f]
  }
  for (let f = 0; f < F; f++) dv[f] = rstd * (dv[f] - sum / F - normalised[start + f] * (projection / F))
}

/** y = (x - mean)·rstd∘gain + shift. x, y [N, F]; gain, shift [F]; mean, rstd [N]. */
export function layerNormForward({ N, F, x, gain, shift, eps, y, mean, rstd }: LayerNormForward): void {
  for (let n = 0; n < N; n++) {
    const row = momentsOf(x, n * F, F, eps)
    mean[n] = row.mean
    rstd[n] = row.rstd
    for (let f = 0; f < F; f++) {
      const normalised = (x[n * F + f] - row.mean) * row.rstd
      y[n * F + f] = normalised * (gain ? gain[f] : 1) + (shift ? shift[f] : 0)
    }
  }
}

/** dgain += Σ dy∘x̂;  dshift += Σ dy;  dx as `differentiateNormalised` of dy∘gain. */
export function layerNormBackward(call: LayerNormBackward): void {
  const { N, F, x, gain, mean, rstd, dy, dx, dgain, dshift } = call
  const normalised = new Float64Array(F)
  const dv = new Float64Array(F)
  const gainSum = new Float64Array(F)
  const shiftSum = new Float64Array(F)
  for (let n = 0; n < N; n++) {
    for (let f = 0; f < F; f++) {
      normalised[f] = (x[n * F + f] - mean[n]) * rstd[n]
      dv[f] = dy[n * F + f] * (gain ? gain[f] : 1)
      gainSum[f] += dy[n * F + f] * normalised[f]
      shiftSum[f] += dy[n * F + f]
    }
    if (!dx) continue
    differentiateNormalised(dv, normalised, 0, rstd[n])
    for (let f = 0; f < F; f++) dx[n * F + f] += dv[f]
  }
  for (let f = 0; f < F; f++) {
    if (dgain) dgain[f] += gainSum[f]
    if (dshift) dshift[f] += shiftSum[f]
  }
}
