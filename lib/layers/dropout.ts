/** Dropout: zeroes elements at random while training, passes them on unchanged otherwise. */

import { refuseUnknownOptions, requireNumber } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { dropout } from '../operations/dropout.ts'
import type { Tensor } from '../tensor.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface DropoutOptions {
  /** That an element is dropped, in [0, 1); default 0.5. */
  probability?: number
}

/** Inverted dropout (Srivastava et al. 2014), as torch.nn.Dropout. */
export class Dropout extends Layer {
  readonly probability: number

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: DropoutOptions = {}) {
    super()
    refuseUnknownOptions('Dropout', options, ['probability'])
    const { probability = 0.5 } = options
    requireNumber('Dropout', 'probability', probability, { low: 0, high: 1, open: true })
    this.probability = probability
  }

  override forward(x: Tensor): Tensor {
    return this.training ? dropout(x, { probability: this.probability }) : x
  }

  override freeze(): readonly PlanStep[] {
    return []
  }

  override config(): LayerConfig {
    return { type: 'Dropout', probability: this.probability }
  }
}
