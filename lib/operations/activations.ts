/** Elementwise functions that networks use between layers, beside sigmoid, tanh, relu, gelu and softplus. */
import { requireNumber } from '../errors.ts'
import type { Tensor } from '../tensor.ts'
import { unary } from './pointwise.ts'

/** y = min(max(x, 0), 6) */
export function relu6(x: Tensor): Tensor {
  return unary('relu6', x)
}

/** y = x where x ≥ 0, else alpha·x. PyTorch's alpha is 0.01 unless told, Keras's 0.2 (Keras 2 and TensorFlow.js: 0.3). */
export function leakyRelu(x: Tensor, { alpha }: { alpha: number }): Tensor {
  requireNumber('leakyRelu', 'alpha', alpha)
  return unary('leakyRelu', x, alpha)
}

/** y = x where x ≥ 0, else alpha·(eˣ - 1) (Clevert et al. 2016) */
export function elu(x: Tensor, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  requireNumber('elu', 'alpha', alpha)
  return unary('elu', x, alpha)
}

/** y = 1.0507·elu(x) with alpha = 1.6733 (Klambauer et al. 2017) */
export function selu(x: Tensor): Tensor {
  return unary('selu', x)
}

/** y = x / (1 + |x|) */
export function softsign(x: Tensor): Tensor {
  return unary('softsign', x)
}

/** y = alpha·x + beta, at least 0 and at most 1. alpha is 1/6 in PyTorch and Keras 3, 0.2 in Keras 2 and TensorFlow.js. */
export function hardSigmoid(x: Tensor, { alpha, beta = 0.5 }: { alpha: number; beta?: number }): Tensor {
  requireNumber('hardSigmoid', 'alpha', alpha)
  requireNumber('hardSigmoid', 'beta', beta)
  return unary('hardSigmoid', x, alpha, beta)
}

/** y = x·σ(x) (Ramachandran et al. 2017), also called swish */
export function silu(x: Tensor): Tensor {
  return unary('silu', x)
}

/** y = x·min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019), also called hard swish */
export function hardSilu(x: Tensor): Tensor {
  return unary('hardSilu', x)
}

/** y = x·tanh(ln(1 + eˣ)) (Misra 2020) */
export function mish(x: Tensor): Tensor {
  return unary('mish', x)
}

/** y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), the approximation of `gelu` that Hendrycks & Gimpel 2016 give */
export function geluTanh(x: Tensor): Tensor {
  return unary('geluTanh', x)
}
