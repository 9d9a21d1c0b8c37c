/** Operations on images [B, H, W, C], channels last: convolution and pooling over rows and columns. */
import { requireInteger } from '../errors.ts'
import { kernelsFor } from '../kernels/index.ts'
import type { Padding, WindowOptions, Windows } from '../kernels/windows.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireMask, requireShape } from './common.ts'
import { reshape } from './shape.ts'
import {
  averagePool1d,
  globalAveragePool1d,
  globalMaxPool1d,
  maxPool1d,
  requirePoolPadding,
  requireWindowsOver,
} from './windows.ts'

/** One value for rows and columns, or one for each. */
export type Each<T> = T | readonly [rows: T, columns: T]

export interface Conv2dOptions {
  /** Rows and columns from one window to the next; default 1. */
  stride?: Each<number>
  /** Rows and columns from one element of a window to the next; default 1. */
  dilation?: Each<number>
  /** Channels see those of their own group only; default 1. */
  groups?: number
  /** Zeros beside the image, along either axis as `Conv1dOptions.padding`. */
  padding?: Each<Padding>
}

/**
 * y[b, r, c, o] = bias[o] + Σ_k Σ_l Σ_i weight[o, i, k, l]·x[b, r·stride - before + k·dilation, c·stride - before + l·dilation, i],
 * stride, before and dilation being those of rows and of columns, as torch.nn.functional.conv2d and keras.layers.Conv2D.
 * Axes are [B, H, W, C], where PyTorch has [B, C, H, W].
 *
 * @param x [B, H, W, I]
 * @param weight [O, I / groups, K, L], as in PyTorch
 * @param bias [O]
 * @returns [B, S, T, O], along either axis ⌊(size + padding - (K - 1)·dilation - 1) / stride⌋ + 1
 * @throws {RangeError} if a shape or an option does not fit, or x is too small for one window
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: Conv2dOptions = {}): Tensor {
  const { stride = 1, dilation = 1, groups = 1, padding = 'valid' } = options
  const [O, perGroup, ...size] = weight.shape
  requireInteger('conv2d', 'groups', groups)
  const I = perGroup * groups
  if (weight.shape.length !== 4 || O % groups !== 0) {
    throw new RangeError(
      `conv2d: expected weight [O, I / groups, K, L], O a multiple of ${groups}, got [${weight.shape}]`,
    )
  }
  const { rows, columns } = requireGrid('conv2d', x, {
    C: I,
    size: size as unknown as [number, number],
    stride,
    dilation,
    padding,
  })
  if (bias) requireShape('conv2d', 'bias', bias, [O])
  const [B] = x.shape
  const [xs, ws] = floats('conv2d', x, weight)
  const bs = bias && floats('conv2d', x, bias)[1]
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, B * rows.S * columns.S * O)
  const shared = { B, I, O, groups, rows, columns, x: xs, weight: ws }
  kernels.conv2dForward({ ...shared, bias: bs, y })
  return recordOne('conv2d', [x, weight, bias], [B, rows.S, columns.S, O], y, (dy, gradientOf) => {
    const [dx, dweight, dbias] = [gradientOf(x), gradientOf(weight), bias && gradientOf(bias)]
    kernels.conv2dBackward({ ...shared, dy, dx, dweight, dbias })
  })
}

export interface Pool2dOptions {
  /** Rows and columns in a window. */
  size: Each<number>
  /** Rows and columns from one window to the next; default `size`. */
  stride?: Each<number>
  /** As `Conv2dOptions.padding`, but that padding never counts; numbers at most half of `size`. Default 'valid'. */
  padding?: Each<Exclude<Padding, 'causal'>>
}

/**
 * The largest value of each channel in each window, as torch.nn.functional.max_pool2d and keras.layers.MaxPooling2D. Of
 * equal ones the first, row by row, gets the gradient.
 *
 * @param x [B, H, W, C]
 * @returns [B, S, T, C]
 * @throws {RangeError} if a shape or an option does not fit, or x is too small for one window
 */
export function maxPool2d(x: Tensor, options: Pool2dOptions): Tensor {
  return pool2d('maxPool2d', x, options, (each, axis) => maxPool1d(each, axis))
}

/**
 * The mean of each channel in each window, over the places inside the image, as keras.layers.AveragePooling2D; with
 * `countPadding` over all of a window, zeros among them, as torch.nn.functional.avg_pool2d does unless told otherwise.
 *
 * @param x [B, H, W, C]
 * @returns [B, S, T, C]
 * @throws {RangeError} if a shape or an option does not fit, or x is too small for one window
 */
export function averagePool2d(x: Tensor, options: Pool2dOptions & { countPadding?: boolean }): Tensor {
  const { countPadding, ...windows } = options
  return pool2d('averagePool2d', x, windows, (each, axis) => averagePool1d(each, { ...axis, countPadding }))
}

/**
 * The largest value of each channel over the rows that count, as keras.layers.GlobalMaxPooling2D; 0 where none does.
 *
 * @param x [B, H, W, C]
 * @param options.mask [B·H], 0 where a row does not count
 * @returns [B, C]
 */
export function globalMaxPool2d(x: Tensor, { mask }: { mask?: Uint8Array } = {}): Tensor {
  return globalMaxPool1d(...asPlaces('globalMaxPool2d', x, mask))
}

/**
 * The mean of each channel over the rows that count, as keras.layers.GlobalAveragePooling2D; 0 where none does.
 *
 * @param x [B, H, W, C]
 * @param options.mask [B·H], 0 where a row does not count
 * @returns [B, C]
 */
export function globalAveragePool2d(x: Tensor, { mask }: { mask?: Uint8Array } = {}): Tensor {
  return globalAveragePool1d(...asPlaces('globalAveragePool2d', x, mask))
}

/** Rows and columns apart: a window's largest value is that of its rows' largest ones, its mean that of their means. */
function pool2d(
  place: string,
  x: Tensor,
  { size, stride = size, padding = 'valid' }: Pool2dOptions,
  pool: (x: Tensor, axis: { size: number; stride: number; padding: Exclude<Padding, 'causal'> }) => Tensor,
): Tensor {
  const [sizes, strides, paddings] = [pairOf(size), pairOf(stride), pairOf(padding)]
  for (const axis of [0, 1]) requirePoolPadding(place, paddings[axis], sizes[axis])
  const [B, H, W, C] = x.shape
  const { rows, columns } = requireGrid(place, x, { C, size, stride, dilation: 1, padding })
  const axis = (n: 0 | 1) => ({ size: sizes[n], stride: strides[n], padding: paddings[n] })
  const narrow = pool(reshape(x, [B * H, W, C]), axis(1))
  const pooled = pool(reshape(narrow, [B, H, columns.S * C]), axis(0))
  return reshape(pooled, [B, rows.S, columns.S, C])
}

/** [B, H·W, C], and the mask of its places. */
function asPlaces(place: string, x: Tensor, mask?: Uint8Array): [Tensor, { mask?: Uint8Array }] {
  const [B, H, W, C] = x.shape
  if (x.shape.length !== 4 || H * W === 0) {
    throw new RangeError(`${place}: expected x of shape [B, H, W, C], none of them 0, got [${x.shape}]`)
  }
  if (mask) requireMask(place, mask, { B, T: H })
  return [reshape(x, [B, H * W, C]), { mask: mask && repeated(mask, W) }]
}

/** Each byte `times` times. */
export function repeated(mask: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(mask.length * times)
  for (const [n, value] of mask.entries()) if (value !== 0) result.fill(1, n * times, (n + 1) * times)
  return result
}

/** The value for rows and that for columns. */
export function pairOf<T extends number | string>(value: Each<T>): readonly [T, T] {
  return typeof value === 'object' ? value : [value, value]
}

/** The windows over the rows and the columns of x [B, H, W, C]. @throws {RangeError} if an option or the shape does not fit */
function requireGrid(
  place: string,
  x: Tensor,
  { C, ...options }: { C: number } & { [Option in keyof WindowOptions]: Each<WindowOptions[Option]> },
): { rows: Windows; columns: Windows } {
  if (x.shape.length !== 4 || x.shape[3] !== C) {
    throw new RangeError(`${place}: expected x of shape [B, H, W, ${C ?? 'C'}], got [${x.shape}]`)
  }
  const along = (axis: 0 | 1): WindowOptions => ({
    size: pairOf(options.size)[axis],
    stride: pairOf(options.stride)[axis],
    dilation: pairOf(options.dilation)[axis],
    padding: pairOf(options.padding)[axis],
  })
  const [, H, W] = x.shape
  return {
    rows: requireWindowsOver(place, H, along(0), 'rows'),
    columns: requireWindowsOver(place, W, along(1), 'columns'),
  }
}
