/**
 * The contract's part on images: convolution over rows and columns. Its rules hold here too (contract.ts). An image is
 * [H, W, C]; of the windows over its rows T is H, of those over its columns W.
 */
import type { FloatArray } from './contract.ts'
import type { Windows } from './windows.ts'

export interface ImageKernels {
  conv2dForward(call: Conv2dForward): void
  conv2dBackward(call: Conv2dBackward): void
}

/**
 * y[b, r, c, o] = bias[o] + Σ_k Σ_l Σ_i weight[o, i, k, l]·x[b, h, w, g·I/G + i], padding being zeros, where window r of
 * `rows` has h as its element k, window c of `columns` has w as its element l, and g = ⌊o / (O/G)⌋ is the group of o.
 * x [B, rows.T, columns.T, I], weight [O, I/G, rows.size, columns.size], bias [O], y [B, rows.S, columns.S, O]. Agrees with
 * torch.nn.Conv2d, which has channels before rows and columns.
 */
export interface Conv2dForward {
  B: number
  I: number
  O: number
  groups: number
  rows: Windows
  columns: Windows
  x: FloatArray
  weight: FloatArray
  bias?: FloatArray
  y: FloatArray
}

/** The gradients of a forward call: dy like y; dx, dweight and dbias like x, weight and bias. */
export interface Conv2dBackward extends Omit<Conv2dForward, 'bias' | 'y'> {
  dy: FloatArray
  dx?: FloatArray
  dweight?: FloatArray
  dbias?: FloatArray
}
