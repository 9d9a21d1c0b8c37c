/** Every function an LSTM may have, with numbers where it has any. */
import type { ActivationName } from '../../lib/kernels/contract.ts'

export const activationOptions: { kind: ActivationName; alpha?: number; beta?: number }[] = [
  { kind: 'linear' },
  { kind: 'sigmoid' },
  { kind: 'tanh' },
  { kind: 'relu' },
  { kind: 'softplus' },
  { kind: 'gelu' },
  { kind: 'exponential' },
  { kind: 'softsign' },
  { kind: 'silu' },
  { kind: 'mish' },
  { kind: 'selu' },
  { kind: 'elu', alpha: -0.7 },
  { kind: 'affine', alpha: 0.3, beta: 0.4 },
  { kind: 'leakyRelu', alpha: 0.2 },
  { kind: 'thresholdedRelu', alpha: -0.2 },
  { kind: 'scaledTanh', alpha: 1.2, beta: 0.6 },
  { kind: 'hardSigmoid', alpha: 0.3, beta: 0.45 },
]
