/** What goes into a model, as its layers tell. */

import { Activation } from '../../layers/activation.ts'
import { Conv1d } from '../../layers/convolution.ts'
import { Dropout } from '../../layers/dropout.ts'
import { Embedding } from '../../layers/embedding.ts'
import type { Model } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { Sequential } from '../../layers/sequential.ts'
import { Flatten, TimeDistributed } from '../../layers/steps.ts'
import { cannotSave } from './nodes.ts'

export interface KerasInput {
  /** With the batch in front; null for any number. */
  shape: readonly (number | null)[]
  dtype: 'float32' | 'int32'
}

/** @throws {FileFormatError} if no layer tells how many features there are, or Flatten needs `steps` */
export function inputOf(model: Model, steps?: number): KerasInput {
  const layers = flat(model)
  if (layers.some((layer) => layer instanceof Flatten) && steps === undefined)
    cannotSave('Flatten', 'it is for sequences of one length; say which: saveKeras(model, path, { steps })')
  const T = steps ?? null
  if (layers.find(hasSize) instanceof Embedding) return { shape: [null, T], dtype: 'int32' }
  const features = layers.map(featuresOf).find((size) => size !== undefined)
  if (features === undefined) return cannotSave('the model', 'no layer says how many features its input has')
  const isFlat = layers.every((layer) => worksOnVectors(layer))
  return { shape: isFlat ? [null, features] : [null, T, features], dtype: 'float32' }
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
  if (layer instanceof LSTM || layer instanceof Linear) return layer.config().inputSize as number
  if (layer instanceof Conv1d) return layer.config().inputChannels as number
  return layer instanceof LayerNorm ? (layer.config().size as number) : undefined
}

/** Layers that need no axis of steps. */
function worksOnVectors(layer: Model): boolean {
  return [Linear, LayerNorm, Activation, Dropout].some((type) => layer instanceof type)
}
