/** Elementwise operations: functions of one tensor, and arithmetic of two with NumPy's broadcasting. */
import { giveBuffer, takeBuffer, takeZeros } from '../buffers.ts'
import type { Binary, FloatArray, Kernels, Unary } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, record, recordOne } from '../tape.ts'
import { sizeOf, Tensor } from '../tensor.ts'
import { floats, sameShape } from './common.ts'
import { broadcastTo } from './shape.ts'

/** A tensor, or a number that stands for a tensor full of it. */
export type Operand = Tensor | number

/** y = eˣ */
export function exp(x: Tensor): Tensor {
  return unary('exp', x)
}

/** y = ln x */
export function log(x: Tensor): Tensor {
  return unary('log', x)
}

/** y = 1 / (1 + e⁻ˣ) */
export function sigmoid(x: Tensor): Tensor {
  return unary('sigmoid', x)
}

/** y = tanh x */
export function tanh(x: Tensor): Tensor {
  return unary('tanh', x)
}

/** y = max(x, 0); the derivative at 0 is 0, as in PyTorch. */
export function relu(x: Tensor): Tensor {
  return unary('relu', x)
}

/** y = x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016), not its tanh approximation. */
export function gelu(x: Tensor): Tensor {
  return unary('gelu', x)
}

/** y = ln(1 + eˣ), without overflow */
export function softplus(x: Tensor): Tensor {
  return unary('softplus', x)
}

/** y = x² */
export function square(x: Tensor): Tensor {
  return unary('square', x)
}

/** y = √x */
export function sqrt(x: Tensor): Tensor {
  return unary('sqrt', x)
}

/** y = |x|; the derivative at 0 is 0. */
export function abs(x: Tensor): Tensor {
  return unary('abs', x)
}

/** y = -x */
export function negate(x: Tensor): Tensor {
  return unary('negate', x)
}

/** y = a + b */
export function add(a: Operand, b: Operand): Tensor {
  return binary('add', a, b)
}

/** y = a - b */
export function subtract(a: Operand, b: Operand): Tensor {
  return binary('subtract', a, b)
}

/** y = a∘b, element by element; `matmul` multiplies matrices. */
export function multiply(a: Operand, b: Operand): Tensor {
  return binary('multiply', a, b)
}

/** y = a / b */
export function divide(a: Operand, b: Operand): Tensor {
  return binary('divide', a, b)
}

/** y = max(a, b); where they are equal the gradient goes to b. */
export function maximum(a: Operand, b: Operand): Tensor {
  return binary('maximum', a, b)
}

/** y = min(a, b); where they are equal the gradient goes to b. */
export function minimum(a: Operand, b: Operand): Tensor {
  return binary('minimum', a, b)
}

/** y = f(x) for any function of the kernels; `alpha` and `beta` are for those that have them. */
export function unary(kind: Unary, x: Tensor, alpha = 0, beta = 0): Tensor {
  const [xs] = floats(kind, x)
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, xs.length)
  kernels.unaryForward(kind, xs, y, alpha, beta)
  return recordOne(kind, [x], x.shape, y, (dy, gradientOf) => {
    kernels.unaryBackward(kind, { x: xs, y, dy, dx: gradientOf(x)!, alpha, beta })
  })
}

interface BinaryGradient {
  a: FloatArray
  b: FloatArray
  y: FloatArray
  dy: FloatArray
  da?: FloatArray
  db?: FloatArray
}

function binary(kind: Binary, first: Operand, second: Operand): Tensor {
  const like = [first, second].filter((operand) => operand instanceof Tensor)
  if (like.length === 0) throw new TypeError(`${kind}: expected at least one tensor, got two numbers`)
  const [sample] = floats(kind, ...like)
  const shape = broadcastShape(
    kind,
    like.map((operand) => operand.shape),
  )
  const full = (operand: Operand) =>
    operand instanceof Tensor ? broadcastTo(operand, shape) : constant(sample, shape, operand)
  const left = full(first)
  const right = full(second)
  const [a, b] = floats(kind, left, right)
  const kernels = kernelsFor(a)
  const y = outputBuffer(a, a.length)
  kernels.binary(kind, a, b, y)
  return recordOne(kind, [left, right], shape, y, (dy, gradientOf) => {
    binaryBackward[kind](kernels, { a, b, y, dy, da: gradientOf(left), db: gradientOf(right) })
  })
}

const binaryBackward: Record<Binary, (kernels: Kernels, gradient: BinaryGradient) => void> = {
  add(kernels, { dy, da, db }) {
    if (da) kernels.axpy(1, dy, da)
    if (db) kernels.axpy(1, dy, db)
  },
  subtract(kernels, { dy, da, db }) {
    if (da) kernels.axpy(1, dy, da)
    if (db) kernels.axpy(-1, dy, db)
  },
  multiply(kernels, { a, b, dy, da, db }) {
    if (da) kernels.multiplyAdd(dy, b, da)
    if (db) kernels.multiplyAdd(dy, a, db)
  },
  divide(kernels, { b, y, dy, da, db }) {
    const quotient = takeBuffer(dy, dy.length)
    const negative = takeBuffer(dy, dy.length)
    kernels.binary('divide', dy, b, quotient)
    kernels.unaryForward('negate', quotient, negative)
    if (da) kernels.axpy(1, quotient, da)
    if (db) kernels.multiplyAdd(negative, y, db)
    giveBuffer(quotient)
    giveBuffer(negative)
  },
  maximum(kernels, gradient) {
    shareByLarger(kernels, gradient, gradient.a, gradient.b)
  },
  minimum(kernels, gradient) {
    shareByLarger(kernels, gradient, gradient.b, gradient.a)
  },
}

/** da += dy where large > small, db += dy elsewhere: the derivative of relu at their difference is the comparison. */
function shareByLarger(
  kernels: Kernels,
  { dy, da, db }: BinaryGradient,
  large: FloatArray,
  small: FloatArray,
): void {
  const difference = takeBuffer(dy, dy.length)
  const positive = takeBuffer(dy, dy.length)
  const chosen = takeZeros(dy, dy.length)
  kernels.binary('subtract', large, small, difference)
  kernels.unaryForward('relu', difference, positive)
  kernels.unaryBackward('relu', { x: difference, y: positive, dy, dx: chosen })
  if (da) kernels.axpy(1, chosen, da)
  if (db) {
    kernels.axpy(1, dy, db)
    kernels.axpy(-1, chosen, db)
  }
  for (const each of [difference, positive, chosen]) giveBuffer(each)
}

function constant(like: FloatArray, shape: readonly number[], value: number): Tensor {
  const array = outputBuffer(like, sizeOf(shape)).fill(value)
  return record('constant', [], [{ shape, array }], () => {})[0]
}

/** The shape two shapes broadcast to: aligned at the last axis, equal or 1 on each. */
function broadcastShape(place: string, shapes: readonly (readonly number[])[]): readonly number[] {
  const [a, b = a] = shapes
  if (sameShape(a, b)) return a
  const axes = Math.max(a.length, b.length)
  return Array.from({ length: axes }, (_, axis) => {
    const n = a[axis - axes + a.length] ?? 1
    const m = b[axis - axes + b.length] ?? 1
    if (n !== m && n !== 1 && m !== 1) {
      throw new RangeError(
        `${place}: shapes [${a}] and [${b}] do not broadcast: ${n} against ${m} on axis ${axis}`,
      )
    }
    return n === 1 ? m : n
  })
}
