/** Pooling of images: in windows over rows and columns, or over the whole image. */
import { describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { type Padding, type Pool, windowsFilled } from '../kernels/windows.ts'
import {
  averagePool2d,
  type Each,
  globalAveragePool2d,
  globalMaxPool2d,
  maxPool2d,
  type Pool2dOptions,
  pairOf,
} from '../operations/images.ts'
import { requirePoolPadding } from '../operations/windows.ts'
import type { Tensor } from '../tensor.ts'
import { requireBoolean } from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'
import { stepsThatCount } from './time-axis.ts'

/** @throws {RangeError} unless each is a positive integer, or one for rows and one for columns */
export function requirePairs(place: string, values: Record<string, Each<number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'object') requireInteger(place, name, value)
    else if (Array.isArray(value) && value.length === 2)
      for (const each of value) requireInteger(place, name, each)
    else
      throw new RangeError(
        `${place}: expected ${name} to be a number or [rows, columns], got ${describe(value)}`,
      )
  }
}

/** [B, H, W, C] to [B, S, T, C]. Lengths, of rows, become those of the result; no mask goes past it, as in Keras. */
abstract class Pool2d extends Layer {
  protected readonly window: Required<Pool2dOptions>

  constructor(place: string, options: Pool2dOptions, more: readonly string[] = []) {
    super()
    refuseUnknownOptions(place, options, ['size', 'stride', 'padding', ...more])
    const { size, stride = size, padding = 'valid' } = options
    requirePairs(place, { size, stride })
    for (const axis of [0, 1]) requirePoolPadding(place, pairOf(padding)[axis], pairOf(size)[axis])
    this.window = { size, stride, padding }
  }

  override computeMask(): undefined {}

  override computeLengths(lengths: Int32Array): Int32Array {
    return windowsFilled(lengths, { ...this.along(0), dilation: 1 })
  }

  protected along(axis: 0 | 1): { size: number; stride: number; padding: Padding } {
    const { size, stride, padding } = this.window
    return { size: pairOf(size)[axis], stride: pairOf(stride)[axis], padding: pairOf(padding)[axis] }
  }

  protected step(pool: Pool, countPadding: boolean): readonly PlanStep[] {
    const windows = { ...this.along(0), columns: this.along(1) }
    return [{ kind: 'pool2d', function: pool, ...windows, countPadding, frames: false }]
  }
}

/** The largest value of each channel in each window, as torch.nn.MaxPool2d and keras.layers.MaxPooling2D. */
export class MaxPool2d extends Pool2d {
  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: Pool2dOptions) {
    super('MaxPool2d', options)
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.window)
  }

  override freeze(): readonly PlanStep[] {
    return this.step('max', false)
  }

  override config(): LayerConfig {
    return { type: 'MaxPool2d', ...this.window }
  }
}

export interface AveragePool2dOptions extends Pool2dOptions {
  /** Divides by all of a window where it has padding in it, as torch.nn.AvgPool2d; default false, as Keras. */
  countPadding?: boolean
}

/** The mean of each channel in each window, as keras.layers.AveragePooling2D and torch.nn.AvgPool2d. */
export class AveragePool2d extends Pool2d {
  readonly #countPadding: boolean

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: AveragePool2dOptions) {
    super('AveragePool2d', options, ['countPadding'])
    const { countPadding = false } = options
    requireBoolean('AveragePool2d', 'countPadding', countPadding)
    this.#countPadding = countPadding
  }

  override forward(x: Tensor): Tensor {
    return averagePool2d(x, { ...this.window, countPadding: this.#countPadding })
  }

  override freeze(): readonly PlanStep[] {
    return this.step('average', this.#countPadding)
  }

  override config(): LayerConfig {
    return { type: 'AveragePool2d', ...this.window, countPadding: this.#countPadding }
  }
}

/** [B, H, W, C] to [B, C]. */
abstract class GlobalPool2d extends Layer {
  override computeMask(): undefined {}

  override freeze(): readonly PlanStep[] {
    const pool: Pool = this instanceof GlobalMaxPool2d ? 'max' : 'average'
    return [{ kind: 'globalPool2d', function: pool, frames: false }]
  }
}

/**
 * The largest value of each channel over the valid rows, 0 where there is none, as keras.layers.GlobalMaxPooling2D. A mask is
 * not heeded.
 */
export class GlobalMaxPool2d extends GlobalPool2d {
  override forward(x: Tensor, { lengths }: ForwardOptions = {}): Tensor {
    return globalMaxPool2d(x, { mask: stepsThatCount(x, { lengths }) })
  }

  override config(): LayerConfig {
    return { type: 'GlobalMaxPool2d' }
  }
}

/**
 * The mean of each channel over the rows that are valid and not masked, as keras.layers.GlobalAveragePooling2D; 0 where
 * there is none.
 */
export class GlobalAveragePool2d extends GlobalPool2d {
  override forward(x: Tensor, { lengths, mask }: ForwardOptions = {}): Tensor {
    return globalAveragePool2d(x, { mask: stepsThatCount(x, { lengths, mask }) })
  }

  override config(): LayerConfig {
    return { type: 'GlobalAveragePool2d' }
  }
}
