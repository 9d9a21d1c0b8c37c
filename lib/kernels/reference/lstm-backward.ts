/** The reference LSTM, backward: lstm-forward.ts read from its last line to its first. */
import type { FloatArray, LstmBackward, LstmParameters } from '../contract.ts'
import { addScaled } from './loops.ts'
import { cellFunctions, sectionsOf, timeOf, zoneoutAt } from './lstm-common.ts'
import { differentiateNormalised } from './normalization.ts'

export function lstmBackward(directions: readonly LstmBackward[]): void {
  for (const call of directions) backwardDirection(call)
}

function backwardDirection(call: LstmBackward): void {
  const { B, T, I, H, P, reverse, lengths, x, recurrentMask, dy, dhn, dcn, dx, dh0, dc0 } = call
  const { weightIh, weightHh, weightHr, peephole, normIh, normHh, normCell } = call.parameters
  const { zoneoutCell = 0, zoneoutHidden = 0 } = call
  const R = P || H
  const cache = sectionsOf(call.cache, call)
  const { gate, candidate, output, coupledInputForget } = cellFunctions(call.variant)

  // Parameter gradients are summed over all steps in doubles and added once.
  const sums = doublesLike(call.dparameters)
  const dh = new Float64Array(R)
  const dc = new Float64Array(H)
  const dcandidate = new Float64Array(R)
  const douter = new Float64Array(H)
  const dcell = new Float64Array(H)
  const da = new Float64Array(4 * H)
  const dv = new Float64Array(4 * H)
  const dxStep = new Float64Array(I)
  const dm = new Float64Array(R)

  for (let b = 0; b < B; b++) {
    const length = lengths ? lengths[b] : T
    for (let r = 0; r < R; r++) dh[r] = dhn ? dhn[b * R + r] : 0
    for (let k = 0; k < H; k++) dc[k] = dcn ? dcn[b * H + k] : 0

    for (let step = length - 1; step >= 0; step--) {
      const t = timeOf(step, length, reverse)
      const row = b * T + step
      const gatesAt = row * 4 * H

      // h[t], through the projection if there is one
      if (dy) addScaled(1, dy, b * call.yBatchStride + t * call.yTimeStride, dh, 0, R)
      for (let r = 0; r < R; r++) {
        const z = zoneoutAt(zoneoutHidden, (b * T + t) * R + r)
        dcandidate[r] = (1 - z) * dh[r]
        dh[r] *= z
      }
      if (weightHr) {
        transposeMultiply(weightHr, dcandidate, douter)
        for (let k = 0; sums.weightHr && k < H; k++) {
          const outer = cache.gates[gatesAt + 3 * H + k] * cache.squashed[row * H + k]
          for (let r = 0; r < R; r++) sums.weightHr[r * H + k] += dcandidate[r] * outer
        }
      } else douter.set(dcandidate)

      // o∘tanh(LN(ĉ)), and c[t]
      for (let k = 0; k < H; k++) {
        const o = cache.gates[gatesAt + 3 * H + k]
        const squashed = cache.squashed[row * H + k]
        da[3 * H + k] = douter[k] * squashed * gate.derivative(cache.sums[gatesAt + 3 * H + k], o)
        dcell[k] = douter[k] * o * output.derivative(cache.squashable[row * H + k], squashed)
      }
      if (normCell) {
        if (sums.normCell) {
          addProducts(dcell, cache.normalisedCell, row * H, sums.normCell)
          addScaled(1, dcell, 0, sums.normCell, H, H)
        }
        for (let k = 0; k < H; k++) dcell[k] *= normCell[k]
        differentiateNormalised(dcell, cache.normalisedCell, row * H, cache.rstd[row * 3 + 2])
      }
      for (let k = 0; k < H; k++) {
        const z = zoneoutAt(zoneoutCell, (b * T + t) * H + k)
        dcell[k] += (1 - z) * dc[k] + (peephole ? peephole[2 * H + k] * da[3 * H + k] : 0)
        dc[k] *= z
      }

      // ĉ = f∘c[t-1] + i∘g
      for (let k = 0; k < H; k++) {
        const i = cache.gates[gatesAt + k]
        const f = cache.gates[gatesAt + H + k]
        const g = cache.gates[gatesAt + 2 * H + k]
        const previous = cache.cPrevious[row * H + k]
        const di = coupledInputForget ? g - previous : g
        const df = coupledInputForget ? 0 : previous * gate.derivative(cache.sums[gatesAt + H + k], f)
        da[k] = dcell[k] * di * gate.derivative(cache.sums[gatesAt + k], i)
        da[H + k] = dcell[k] * df
        da[2 * H + k] = dcell[k] * i * candidate.derivative(cache.sums[gatesAt + 2 * H + k], g)
        dc[k] += dcell[k] * f + (peephole ? peephole[k] * da[k] + peephole[H + k] * da[H + k] : 0)
      }
      if (sums.peephole) {
        for (let k = 0; k < H; k++) {
          sums.peephole[k] += da[k] * cache.cPrevious[row * H + k]
          sums.peephole[H + k] += da[H + k] * cache.cPrevious[row * H + k]
          sums.peephole[2 * H + k] += da[3 * H + k] * cache.cell[row * H + k]
        }
      }

      // a = LN(x·W_ihᵀ) + b_ih + LN(m·W_hhᵀ) + b_hh
      if (sums.biasIh) addScaled(1, da, 0, sums.biasIh, 0, 4 * H)
      if (sums.biasHh) addScaled(1, da, 0, sums.biasHh, 0, 4 * H)

      dv.set(da)
      if (normIh) {
        if (sums.normIh) addProducts(da, cache.normalisedIh, gatesAt, sums.normIh)
        for (let j = 0; j < 4 * H; j++) dv[j] *= normIh[j]
        differentiateNormalised(dv, cache.normalisedIh, gatesAt, cache.rstd[row * 3])
      }
      const xAt = b * call.xBatchStride + t * call.xTimeStride
      if (sums.weightIh) addOuterProduct(dv, x, xAt, I, sums.weightIh)
      if (dx) {
        transposeMultiply(weightIh, dv, dxStep)
        addScaled(1, dxStep, 0, dx, xAt, I)
      }

      dv.set(da)
      if (normHh) {
        if (sums.normHh) addProducts(da, cache.normalisedHh, gatesAt, sums.normHh)
        for (let j = 0; j < 4 * H; j++) dv[j] *= normHh[j]
        differentiateNormalised(dv, cache.normalisedHh, gatesAt, cache.rstd[row * 3 + 1])
      }
      if (sums.weightHh) addOuterProduct(dv, cache.m, row * R, R, sums.weightHh)
      transposeMultiply(weightHh, dv, dm)
      for (let r = 0; r < R; r++) dh[r] += recurrentMask ? dm[r] * recurrentMask[b * R + r] : dm[r]
    }

    if (dh0) addScaled(1, dh, 0, dh0, b * R, R)
    if (dc0) addScaled(1, dc, 0, dc0, b * H, H)
  }

  for (const name of Object.keys(sums) as (keyof LstmParameters)[]) {
    const sum = sums[name]!
    addScaled(1, sum, 0, call.dparameters[name]!, 0, sum.length)
  }
}

/** Zeros of the lengths of those arrays that are present. */
function doublesLike(arrays: Partial<LstmParameters>): Partial<Record<keyof LstmParameters, Float64Array>> {
  const present = Object.entries(arrays).filter(([, array]) => array)
  return Object.fromEntries(present.map(([name, array]) => [name, new Float64Array(array.length)]))
}

/** out[k] = Σ weight[j, k]·v[j]. weight [v.length, out.length]. */
function transposeMultiply(weight: FloatArray, v: FloatArray, out: FloatArray): void {
  out.fill(0)
  for (let j = 0; j < v.length; j++) addScaled(v[j], weight, j * out.length, out, 0, out.length)
}

/** sum[j, k] += u[j]·v[start + k]. sum [u.length, n]. */
function addOuterProduct(u: FloatArray, v: FloatArray, start: number, n: number, sum: FloatArray): void {
  for (let j = 0; j < u.length; j++) addScaled(u[j], v, start, sum, j * n, n)
}

/** sum[j] += u[j]·v[start + j]. */
function addProducts(u: FloatArray, v: FloatArray, start: number, sum: FloatArray): void {
  for (let j = 0; j < u.length; j++) sum[j] += u[j] * v[start + j]
}
