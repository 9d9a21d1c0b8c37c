/** Conv1d: a convolution along the time axis. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { type Padding, windowsFilled } from '../kernels/windows.ts'
import { conv1d, requirePadding } from '../operations/windows.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface Conv1dLayerOptions {
  inputChannels: number
  outputChannels: number
  /** K: elements of a window. */
  kernelSize: number
  /** Steps from one window to the next; default 1. */
  stride?: number
  /**
   * Zeros beside the sequence: 'valid' (default) none; 'same' as many as give ⌈T / stride⌉ windows, the odd one after the
   * end, as TensorFlow; 'causal' all before the start, as Keras; a number so many on both sides, as PyTorch.
   */
  padding?: Padding
  /** Steps from one element of a window to the next; default 1. */
  dilation?: number
  /** Output channels see the input channels of their own group only; default 1. */
  groups?: number
  /** Default true. */
  bias?: boolean
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

type CompleteOptions = Required<Omit<Conv1dLayerOptions, 'seed'>> & { seed: number | undefined }

/**
 * y[b, s, o] = bias[o] + Σ_k Σ_i weight[o, i, k]·x[b, s·stride - before + k·dilation, i]: x [B, T, inputChannels] to
 * y [B, S, outputChannels]. Parameters `weight` [outputChannels, inputChannels / groups, kernelSize] and `bias`
 * [outputChannels] start at U(±1/√(inputChannels / groups·kernelSize)), as in torch.nn.Conv1d.
 *
 * Lengths of sequences become those of the result, but steps past them are read as they are; no mask goes past a convolution,
 * as in Keras. It keeps no state: what a window reads beyond the x of one call is padding.
 */
export class Conv1d extends Layer {
  readonly weight: Parameter
  readonly bias: Parameter | undefined
  readonly #options: CompleteOptions

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: Conv1dLayerOptions) {
    super()
    const sizes = ['inputChannels', 'outputChannels', 'kernelSize', 'stride', 'dilation', 'groups'] as const
    refuseUnknownOptions('Conv1d', options, [...sizes, 'padding', 'bias', 'seed', 'dataType'])
    const { inputChannels, outputChannels, kernelSize, stride = 1, dilation = 1, groups = 1 } = options
    const { padding = 'valid', bias = true, seed, dataType = 'float32' } = options
    const window = { inputChannels, outputChannels, kernelSize, stride, dilation, groups }
    for (const name of sizes) requireInteger('Conv1d', name, window[name])
    requirePadding('Conv1d', padding)
    requireBoolean('Conv1d', 'bias', bias)
    requireDataType('Conv1d', dataType)
    if (inputChannels % groups !== 0 || outputChannels % groups !== 0) {
      throw new RangeError(
        `Conv1d: expected groups to divide inputChannels ${inputChannels} and outputChannels ${outputChannels}, got ${groups}`,
      )
    }
    const initialiser = new Initialiser({ dataType, seed })
    const perGroup = inputChannels / groups
    const bound = 1 / Math.sqrt(perGroup * kernelSize)
    this.weight = initialiser.uniform([outputChannels, perGroup, kernelSize], bound)
    this.bias = bias ? initialiser.uniform([outputChannels], bound) : undefined
    this.#options = { ...window, padding, bias, seed, dataType }
  }

  override forward(x: Tensor): Tensor {
    const { stride, dilation, groups, padding } = this.#options
    return conv1d(x, this.weight, this.bias, { stride, dilation, groups, padding })
  }

  override computeMask(): undefined {}

  override computeLengths(lengths: Int32Array): Int32Array {
    return windowsFilled(lengths, { ...this.#options, size: this.#options.kernelSize })
  }

  override freeze(): readonly PlanStep[] {
    const { inputChannels: I, outputChannels: O, kernelSize: size } = this.#options
    const { stride, dilation, groups, padding } = this.#options
    const [weight, bias] = [this.weight.array as FloatArray, this.bias?.array as FloatArray | undefined]
    return [{ kind: 'conv1d', I, O, size, stride, dilation, groups, padding, weight, bias }]
  }

  override config(): LayerConfig {
    return { type: 'Conv1d', ...this.#options }
  }
}
