/** Elementwise operators of two or more values, with NumPy's broadcasting, in floats and in exact integers. */
import type { Binary, FloatArray } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import {
  broadcastShape,
  type ElementType,
  expanded,
  requireExact,
  type Value,
  type ValueArray,
} from '../values.ts'
import { type AttributeKind, axisOf, type Call, type Operator } from './operator.ts'

type Function2 = (a: number, b: number) => number

/** Before opset 7 an operand was broadcast only with `broadcast`, from `axis` on. */
const attributes: Record<string, AttributeKind> = { axis: 'int', broadcast: 'int' }

const divide: Function2 = (a, b) => {
  if (b === 0) throw new RangeError('an integer is divided by zero')
  return Math.trunc(a / b)
}

/** The sign of the divisor, as Python's %. */
const modulo: Function2 = (a, b) => a - b * Math.floor(a / b)

const comparisons: Record<string, Function2> = {
  Equal: (a, b) => Number(a === b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
  Less: (a, b) => Number(a < b),
  LessOrEqual: (a, b) => Number(a <= b),
}

const logic: Record<string, Function2> = {
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
}

export const arithmeticOperators: Record<string, Operator> = {
  Add: both('add', (a, b) => a + b),
  Sub: both('subtract', (a, b) => a - b),
  Mul: both('multiply', (a, b) => a * b),
  Div: both('divide', divide),
  Max: several('maximum', Math.max),
  Min: several('minimum', Math.min),
  Sum: several('add', (a, b) => a + b),

  Mean: {
    inputs: [1, Number.POSITIVE_INFINITY],
    run(call) {
      const sum = fold(call, 'add', (a, b) => a + b)
      if (sum.type !== 'float32' && sum.type !== 'float64')
        throw new TypeError(`expected floats, got ${sum.type}`)
      return call.make(sum.type, sum.shape, (y) => {
        for (let i = 0; i < y.length; i++) y[i] = sum.data[i] / call.inputs.length
      })
    },
  },

  Pow: {
    inputs: [2, 2],
    attributes,
    run(call) {
      const [a, b, shape] = operands(call, { sameType: false })
      return combine(call, { type: a.type, shape }, [a.data, b.data], (base, exponent) => base ** exponent)
    },
  },

  Mod: {
    inputs: [2, 2],
    attributes: { fmod: 'int' },
    run(call) {
      const [a, b, shape] = operands(call)
      const remainder: Function2 = call.integer('fmod', 0) ? (x, y) => x % y : modulo
      return combine(call, { type: a.type, shape }, [a.data, b.data], remainder)
    },
  },

  PRelu: {
    inputs: [2, 2],
    run(call) {
      const [x, slope, shape] = operands(call)
      return combine(call, { type: x.type, shape }, [x.data, slope.data], (a, s) => (a < 0 ? a * s : a))
    },
  },

  ...mapped(comparisons, (compare) => ({
    inputs: [2, 2],
    attributes,
    run(call) {
      const [a, b, shape] = operands(call)
      return combine(call, { type: 'bool', shape }, [a.data, b.data], compare)
    },
  })),

  ...mapped(logic, (decide) => ({
    inputs: [2, 2],
    attributes,
    run(call) {
      const [a, b, shape] = operands(call)
      if (a.type !== 'bool') throw new TypeError(`expected bool, got ${a.type}`)
      return combine(call, { type: 'bool', shape }, [a.data, b.data], decide)
    },
  })),
}

function mapped(
  functions: Record<string, Function2>,
  make: (f: Function2) => Operator,
): Record<string, Operator> {
  return Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, make(f)]))
}

function both(kind: Binary, exact: Function2): Operator {
  return {
    inputs: [2, 2],
    attributes,
    run(call) {
      const [a, b, shape] = operands(call)
      return elementwise(call, kind, exact, [a, b], shape)
    },
  }
}

function several(kind: Binary, exact: Function2): Operator {
  return { inputs: [1, Number.POSITIVE_INFINITY], run: (call) => fold(call, kind, exact) }
}

function fold(call: Call, kind: Binary, exact: Function2): Value {
  return call.inputs
    .map((_, i) => call.input(i))
    .reduce((left, right) => {
      const shape = broadcastShape(left.shape, right.shape)
      requireSameType(left, right)
      const pair = [left, right].map((each) => expanded(each, shape, call.memory))
      return elementwise(call, kind, exact, pair, shape)
    })
}

/** Floats by the kernels, integers one by one. */
function elementwise(
  call: Call,
  kind: Binary,
  exact: Function2,
  [a, b]: readonly Value[],
  shape: readonly number[],
): Value {
  if (a.type === 'float32' || a.type === 'float64') {
    return call.make(a.type, shape, (y) =>
      kernelsFor(y as FloatArray).binary(kind, a.data as FloatArray, b.data as FloatArray, y as FloatArray),
    )
  }
  if (a.type === 'bool') throw new TypeError('expected numbers, got bool')
  return combine(call, { type: a.type, shape }, [a.data, b.data], exact)
}

/** Inputs 0 and 1, repeated to their common shape. */
function operands(call: Call, { sameType = true } = {}): [a: Value, b: Value, shape: readonly number[]] {
  const a = call.input(0)
  let b = call.input(1)
  if (sameType) requireSameType(a, b)
  if (call.opset < 7 && call.integer('broadcast', 0) && b.shape.length < a.shape.length) {
    const first = axisOf(call.integer('axis', a.shape.length - b.shape.length), a.shape.length)
    const after = Math.max(0, a.shape.length - first - b.shape.length)
    b = { ...b, shape: [...b.shape, ...Array.from({ length: after }, () => 1)] }
  }
  const shape = broadcastShape(a.shape, b.shape)
  return [expanded(a, shape, call.memory), expanded(b, shape, call.memory), shape]
}

function requireSameType(a: Value, b: Value): void {
  if (a.type !== b.type) throw new TypeError(`expected two values of one type, got ${a.type} and ${b.type}`)
}

function combine(
  call: Call,
  { type, shape }: { type: ElementType; shape: readonly number[] },
  [a, b]: readonly ValueArray[],
  f: Function2,
): Value {
  return call.make(type, shape, (y) => {
    for (let i = 0; i < y.length; i++) y[i] = f(a[i], b[i])
    if (type === 'int64') requireExact(y)
    // What does not fit an Int32Array comes out changed.
    if (type === 'int32') {
      for (let i = 0; i < y.length; i++) {
        if (y[i] !== f(a[i], b[i])) throw new RangeError(`an int32 overflows: ${f(a[i], b[i])}`)
      }
    }
  })
}
