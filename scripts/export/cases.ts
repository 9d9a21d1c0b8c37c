/** Models of every layer kind, whose ONNX files are checked. */
import {
  Activation,
  type ActivationKind,
  AveragePool1d,
  Dropout,
  Embedding,
  Flatten,
  GlobalAveragePool1d,
  GlobalMaxPool1d,
  LastStep,
  LayerNorm,
  Linear,
  LSTMCell,
  Masking,
  MaxPool1d,
  Reverse,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { imageCases } from './image-cases.ts'
import { conv, head, lstm, stack } from './layers.ts'
import { lstmCases } from './lstm-cases.ts'
import { rnnCases } from './rnn-cases.ts'
import { scanCases } from './scan-cases.ts'

const kinds: readonly ActivationKind[] = [
  'linear',
  'relu',
  'relu6',
  'elu',
  'selu',
  'sigmoid',
  'tanh',
  'softsign',
  'softplus',
  'exponential',
  'silu',
  'hardSilu',
  'mish',
  'gelu',
  'geluTanh',
  'softmax',
  'logSoftmax',
]

export const exportCases: readonly ExportCase[] = [
  { name: 'an LSTM alone', make: () => lstm(), features: 3 },
  {
    name: 'an LSTM of three layers and two directions',
    make: () => lstm({ numLayers: 3, bidirectional: true }),
    features: 3,
  },
  { name: 'an LSTM without bias', make: () => stack(lstm({ bias: false })), features: 3 },
  {
    name: 'an LSTM with peepholes',
    make: () => stack(lstm({ peepholes: true, bidirectional: true })),
    features: 3,
  },
  {
    name: 'an LSTM with dropout',
    make: () => lstm({ numLayers: 2, dropout: 0.5, recurrentDropout: 0.3 }),
    features: 3,
  },
  {
    name: 'float64',
    make: () => stack(lstm({ dataType: 'float64' })),
    features: 3,
    isFloat64: true,
    isWithoutRuntime: true,
  },
  {
    name: 'a forecaster',
    make: () => stack(lstm({ numLayers: 2 }), new LastStep(), new Dropout(), head(4)),
    features: 3,
  },
  {
    name: 'a tagger',
    make: () =>
      stack(
        new Embedding({ vocabularySize: 9, embeddingSize: 3, paddingIndex: 0 }),
        lstm({ bidirectional: true }),
        new LayerNorm({ size: 8, eps: 1e-3 }),
        head(8),
        new Activation('logSoftmax'),
      ),
    input: 'tokens',
    features: 9,
  },
  {
    name: 'stacks in a stack',
    make: () => stack(stack(lstm(), stack(new Reverse(), lstm({ inputSize: 4 }))), new Reverse(), head(4)),
    features: 3,
  },
  {
    name: 'an LSTMCell',
    make: () => stack(head(3), new LSTMCell({ inputSize: 2, hiddenSize: 4, peepholes: true }), head(4)),
    input: 'vectors',
    features: 3,
    isWithoutLengths: true,
  },
  {
    name: 'a perceptron',
    make: () =>
      stack(head(5), new Activation('relu'), new Linear({ inputSize: 2, outputSize: 3, bias: false })),
    input: 'vectors',
    features: 5,
    isWithoutLengths: true,
  },
  ...kinds.map(
    (kind): ExportCase => ({
      name: kind,
      make: () => stack(head(3), new Activation(kind)),
      input: 'vectors',
      features: 3,
      isWithoutLengths: true,
    }),
  ),
  {
    name: 'functions with numbers',
    make: () =>
      stack(
        head(3),
        new Activation('leakyRelu', { alpha: 0.2 }),
        new Activation('elu', { alpha: 0.7 }),
        new Activation('hardSigmoid', { alpha: 0.2, beta: 0.4 }),
      ),
    input: 'vectors',
    features: 3,
    isWithoutLengths: true,
  },
  ...(['valid', 'same', 'causal', 2] as const).flatMap((padding): ExportCase[] => [
    {
      name: `Conv1d, padding ${padding}`,
      make: () => stack(conv({ padding }), lstm({ inputSize: 6 })),
      features: 4,
    },
    {
      name: `Conv1d, padding ${padding}, stride 3`,
      make: () => stack(conv({ padding, stride: 3, groups: 2 }), lstm({ inputSize: 6 })),
      features: 4,
    },
    {
      name: `Conv1d, padding ${padding}, stride 3, dilation 2`,
      make: () => stack(conv({ padding, stride: 3, dilation: 2 }), lstm({ inputSize: 6 })),
      features: 4,
    },
    {
      name: `Conv1d, padding ${padding}, dilation 2`,
      make: () => stack(conv({ padding, dilation: 2, bias: false }), new LastStep()),
      features: 4,
    },
  ]),
  ...(['valid', 'same', 1] as const).flatMap((padding): ExportCase[] => [
    {
      name: `MaxPool1d, padding ${padding}`,
      make: () => stack(new MaxPool1d({ size: 3, padding }), lstm()),
      features: 3,
    },
    {
      name: `AveragePool1d, padding ${padding}`,
      make: () => stack(new AveragePool1d({ size: 3, stride: 2, padding }), lstm()),
      features: 3,
    },
    {
      name: `AveragePool1d, padding ${padding} counted`,
      make: () => stack(new AveragePool1d({ size: 4, stride: 3, padding, countPadding: true }), lstm()),
      features: 3,
    },
  ]),
  { name: 'GlobalMaxPool1d', make: () => stack(head(3), new GlobalMaxPool1d()), features: 3 },
  { name: 'GlobalAveragePool1d', make: () => stack(lstm(), new GlobalAveragePool1d(), head(4)), features: 3 },
  {
    name: 'Masking and GlobalAveragePool1d',
    make: () => stack(new Masking(), new GlobalAveragePool1d()),
    features: 3,
  },
  {
    name: 'maskZero, Reverse and GlobalAveragePool1d',
    make: () =>
      stack(
        new Embedding({ vocabularySize: 4, embeddingSize: 3, maskZero: true }),
        new Reverse(),
        new GlobalAveragePool1d(),
      ),
    input: 'tokens',
    features: 4,
  },
  { name: 'Reverse', make: () => stack(new Reverse(), head(3)), features: 3 },
  { name: 'Flatten', make: () => stack(lstm(), new Flatten()), features: 3 },
  {
    name: 'TimeDistributed Linear',
    make: () => stack(new TimeDistributed(head(3)), lstm({ inputSize: 2 })),
    features: 3,
  },
  {
    name: 'TimeDistributed LSTM',
    make: () => new TimeDistributed(stack(lstm(), new LastStep())),
    input: 'items',
    features: 3,
  },
  {
    name: 'TimeDistributed Conv1d, Reverse and pool',
    make: () =>
      stack(
        new TimeDistributed(stack(conv({ padding: 'same' }), new Reverse(), new GlobalMaxPool1d())),
        lstm({ inputSize: 6 }),
      ),
    input: 'items',
    features: 4,
  },
  {
    name: 'TimeDistributed Flatten',
    make: () => new TimeDistributed(new Flatten()),
    input: 'items',
    features: 2,
  },
  ...imageCases,
  ...rnnCases,
  ...lstmCases,
  ...scanCases,
]
