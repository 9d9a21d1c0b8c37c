/** Convolutions and pools of Keras and tfjs, over steps or over images. */
import { activationLayers } from './activations.ts'
import type { Converted } from './convert.ts'
import type { KerasLayer } from './layer-config.ts'
import { requireShapes } from './tensors.ts'
import type { Weights } from './weights.ts'

/** How many axes the windows of a layer go over. */
export type Axes = 1 | 2

export function convertConvolution(layer: KerasLayer, weights: Weights, axes: Axes): Converted[] {
  requireChannelsLast(layer)
  const outputChannels = layer.integer('filters')
  const kernel = layer.sizes('kernel_size', axes)
  const groups = layer.integer('groups', 1)
  const bias = layer.flag('use_bias', true)
  const stored = weights.take(['kernel', ...(bias ? ['bias'] : [])])
  const perGroup = stored[0].shape[axes]
  requireShapes(stored, [[...kernel, perGroup, outputChannels], [outputChannels]], layer.source.path)
  const paddings = axes === 1 ? (['valid', 'same', 'causal'] as const) : (['valid', 'same'] as const)
  const config = {
    type: axes === 1 ? 'Conv1d' : 'Conv2d',
    inputChannels: perGroup * groups,
    outputChannels,
    kernelSize: asOption(kernel),
    stride: asOption(layer.sizes('strides', axes, 1)),
    padding: layer.oneOf('padding', paddings, 'valid'),
    dilation: asOption(layer.sizes('dilation_rate', axes, 1)),
    groups,
    bias,
  }
  const activation = activationLayers(layer).map((each) => ({ config: each, stored: [] }))
  return [{ config, stored }, ...activation]
}

export function convertPool(layer: KerasLayer, type: string, axes: Axes): Converted[] {
  requireChannelsLast(layer)
  const size = asOption(layer.sizes('pool_size', axes, 2))
  const padding = layer.oneOf('padding', ['valid', 'same'], 'valid')
  const isGiven = layer.value('strides') !== undefined
  const stride = isGiven ? asOption(layer.sizes('strides', axes)) : size
  return [{ config: { type, size, stride, padding }, stored: [] }]
}

export function convertGlobalPool(layer: KerasLayer, type: string): Converted[] {
  requireChannelsLast(layer)
  layer.require('keepdims', false)
  if (type === 'GlobalAveragePool1d' && layer.source.dialect === 'tfjs' && layer.isMasked)
    layer.fail('UnsupportedOption', 'expected no mask: TensorFlow.js takes the mean of masked steps too')
  return [{ config: { type }, stored: [] }]
}

/** One for both axes where they are the same. */
function asOption(sizes: readonly number[]): number | readonly number[] {
  return sizes.every((size) => size === sizes[0]) ? sizes[0] : sizes
}

function requireChannelsLast(layer: KerasLayer): void {
  layer.require('data_format', 'channels_last')
}
