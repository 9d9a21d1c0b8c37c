/** Conv2d: a convolution over the rows and columns of images. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { type Padding, windowsFilled } from '../kernels/windows.ts'
import { conv2d, type Each, pairOf } from '../operations/images.ts'
import { requirePadding } from '../operations/windows.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'
import { requirePairs } from './pooling2d.ts'

export interface Conv2dLayerOptions {
  inputChannels: number
  outputChannels: number
  /** K and L: rows and columns of a window. */
  kernelSize: Each<number>
  /** Rows and columns from one window to the next; default 1. */
  stride?: Each<number>
  /** Zeros beside the image, along either axis as those of `Conv1d`; default 'valid'. */
  padding?: Each<Padding>
  /** Rows and columns from one element of a window to the next; default 1. */
  dilation?: Each<number>
  /** Output channels see the input channels of their own group only; default 1. */
  groups?: number
  /** Default true. */
  bias?: boolean
  /** Columns of x, which `compile` has to be told where this is the first layer. Default: whatever x has. */
  inputWidth?: number
  /** Rows of x, which `compile` has to be told where this is the first layer inside `TimeDistributed`. */
  inputHeight?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

const sizes = ['inputChannels', 'outputChannels', 'groups'] as const
const pairs = ['kernelSize', 'stride', 'dilation', 'padding'] as const
const inputs = ['inputHeight', 'inputWidth'] as const

/**
 * y[b, r, c, o] = bias[o] + Σ_k Σ_l Σ_i weight[o, i, k, l]·x[b, r·stride - before + k·dilation, c·stride - before + l·dilation, i]:
 * x [B, H, W, inputChannels] to y [B, S, T, outputChannels]. Parameters `weight` [outputChannels, inputChannels / groups, K, L] and
 * `bias` [outputChannels] start at U(±1/√(inputChannels / groups·K·L)), as in torch.nn.Conv2d.
 *
 * Where the rows are steps of time, lengths of sequences become those of the result, but rows past them are read as they
 * are; no mask goes past a convolution, as in Keras.
 */
export class Conv2d extends Layer {
  readonly weight: Parameter
  readonly bias: Parameter | undefined
  readonly #options: Omit<Conv2dLayerOptions, 'seed'> & { groups: number; seed: number | undefined }
  readonly #windows: Record<'kernelSize' | 'stride' | 'dilation', readonly [number, number]> & {
    padding: readonly [Padding, Padding]
  }

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: Conv2dLayerOptions) {
    super()
    refuseUnknownOptions('Conv2d', options, [...sizes, ...pairs, ...inputs, 'bias', 'seed', 'dataType'])
    const { inputChannels, outputChannels, kernelSize, stride = 1, dilation = 1, groups = 1 } = options
    const { padding = 'valid', bias = true, inputHeight, inputWidth, seed, dataType = 'float32' } = options
    for (const [name, value] of Object.entries({ inputChannels, outputChannels, groups }))
      requireInteger('Conv2d', name, value)
    for (const [name, value] of Object.entries({ inputHeight, inputWidth }))
      if (value !== undefined) requireInteger('Conv2d', name, value)
    requirePairs('Conv2d', { kernelSize, stride, dilation })
    const paddings = pairOf(padding)
    for (const each of paddings) requirePadding('Conv2d', each)
    requireBoolean('Conv2d', 'bias', bias)
    requireDataType('Conv2d', dataType)
    if (inputChannels % groups !== 0 || outputChannels % groups !== 0) {
      throw new RangeError(
        `Conv2d: expected groups to divide inputChannels ${inputChannels} and outputChannels ${outputChannels}, got ${groups}`,
      )
    }
    const initialiser = new Initialiser({ dataType, seed })
    const perGroup = inputChannels / groups
    const [K, L] = pairOf(kernelSize)
    const bound = 1 / Math.sqrt(perGroup * K * L)
    this.weight = initialiser.uniform([outputChannels, perGroup, K, L], bound)
    this.bias = bias ? initialiser.uniform([outputChannels], bound) : undefined
    const window = { kernelSize, stride, dilation, padding }
    this.#windows = {
      kernelSize: [K, L],
      stride: pairOf(stride),
      dilation: pairOf(dilation),
      padding: paddings,
    }
    const channels = { inputChannels, outputChannels, groups }
    this.#options = { ...channels, ...window, bias, inputHeight, inputWidth, seed, dataType }
  }

  override forward(x: Tensor): Tensor {
    const { inputHeight: H = x.shape[1], inputWidth: W = x.shape[2], groups } = this.#options
    if (x.shape[1] !== H || x.shape[2] !== W) {
      throw new RangeError(`Conv2d: expected x of ${H} rows and ${W} columns, got [${x.shape}]`)
    }
    const { stride, dilation, padding } = this.#windows
    return conv2d(x, this.weight, this.bias, { stride, dilation, groups, padding })
  }

  override computeMask(): undefined {}

  override computeLengths(lengths: Int32Array): Int32Array {
    return windowsFilled(lengths, this.#along(0))
  }

  override freeze(): readonly PlanStep[] {
    const {
      inputChannels: I,
      outputChannels: O,
      groups,
      inputHeight: height,
      inputWidth: width,
    } = this.#options
    const [weight, bias] = [this.weight.array as FloatArray, this.bias?.array as FloatArray | undefined]
    const places = { frames: false, height, width, columns: this.#along(1) }
    return [{ kind: 'conv2d', I, O, groups, ...this.#along(0), ...places, weight, bias }]
  }

  override config(): LayerConfig {
    return { type: 'Conv2d', ...this.#options }
  }

  #along(axis: 0 | 1) {
    const { kernelSize, stride, dilation, padding } = this.#windows
    return {
      size: kernelSize[axis],
      stride: stride[axis],
      dilation: dilation[axis],
      padding: padding[axis],
    }
  }
}
