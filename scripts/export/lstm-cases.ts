/** LSTMs of every kind that the operator knows, alone and behind masks. */
import {
  Embedding,
  LastStep,
  LSTMCell,
  type LSTMCellOptions,
  type LSTMOptions,
  Masking,
  Reverse,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { head, lstm, stack } from './layers.ts'

const half: LSTMCellOptions['gateActivation'] = { kind: 'hardSigmoid', alpha: 0.2 }
const activationOptions: readonly Partial<LSTMOptions>[] = [
  { gateActivation: half, bidirectional: true },
  { gateActivation: 'relu', cellActivation: 'softsign', outputActivation: 'softplus' },
  { cellActivation: 'linear', outputActivation: { kind: 'affine', alpha: 0.5, beta: 0.1 } },
  { cellActivation: { kind: 'leakyRelu', alpha: 0.1 }, outputActivation: { kind: 'elu', alpha: 0.8 } },
  {
    gateActivation: { kind: 'scaledTanh', alpha: 0.7, beta: 0.9 },
    cellActivation: { kind: 'thresholdedRelu', alpha: 0.2 },
    bidirectional: true,
  },
]

const cellOptions: readonly Partial<LSTMOptions>[] = [
  { clip: 0.4, peepholes: true },
  { coupledInputForget: true },
  { reverse: true, numLayers: 2 },
  { returnSequences: false, numLayers: 2 },
  { returnSequences: false, reverse: true },
  { returnSequences: false, bidirectional: true },
  ...(['sum', 'mul', 'average'] as const).flatMap((merge) => [
    { merge, bidirectional: true, numLayers: 2 },
    { merge, bidirectional: true, returnSequences: false },
  ]),
]

const maskedOptions: readonly Partial<LSTMOptions>[] = [
  {},
  { numLayers: 2 },
  { reverse: true },
  { bidirectional: true },
  { zeroMasked: true },
  { zeroMasked: true, bidirectional: true, merge: 'sum', numLayers: 2 },
  { returnSequences: false, bidirectional: true },
]

/** What an LSTM may have beside the standard cell, and what becomes of its directions and steps. */
export const lstmCases: readonly ExportCase[] = [
  ...activationOptions.map(
    (options): ExportCase => ({ name: JSON.stringify(options), make: () => lstm(options), features: 3 }),
  ),
  ...cellOptions.map(
    (options): ExportCase => ({
      name: JSON.stringify(options),
      make: () => stack(lstm(options)),
      features: 3,
    }),
  ),
  {
    name: 'an LSTMCell of another kind',
    make: () => stack(new LSTMCell({ inputSize: 3, hiddenSize: 4, gateActivation: half, clip: 1 })),
    input: 'vectors',
    features: 3,
    isWithoutLengths: true,
  },
  ...maskedOptions.flatMap((options): ExportCase[] => [
    {
      name: `Masking and ${JSON.stringify(options)}`,
      make: () => stack(new Masking(), lstm(options)),
      features: 3,
    },
    {
      name: `maskZero and ${JSON.stringify(options)}`,
      make: () =>
        stack(new Embedding({ vocabularySize: 3, embeddingSize: 3, maskZero: true }), lstm(options)),
      input: 'tokens',
      features: 3,
    },
  ]),
  {
    name: 'Masking, Reverse, LSTM, Linear and LastStep',
    make: () => stack(new Masking({ value: 0 }), new Reverse(), lstm(), head(4), new LastStep()),
    features: 3,
  },
  {
    name: 'TimeDistributed Masking and LSTM',
    make: () =>
      new TimeDistributed(stack(new Masking(), lstm({ bidirectional: true, returnSequences: false }))),
    input: 'items',
    features: 3,
  },
]
