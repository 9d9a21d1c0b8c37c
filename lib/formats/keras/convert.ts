/** Layers of Keras and tfjs as layers of ours: their configurations, and the tensors that go into their parameters. */
import type { LayerConfig } from '../../layers/layer.ts'
import { activationConverters, activationLayers } from './activations.ts'
import { convertBatchNormalization, convertLayerNormalization } from './convert-normalization.ts'
import { convertSimpleRNN } from './convert-rnn.ts'
import { convertConvolution, convertGlobalPool, convertPool } from './convert-windows.ts'
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
  ['SimpleRNN', convertSimpleRNN],
  ['Bidirectional', convertBidirectional],
  ['Dense', convertDense],
  ['Embedding', convertEmbedding],
  ['TimeDistributed', convertTimeDistributed],
  ['Conv1D', (layer, weights) => convertConvolution(layer, weights, 1)],
  ['Conv2D', (layer, weights) => convertConvolution(layer, weights, 2)],
  ['LayerNormalization', convertLayerNormalization],
  ['BatchNormalization', convertBatchNormalization],
  ['Masking', convertMasking],
  ['Dropout', (layer) => bare({ type: 'Dropout', probability: layer.number('rate') })],
  [
    'SpatialDropout1D',
    (layer) => bare({ type: 'Dropout', probability: layer.number('rate'), acrossTime: true }),
  ],
  ['MaxPooling1D', (layer) => convertPool(layer, 'MaxPool1d', 1)],
  ['MaxPooling2D', (layer) => convertPool(layer, 'MaxPool2d', 2)],
  ['AveragePooling1D', (layer) => convertPool(layer, 'AveragePool1d', 1)],
  ['AveragePooling2D', (layer) => convertPool(layer, 'AveragePool2d', 2)],
  ['GlobalMaxPooling1D', (layer) => convertGlobalPool(layer, 'GlobalMaxPool1d')],
  ['GlobalMaxPooling2D', (layer) => convertGlobalPool(layer, 'GlobalMaxPool2d')],
  ['GlobalAveragePooling1D', (layer) => convertGlobalPool(layer, 'GlobalAveragePool1d')],
  ['GlobalAveragePooling2D', (layer) => convertGlobalPool(layer, 'GlobalAveragePool2d')],
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

/** In Keras the mask of images is one of places; here it is one of steps. */
function convertMasking(layer: KerasLayer): Converted[] {
  if (layer.rank !== undefined && layer.rank > 3)
    layer.fail(
      'UnsupportedOption',
      `expected an input of [batch, steps, features], got one of ${layer.rank} axes`,
    )
  return bare({ type: 'Masking', value: layer.number('mask_value', 0) })
}

function convertTimeDistributed(layer: KerasLayer, weights: Weights): Converted[] {
  const inner = layer.layer('layer')
  inner.rank = layer.rank === undefined ? undefined : layer.rank - 1
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
