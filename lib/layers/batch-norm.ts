/** BatchNorm: normalisation of every channel over the batch, and over steps, rows and columns where there are any. */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { batchNorm } from '../operations/batch-norm.ts'
import { repeated } from '../operations/images.ts'
import { type ModelBuffer, type Parameter, sizeOf, type Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireDataType } from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'
import { stepsThatCount } from './time-axis.ts'

export interface BatchNormOptions {
  /** C, the length of the last axis. */
  size: number
  /** How far a batch moves the running statistics, in [0, 1]; default 0.1, as PyTorch (1 - momentum of Keras). */
  momentum?: number
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/**
 * y = (x - mean) / √(variance + eps) ∘ weight + bias for each channel (Ioffe & Szegedy 2015), as torch.nn.BatchNorm1d and
 * BatchNorm2d with channels last: x [B, C], [B, T, C] or [B, H, W, C]. In training mean and variance are those of the batch, over
 * the steps that are valid and not masked, and move the running ones, the variance by its unbiased estimate; in
 * evaluation they are the running ones. Parameters `weight` [C] start at ones, `bias` [C] at zeros; buffers
 * `running_mean` [C] at zeros, `running_var` [C] at ones.
 */
export class BatchNorm extends Layer {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly running_mean: ModelBuffer
  readonly running_var: ModelBuffer
  readonly #options: Required<BatchNormOptions>

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: BatchNormOptions) {
    super()
    refuseUnknownOptions('BatchNorm', options, ['size', 'momentum', 'eps', 'dataType'])
    const { size, momentum = 0.1, eps = 1e-5, dataType = 'float32' } = options
    requireInteger('BatchNorm', 'size', size)
    requireNumber('BatchNorm', 'momentum', momentum, { low: 0, high: 1 })
    requireNumber('BatchNorm', 'eps', eps, { low: 0 })
    requireDataType('BatchNorm', dataType)
    const initialiser = new Initialiser({ dataType })
    this.weight = initialiser.constant([size], 1)
    this.bias = initialiser.constant([size], 0)
    this.running_mean = initialiser.buffer([size], 0)
    this.running_var = initialiser.buffer([size], 1)
    this.#options = { size, momentum, eps, dataType }
  }

  override forward(x: Tensor, { lengths, mask }: ForwardOptions = {}): Tensor {
    const { momentum, eps } = this.#options
    const steps = x.shape.length > 2 ? stepsThatCount(x, { lengths, mask }) : undefined
    return batchNorm(x, {
      runningMean: this.running_mean,
      runningVariance: this.running_var,
      gain: this.weight,
      shift: this.bias,
      training: this.training,
      momentum,
      eps,
      mask: steps && repeated(steps, sizeOf(x.shape.slice(2, -1))),
    })
  }

  override freeze(): readonly PlanStep[] {
    const arrays = [this.weight, this.bias, this.running_mean, this.running_var].map(({ array }) => array)
    const [gain, bias, mean, variance] = arrays as FloatArray[]
    const scale = gain.map((each, c) => each / Math.sqrt(variance[c] + this.#options.eps))
    const shift = bias.map(
      (each, c) => each - (mean[c] * gain[c]) / Math.sqrt(variance[c] + this.#options.eps),
    )
    return [{ kind: 'affine', scale, shift }]
  }

  override config(): LayerConfig {
    return { type: 'BatchNorm', ...this.#options }
  }
}
