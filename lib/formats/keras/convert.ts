/** Layers of Keras and tfjs as layers of ours: their configurations, and the tensors that go into their parameters. */
import type { LayerConfig } from '../../layers/layer.ts'
import { activationConverters, activationLayers } from './activations.ts'
import type { KerasLayer } from './layer-config.ts'
import { convertBidirectional, convertLSTM } from './recurrent.ts'
import { requireShapes } from './tensors.ts'
import { isModel } from './topology.ts'
import type { StoredWeight, Weights } from './weights.ts'

export interface Converted {
  config: LayerConfig
  /** In the order of the layer's parameters. */
  stored: StoredWeight[]
}

type Converter = (layer: KerasLayer, weights: Weights) => Converted[]

const converters: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ['LSTM', convertLSTM],
  ['Bidirectional', convertBidirectional],
  ['Dense', convertDense],
  ['Embedding', convertEmbedding],
  ['TimeDistributed', convertTimeDistributed],
  ['Conv1D', convertConv1D],
  ['LayerNormalization', convertLayerNormalization],
  ['Masking', (layer) => bare({ type: 'Masking', value: layer.number('mask_value', 0) })],
  ['Dropout', (layer) => bare({ type: 'Dropout', probability: layer.number('rate') })],
  [
    'SpatialDropout1D',
    (layer) => bare({ type: 'Dropout', probability: layer.number('rate'), acrossTime: true }),
  ],
  ['MaxPooling1D', (layer) => pool(layer, 'MaxPool1d')],
  ['AveragePooling1D', (layer) => pool(layer, 'AveragePool1d')],
  ['GlobalMaxPooling1D', (layer) => globalPool(layer, 'GlobalMaxPool1d')],
  ['GlobalAveragePooling1D', (layer) => globalPool(layer, 'GlobalAveragePool1d')],
  ['Flatten', () => bare({ type: 'Flatten' })],
  ['InputLayer', () => []],
  // These do something in training alone, and nothing that this package does.
  ['ActivityRegularization', () => []],
  ['GaussianNoise', () => []],
])

/**
 * A layer as those of ours that compute the same.
 *
 * @throws {FileFormatError} for a layer or an option that there is nothing for, and for tensors of other sizes
 */
export function convert(layer: KerasLayer, weights: Weights): Converted[] {
  requirePrecision(layer)
  const activation = activationConverters.get(layer.className)
  if (activation) return activation(layer).flatMap(bare)
  const converter = converters.get(layer.className)
  if (converter) return converter(layer, weights)
  const known = [...converters.keys(), ...activationConverters.keys(), 'Sequential'].join(', ')
  const code = layer.className === 'Lambda' ? '; code in a file is never run' : ''
  return layer.fail('UnsupportedLayer', `supported are ${known}${code}`)
}

/** Weights of integers are not what a layer computes with. */
function requirePrecision(layer: KerasLayer): void {
  const value = layer.value('dtype') as { config?: { name?: unknown } } | string | undefined
  const name = typeof value === 'object' ? value.config?.name : value
  if (/int4|int8|float8|gptq|awq/.test(String(name)))
    layer.fail('UnsupportedOption', `expected dtype float32, got ${JSON.stringify(name)}`)
}

function bare(config: LayerConfig): Converted[] {
  return [{ config, stored: [] }]
}

function withActivation(layer: KerasLayer, converted: Converted): Converted[] {
  return [converted, ...activationLayers(layer).flatMap(bare)]
}

function convertDense(layer: KerasLayer, weights: Weights): Converted[] {
  const outputSize = layer.integer('units')
  const bias = layer.flag('use_bias', true)
  const stored = weights.take(['kernel', ...(bias ? ['bias'] : [])])
  const inputSize = stored[0].shape[0]
  requireShapes(stored, [[inputSize, outputSize], [outputSize]], layer.source.path)
  return withActivation(layer, { config: { type: 'Linear', inputSize, outputSize, bias }, stored })
}

function convertEmbedding(layer: KerasLayer, weights: Weights): Converted[] {
  const vocabularySize = layer.integer('input_dim')
  const embeddingSize = layer.integer('output_dim')
  const stored = weights.take(['embeddings'])
  requireShapes(stored, [[vocabularySize, embeddingSize]], layer.source.path)
  const maskZero = layer.flag('mask_zero', false)
  return [{ config: { type: 'Embedding', vocabularySize, embeddingSize, maskZero }, stored }]
}

function convertTimeDistributed(layer: KerasLayer, weights: Weights): Converted[] {
  const inner = layer.layer('layer')
  if (isModel(inner) || inner.className === 'TimeDistributed')
    return inner.fail('UnsupportedLayer', 'expected one layer inside TimeDistributed, that is no model')
  const layers = convert(inner, weights.inner('layer'))
  const [first] = layers
  const config =
    layers.length === 1 ? first.config : { type: 'Sequential', layers: layers.map((each) => each.config) }
  return [
    { config: { type: 'TimeDistributed', layer: config }, stored: layers.flatMap((each) => each.stored) },
  ]
}

function convertConv1D(layer: KerasLayer, weights: Weights): Converted[] {
  requireChannelsLast(layer)
  const outputChannels = layer.integer('filters')
  const kernelSize = layer.single('kernel_size')
  const groups = layer.integer('groups', 1)
  const bias = layer.flag('use_bias', true)
  const stored = weights.take(['kernel', ...(bias ? ['bias'] : [])])
  const perGroup = stored[0].shape[1]
  requireShapes(stored, [[kernelSize, perGroup, outputChannels], [outputChannels]], layer.source.path)
  const config = {
    type: 'Conv1d',
    inputChannels: perGroup * groups,
    outputChannels,
    kernelSize,
    stride: layer.single('strides', 1),
    padding: layer.oneOf('padding', ['valid', 'same', 'causal'], 'valid'),
    dilation: layer.single('dilation_rate', 1),
    groups,
    bias,
  }
  return withActivation(layer, { config, stored })
}

function convertLayerNormalization(layer: KerasLayer, weights: Weights): Converted[] {
  if (!layer.isLastAxis('axis'))
    layer.fail('UnsupportedOption', `expected axis: -1, got ${layer.value('axis')}`)
  layer.require('rms_scaling', false)
  const [hasGain, hasShift] = [layer.flag('scale', true), layer.flag('center', true)]
  const stored = weights.take([...(hasGain ? ['gamma'] : []), ...(hasShift ? ['beta'] : [])])
  if (stored.length === 0)
    layer.fail('UnsupportedOption', 'expected scale or center: without both its size is unknown')
  const size = stored[0].shape[0]
  requireShapes(stored, [[size], [size]], layer.source.path)
  const constant = (value: number): StoredWeight => ({
    name: layer.name,
    shape: [size],
    read: () => new Float32Array(size).fill(value),
  })
  const all = [...(hasGain ? [] : [constant(1)]), ...stored, ...(hasShift ? [] : [constant(0)])]
  return [{ config: { type: 'LayerNorm', size, eps: layer.number('epsilon', 1e-3) }, stored: all }]
}

function pool(layer: KerasLayer, type: string): Converted[] {
  requireChannelsLast(layer)
  const size = layer.single('pool_size', 2)
  const padding = layer.oneOf('padding', ['valid', 'same'], 'valid')
  return bare({ type, size, stride: layer.single('strides', size), padding })
}

function globalPool(layer: KerasLayer, type: string): Converted[] {
  requireChannelsLast(layer)
  layer.require('keepdims', false)
  if (type === 'GlobalAveragePool1d' && layer.source.dialect === 'tfjs' && layer.isMasked)
    layer.fail('UnsupportedOption', 'expected no mask: TensorFlow.js takes the mean of masked steps too')
  return bare({ type })
}

function requireChannelsLast(layer: KerasLayer): void {
  layer.require('data_format', 'channels_last')
}
