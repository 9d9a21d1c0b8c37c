/** LayerNorm: normalisation over the last axis with a trainable gain and shift. */

import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { layerNorm } from '../operations/normalization.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface LayerNormOptions {
  /** F, the length of the last axis. */
  size: number
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/**
 * y = (x - mean) / √(variance + eps) ∘ weight + bias over the last axis (Ba, Kiros & Hinton 2016), as
 * torch.nn.LayerNorm: `weight` [F] starts at ones, `bias` [F] at zeros.
 */
export class LayerNorm extends Layer {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly #options: Required<LayerNormOptions>

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LayerNormOptions) {
    super()
    refuseUnknownOptions('LayerNorm', options, ['size', 'eps', 'dataType'])
    const { size, eps = 1e-5, dataType = 'float32' } = options
    requireInteger('LayerNorm', 'size', size)
    requireNumber('LayerNorm', 'eps', eps, { low: 0 })
    requireDataType('LayerNorm', dataType)

    const initialiser = new Initialiser({ dataType })
    this.weight = initialiser.constant([size], 1)
    this.bias = initialiser.constant([size], 0)
    this.#options = { size, eps, dataType }
  }

  override forward(x: Tensor): Tensor {
    return layerNorm(x, { gain: this.weight, shift: this.bias, eps: this.#options.eps })
  }

  override freeze(): readonly PlanStep[] {
    const { size: F, eps } = this.#options
    const [gain, shift] = [this.weight.array as FloatArray, this.bias.array as FloatArray]
    return [{ kind: 'layerNorm', F, gain, shift, eps }]
  }

  override config(): LayerConfig {
    return { type: 'LayerNorm', ...this.#options }
  }
}
