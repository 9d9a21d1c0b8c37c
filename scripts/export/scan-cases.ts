/** LSTMs of kinds that ONNX's operator has not, which are written as Scans: each option alone, and together. */

import {
  Embedding,
  LastStep,
  LSTMCell,
  type LSTMOptions,
  Masking,
  Reverse,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { head, lstm, stack } from './layers.ts'

/**
 * Layer normalisation divides by the deviation of its sums, again in every step: what float32 rounds off grows until two
 * orders of the same sums differ by 1e-4. In float64 they differ by the attributes, which are float32, and no more.
 */
const normalised = { layerNorm: true, dataType: 'float64' } as const

const projectionSize = 2

const alone: readonly Partial<LSTMOptions>[] = [
  { projectionSize },
  { layerNorm: true },
  { zoneoutHidden: 0.3 },
  { zoneoutCell: 0.4 },
  { zoneoutHidden: 1, zoneoutCell: 1 },
  ...(['gelu', 'exponential', 'silu', 'mish', 'selu'] as const).map((cellActivation) => ({ cellActivation })),
  { gateActivation: 'silu', outputActivation: 'gelu' },
]

/** What the operator has too, in a Scan. */
const functions: readonly Partial<LSTMOptions>[] = [
  {
    gateActivation: { kind: 'hardSigmoid', alpha: 0.2 },
    cellActivation: 'relu',
    outputActivation: 'softsign',
  },
  { gateActivation: { kind: 'affine', alpha: 0.5, beta: 0.1 }, cellActivation: 'softplus' },
  { cellActivation: { kind: 'elu', alpha: 0.8 }, outputActivation: { kind: 'leakyRelu', alpha: 0.1 } },
  {
    gateActivation: { kind: 'scaledTanh', alpha: 0.7, beta: 0.9 },
    cellActivation: { kind: 'thresholdedRelu', alpha: 0.2 },
    outputActivation: 'linear',
  },
]

const variants: readonly Partial<LSTMOptions>[] = [
  { bias: false },
  { peepholes: true },
  { clip: 0.4 },
  { coupledInputForget: true },
  { numLayers: 2 },
  { reverse: true },
  { bidirectional: true, numLayers: 2 },
  { returnSequences: false },
  { returnSequences: false, reverse: true, numLayers: 2 },
  { returnSequences: false, bidirectional: true },
  ...(['sum', 'mul', 'average'] as const).flatMap((merge) => [
    { merge, bidirectional: true, numLayers: 2 },
    { merge, bidirectional: true, returnSequences: false },
  ]),
]

const everything: Partial<LSTMOptions> = {
  ...normalised,
  projectionSize,
  zoneoutHidden: 0.2,
  zoneoutCell: 0.1,
  peepholes: true,
  clip: 0.7,
  bidirectional: true,
  numLayers: 2,
}

const masked: readonly Partial<LSTMOptions>[] = [
  { projectionSize },
  { projectionSize, reverse: true },
  { ...normalised, bidirectional: true, numLayers: 2 },
  { projectionSize, zeroMasked: true, bidirectional: true, merge: 'sum' },
  { zoneoutCell: 0.3, returnSequences: false, bidirectional: true },
  { ...everything, numLayers: 1 },
]

const isFloat64 = ({ dataType }: Partial<LSTMOptions>) => dataType === 'float64'

const named = (options: Partial<LSTMOptions>): ExportCase => ({
  name: JSON.stringify(options),
  make: () => stack(lstm(options)),
  features: 3,
  isFloat64: isFloat64(options),
})

const cell = (options: Partial<LSTMOptions>): ExportCase => ({
  name: `an LSTMCell with ${JSON.stringify(options)}`,
  make: () => stack(new LSTMCell({ inputSize: 3, hiddenSize: 4, ...options })),
  input: 'vectors',
  features: 3,
  isWithoutLengths: true,
  isFloat64: isFloat64(options),
})

const behindMasks = (options: Partial<LSTMOptions>): ExportCase[] => [
  {
    name: `Masking and ${JSON.stringify(options)}`,
    make: () => stack(new Masking(), lstm(options)),
    features: 3,
    isFloat64: isFloat64(options),
  },
  {
    name: `maskZero and ${JSON.stringify(options)}`,
    make() {
      const { dataType } = options
      return stack(
        new Embedding({ vocabularySize: 3, embeddingSize: 3, maskZero: true, dataType }),
        lstm(options),
      )
    },
    input: 'tokens',
    features: 3,
    isFloat64: isFloat64(options),
  },
]

export const scanCases: readonly ExportCase[] = [
  { name: 'an LSTM alone, with a projection', make: () => lstm({ projectionSize }), features: 3 },
  ...alone.map(named),
  ...functions.map((options) => named({ projectionSize, ...options })),
  ...variants.map((options) => named({ projectionSize, ...options })),
  ...variants.map((options) => named({ ...normalised, ...options })),
  ...variants.slice(1, 4).map((options) => named({ zoneoutHidden: 0.2, zoneoutCell: 0.3, ...options })),
  named({ ...normalised, projectionSize, coupledInputForget: true, peepholes: true }),
  named(everything),
  cell({ projectionSize }),
  cell({ layerNorm: true, bias: false }),
  cell({ zoneoutHidden: 0.3, zoneoutCell: 0.4, cellActivation: 'gelu' }),
  cell({ ...normalised, projectionSize, peepholes: true, clip: 0.5, coupledInputForget: true }),
  ...masked.flatMap(behindMasks),
  {
    name: 'a projection, Reverse, an LSTM, zoneout and a head',
    make: () =>
      stack(
        lstm({ projectionSize }),
        new Reverse(),
        lstm({ inputSize: 2 }),
        lstm({ inputSize: 4, zoneoutCell: 0.2 }),
        new LastStep(),
        head(4),
      ),
    features: 3,
  },
  {
    name: 'TimeDistributed projection',
    make: () => new TimeDistributed(stack(lstm({ projectionSize, bidirectional: true }), new LastStep())),
    input: 'items',
    features: 3,
  },
  {
    name: 'TimeDistributed Masking and layer normalisation',
    make: () => new TimeDistributed(stack(new Masking(), lstm({ ...normalised, returnSequences: false }))),
    input: 'items',
    features: 3,
    isFloat64: true,
  },
  {
    name: 'TimeDistributed LSTMCell',
    make: () => new TimeDistributed(new LSTMCell({ inputSize: 3, hiddenSize: 4, projectionSize })),
    features: 3,
  },
]
