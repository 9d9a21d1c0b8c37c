/** Elementwise operators of one value, and conversions between types. */
import type { FloatArray, Unary } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import { erf } from '../../../kernels/reference/error-function.ts'
import { elementType } from '../tensors.ts'
import { type ElementType, requireExact, type Value } from '../values.ts'
import type { AttributeKind, Call, Operator } from './operator.ts'

/** Parameters with ONNX's defaults, in the order in which the function takes them. */
type Parameters = Readonly<Record<string, number>>
type Scalar = (x: number, alpha: number, beta: number) => number

const kernels: Record<string, readonly [kind: Unary, parameters?: Parameters]> = {
  Abs: ['abs'],
  Elu: ['elu', { alpha: 1 }],
  Exp: ['exp'],
  HardSigmoid: ['hardSigmoid', { alpha: 0.2, beta: 0.5 }],
  HardSwish: ['hardSilu'],
  LeakyRelu: ['leakyRelu', { alpha: 0.01 }],
  Log: ['log'],
  Mish: ['mish'],
  Neg: ['negate'],
  Relu: ['relu'],
  Sigmoid: ['sigmoid'],
  Softplus: ['softplus'],
  Softsign: ['softsign'],
  Sqrt: ['sqrt'],
  Tanh: ['tanh'],
}

/** Also of integers. */
const ofIntegers: Record<string, (x: number) => number> = {
  Abs: Math.abs,
  Neg: (x) => 0 - x,
  Relu: (x) => Math.max(x, 0),
  Sign: Math.sign,
}

const scalars: Record<string, readonly [f: Scalar, parameters?: Parameters]> = {
  Ceil: [Math.ceil],
  Celu: [(x, alpha) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha)), { alpha: 1 }],
  Cos: [Math.cos],
  Erf: [erf],
  Floor: [Math.floor],
  Reciprocal: [(x) => 1 / x],
  Round: [roundHalfToEven],
  Selu: [
    (x, alpha, gamma) => gamma * (x > 0 ? x : alpha * Math.expm1(x)),
    { alpha: 1.6732631921768188, gamma: 1.0507010221481323 },
  ],
  Sign: [Math.sign],
  Sin: [Math.sin],
  Swish: [(x, alpha) => x / (1 + Math.exp(-alpha * x)), { alpha: 1 }],
  ThresholdedRelu: [(x, alpha) => (x > alpha ? x : 0), { alpha: 1 }],
}

function roundHalfToEven(x: number): number {
  const nearest = Math.round(x)
  return Math.abs(x - Math.trunc(x)) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
}

export const functionOperators: Record<string, Operator> = {
  ...Object.fromEntries(
    Object.entries(scalars).map(([name, [f, parameters]]) => [name, scalar(name, f, parameters)]),
  ),
  ...Object.fromEntries(
    Object.entries(kernels).map(([name, [kind, parameters]]) => [name, byKernel(name, kind, parameters)]),
  ),

  Gelu: {
    inputs: [1, 1],
    attributes: { approximate: 'string' },
    run(call) {
      const kind = call.text('approximate', 'none')
      if (kind !== 'none' && kind !== 'tanh')
        throw new TypeError(`expected approximate none or tanh, got ${kind}`)
      return unary(call, kind === 'tanh' ? 'geluTanh' : 'gelu')
    },
  },

  Clip: {
    inputs: [1, 3],
    attributes: { min: 'float', max: 'float' },
    run(call) {
      const x = call.input(0)
      const low = call.inputs[1]?.data[0] ?? call.number('min', Number.NEGATIVE_INFINITY)
      const high = call.inputs[2]?.data[0] ?? call.number('max', Number.POSITIVE_INFINITY)
      return each(call, x, (n) => Math.min(Math.max(n, low), high))
    },
  },

  Not: {
    inputs: [1, 1],
    run(call) {
      const x = call.input(0)
      if (x.type !== 'bool') throw new TypeError(`expected bool, got ${x.type}`)
      return each(call, x, (b) => 1 - b)
    },
  },

  IsNaN: {
    inputs: [1, 1],
    run(call) {
      const x = call.floats(0)
      return call.make('bool', x.shape, (y) => {
        for (let i = 0; i < y.length; i++) y[i] = Number(Number.isNaN(x.data[i]))
      })
    },
  },

  Cast: {
    inputs: [1, 1],
    attributes: { to: 'int', saturate: 'int', round_mode: 'string' },
    run(call) {
      const refuse = (_: string, message: string): never => {
        throw new TypeError(message)
      }
      return cast(call, call.input(0), elementType(call.integer('to', 0), 'to', refuse))
    },
  },

  CastLike: {
    inputs: [2, 2],
    attributes: { saturate: 'int', round_mode: 'string' },
    run: (call) => cast(call, call.input(0), call.input(1).type),
  },
}

function byKernel(name: string, kind: Unary, parameters: Parameters = {}): Operator {
  return {
    inputs: [1, 1],
    attributes: attributesOf(parameters),
    run(call) {
      const x = call.input(0)
      const exact = ofIntegers[name]
      if (exact && (x.type === 'int64' || x.type === 'int32')) return each(call, x, exact)
      return unary(call, kind, parameters)
    },
  }
}

function unary(call: Call, kind: Unary, parameters: Parameters = {}): Value {
  const { type, shape, data } = call.floats(0)
  const [alpha, beta] = numbersOf(call, parameters)
  return call.make(type, shape, (y) =>
    kernelsFor(data).unaryForward(kind, data, y as FloatArray, alpha, beta),
  )
}

function scalar(name: string, f: Scalar, parameters: Parameters = {}): Operator {
  return {
    inputs: [1, 1],
    attributes: attributesOf(parameters),
    run(call) {
      const [alpha, beta] = numbersOf(call, parameters)
      const x = Object.hasOwn(ofIntegers, name) ? call.input(0) : call.floats(0)
      return each(call, x, (n) => f(n, alpha, beta))
    },
  }
}

function attributesOf(parameters: Parameters): Record<string, AttributeKind> {
  return Object.fromEntries(Object.keys(parameters).map((name) => [name, 'float']))
}

function numbersOf(call: Call, parameters: Parameters): number[] {
  return Object.entries(parameters).map(([name, value]) => call.number(name, value))
}

function each(call: Call, x: Value, f: (n: number) => number): Value {
  return call.make(x.type, x.shape, (y) => {
    for (let i = 0; i < y.length; i++) y[i] = f(x.data[i])
  })
}

function cast(call: Call, x: Value, type: ElementType): Value {
  if (x.type === type) return x
  const convert: Record<ElementType, (n: number) => number> = {
    float32: (n) => n,
    float64: (n) => n,
    bool: (n) => Number(n !== 0),
    int64: Math.trunc,
    int32: Math.trunc,
  }
  return call.make(type, x.shape, (y) => {
    for (let i = 0; i < y.length; i++) y[i] = convert[type](x.data[i])
    if (x.type === 'int64' || type === 'int64') requireExact(type === 'int64' ? y : x.data)
  })
}
