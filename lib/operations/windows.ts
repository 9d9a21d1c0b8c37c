/** Operations on windows along the time axis: convolution and pooling. */
import { requireInteger } from '../errors.ts'
import { kernelsFor } from '../kernels/index.ts'
import { type Padding, type Pool, type WindowOptions, type Windows, windowsOver } from '../kernels/windows.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireMask, requireShape } from './common.ts'

export interface Conv1dOptions {
  /** Steps from one window to the next; default 1. */
  stride?: number
  /** Steps from one element of a window to the next; default 1. */
  dilation?: number
  /** Channels see those of their own group only; default 1. */
  groups?: number
  /**
   * Zeros beside the sequence: 'valid' (default) none; 'same' as many as give ⌈T / stride⌉ windows, the odd one after the
   * end, as TensorFlow; 'causal' all before the start, as Keras; a number so many on both sides, as PyTorch.
   */
  padding?: Padding
}

/**
 * y[b, s, o] = bias[o] + Σ_k Σ_i weight[o, i, k]·x[b, s·stride - before + k·dilation, i], as torch.nn.functional.conv1d and
 * keras.layers.Conv1D. Axes are [B, T, C], where PyTorch has [B, C, T].
 *
 * @param x [B, T, I]
 * @param weight [O, I / groups, K], as in PyTorch
 * @param bias [O]
 * @returns [B, S, O], S = ⌊(T + padding - (K - 1)·dilation - 1) / stride⌋ + 1
 * @throws {RangeError} if a shape or an option does not fit, or T is too short for one window
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor, options: Conv1dOptions = {}): Tensor {
  const { stride = 1, dilation = 1, groups = 1, padding = 'valid' } = options
  const [O, perGroup, size] = weight.shape
  requireInteger('conv1d', 'groups', groups)
  const I = perGroup * groups
  if (weight.shape.length !== 3 || O % groups !== 0) {
    throw new RangeError(
      `conv1d: expected weight [O, I / groups, K], O a multiple of ${groups}, got [${weight.shape}]`,
    )
  }
  const windows = requireWindows('conv1d', x, { C: I, size, stride, dilation, padding })
  if (bias) requireShape('conv1d', 'bias', bias, [O])
  const [B] = x.shape
  const { T, S, before } = windows
  const [xs, ws] = floats('conv1d', x, weight)
  const bs = bias && floats('conv1d', x, bias)[1]
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, B * S * O)
  const shared = { B, T, S, I, O, groups, size, stride, dilation, before, x: xs, weight: ws }
  kernels.conv1dForward({ ...shared, bias: bs, y })
  return recordOne('conv1d', [x, weight, bias], [B, S, O], y, (dy, gradientOf) => {
    const [dx, dweight, dbias] = [gradientOf(x), gradientOf(weight), bias && gradientOf(bias)]
    kernels.conv1dBackward({ ...shared, dy, dx, dweight, dbias })
  })
}

export interface Pool1dOptions {
  /** Steps in a window. */
  size: number
  /** Steps from one window to the next; default `size`. */
  stride?: number
  /** As `Conv1dOptions.padding`, but that padding never counts; a number at most half of `size`. Default 'valid'. */
  padding?: Exclude<Padding, 'causal'>
}

/**
 * The largest value of each channel in each window, as torch.nn.functional.max_pool1d and keras.layers.MaxPooling1D. Of
 * equal ones the first gets the gradient.
 *
 * @param x [B, T, C]
 * @returns [B, S, C]
 * @throws {RangeError} if a shape or an option does not fit, or T is too short for one window
 */
export function maxPool1d(x: Tensor, options: Pool1dOptions): Tensor {
  return pool1d('max', x, { ...options, countPadding: false })
}

/**
 * The mean of each channel in each window, over the steps inside the sequence, as keras.layers.AveragePooling1D; with
 * `countPadding` over `size`, zeros among them, as torch.nn.functional.avg_pool1d does unless told otherwise.
 *
 * @param x [B, T, C]
 * @returns [B, S, C]
 * @throws {RangeError} if a shape or an option does not fit, or T is too short for one window
 */
export function averagePool1d(x: Tensor, options: Pool1dOptions & { countPadding?: boolean }): Tensor {
  return pool1d('average', x, { ...options, countPadding: options.countPadding ?? false })
}

/**
 * The largest value of each channel over the steps that count, as keras.layers.GlobalMaxPooling1D; 0 where none does.
 *
 * @param x [B, T, C]
 * @param options.mask [B·T], 0 where a step does not count
 * @returns [B, C]
 */
export function globalMaxPool1d(x: Tensor, { mask }: { mask?: Uint8Array } = {}): Tensor {
  return globalPool1d('max', x, mask)
}

/**
 * The mean of each channel over the steps that count, as keras.layers.GlobalAveragePooling1D; 0 where none does.
 *
 * @param x [B, T, C]
 * @param options.mask [B·T], 0 where a step does not count
 * @returns [B, C]
 */
export function globalAveragePool1d(x: Tensor, { mask }: { mask?: Uint8Array } = {}): Tensor {
  return globalPool1d('average', x, mask)
}

function pool1d(kind: Pool, x: Tensor, options: Pool1dOptions & { countPadding: boolean }): Tensor {
  const place = `${kind}Pool1d`
  const { size, stride = size, padding = 'valid', countPadding } = options
  requirePoolPadding(place, padding, size)
  const C = x.shape[2]
  const windows = requireWindows(place, x, { C, size, stride, dilation: 1, padding })
  return pool(kind, x, { windows, countPadding })
}

function globalPool1d(kind: Pool, x: Tensor, mask: Uint8Array | undefined): Tensor {
  const [B, T, C] = x.shape
  const place = kind === 'max' ? 'globalMaxPool1d' : 'globalAveragePool1d'
  if (x.shape.length !== 3 || T === 0) {
    throw new RangeError(`${place}: expected x of shape [B, T, C] with T of at least 1, got [${x.shape}]`)
  }
  if (mask) requireMask(place, mask, { B, T })
  const windows = { T, S: 1, size: T, stride: 1, dilation: 1, before: 0 }
  return pool(kind, x, { windows, countPadding: false, mask: mask?.slice(), shape: [B, C] })
}

function pool(
  kind: Pool,
  x: Tensor,
  call: { windows: Windows; countPadding: boolean; mask?: Uint8Array; shape?: readonly number[] },
): Tensor {
  const { windows, countPadding, mask } = call
  const [B, , C] = x.shape
  const { shape = [B, windows.S, C] } = call
  const [xs] = floats(`${kind}Pool1d`, x)
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, B * windows.S * C)
  const shared = { ...windows, B, C, mask, countPadding, x: xs, y }
  kernels.pool1dForward(kind, shared)
  return recordOne(`${kind}Pool1d`, [x], shape, y, (dy, gradientOf) => {
    kernels.pool1dBackward(kind, { ...shared, dy, dx: gradientOf(x)! })
  })
}

/** The windows over x [B, T, C], at least one. @throws {RangeError} if an option or the shape does not fit */
function requireWindows(place: string, x: Tensor, { C, ...options }: { C: number } & WindowOptions): Windows {
  if (x.shape.length !== 3 || x.shape[2] !== C) {
    throw new RangeError(`${place}: expected x of shape [B, T, ${C ?? 'C'}], got [${x.shape}]`)
  }
  return requireWindowsOver(place, x.shape[1], options)
}

/** The windows over T steps, rows or columns, at least one. @throws {RangeError} if an option does not fit */
export function requireWindowsOver(
  place: string,
  T: number,
  options: WindowOptions,
  what = 'steps',
): Windows {
  const { size, stride, dilation, padding } = options
  for (const [name, value] of Object.entries({ size, stride, dilation })) requireInteger(place, name, value)
  requirePadding(place, padding)
  const windows = windowsOver(T, options)
  if (windows.S > 0) return windows
  const span = (size - 1) * dilation + 1
  throw new RangeError(`${place}: a window of ${span} ${what} does not fit into ${T} with padding ${padding}`)
}

/** @throws {RangeError} unless the value is a way of padding */
export function requirePadding(place: string, padding: unknown): asserts padding is Padding {
  if (padding === 'valid' || padding === 'same' || padding === 'causal') return
  if (typeof padding === 'number' && Number.isSafeInteger(padding) && padding >= 0) return
  throw new RangeError(
    `${place}: expected padding valid, same, causal or an integer of at least 0, got ${String(padding)}`,
  )
}

/** @throws {RangeError} unless a pool with windows of `size` may be padded so: no window may lie outside the sequence */
export function requirePoolPadding(place: string, padding: unknown, size: number): void {
  requirePadding(place, padding)
  if (padding === 'valid' || padding === 'same' || (typeof padding === 'number' && padding <= size / 2))
    return
  throw new RangeError(
    `${place}: expected padding valid, same or at most half the size ${size}, got ${String(padding)}`,
  )
}
