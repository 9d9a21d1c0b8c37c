/** An LSTM with every option at once. */
import type { LSTMOptions } from '../../lib/layers/lstm.ts'

export const everything: LSTMOptions = {
  inputSize: 3,
  hiddenSize: 4,
  numLayers: 2,
  bidirectional: true,
  projectionSize: 2,
  peepholes: true,
  layerNorm: true,
  gateActivation: { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  cellActivation: 'softsign',
  outputActivation: { kind: 'elu', alpha: 0.5 },
  clip: 4,
  coupledInputForget: true,
  reverse: false,
  merge: 'concat',
  returnSequences: true,
  zeroMasked: true,
  dropout: 0.1,
  recurrentDropout: 0.2,
  zoneoutHidden: 0.1,
  zoneoutCell: 0.2,
  initialisation: 'chrono',
  chronoLength: 20,
  seed: 7,
  dataType: 'float64',
}
