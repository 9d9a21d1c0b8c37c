/** Convolution along the time axis. */
import type { Conv1dBackward, Conv1dForward, Windows } from '../windows.ts'
import { sumRows } from './pointwise.ts'

type Shape = Windows & { B: number; I: number; O: number; groups: number }

/** y[b, s, o] = bias[o] + Σ_k Σ_i weight[o, i, k]·x[b, t(s, k), g·I/G + i]. */
export function conv1dForward(call: Conv1dForward): void {
  const { B, S, O, size, x, weight, bias, y } = call
  for (let row = 0; row < B * S; row++) {
    for (let o = 0; o < O; o++) {
      let sum = bias ? bias[o] : 0
      eachTap(call, row, o, ({ input, tap, width }) => {
        for (let i = 0; i < width; i++) sum += weight[tap + i * size] * x[input + i]
      })
      y[row * O + o] = sum
    }
  }
}

export function conv1dBackward(call: Conv1dBackward): void {
  const { B, S, O, size, x, weight, dy, dx, dweight, dbias } = call
  // Gradients are summed in doubles and rounded once.
  const [dxs, dweights] = [dx && new Float64Array(x.length), dweight && new Float64Array(weight.length)]
  for (let row = 0; row < B * S; row++) {
    for (let o = 0; o < O; o++) {
      const upstream = dy[row * O + o]
      eachTap(call, row, o, ({ input, tap, width }) => {
        for (let i = 0; i < width; i++) {
          if (dxs) dxs[input + i] += upstream * weight[tap + i * size]
          if (dweights) dweights[tap + i * size] += upstream * x[input + i]
        }
      })
    }
  }
  if (dx && dxs) for (let i = 0; i < dxs.length; i++) dx[i] += dxs[i]
  if (dweight && dweights) for (let i = 0; i < dweights.length; i++) dweight[i] += dweights[i]
  if (dbias) sumRows(dy, dbias)
}

/**
 * The steps inside the sequence that output `o` of `row` = b·S + s reads: `width` channels of x from `input` on, against
 * the elements of the weight from `tap` on, `size` apart.
 */
function eachTap(
  { T, S, I, O, groups, size, stride, dilation, before }: Shape,
  row: number,
  o: number,
  visit: (tap: { input: number; tap: number; width: number }) => void,
): void {
  const width = I / groups
  const group = Math.floor(o / (O / groups))
  const [b, s] = [Math.floor(row / S), row % S]
  for (let k = 0; k < size; k++) {
    const t = s * stride - before + k * dilation
    if (t < 0 || t >= T) continue
    visit({ input: (b * T + t) * I + group * width, tap: o * width * size + k, width })
  }
}
