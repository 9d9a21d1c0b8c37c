/** Models that PyTorch and Keras have too. */
import {
  Activation,
  AveragePool1d,
  AveragePool2d,
  BatchNorm,
  Conv1d,
  Conv2d,
  Embedding,
  Flatten,
  GlobalAveragePool1d,
  GlobalAveragePool2d,
  GlobalMaxPool1d,
  LastStep,
  type Layer,
  LayerNorm,
  LSTM,
  LSTMCell,
  Masking,
  MaxPool1d,
  MaxPool2d,
  MultiHeadAttention,
  Reverse,
  RNN,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { conv, head, lstm, stack } from './layers.ts'

export type Network = Pick<ExportCase, 'input' | 'features' | 'make'>

const tagger = (...layers: Layer[]) =>
  stack(new Embedding({ vocabularySize: 9, embeddingSize: 3, maskZero: true }), ...layers)

/** As the classes of these names in check.py. */
export const pytorch: Record<string, Network & { prefixes: Record<string, string> }> = {
  forecaster: {
    make: () => stack(lstm({ hiddenSize: 5, numLayers: 2, bidirectional: true }), new LastStep(), head(10)),
    prefixes: { 0: 'lstm', 2: 'head' },
    features: 3,
  },
  projected: {
    make: () => stack(lstm({ hiddenSize: 6, numLayers: 2, projectionSize: 4, bias: false })),
    prefixes: { 0: 'lstm' },
    features: 3,
  },
  tagger: {
    make: () =>
      stack(
        new Embedding({ vocabularySize: 9, embeddingSize: 3 }),
        lstm(),
        new LayerNorm({ size: 4 }),
        head(4),
      ),
    prefixes: { 0: 'embedding', 1: 'lstm', 2: 'norm', 3: 'head' },
    input: 'tokens',
    features: 9,
  },
  elman: {
    make: () =>
      stack(
        new RNN({ inputSize: 3, hiddenSize: 4, numLayers: 2, bidirectional: true, nonlinearity: 'relu' }),
        new LastStep(),
        head(8),
      ),
    prefixes: { 0: 'rnn', 2: 'head' },
    features: 3,
  },
  filmed: {
    make: () =>
      stack(
        new TimeDistributed(
          stack(
            new Conv2d({
              ...{ inputChannels: 2, outputChannels: 4, kernelSize: [3, 2], groups: 2 },
              ...{ stride: [2, 1], padding: [1, 0] },
            }),
            new BatchNorm({ size: 4, eps: 1e-3 }),
            new Activation('relu'),
            new MaxPool2d({ size: 2 }),
            new GlobalAveragePool2d(),
          ),
        ),
        new LSTM({ inputSize: 4, hiddenSize: 3 }),
      ),
    prefixes: { '0.layer.0': 'conv', '0.layer.1': 'norm', 1: 'lstm' },
    input: 'films',
    features: 2,
  },
  attended: {
    make: () => stack(new MultiHeadAttention({ embedSize: 6, heads: 2 }), new BatchNorm({ size: 6 })),
    prefixes: { 0: 'attention', 1: 'norm' },
    features: 6,
  },
  cell: {
    make: () => stack(new LSTMCell({ inputSize: 3, hiddenSize: 4 })),
    prefixes: { 0: 'cell' },
    input: 'vectors',
    features: 3,
  },
  convolved: {
    make: () =>
      stack(conv({ stride: 2, padding: 1, groups: 2 }), new Activation('relu'), lstm({ inputSize: 6 })),
    prefixes: { 0: 'conv', 2: 'lstm' },
    features: 4,
  },
}

/** Those of check.py, whose weights alone are loaded too. */
export const keras: Record<string, Network> = {
  forecaster: {
    make: () => stack(lstm({ hiddenSize: 5, numLayers: 2 }), new LastStep(), head(5)),
    features: 3,
  },
  tagger: {
    make: () =>
      tagger(
        lstm({ bidirectional: true, zeroMasked: true }),
        new LayerNorm({ size: 8, eps: 1e-5 }),
        head(8),
        new Activation('softmax'),
      ),
    input: 'tokens',
    features: 9,
  },
  convolved: {
    make: () =>
      stack(
        new Conv1d({ inputChannels: 4, outputChannels: 6, kernelSize: 3, padding: 'causal' }),
        new Activation('relu'),
        new MaxPool1d({ size: 2 }),
        lstm({ inputSize: 6, reverse: true, returnSequences: false }),
      ),
    features: 4,
  },
  filmed: {
    make: () =>
      stack(
        new TimeDistributed(
          stack(
            new Conv2d({ inputChannels: 2, outputChannels: 4, kernelSize: [3, 2], padding: 'same' }),
            new Activation('relu'),
            new BatchNorm({ size: 4, eps: 1e-3 }),
            new MaxPool2d({ size: 2 }),
            new GlobalAveragePool2d(),
          ),
        ),
        new RNN({ inputSize: 4, hiddenSize: 3, bidirectional: true, nonlinearity: 'relu' }),
        new RNN({ inputSize: 6, hiddenSize: 3 }),
        new LastStep(),
      ),
    input: 'films',
    features: 2,
  },
}

/** Models that only whole files are written of. */
export const kerasModels: Record<string, Network> = {
  ...Object.fromEntries(
    (['concat', 'sum', 'mul', 'average'] as const).map((merge) => [
      `Bidirectional ${merge}`,
      {
        make: () =>
          stack(lstm({ bidirectional: true, merge }), lstm({ inputSize: merge === 'concat' ? 8 : 4 })),
        features: 3,
      },
    ]),
  ),
  'Masking, holes': { make: () => stack(new Masking(), lstm({ numLayers: 2 })), features: 3 },
  go_backwards: { make: () => stack(lstm({ reverse: true }), new Reverse(), head(4)), features: 3 },
  'hard sigmoid of slope 1/6': {
    make: () =>
      stack(
        lstm({
          gateActivation: { kind: 'hardSigmoid', alpha: 1 / 6 },
          cellActivation: 'softsign',
          outputActivation: 'softsign',
        }),
      ),
    features: 3,
  },
  'TimeDistributed and pools': {
    make: () =>
      stack(
        new TimeDistributed(head(3)),
        new AveragePool1d({ size: 3, stride: 2, padding: 'same' }),
        new Activation('leakyRelu', { alpha: 0.1 }),
        new GlobalMaxPool1d(),
      ),
    features: 3,
  },
  'images of one size': {
    make: () =>
      stack(
        new BatchNorm({ size: 3 }),
        new Conv2d({
          inputChannels: 3,
          outputChannels: 2,
          kernelSize: 2,
          stride: 2,
          inputHeight: 12,
          inputWidth: 6,
        }),
        new AveragePool2d({ size: 3, stride: [2, 1], padding: 'same' }),
        new Flatten(),
        head(18),
      ),
    input: 'images',
    features: 3,
  },
  'Masking and SimpleRNN, backwards': {
    make: () =>
      stack(
        new Masking(),
        new RNN({ inputSize: 3, hiddenSize: 4, numLayers: 2 }),
        new BatchNorm({ size: 4 }),
        new Reverse(),
        new RNN({ inputSize: 4, hiddenSize: 2 }),
        new LastStep(),
      ),
    features: 3,
  },
  'Masking and GlobalAveragePooling1D': {
    make: () => stack(new Masking(), new GlobalAveragePool1d(), head(3)),
    features: 3,
  },
  'a perceptron': {
    make: () => stack(head(3), new Activation('elu', { alpha: 0.5 }), head(2), new Activation('gelu')),
    input: 'vectors',
    features: 3,
  },
}
