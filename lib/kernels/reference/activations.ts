/** The functions an LSTM's gates, candidate and output may have, each beside its derivative. NaN goes through all of them. */
import type { ActivationName } from '../contract.ts'
import { sigmoid, unary } from './pointwise.ts'

/** f(x) and f'(x), the latter in terms of x and y = f(x); what alpha and beta mean is in the formula. */
export interface ActivationFunction {
  value(x: number, alpha: number, beta: number): number
  derivative(x: number, y: number, alpha: number, beta: number): number
}

// The fixed point of Klambauer et al. 2017.
const seluAlpha = 1.6732632423543772
const seluScale = 1.0507009873554805

export const activations: Record<ActivationName, ActivationFunction> = {
  linear: { value: (x) => x, derivative: () => 1 },
  sigmoid: unary.sigmoid,
  tanh: unary.tanh,
  relu: unary.relu,
  softplus: unary.softplus,
  gelu: unary.gelu,
  exponential: unary.exp,
  softsign: { value: (x) => x / (1 + Math.abs(x)), derivative: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  silu: {
    value: (x) => x * sigmoid(x),
    derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  },
  mish: {
    value: (x) => x * Math.tanh(unary.softplus.value(x)),
    derivative: (x) => {
      const t = Math.tanh(unary.softplus.value(x))
      return t + x * (1 - t * t) * sigmoid(x)
    },
  },
  selu: {
    value: (x) => seluScale * (x >= 0 ? x : seluAlpha * Math.expm1(x)),
    derivative: (x, y) => (x >= 0 ? seluScale : y + seluScale * seluAlpha),
  },
  elu: {
    value: (x, alpha) => (x >= 0 ? x : alpha * Math.expm1(x)),
    derivative: (x, y, alpha) => (x >= 0 ? 1 : y + alpha),
  },
  affine: { value: (x, alpha, beta) => alpha * x + beta, derivative: (_x, _y, alpha) => alpha },
  leakyRelu: {
    value: (x, alpha) => (x >= 0 ? x : alpha * x),
    derivative: (x, _, alpha) => (x >= 0 ? 1 : alpha),
  },
  thresholdedRelu: {
    value: (x, alpha) => (x < alpha ? 0 : x),
    derivative: (x, _, alpha) => (x < alpha ? 0 : 1),
  },
  scaledTanh: {
    value: (x, alpha, beta) => alpha * Math.tanh(beta * x),
    derivative: (x, _, alpha, beta) => alpha * beta * (1 - Math.tanh(beta * x) ** 2),
  },
  hardSigmoid: {
    value: (x, alpha, beta) => Math.min(Math.max(alpha * x + beta, 0), 1),
    derivative: (_, y, alpha) => (y > 0 && y < 1 ? alpha : 0),
  },
}
