/** The functions an LSTM's gates, candidate and output may have, each beside its derivative. NaN goes through all of them. */
import type { ActivationName } from '../contract.ts'
import { type UnaryFunction, unary } from './pointwise.ts'

export const activations: Record<ActivationName, UnaryFunction> = {
  linear: { value: (x) => x, derivative: () => 1 },
  sigmoid: unary.sigmoid,
  tanh: unary.tanh,
  relu: unary.relu,
  softplus: unary.softplus,
  gelu: unary.gelu,
  exponential: unary.exp,
  softsign: unary.softsign,
  silu: unary.silu,
  mish: unary.mish,
  selu: unary.selu,
  elu: unary.elu,
  affine: { value: (x, alpha, beta) => alpha * x + beta, derivative: (_x, _y, alpha) => alpha },
  leakyRelu: unary.leakyRelu,
  thresholdedRelu: {
    value: (x, alpha) => (x < alpha ? 0 : x),
    derivative: (x, _, alpha) => (x < alpha ? 0 : 1),
  },
  scaledTanh: {
    value: (x, alpha, beta) => alpha * Math.tanh(beta * x),
    derivative: (x, _, alpha, beta) => alpha * beta * (1 - Math.tanh(beta * x) ** 2),
  },
  hardSigmoid: unary.hardSigmoid,
}
