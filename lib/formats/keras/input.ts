/** What goes into a model, as its layers tell. */

import { Activation } from '../../layers/activation.ts'
import { BatchNorm } from '../../layers/batch-norm.ts'
import { Conv1d } from '../../layers/convolution.ts'
import { Conv2d } from '../../layers/convolution2d.ts'
import { Dropout } from '../../layers/dropout.ts'
import { Embedding } from '../../layers/embedding.ts'
import type { Model } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { RNN } from '../../layers/rnn.ts'
import { Sequential } from '../../layers/sequential.ts'
import { Flatten, TimeDistributed } from '../../layers/steps.ts'
import { isOnImages } from './describe-windows.ts'
import { cannotSave } from './nodes.ts'

export interface KerasInput {
  /** With the batch in front; null for any number. */
  shape: readonly (number | null)[]
  dtype: 'float32' | 'int32'
}

/**
 * Images have the sizes that their first convolution tells, and rows for steps where they are not at every step.
 *
 * @throws {FileFormatError} if no layer tells how many features there are, or Flatten needs `steps` or the size of images
 */
export function inputOf(model: Model, steps?: number): KerasInput {
  const layers = flat(model)
  const first = layers.find((layer) => !worksOnVectors(layer))
  if (layers.some((layer) => layer instanceof Flatten) && steps === undefined && !isOnImages(first))
    cannotSave('Flatten', 'it is for sequences of one length; say which: saveKeras(model, path, { steps })')
  if (layers.find(hasSize) instanceof Embedding) return { shape: [null, steps ?? null], dtype: 'int32' }
  const features = layers.map(featuresOf).find((size) => size !== undefined)
  if (features === undefined) return cannotSave('the model', 'no layer says how many features its input has')
  const places = first ? placesOf(layers, first, steps) : []
  return { shape: [null, ...places, features], dtype: 'float32' }
}

/** The axes between the batch and the features. */
function placesOf(
  layers: readonly Model[],
  first: Model,
  steps: number | undefined,
): readonly (number | null)[] {
  if (isOnImages(first)) return imageOf(layers, steps)
  const inner = first instanceof TimeDistributed ? flat(first.layer) : []
  const isOfImages = isOnImages(inner.find((layer) => !worksOnVectors(layer)))
  return [steps ?? null, ...(isOfImages ? imageOf(inner, undefined) : [])]
}

function imageOf(layers: readonly Model[], rows: number | undefined): readonly (number | null)[] {
  const { inputHeight, inputWidth } = (layers.find((layer) => layer instanceof Conv2d)?.config() ?? {}) as {
    inputHeight?: number
    inputWidth?: number
  }
  const sizes = [rows ?? inputHeight ?? null, inputWidth ?? null]
  if (layers.some((layer) => layer instanceof Flatten) && sizes.includes(null))
    cannotSave(
      'Flatten',
      'it is for images of one size; say which: inputHeight and inputWidth of the first Conv2d',
    )
  return sizes
}

function flat(model: Model): Model[] {
  return model instanceof Sequential ? model.layers.flatMap(flat) : [model]
}

function hasSize(layer: Model): boolean {
  return layer instanceof Embedding || featuresOf(layer) !== undefined
}

function featuresOf(layer: Model): number | undefined {
  if (layer instanceof TimeDistributed)
    return flat(layer.layer)
      .map(featuresOf)
      .find((size) => size !== undefined)
  if (layer instanceof LSTM || layer instanceof RNN || layer instanceof Linear)
    return layer.config().inputSize as number
  if (layer instanceof Conv1d || layer instanceof Conv2d) return layer.config().inputChannels as number
  const isNormalisation = layer instanceof LayerNorm || layer instanceof BatchNorm
  return isNormalisation ? (layer.config().size as number) : undefined
}

/** Layers that need no axis of steps. */
function worksOnVectors(layer: Model): boolean {
  return [Linear, LayerNorm, BatchNorm, Activation, Dropout].some((type) => layer instanceof type)
}
