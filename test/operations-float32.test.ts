/** Every operation in float32 on both back ends against float64: what reaches the kernels fits their contract. */
import { describe, expect, it } from 'vitest'
import { useBackend } from '../lib/kernels/index.ts'
import type { FloatDataType } from '../lib/layers/initialisation.ts'
import { setTraining } from '../lib/layers/layer.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { dropout } from '../lib/operations/dropout.ts'
import { embedding } from '../lib/operations/embedding.ts'
import { linear, matmul } from '../lib/operations/linear.ts'
import * as losses from '../lib/operations/losses.ts'
import { layerNorm, logSoftmax, softmax } from '../lib/operations/normalization.ts'
import * as pointwise from '../lib/operations/pointwise.ts'
import { mean, sum } from '../lib/operations/reductions.ts'
import * as shape from '../lib/operations/shape.ts'
import { Random, withRandom } from '../lib/random.ts'
import { noGrad } from '../lib/tape.ts'
import { Tensor } from '../lib/tensor.ts'
import { everything } from './support/lstm-options.ts'

/**
 * The longest sums have 7·17 = 119 terms: 119·2⁻²⁴ ≈ 7e-6 of their size, and layer normalisation within the LSTM
 * magnifies what the gates bring.
 */
const tolerance = 2e-5

type Compute = (a: Tensor, b: Tensor, dataType: FloatDataType) => Tensor | Tensor[]
/** a is [7, 17] and b [17] unless the shapes say otherwise; numbers in [-1, 1]. */
const cases: Record<string, { a?: number[]; b?: number[]; compute: Compute }> = {
  functions: {
    compute: (a) => {
      const { exp, sigmoid, tanh, relu, gelu, softplus, square, abs, negate, log, sqrt, add } = pointwise
      const positive = add(square(a), 0.5)
      const plain = [exp, sigmoid, tanh, relu, gelu, softplus, square, abs, negate].map((each) => each(a))
      return [...plain, log(positive), sqrt(positive)]
    },
  },
  arithmetic: {
    compute: (a, b) => {
      const { add, subtract, multiply, divide, maximum, minimum } = pointwise
      const made = [add, subtract, multiply, maximum, minimum].map((operation) => operation(a, b))
      return [...made, divide(a, add(b, 3)), subtract(1, a), multiply(b, -2)]
    },
  },
  linear: { compute: (a, b) => linear(a, shape.reshape(b, [1, 17]), sum(b, { axis: 0 })) },
  matmul: {
    b: [17, 9],
    compute: (a, b) => {
      const [transposedA, transposedB] = [shape.transpose(a), shape.transpose(b)]
      return [
        matmul(a, b),
        matmul(transposedA, b, { transposeA: true }),
        matmul(a, transposedB, { transposeB: true }),
        matmul(transposedA, transposedB, { transposeA: true, transposeB: true }),
      ]
    },
  },
  shapes: {
    a: [7, 3, 5],
    b: [5],
    compute: (a, b) => [
      shape.concat([a, shape.broadcastTo(b, [7, 1, 5])], { axis: 1 }),
      shape.select(a, { axis: -1, index: 2 }),
      shape.lastValidStep(a, { lengths: Int32Array.of(0, 1, 2, 3, 3, 2, 1) }),
    ],
  },
  reductions: {
    a: [7, 3, 5],
    compute: (a, b) =>
      [0, 1, 2].flatMap((axis) => [sum(a, { axis }), mean(a, { axis })]).concat(sum(b), mean(a)),
  },
  normalisation: { compute: (a, b) => [layerNorm(a, { gain: b, shift: b }), softmax(a), logSoftmax(a)] },
  embedding: {
    compute: (a) => embedding(new Tensor([2, 2], Int32Array.of(6, 0, 6, 3)), a, { paddingIndex: 0 }),
  },
  dropout: { compute: (a) => dropout(a, { probability: 0.3 }) },
  'elementwise losses': {
    compute: (a, b, dataType) => {
      const target = shape.broadcastTo(b, a.shape)
      const options = { mask: losses.maskOf(Int32Array.of(17, 0, 3, 5, 1, 16, 9), 17, { dataType }) }
      const { meanSquaredError, meanAbsoluteError, huber, binaryCrossEntropy } = losses
      return [
        meanSquaredError(a, target),
        meanAbsoluteError(a, target, options),
        huber(a, target, { ...options, delta: 0.4 }),
        binaryCrossEntropy(a, pointwise.square(target), options),
      ]
    },
  },
  'losses of several outputs': {
    a: [17, 2],
    compute: (a, b) => {
      const classes = new Tensor(
        [17],
        Int32Array.from({ length: 17 }, (_, i) => (i === 5 ? -100 : i % 2)),
      )
      return [
        losses.crossEntropy(a, classes, { classWeights: [0.3, 2] }),
        losses.gaussianNegativeLogLikelihood(a, b),
        losses.quantileLoss(a, b, { quantiles: [0.2, 0.8] }),
      ]
    },
  },
  LSTM: {
    a: [7, 6, 3],
    compute: (a, _, dataType) => {
      const layer = new LSTM({ ...everything, hiddenSize: 17, dataType })
      setTraining(layer, true)
      const { output, state } = layer.forward(a, { lengths: Int32Array.of(6, 0, 3, 6, 1, 2, 5) })
      return [output, state.h, state.c]
    },
  },
}

function run(name: string, dataType: FloatDataType) {
  const { a = [7, 17], b = [17], compute } = cases[name]
  const random = new Random(1)
  const made = (of: number[]) => {
    const values = Float32Array.from({ length: of.reduce((n, m) => n * m, 1) }, () => random.uniform(-1, 1))
    return new Tensor(of, dataType === 'float64' ? Float64Array.from(values) : values, true)
  }
  const inputs = [made(a), made(b)] as const
  const forward = () => withRandom(new Random(2), () => [compute(...inputs, dataType)].flat())
  const outputs = forward()
  const quiet = noGrad(forward)
  const weighted = outputs.map((output) => {
    const weights = Float32Array.from({ length: output.size }, () => random.uniform(-1, 1))
    const array = dataType === 'float64' ? Float64Array.from(weights) : weights
    return sum(pointwise.multiply(output, new Tensor(output.shape, array)))
  })
  weighted.reduce(pointwise.add).backward()
  const gradients = inputs.flatMap((each) => each.grad ?? [])
  return { outputs: outputs.map((each) => each.data), gradients, quiet: quiet.map((each) => each.data) }
}

function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>) {
  expect(actual.length).toBe(expected.length)
  const values = Array.from(expected)
  const largest = values.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
  const error = values.reduce((most, each, i) => Math.max(most, Math.abs(each - actual[i])), 0)
  expect(error).toBeLessThanOrEqual(tolerance * Math.max(largest, 2 ** -20))
}

describe.each([
  'reference',
  'native',
] as const)('float32 on the %s kernels agrees with float64:', (backend) => {
  it.each(Object.keys(cases))('%s', (name) => {
    useBackend(backend)
    const expected = run(name, 'float64')
    const actual = run(name, 'float32')
    expect(actual.gradients.length).toBe(expected.gradients.length)
    expect(actual.outputs.every((each) => each instanceof Float32Array)).toBe(true)
    for (const [i, each] of expected.outputs.entries()) expectNear(actual.outputs[i], each)
    for (const [i, each] of expected.gradients.entries()) expectNear(actual.gradients[i], each)
    // Without recording nothing is kept for a backward pass, and the numbers are the same to the bit.
    expect(actual.quiet).toEqual(actual.outputs)
  })
})
