/** Dropout: zeroes elements at random while training, passes them on unchanged otherwise. */

import { refuseUnknownOptions, requireNumber } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { dropout } from '../operations/dropout.ts'
import type { Tensor } from '../tensor.ts'
import { requireBoolean } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface DropoutOptions {
  /** That an element is dropped, in [0, 1); default 0.5. */
  probability?: number
  /** The same features at every step of a sequence [B, T, F], as keras.layers.SpatialDropout1D; default false. */
  acrossTime?: boolean
}

/** Inverted dropout (Srivastava et al. 2014), as torch.nn.Dropout. */
export class Dropout extends Layer {
  readonly probability: number
  readonly acrossTime: boolean

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: DropoutOptions = {}) {
    super()
    refuseUnknownOptions('Dropout', options, ['probability', 'acrossTime'])
    const { probability = 0.5, acrossTime = false } = options
    requireNumber('Dropout', 'probability', probability, { low: 0, high: 1, open: true })
    requireBoolean('Dropout', 'acrossTime', acrossTime)
    this.probability = probability
    this.acrossTime = acrossTime
  }

  override forward(x: Tensor): Tensor {
    const { probability, acrossTime } = this
    return this.training ? dropout(x, { probability, acrossTime }) : x
  }

  override freeze(): readonly PlanStep[] {
    return []
  }

  override config(): LayerConfig {
    return { type: 'Dropout', probability: this.probability, acrossTime: this.acrossTime }
  }
}
