/** From what `config()` returned back to a layer, for files. */
import { describe, nearestName } from '../errors.ts'
import type { Pool2dOptions } from '../operations/images.ts'
import type { Pool1dOptions } from '../operations/windows.ts'
import { Activation, type ActivationKind, type ActivationNumbers } from './activation.ts'
import { Attention, type AttentionLayerOptions } from './attention.ts'
import { BatchNorm, type BatchNormOptions } from './batch-norm.ts'
import { Conv1d, type Conv1dLayerOptions } from './convolution.ts'
import { Conv2d, type Conv2dLayerOptions } from './convolution2d.ts'
import { Dropout, type DropoutOptions } from './dropout.ts'
import { Embedding, type EmbeddingOptions } from './embedding.ts'
import { EncoderDecoder, type EncoderDecoderOptions } from './encoder-decoder.ts'
import { LastStep } from './last-step.ts'
import type { Layer, LayerConfig } from './layer.ts'
import { Linear, type LinearOptions } from './linear.ts'
import { LSTM, type LSTMOptions } from './lstm.ts'
import { LSTMCell } from './lstm-cell.ts'
import type { LSTMCellOptions } from './lstm-parameters.ts'
import { MultiHeadAttention, type MultiHeadAttentionOptions } from './multi-head-attention.ts'
import { LayerNorm, type LayerNormOptions } from './normalization.ts'
import {
  AveragePool1d,
  type AveragePool1dOptions,
  GlobalAveragePool1d,
  GlobalMaxPool1d,
  MaxPool1d,
} from './pooling.ts'
import {
  AveragePool2d,
  type AveragePool2dOptions,
  GlobalAveragePool2d,
  GlobalMaxPool2d,
  MaxPool2d,
} from './pooling2d.ts'
import { RNN, type RNNOptions } from './rnn.ts'
import { Sequential } from './sequential.ts'
import {
  Flatten,
  Masking,
  type MaskingOptions,
  Reverse,
  type ReverseOptions,
  TimeDistributed,
} from './steps.ts'

/** Constructors check the options, which come from a file; the casts only say which options they expect. */
const builders: Record<string, (options: object) => Layer> = {
  Activation: (options) => {
    const { kind, ...numbers } = options as { kind: ActivationKind } & ActivationNumbers
    return new Activation(kind, numbers)
  },
  Attention: (options) => new Attention(options as AttentionLayerOptions),
  AveragePool1d: (options) => new AveragePool1d(options as AveragePool1dOptions),
  AveragePool2d: (options) => new AveragePool2d(options as AveragePool2dOptions),
  BatchNorm: (options) => new BatchNorm(options as BatchNormOptions),
  Conv1d: (options) => new Conv1d(options as Conv1dLayerOptions),
  Conv2d: (options) => new Conv2d(options as Conv2dLayerOptions),
  Dropout: (options) => new Dropout(options as DropoutOptions),
  Embedding: (options) => new Embedding(options as EmbeddingOptions),
  EncoderDecoder: (options) => new EncoderDecoder(options as EncoderDecoderOptions),
  Flatten: () => new Flatten(),
  GlobalAveragePool1d: () => new GlobalAveragePool1d(),
  GlobalAveragePool2d: () => new GlobalAveragePool2d(),
  GlobalMaxPool1d: () => new GlobalMaxPool1d(),
  GlobalMaxPool2d: () => new GlobalMaxPool2d(),
  LastStep: () => new LastStep(),
  LayerNorm: (options) => new LayerNorm(options as LayerNormOptions),
  Linear: (options) => new Linear(options as LinearOptions),
  LSTM: (options) => new LSTM(options as LSTMOptions),
  LSTMCell: (options) => new LSTMCell(options as LSTMCellOptions),
  Masking: (options) => new Masking(options as MaskingOptions),
  MaxPool1d: (options) => new MaxPool1d(options as Pool1dOptions),
  MaxPool2d: (options) => new MaxPool2d(options as Pool2dOptions),
  MultiHeadAttention: (options) => new MultiHeadAttention(options as MultiHeadAttentionOptions),
  Reverse: (options) => new Reverse(options as ReverseOptions),
  RNN: (options) => new RNN(options as RNNOptions),
  Sequential: (options) => {
    const { layers } = options as { layers: readonly LayerConfig[] }
    if (!Array.isArray(layers))
      throw new TypeError(`Sequential: expected layers in an array, got ${describe(layers)}`)
    return new Sequential(layers.map(layerFromConfig))
  },
  TimeDistributed: (options) => {
    const { layer } = options as { layer: LayerConfig }
    if (layer === null || typeof layer !== 'object')
      throw new TypeError(`TimeDistributed: expected the configuration of a layer, got ${describe(layer)}`)
    return new TimeDistributed(layerFromConfig(layer))
  },
}

/**
 * A new layer with the class and options of `config`, with fresh parameters.
 *
 * @throws {TypeError} if the type is none of the package's layers, or an option is unknown
 */
export function layerFromConfig({ type, ...options }: LayerConfig): Layer {
  if (!Object.hasOwn(builders, type)) {
    const nearest = nearestName(String(type), Object.keys(builders))
    const hint = nearest
      ? `; did you mean "${nearest}"?`
      : `; known types: ${Object.keys(builders).join(', ')}`
    throw new TypeError(`layerFromConfig: unknown layer type ${describe(type)}${hint}`)
  }
  return builders[type](options)
}
