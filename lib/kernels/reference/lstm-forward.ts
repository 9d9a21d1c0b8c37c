/** The reference LSTM, forward. The equations stand in the contract, at `LstmForward`; lstm-backward.ts mirrors this file. */
import type { FloatArray, LstmForward } from '../contract.ts'
import { dot } from './loops.ts'
import { cellFunctions, lstmCacheLength, sectionsOf, timeOf, zerosLike, zoneoutAt } from './lstm-common.ts'
import { momentsOf } from './normalization.ts'

export function lstmForward(directions: readonly LstmForward[]): void {
  for (const call of directions) forwardDirection(call)
}

function forwardDirection(call: LstmForward): void {
  const { B, T, I, H, P, reverse, lengths, x, h0, c0, recurrentMask, eps, y, hn, cn } = call
  const { weightIh, weightHh, biasIh, biasHh, weightHr, peephole, normIh, normHh, normCell } = call.parameters
  const { zoneoutCell = 0, zoneoutHidden = 0 } = call
  const R = P || H
  const { gate, candidate, output, coupledInputForget } = cellFunctions(call.variant)

  // Without a cache every step writes over the same row.
  const kept = call.cache ? call : { ...call, B: 1, T: 1 }
  const cache = sectionsOf(call.cache ?? zerosLike(hn, lstmCacheLength(kept)), kept)

  // The state is rounded to the arrays' type at every step, so that a window cut in two gives the same bits.
  const h = zerosLike(hn, R)
  const c = zerosLike(cn, H)
  const fromInput = new Float64Array(4 * H)
  const fromState = new Float64Array(4 * H)
  const a = new Float64Array(4 * H)
  const cell = new Float64Array(H)
  const inner = new Float64Array(H)
  const outer = new Float64Array(H)

  for (let b = 0; b < B; b++) {
    const length = lengths ? lengths[b] : T
    for (let r = 0; r < R; r++) h[r] = h0 ? h0[b * R + r] : 0
    for (let k = 0; k < H; k++) c[k] = c0 ? c0[b * H + k] : 0

    for (let step = 0; step < length; step++) {
      const t = timeOf(step, length, reverse)
      const row = call.cache ? b * T + step : 0

      // a = LN(x·W_ihᵀ) + b_ih + LN(m·W_hhᵀ) + b_hh
      for (let r = 0; r < R; r++)
        cache.m[row * R + r] = recurrentMask ? h[r] * recurrentMask[b * R + r] : h[r]
      multiply(weightIh, x, b * call.xBatchStride + t * call.xTimeStride, I, fromInput)
      multiply(weightHh, cache.m, row * R, R, fromState)
      if (normIh) cache.rstd[row * 3] = normalise(fromInput, eps, cache.normalisedIh, row, normIh)
      if (normHh) cache.rstd[row * 3 + 1] = normalise(fromState, eps, cache.normalisedHh, row, normHh)
      for (let j = 0; j < 4 * H; j++) {
        a[j] = fromInput[j] + fromState[j] + (biasIh ? biasIh[j] : 0) + (biasHh ? biasHh[j] : 0)
      }

      // ĉ = f∘c[t-1] + i∘g
      for (let k = 0; k < H; k++) {
        if (peephole) {
          a[k] += peephole[k] * c[k]
          a[H + k] += peephole[H + k] * c[k]
        }
        const i = gate.value(a[k])
        const f = coupledInputForget ? 1 - i : gate.value(a[H + k])
        const g = candidate.value(a[2 * H + k])
        cell[k] = f * c[k] + i * g
        cache.gates[row * 4 * H + k] = i
        cache.gates[row * 4 * H + H + k] = f
        cache.gates[row * 4 * H + 2 * H + k] = g
        cache.cPrevious[row * H + k] = c[k]
        cache.cell[row * H + k] = cell[k]
      }

      // o∘tanh(LN(ĉ)), and c[t]
      inner.set(cell)
      if (normCell) cache.rstd[row * 3 + 2] = normalise(inner, eps, cache.normalisedCell, row, normCell)
      for (let k = 0; k < H; k++) {
        if (peephole) a[3 * H + k] += peephole[2 * H + k] * cell[k]
        const o = gate.value(a[3 * H + k])
        const squashable = normCell ? inner[k] + normCell[H + k] : inner[k]
        const squashed = output.value(squashable)
        outer[k] = o * squashed
        cache.gates[row * 4 * H + 3 * H + k] = o
        cache.squashable[row * H + k] = squashable
        cache.squashed[row * H + k] = squashed
        const z = zoneoutAt(zoneoutCell, (b * T + t) * H + k)
        c[k] = z * c[k] + (1 - z) * cell[k]
      }
      cache.sums.set(a, row * 4 * H)

      // h[t], through the projection if there is one
      for (let r = 0; r < R; r++) {
        const candidate = weightHr ? dot(weightHr, r * H, outer, 0, H) : outer[r]
        const z = zoneoutAt(zoneoutHidden, (b * T + t) * R + r)
        h[r] = z * h[r] + (1 - z) * candidate
      }
      y.set(h, b * call.yBatchStride + t * call.yTimeStride)
    }

    for (let t = length; t < T; t++) {
      const start = b * call.yBatchStride + t * call.yTimeStride
      y.fill(0, start, start + R)
    }
    hn.set(h, b * R)
    cn.set(c, b * H)
  }
}

/** out[j] = Σ weight[j, k]·v[start + k]. weight [out.length, n]. */
function multiply(weight: FloatArray, v: FloatArray, start: number, n: number, out: FloatArray): void {
  for (let j = 0; j < out.length; j++) out[j] = dot(weight, j * n, v, start, n)
}

/** Normalises v in place and multiplies it by the gain; keeps v̂ in row `row` of `normalised` and returns its rstd. */
function normalise(
  v: FloatArray,
  eps: number,
  normalised: FloatArray,
  row: number,
  gain: FloatArray,
): number {
  const { mean, rstd } = momentsOf(v, 0, v.length, eps)
  for (let j = 0; j < v.length; j++) {
    const value = (v[j] - mean) * rstd
    normalised[row * v.length + j] = value
    v[j] = value * gain[j]
  }
  return rstd
}
