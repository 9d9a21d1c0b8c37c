/** Linear: an affine map of the last axis. */

import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { linear } from '../operations/linear.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface LinearOptions {
  inputSize: number
  outputSize: number
  /** Default true. */
  bias?: boolean
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/**
 * y = x·Wᵀ + b, x [..., inputSize], y [..., outputSize]. Parameters `weight` [outputSize, inputSize] and `bias`
 * [outputSize] start at U(±1/√inputSize), as in torch.nn.Linear.
 */
export class Linear extends Layer {
  readonly weight: Parameter
  readonly bias: Parameter | undefined
  readonly #options: LinearOptions

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LinearOptions) {
    super()
    refuseUnknownOptions('Linear', options, ['inputSize', 'outputSize', 'bias', 'seed', 'dataType'])
    const { inputSize, outputSize, bias = true, seed, dataType = 'float32' } = options
    requireInteger('Linear', 'inputSize', inputSize)
    requireInteger('Linear', 'outputSize', outputSize)
    requireBoolean('Linear', 'bias', bias)
    requireDataType('Linear', dataType)

    const initialiser = new Initialiser({ dataType, seed })
    const bound = 1 / Math.sqrt(inputSize)
    this.weight = initialiser.uniform([outputSize, inputSize], bound)
    this.bias = bias ? initialiser.uniform([outputSize], bound) : undefined
    this.#options = { inputSize, outputSize, bias, seed, dataType }
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias)
  }

  override freeze(): readonly PlanStep[] {
    const [O, I] = this.weight.shape
    const [weight, bias] = [this.weight.array as FloatArray, this.bias?.array as FloatArray | undefined]
    return [{ kind: 'linear', I, O, weight, bias }]
  }

  override config(): LayerConfig {
    return { type: 'Linear', ...this.#options }
  }
}
