/** Elementwise functions, their derivatives, and sums. */
import type { Binary, FloatArray, Reduction, Unary, UnaryBackward } from '../contract.ts'
import { normalCumulative, normalDensity } from './error-function.ts'
import { addScaled } from './loops.ts'

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/** log(1 + exp(x)) without overflow for large x or loss of digits for small. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

// 2·√(2/π)·(x + 0.044715·x³), whose sigmoid is (1 + tanh(half of it)) / 2 without loss of digits.
const geluTanhSlope = 2 * Math.sqrt(2 / Math.PI)
const geluTanhCube = 0.044715
function geluTanhArgument(x: number): number {
  return geluTanhSlope * (x + geluTanhCube * x ** 3)
}

/** f(x) and f'(x), the latter in terms of x and y = f(x); what alpha and beta mean is in the formula. */
export interface UnaryFunction {
  value(x: number, alpha: number, beta: number): number
  derivative(x: number, y: number, alpha: number, beta: number): number
}

// The fixed point of Klambauer et al. 2017.
const seluAlpha = 1.6732632423543772
const seluScale = 1.0507009873554805

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high)

/** Each function f beside its derivative, in terms of x and y = f(x). NaN goes through all of them. */
export const unary: Record<Unary, UnaryFunction> = {
  exp: { value: Math.exp, derivative: (_, y) => y },
  log: { value: Math.log, derivative: (x) => 1 / x },
  sigmoid: { value: sigmoid, derivative: (_, y) => y * (1 - y) },
  tanh: { value: Math.tanh, derivative: (_, y) => 1 - y * y },
  relu: { value: (x) => Math.max(x, 0), derivative: (x) => (x > 0 ? 1 : 0) },
  gelu: {
    value: (x) => x * normalCumulative(x),
    derivative: (x) => normalCumulative(x) + x * normalDensity(x),
  },
  softplus: { value: softplus, derivative: (x) => sigmoid(x) },
  square: { value: (x) => x * x, derivative: (x) => 2 * x },
  sqrt: { value: Math.sqrt, derivative: (_, y) => 0.5 / y },
  abs: { value: Math.abs, derivative: Math.sign },
  negate: { value: (x) => -x, derivative: () => -1 },
  geluTanh: {
    value: (x) => x * sigmoid(geluTanhArgument(x)),
    derivative: (x) => {
      const p = sigmoid(geluTanhArgument(x))
      return p + x * p * (1 - p) * geluTanhSlope * (1 + 3 * geluTanhCube * x * x)
    },
  },
  relu6: { value: (x) => clamp(x, 0, 6), derivative: (x) => (x > 0 && x < 6 ? 1 : 0) },
  selu: {
    value: (x) => seluScale * (x < 0 ? seluAlpha * Math.expm1(x) : x),
    derivative: (x, y) => (x < 0 ? y + seluScale * seluAlpha : seluScale),
  },
  softsign: { value: (x) => x / (1 + Math.abs(x)), derivative: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  silu: {
    value: (x) => x * sigmoid(x),
    derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  },
  hardSilu: {
    value: (x) => x * clamp(x / 6 + 0.5, 0, 1),
    derivative: (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1),
  },
  mish: {
    value: (x) => x * Math.tanh(softplus(x)),
    derivative: (x) => {
      const t = Math.tanh(softplus(x))
      return t + x * (1 - t * t) * sigmoid(x)
    },
  },
  leakyRelu: {
    value: (x, alpha) => (x < 0 ? alpha * x : x),
    derivative: (x, _, alpha) => (x < 0 ? alpha : 1),
  },
  elu: {
    value: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
    derivative: (x, y, alpha) => (x < 0 ? y + alpha : 1),
  },
  hardSigmoid: {
    value: (x, alpha, beta) => clamp(alpha * x + beta, 0, 1),
    derivative: (_, y, alpha) => (y > 0 && y < 1 ? alpha : 0),
  },
}

/** y = f(x). */
export function unaryForward(kind: Unary, x: FloatArray, y: FloatArray, alpha = 0, beta = 0): void {
  const { value } = unary[kind]
  for (let i = 0; i < x.length; i++) y[i] = value(x[i], alpha, beta)
}

/** dx += dy∘f'(x). */
export function unaryBackward(kind: Unary, { x, y, dy, dx, alpha = 0, beta = 0 }: UnaryBackward): void {
  const { derivative } = unary[kind]
  for (let i = 0; i < x.length; i++) dx[i] += dy[i] * derivative(x[i], y[i], alpha, beta)
}

const binaries: Record<Binary, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
}

/** y = a ∘ b, elementwise. */
export function binary(kind: Binary, a: FloatArray, b: FloatArray, y: FloatArray): void {
  const combine = binaries[kind]
  for (let i = 0; i < y.length; i++) y[i] = combine(a[i], b[i])
}

/** y += alpha·x. */
export function axpy(alpha: number, x: FloatArray, y: FloatArray): void {
  addScaled(alpha, x, 0, y, 0, y.length)
}

/** y += a∘b. */
export function multiplyAdd(a: FloatArray, b: FloatArray, y: FloatArray): void {
  for (let i = 0; i < y.length; i++) y[i] += a[i] * b[i]
}

/** y[n, f] += x[f]. y [N, F], x [F]. */
export function addRows(x: FloatArray, y: FloatArray): void {
  const F = x.length
  for (let start = 0; start < y.length; start += F) addScaled(1, x, 0, y, start, F)
}

/** y[f] += Σ x[n, f] over n. x [N, F], y [F]. */
export function sumRows(x: FloatArray, y: FloatArray): void {
  const F = y.length
  const sums = new Float64Array(F)
  for (let start = 0; start < x.length; start += F) addScaled(1, x, start, sums, 0, F)
  for (let f = 0; f < F; f++) y[f] += sums[f]
}

/** Σ x or max |x|; NaN if any element is NaN. */
export function reduce(kind: Reduction, x: FloatArray): number {
  let result = 0
  if (kind === 'sum') for (let i = 0; i < x.length; i++) result += x[i]
  else for (let i = 0; i < x.length; i++) result = Math.max(result, Math.abs(x[i]))
  return result
}

/** Σ x² over arrays: the sum of each, added in their order. NaN if any element is NaN. */
export function sumOfSquares(arrays: readonly FloatArray[]): number {
  let result = 0
  for (const x of arrays) {
    let sum = 0
    for (let i = 0; i < x.length; i++) sum += x[i] * x[i]
    result += sum
  }
  return result
}
