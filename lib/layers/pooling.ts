/** Pooling along the time axis: in windows, or over the whole sequence. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { type Padding, type Pool, windowsFilled } from '../kernels/windows.ts'
import {
  averagePool1d,
  globalAveragePool1d,
  globalMaxPool1d,
  maxPool1d,
  type Pool1dOptions,
  requirePoolPadding,
} from '../operations/windows.ts'
import type { Tensor } from '../tensor.ts'
import { requireBoolean } from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'
import { stepsThatCount } from './time-axis.ts'

type CompleteOptions = { size: number; stride: number; padding: Exclude<Padding, 'causal'> }

/** [B, T, C] to [B, S, C]. Lengths become those of the result; no mask goes past it, as in Keras. */
abstract class Pool1d extends Layer {
  protected readonly window: CompleteOptions

  constructor(place: string, options: Pool1dOptions, more: readonly string[] = []) {
    super()
    refuseUnknownOptions(place, options, ['size', 'stride', 'padding', ...more])
    const { size, stride = size, padding = 'valid' } = options
    requireInteger(place, 'size', size)
    requireInteger(place, 'stride', stride)
    requirePoolPadding(place, padding, size)
    this.window = { size, stride, padding }
  }

  override computeMask(): undefined {}

  override computeLengths(lengths: Int32Array): Int32Array {
    return windowsFilled(lengths, { ...this.window, dilation: 1 })
  }
}

/** The largest value of each channel in each window, as torch.nn.MaxPool1d and keras.layers.MaxPooling1D. */
export class MaxPool1d extends Pool1d {
  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: Pool1dOptions) {
    super('MaxPool1d', options)
  }

  override forward(x: Tensor): Tensor {
    return maxPool1d(x, this.window)
  }

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'pool1d', function: 'max', ...this.window, countPadding: false }]
  }

  override config(): LayerConfig {
    return { type: 'MaxPool1d', ...this.window }
  }
}

export interface AveragePool1dOptions extends Pool1dOptions {
  /** Divides by `size` where a window has padding in it, as torch.nn.AvgPool1d; default false, as Keras. */
  countPadding?: boolean
}

/** The mean of each channel in each window, as keras.layers.AveragePooling1D and torch.nn.AvgPool1d. */
export class AveragePool1d extends Pool1d {
  readonly #countPadding: boolean

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: AveragePool1dOptions) {
    super('AveragePool1d', options, ['countPadding'])
    const { countPadding = false } = options
    requireBoolean('AveragePool1d', 'countPadding', countPadding)
    this.#countPadding = countPadding
  }

  override forward(x: Tensor): Tensor {
    return averagePool1d(x, { ...this.window, countPadding: this.#countPadding })
  }

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'pool1d', function: 'average', ...this.window, countPadding: this.#countPadding }]
  }

  override config(): LayerConfig {
    return { type: 'AveragePool1d', ...this.window, countPadding: this.#countPadding }
  }
}

/** [B, T, C] to [B, C]. */
abstract class GlobalPool1d extends Layer {
  override computeMask(): undefined {}

  override freeze(): readonly PlanStep[] {
    const pool: Pool = this instanceof GlobalMaxPool1d ? 'max' : 'average'
    return [{ kind: 'globalPool1d', function: pool }]
  }
}

/**
 * The largest value of each channel over the valid steps, 0 where there is none. A mask is not heeded, as in
 * keras.layers.GlobalMaxPooling1D.
 */
export class GlobalMaxPool1d extends GlobalPool1d {
  override forward(x: Tensor, { lengths }: ForwardOptions = {}): Tensor {
    return globalMaxPool1d(x, { mask: stepsThatCount(x, { lengths }) })
  }

  override config(): LayerConfig {
    return { type: 'GlobalMaxPool1d' }
  }
}

/**
 * The mean of each channel over the steps that are valid and not masked, as keras.layers.GlobalAveragePooling1D; 0 where
 * there is none.
 */
export class GlobalAveragePool1d extends GlobalPool1d {
  override forward(x: Tensor, { lengths, mask }: ForwardOptions = {}): Tensor {
    return globalAveragePool1d(x, { mask: stepsThatCount(x, { lengths, mask }) })
  }

  override config(): LayerConfig {
    return { type: 'GlobalAveragePool1d' }
  }
}
