/** Elementwise functions, their derivatives, and sums. */
import type { Binary, FloatArray, Reduction, Unary, UnaryBackward } from '../contract.ts'
import { normalCumulative, normalDensity } from './error-function.ts'
import { addScaled } from './loops.ts'

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/** Each function f beside its derivative, in terms of x and y = f(x). NaN goes through all of them. */
export const unary: Record<Unary, { value(x: number): number; derivative(x: number, y: number): number }> = {
  exp: { value: Math.exp, derivative: (_, y) => y },
  log: { value: Math.log, derivative: (x) => 1 / x },
  sigmoid: { value: sigmoid, derivative: (_, y) => y * (1 - y) },
  tanh: { value: Math.tanh, derivative: (_, y) => 1 - y * y },
  relu: { value: (x) => Math.max(x, 0), derivative: (x) => (x > 0 ? 1 : 0) },
  gelu: {
    value: (x) => x * normalCumulative(x),
    derivative: (x) => normalCumulative(x) + x * normalDensity(x),
  },
  // log(1 + exp(x)) without overflow for large x or loss of digits for small.
  softplus: { value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), derivative: sigmoid },
  square: { value: (x) => x * x, derivative: (x) => 2 * x },
  sqrt: { value: Math.sqrt, derivative: (_, y) => 0.5 / y },
  abs: { value: Math.abs, derivative: Math.sign },
  negate: { value: (x) => -x, derivative: () => -1 },
}

/** y = f(x). */
export function unaryForward(kind: Unary, x: FloatArray, y: FloatArray): void {
  const { value } = unary[kind]
  for (let i = 0; i < x.length; i++) y[i] = value(x[i])
}

/** dx += dy∘f'(x). */
export function unaryBackward(kind: Unary, { x, y, dy, dx }: UnaryBackward): void {
  const { derivative } = unary[kind]
  for (let i = 0; i < x.length; i++) dx[i] += dy[i] * derivative(x[i], y[i])
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
