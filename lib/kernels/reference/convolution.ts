/** Convolution over rows and columns, and along the time axis: that of an image of one row. */
import type { Conv2dBackward, Conv2dForward } from '../contract-images.ts'
import type { Conv1dBackward, Conv1dForward, Windows } from '../windows.ts'
import { sumRows } from './pointwise.ts'

type Shape = Pick<Conv2dForward, 'I' | 'O' | 'groups' | 'rows' | 'columns'>

const oneRow: Windows = { T: 1, S: 1, size: 1, stride: 1, dilation: 1, before: 0 }

/** y[b, s, o] = bias[o] + Σ_k Σ_i weight[o, i, k]·x[b, t(s, k), g·I/G + i]. */
export function conv1dForward(call: Conv1dForward): void {
  conv2dForward({ ...call, rows: oneRow, columns: call })
}

export function conv1dBackward(call: Conv1dBackward): void {
  conv2dBackward({ ...call, rows: oneRow, columns: call })
}

/** y[b, r, c, o] = bias[o] + Σ_k Σ_l Σ_i weight[o, i, k, l]·x[b, h(r, k), w(c, l), g·I/G + i]. */
export function conv2dForward(call: Conv2dForward): void {
  const { B, O, rows, columns, x, weight, bias, y } = call
  const apart = rows.size * columns.size
  for (let window = 0; window < B * rows.S * columns.S; window++) {
    for (let o = 0; o < O; o++) {
      let sum = bias ? bias[o] : 0
      eachTap(call, window, o, ({ input, tap, width }) => {
        for (let i = 0; i < width; i++) sum += weight[tap + i * apart] * x[input + i]
      })
      y[window * O + o] = sum
    }
  }
}

export function conv2dBackward(call: Conv2dBackward): void {
  const { B, O, rows, columns, x, weight, dy, dx, dweight, dbias } = call
  const apart = rows.size * columns.size
  // Gradients are summed in doubles and rounded once.
  const [dxs, dweights] = [dx && new Float64Array(x.length), dweight && new Float64Array(weight.length)]
  for (let window = 0; window < B * rows.S * columns.S; window++) {
    for (let o = 0; o < O; o++) {
      const upstream = dy[window * O + o]
      eachTap(call, window, o, ({ input, tap, width }) => {
        for (let i = 0; i < width; i++) {
          if (dxs) dxs[input + i] += upstream * weight[tap + i * apart]
          if (dweights) dweights[tap + i * apart] += upstream * x[input + i]
        }
      })
    }
  }
  if (dx && dxs) for (let i = 0; i < dxs.length; i++) dx[i] += dxs[i]
  if (dweight && dweights) for (let i = 0; i < dweights.length; i++) dweight[i] += dweights[i]
  if (dbias) sumRows(dy, dbias)
}

/**
 * The places inside the image that output `o` of `window` = (b·S + r)·S + c reads: `width` channels of x from `input` on,
 * against the elements of the weight from `tap` on, each as many apart as a window has places.
 */
function eachTap(
  { I, O, groups, rows, columns }: Shape,
  window: number,
  o: number,
  visit: (tap: { input: number; tap: number; width: number }) => void,
): void {
  const width = I / groups
  const group = Math.floor(o / (O / groups))
  const [r, c] = [Math.floor(window / columns.S) % rows.S, window % columns.S]
  const b = Math.floor(window / (rows.S * columns.S))
  for (let k = 0; k < rows.size; k++) {
    const h = r * rows.stride - rows.before + k * rows.dilation
    if (h < 0 || h >= rows.T) continue
    for (let l = 0; l < columns.size; l++) {
      const w = c * columns.stride - columns.before + l * columns.dilation
      if (w < 0 || w >= columns.T) continue
      const place = (b * rows.T + h) * columns.T + w
      visit({
        input: place * I + group * width,
        tap: (o * width * rows.size + k) * columns.size + l,
        width,
      })
    }
  }
}
