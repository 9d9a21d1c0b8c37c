/** Linear: an affine map of the last axis. */

import { describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { linear } from '../operations/linear.ts'
import { Parameter, type Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface LinearOptions {
  inputSize: number
  outputSize: number
  /** Default true. */
  bias?: boolean
  /**
   * The weight of another layer, [outputSize, inputSize], to share instead of having its own: weight tying (Press & Wolf 2017),
   * as `embedding.weight` in the last layer of a model of tokens. It is one parameter, with one gradient, in files once.
   */
  weight?: Parameter
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
  readonly #options: Omit<LinearOptions, 'weight'>

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LinearOptions) {
    super()
    refuseUnknownOptions('Linear', options, ['inputSize', 'outputSize', 'bias', 'weight', 'seed', 'dataType'])
    const { inputSize, outputSize, bias = true, weight, seed } = options
    const { dataType = weight?.dataType === 'float64' ? 'float64' : 'float32' } = options
    requireInteger('Linear', 'inputSize', inputSize)
    requireInteger('Linear', 'outputSize', outputSize)
    requireBoolean('Linear', 'bias', bias)
    requireDataType('Linear', dataType)

    const initialiser = new Initialiser({ dataType, seed })
    const bound = 1 / Math.sqrt(inputSize)
    this.weight = weight ?? initialiser.uniform([outputSize, inputSize], bound)
    if (weight) this.#requireWeight(weight, { inputSize, outputSize, dataType })
    this.bias = bias ? initialiser.uniform([outputSize], bound) : undefined
    this.#options = { inputSize, outputSize, bias, seed, dataType }
  }

  #requireWeight(
    weight: Parameter,
    { inputSize, outputSize, dataType }: { inputSize: number; outputSize: number; dataType: FloatDataType },
  ): void {
    if (!(weight instanceof Parameter))
      throw new TypeError(`Linear: expected weight to be the parameter of a layer, got ${describe(weight)}`)
    if (String(weight.shape) === String([outputSize, inputSize]) && weight.dataType === dataType) return
    const wanted = `${dataType} [${outputSize}, ${inputSize}]`
    throw new RangeError(`Linear: expected weight to be ${wanted}, got ${weight.dataType} [${weight.shape}]`)
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
