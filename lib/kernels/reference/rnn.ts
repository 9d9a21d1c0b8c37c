/** The Elman network in plain loops: contract-rnn.ts has the equations. */
import type { FloatArray } from '../contract.ts'
import type { RnnActivation, RnnBackward, RnnForward } from '../contract-rnn.ts'

export function rnnForward(call: RnnForward): void {
  const { B, T, H, activation, a, weightHh, biasHh, h0, y, hn } = call
  for (let b = 0; b < B; b++) {
    const h = h0 ? h0.slice(b * H, (b + 1) * H) : new (y.constructor as Float32ArrayConstructor)(H)
    const steps = stepsOf(call, b)
    for (let t = steps.length; t < T; t++) y.subarray(rowOf(call, b, t)).fill(0, 0, H)
    for (const t of steps) {
      const row = rowOf(call, b, t)
      for (let j = 0; j < H; j++) {
        let sum = a[(b * T + t) * H + j] + (biasHh?.[j] ?? 0)
        for (let k = 0; k < H; k++) sum += h[k] * weightHh[j * H + k]
        y[row + j] = activate(activation, sum)
      }
      h.set(y.subarray(row, row + H))
    }
    hn.set(h, b * H)
  }
}

export function rnnBackward(call: RnnBackward): void {
  const { B, T, H, activation, weightHh, y, dy, dhn, da, dh0, dweightHh, dbiasHh } = call
  for (let b = 0; b < B; b++) {
    const dh = Float64Array.from({ length: H }, (_, j) => dhn?.[b * H + j] ?? 0)
    const delta = new Float64Array(H)
    const steps = stepsOf(call, b)
    for (let n = steps.length - 1; n >= 0; n--) {
      const row = rowOf(call, b, steps[n])
      for (let j = 0; j < H; j++) delta[j] = ((dy?.[row + j] ?? 0) + dh[j]) * slopeOf(activation, y[row + j])
      const before = n > 0 ? previous(y, rowOf(call, b, steps[n - 1])) : previous(call.h0, b * H)
      for (let j = 0; j < H; j++) {
        if (da) da[(b * T + steps[n]) * H + j] += delta[j]
        if (dbiasHh) dbiasHh[j] += delta[j]
        for (let k = 0; dweightHh && k < H; k++) dweightHh[j * H + k] += delta[j] * before(k)
      }
      for (let k = 0; k < H; k++) {
        dh[k] = 0
        for (let j = 0; j < H; j++) dh[k] += delta[j] * weightHh[j * H + k]
      }
    }
    for (let j = 0; dh0 && j < H; j++) dh0[b * H + j] += dh[j]
  }
}

/** The steps of sequence b in the order they are read. */
function stepsOf(
  { T, lengths, reverse }: Pick<RnnForward, 'T' | 'lengths' | 'reverse'>,
  b: number,
): number[] {
  const steps = Array.from({ length: lengths ? lengths[b] : T }, (_, t) => t)
  return reverse ? steps.reverse() : steps
}

function rowOf(
  { yBatchStride, yTimeStride }: Pick<RnnForward, 'yBatchStride' | 'yTimeStride'>,
  b: number,
  t: number,
): number {
  return b * yBatchStride + t * yTimeStride
}

function previous(h: FloatArray | undefined, first: number): (k: number) => number {
  return (k) => h?.[first + k] ?? 0
}

function activate(activation: RnnActivation, sum: number): number {
  // NaN stays NaN, as in the other relu.
  return activation === 'tanh' ? Math.tanh(sum) : sum < 0 ? 0 : sum
}

/** f' at the sum whose f is y. */
function slopeOf(activation: RnnActivation, y: number): number {
  return activation === 'tanh' ? 1 - y * y : y > 0 ? 1 : 0
}
