/**
 * The contract's part on windows along the time axis: convolution and pooling. Its rules hold here too
 * (contract.ts). S is the number of windows, one for each step of the output.
 */
import type { FloatArray } from './contract.ts'

/** Window s reads the steps s·stride - before + k·dilation for k in [0, size); those outside [0, T) are padding. */
export interface Windows {
  T: number
  S: number
  size: number
  stride: number
  dilation: number
  before: number
}

/**
 * y[b, s, o] = bias[o] + Σ_k Σ_i weight[o, i, k]·x[b, s·stride - before + k·dilation, g·I/G + i], padding being zeros,
 * where g = ⌊o / (O/G)⌋ is the group of o. x [B, T, I], weight [O, I/G, size], bias [O], y [B, S, O]. Agrees with
 * torch.nn.Conv1d, whose axes C and T are exchanged.
 */
export interface Conv1dForward extends Windows {
  B: number
  I: number
  O: number
  groups: number
  x: FloatArray
  weight: FloatArray
  bias?: FloatArray
  y: FloatArray
}

/** The gradients of a forward call: dy [B, S, O]; dx, dweight and dbias like x, weight and bias. */
export interface Conv1dBackward extends Omit<Conv1dForward, 'bias' | 'y'> {
  dy: FloatArray
  dx?: FloatArray
  dweight?: FloatArray
  dbias?: FloatArray
}

/** NaN goes through both. */
export type Pool = 'max' | 'average'

/**
 * y[b, s, c] = the largest, or the average, of x over the steps of window s that count: those inside [0, T) whose byte in
 * `mask` [B·T] is not 0. Where none counts y is 0. With `countPadding` the average divides by `size` whatever counts.
 * x [B, T, C], y [B, S, C].
 */
export interface Pool1dForward extends Windows {
  B: number
  C: number
  mask?: Uint8Array
  countPadding: boolean
  x: FloatArray
  y: FloatArray
}

/** dx gets dy/n at each of the n steps that count, or dy at the first of them that is not below y. */
export interface Pool1dBackward extends Pool1dForward {
  dy: FloatArray
  dx: FloatArray
}

/** Zeros before and after a sequence: none, as TensorFlow for S = ⌈T / stride⌉, all before, or so many on both sides. */
export type Padding = 'valid' | 'same' | 'causal' | number

/** What decides where windows lie, whatever T. */
export interface WindowOptions {
  size: number
  stride: number
  dilation: number
  padding: Padding
}

/** The windows over T steps; none where not even one fits. */
export function windowsOver(T: number, { size, stride, dilation, padding }: WindowOptions): Windows {
  const span = (size - 1) * dilation + 1
  if (padding === 'same') {
    const S = Math.ceil(T / stride)
    const missing = Math.max((S - 1) * stride + span - T, 0)
    return { T, S, size, stride, dilation, before: Math.floor(missing / 2) }
  }
  const before = padding === 'causal' ? span - 1 : padding === 'valid' ? 0 : padding
  const after = padding === 'causal' ? 0 : before
  const S = Math.max(Math.floor((T + before + after - span) / stride) + 1, 0)
  return { T, S, size, stride, dilation, before }
}

/** The windows that each sequence's valid steps fill, none where there are none. */
export function windowsFilled(lengths: Int32Array, options: WindowOptions): Int32Array {
  return lengths.map((length) => (length === 0 ? 0 : windowsOver(length, options).S))
}
