/** Layers about the steps of a sequence: Flatten, Masking, Reverse and TimeDistributed. */
import { describe, refuseUnknownOptions } from '../errors.ts'
import type { PlanStep } from '../kernels/contract.ts'
import { reshape } from '../operations/shape.ts'
import { maskSteps, reverseMask, reverseSteps } from '../operations/steps.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { requireBoolean } from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'

/** [B, ...] to [B, features], as torch.nn.Flatten and keras.layers.Flatten on [B, T, F]. */
export class Flatten extends Layer {
  override forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))])
  }

  override computeMask(): undefined {}

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'flatten' }]
  }

  override config(): LayerConfig {
    return { type: 'Flatten' }
  }
}

export interface MaskingOptions {
  /** A step whose features all equal it does not count; default 0. */
  value?: number
}

/**
 * Makes the mask of the steps in which some feature is not `value`, and sets the others to 0, as keras.layers.Masking. A
 * mask from before is replaced.
 */
export class Masking extends Layer {
  readonly value: number

  /** @throws {TypeError} if an option is unknown or the value no number */
  constructor(options: MaskingOptions = {}) {
    super()
    refuseUnknownOptions('Masking', options, ['value'])
    const { value = 0 } = options
    if (typeof value !== 'number') {
      throw new TypeError(`Masking: expected value to be a number, got ${describe(value)}`)
    }
    this.value = value
  }

  override forward(x: Tensor): Tensor {
    return maskSteps(x, this.computeMask(x))
  }

  /** [B·T] for x [B, T, ...] */
  override computeMask({ shape, array }: Tensor): Uint8Array {
    const mask = new Uint8Array(sizeOf(shape.slice(0, 2)))
    const width = sizeOf(shape.slice(2))
    const value = array instanceof Float32Array ? Math.fround(this.value) : this.value
    for (let row = 0; row < mask.length; row++) {
      let i = row * width
      const end = i + width
      while (i < end && array[i] === value) i++
      mask[row] = Number(i < end)
    }
    return mask
  }

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'masking', value: this.value }]
  }

  override config(): LayerConfig {
    return { type: 'Masking', value: this.value }
  }
}

export interface ReverseOptions {
  /** The mask stays as it was, as behind an LSTM of Keras with go_backwards; default false. */
  keepMask?: boolean
}

/** The steps of each sequence in reverse order: those of its length, with its mask; padding stays at the end. */
export class Reverse extends Layer {
  readonly keepMask: boolean

  /** @throws {TypeError} if an option is unknown or no boolean */
  constructor(options: ReverseOptions = {}) {
    super()
    refuseUnknownOptions('Reverse', options, ['keepMask'])
    const { keepMask = false } = options
    requireBoolean('Reverse', 'keepMask', keepMask)
    this.keepMask = keepMask
  }

  override forward(x: Tensor, { lengths }: ForwardOptions = {}): Tensor {
    return reverseSteps(x, { lengths })
  }

  override computeMask(
    x: Tensor,
    mask?: Uint8Array,
    { lengths }: ForwardOptions = {},
  ): Uint8Array | undefined {
    return mask && !this.keepMask ? reverseMask(x, mask, { lengths }) : mask
  }

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'reverse', keepMask: this.keepMask }]
  }

  override config(): LayerConfig {
    return { type: 'Reverse', keepMask: this.keepMask }
  }
}

/**
 * The same layer at every step: x [B, T, ...] as B·T items, each [...], as keras.layers.TimeDistributed. A `Linear` and
 * what else works on the last axis alone does so without it. The layer gets neither lengths nor a mask, and starts from no
 * state. Its parameters stand under `layer.`. A model of images at every step of a video is one, inside it the layers on an
 * image: `TimeDistributed(new Sequential([new Conv2d(...), ..., new Flatten()]))`.
 */
export class TimeDistributed extends Layer {
  readonly layer: Layer

  /** @throws {TypeError} if `layer` is none of the package's layers */
  constructor(layer: Layer) {
    super()
    if (!(layer instanceof Layer)) {
      throw new TypeError(`TimeDistributed: expected a layer of the package, got ${describe(layer)}`)
    }
    this.layer = layer
  }

  override forward(x: Tensor): Tensor {
    if (x.shape.length < 2) {
      throw new RangeError(`TimeDistributed: expected x of shape [B, T, ...], got [${x.shape}]`)
    }
    const [B, T, ...item] = x.shape
    const result = this.layer.forward(reshape(x, [B * T, ...item]))
    const output = 'output' in result ? result.output : result
    return reshape(output, [B, T, ...output.shape.slice(1)])
  }

  /** @throws {TypeError} if the layer looks at more than one step's features: a plan has no axis for that */
  override freeze(): readonly PlanStep[] {
    return this.layer.freeze().map((step): PlanStep => {
      if (['linear', 'layerNorm', 'affine', 'softmax', 'unary'].includes(step.kind)) return step
      if (step.kind === 'flatten') return { kind: 'flattenEach' }
      const isOnImages = step.kind === 'conv2d' || step.kind === 'pool2d' || step.kind === 'globalPool2d'
      if (isOnImages && !step.frames) return { ...step, frames: true }
      throw new TypeError(
        `compile: a TimeDistributed ${step.kind} has no frozen form; call its forward inside noGrad`,
      )
    })
  }

  override config(): LayerConfig {
    return { type: 'TimeDistributed', layer: this.layer.config() }
  }
}
