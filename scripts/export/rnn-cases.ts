/** Elman networks and attention. */
import {
  Embedding,
  LastStep,
  Masking,
  MultiHeadAttention,
  type MultiHeadAttentionOptions,
  Reverse,
  RNN,
  type RNNOptions,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { head, lstm, stack } from './layers.ts'

const rnn = (options: Partial<RNNOptions> = {}) => new RNN({ inputSize: 3, hiddenSize: 4, ...options })
const attention = (options: Partial<MultiHeadAttentionOptions> = {}) =>
  new MultiHeadAttention({ embedSize: 6, heads: 3, ...options })
const tokens = (embeddingSize: number) => new Embedding({ vocabularySize: 3, embeddingSize, maskZero: true })

const networks: readonly Partial<RNNOptions>[] = [
  {},
  { nonlinearity: 'relu', bias: false },
  { bidirectional: true, numLayers: 2, dropout: 0.5 },
  { bidirectional: true, nonlinearity: 'relu' },
]

const attentions: readonly Partial<MultiHeadAttentionOptions>[] = [
  {},
  { causal: true },
  { heads: 1, bias: false },
]

export const rnnCases: readonly ExportCase[] = [
  { name: 'an RNN alone', make: () => rnn(), features: 3 },
  ...networks.flatMap((options): ExportCase[] => {
    const features = options.bidirectional ? 8 : 4
    return [
      {
        name: `RNN ${JSON.stringify(options)}`,
        make: () => stack(rnn(options), head(features)),
        features: 3,
      },
      {
        name: `Masking and RNN ${JSON.stringify(options)}`,
        make: () => stack(new Masking(), rnn(options), new LastStep()),
        features: 3,
      },
      {
        name: `maskZero and RNN ${JSON.stringify(options)}`,
        make: () => stack(tokens(3), rnn(options)),
        input: 'tokens',
        features: 3,
      },
    ]
  }),
  {
    name: 'RNN, float64',
    make: () => stack(rnn({ dataType: 'float64' })),
    features: 3,
    isFloat64: true,
    isWithoutRuntime: true,
  },
  {
    name: 'an RNN, Reverse and an LSTM',
    make: () => stack(rnn(), new Reverse(), lstm({ inputSize: 4 }), new LastStep()),
    features: 3,
  },
  {
    name: 'TimeDistributed RNN',
    make: () => new TimeDistributed(stack(rnn({ bidirectional: true }), new LastStep())),
    input: 'items',
    features: 3,
  },
  ...attentions.flatMap((options): ExportCase[] => [
    {
      name: `MultiHeadAttention ${JSON.stringify(options)}`,
      make: () => stack(attention(options), head(6)),
      features: 6,
    },
    {
      name: `maskZero and MultiHeadAttention ${JSON.stringify(options)}`,
      make: () => stack(tokens(6), attention(options), new LastStep()),
      input: 'tokens',
      features: 3,
    },
  ]),
  {
    name: 'TimeDistributed MultiHeadAttention',
    make: () => stack(new TimeDistributed(stack(attention(), new LastStep())), lstm({ inputSize: 6 })),
    input: 'items',
    features: 6,
  },
]
