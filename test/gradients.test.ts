/** Gradients of the operations against float64 finite differences; the LSTM has a file of its own. */
import { describe, it } from 'vitest'
import { dropout } from '../lib/operations/dropout.ts'
import { embedding } from '../lib/operations/embedding.ts'
import { linear, matmul } from '../lib/operations/linear.ts'
import * as losses from '../lib/operations/losses.ts'
import { layerNorm, logSoftmax, softmax } from '../lib/operations/normalization.ts'
import {
  abs,
  add,
  divide,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  multiply,
  negate,
  relu,
  sigmoid,
  softplus,
  sqrt,
  square,
  subtract,
  tanh,
} from '../lib/operations/pointwise.ts'
import { mean, sum } from '../lib/operations/reductions.ts'
import * as shape from '../lib/operations/shape.ts'
import { Tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

describe('gradients of pointwise operations agree with finite differences:', () => {
  // Kinks (relu, abs at 0) are no place for differences: these inputs keep away from them by 0.1 or more.
  const signed = new Tensor([2, 3], Float64Array.of(-2.5, -0.9, -0.1, 0.3, 1.1, 2.4), true)
  const positive = randomTensor([2, 3], { low: 0.2, high: 3 })

  it.each(
    [exp, sigmoid, tanh, relu, gelu, softplus, square, abs, negate].map((each) => [each.name, each] as const),
  )('%s', (_, operation) => {
    expectGradients({ x: signed }, ({ x }) => operation(x))
  })

  it.each([log, sqrt].map((each) => [each.name, each] as const))('%s', (_, operation) => {
    expectGradients({ x: positive }, ({ x }) => operation(x))
  })

  it.each([
    ['equal shapes', [2, 3], [2, 3]],
    ['a vector against rows', [3], [4, 2, 3]],
    ['rows against a vector', [4, 3], [3]],
    ['a scalar tensor', [], [2, 3]],
    ['a column against rows', [2, 1], [2, 3]],
    ['axes of length 1 on both sides', [2, 1, 3], [4, 1]],
  ])('arithmetic of %s', (_, left, right) => {
    const inputs = {
      a: randomTensor(left, { seed: 2 }),
      b: randomTensor(right, { seed: 3, low: 1.5, high: 3 }),
    }
    for (const operation of [add, subtract, multiply, divide]) {
      expectGradients(inputs, ({ a, b }) => operation(a, b))
    }
  })

  it('maximum and minimum', () => {
    const a = new Tensor([4], Float64Array.of(1, -2, 3, 0.5), true)
    const b = new Tensor([4], Float64Array.of(0.5, -1, 4, -0.5), true)
    expectGradients({ a, b }, (inputs) => [maximum(inputs.a, inputs.b), minimum(inputs.a, inputs.b)])
  })

  it('arithmetic with numbers on either side', () => {
    expectGradients({ x: positive }, ({ x }) => [
      add(x, 2),
      subtract(1, x),
      multiply(3, x),
      divide(x, 4),
      divide(5, x),
    ])
  })

  it('an operand used twice', () => {
    expectGradients({ x: positive }, ({ x }) => multiply(x, divide(x, add(x, x))))
  })
})

describe('gradients of matrix products agree with finite differences:', () => {
  it('linear with and without bias, on inputs of three axes', () => {
    const inputs = {
      x: randomTensor([2, 3, 4], { seed: 1 }),
      weight: randomTensor([5, 4], { seed: 2 }),
      bias: randomTensor([5], { seed: 3 }),
    }
    expectGradients(inputs, ({ x, weight, bias }) => [linear(x, weight, bias), linear(x, weight)])
  })

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('matmul with transposeA %s and transposeB %s', (transposeA, transposeB) => {
    const a = randomTensor(transposeA ? [3, 2] : [2, 3], { seed: 1 })
    const b = randomTensor(transposeB ? [4, 3] : [3, 4], { seed: 2 })
    expectGradients({ a, b }, (inputs) => matmul(inputs.a, inputs.b, { transposeA, transposeB }))
  })
})

describe('gradients of operations that move numbers agree with finite differences:', () => {
  const x = randomTensor([2, 3, 4])

  it('reshape', () => {
    expectGradients({ x }, (inputs) => shape.reshape(inputs.x, [4, -1]))
  })

  it('transpose of any two axes', () => {
    expectGradients({ x }, (inputs) => [
      shape.transpose(inputs.x),
      shape.transpose(inputs.x, { axes: [0, 1] }),
      shape.transpose(inputs.x, { axes: [0, 2] }),
    ])
  })

  it.each([0, 1, 2])('slice, select, sum and mean along axis %i', (axis) => {
    expectGradients({ x }, (inputs) => [
      shape.slice(inputs.x, { axis, start: 1 }),
      shape.slice(inputs.x, { axis, end: 1 }),
      shape.select(inputs.x, { axis, index: -1 }),
      sum(inputs.x, { axis }),
      mean(inputs.x, { axis }),
    ])
  })

  it.each([0, 1, -1])('concat and stack along axis %i', (axis) => {
    const inputs = { a: randomTensor([2, 2, 3], { seed: 1 }), b: randomTensor([2, 2, 3], { seed: 2 }) }
    expectGradients(inputs, ({ a, b }) => [shape.concat([a, b, a], { axis }), shape.stack([a, b], { axis })])
  })

  it('concat of tensors that differ along its axis', () => {
    const inputs = { a: randomTensor([2, 1, 3], { seed: 1 }), b: randomTensor([2, 4, 3], { seed: 2 }) }
    expectGradients(inputs, ({ a, b }) => shape.concat([a, b], { axis: 1 }))
  })

  it('the last valid step, with lengths of 0, 1 and all', () => {
    const sequences = randomTensor([4, 3, 2])
    expectGradients({ x: sequences }, (inputs) => [
      shape.lastValidStep(inputs.x, { lengths: Int32Array.of(2, 0, 3, 1) }),
      shape.lastValidStep(inputs.x),
    ])
  })

  it('sum and mean of everything', () => {
    expectGradients({ x }, (inputs) => [sum(inputs.x), mean(inputs.x)])
  })
})

describe('gradients of normalisation agree with finite differences:', () => {
  it('layerNorm with and without gain and shift', () => {
    const inputs = {
      x: randomTensor([2, 3, 5], { seed: 1 }),
      gain: randomTensor([5], { seed: 2 }),
      shift: randomTensor([5], { seed: 3 }),
    }
    expectGradients(inputs, ({ x, gain, shift }) => [
      layerNorm(x, { gain, shift }),
      layerNorm(x, { eps: 0.1 }),
    ])
  })

  it('softmax and logSoftmax', () => {
    const x = randomTensor([2, 3, 4], { low: -3, high: 3 })
    expectGradients({ x }, (inputs) => [softmax(inputs.x), logSoftmax(inputs.x)])
  })
})

describe('gradients of lookups and masks agree with finite differences:', () => {
  it('embedding, where an index repeats', () => {
    const indices = new Tensor([2, 3], Int32Array.of(0, 3, 3, 1, 0, 3))
    expectGradients({ weight: randomTensor([5, 2]) }, ({ weight }) => embedding(indices, weight))
  })

  it('dropout', () => {
    expectGradients({ x: randomTensor([4, 5]) }, ({ x }) => dropout(x, { probability: 0.4 }))
  })
})

describe('gradients of losses agree with finite differences:', () => {
  const mask = losses.maskOf(Int32Array.of(3, 0, 1), 3, { dataType: 'float64' })
  const variants = [{}, { reduction: 'sum' }, { mask }, { mask, reduction: 'sum' }] as const
  // Targets 0.3 to 2.3 away from the predictions: off the kinks of |d|, on both sides of a Huber delta of 1.
  const prediction = randomTensor([3, 3, 2], { seed: 1 })
  const gaps = randomTensor([3, 3, 2], { seed: 2, low: 0.3, high: 2.3 }).array
  const away = (prediction.array as Float64Array).map((each, i) => each + (i % 2 ? gaps[i] : -gaps[i]))
  const target = new Tensor([3, 3, 2], away, true)

  it.each(variants)('elementwise losses with options %#', (options) => {
    expectGradients({ prediction, target }, ({ prediction, target }) => [
      losses.meanSquaredError(prediction, target, options),
      losses.meanAbsoluteError(prediction, target, options),
      losses.huber(prediction, target, options),
      losses.huber(prediction, target, { ...options, delta: 0.5 }),
    ])
  })

  it.each(variants)('binary cross-entropy with options %#', (options) => {
    const inputs = {
      logits: randomTensor([3, 3], { low: -4, high: 4 }),
      target: randomTensor([3, 3], { seed: 2, low: 0, high: 1 }),
    }
    expectGradients(inputs, ({ logits, target }) => losses.binaryCrossEntropy(logits, target, options))
  })

  it.each(variants)('cross-entropy with options %#', (options) => {
    const classes = new Tensor([3, 3], Int32Array.of(0, 3, 1, 2, 2, 0, -100, 1, 3))
    expectGradients({ logits: randomTensor([3, 3, 4], { low: -3, high: 3 }) }, ({ logits }) => [
      losses.crossEntropy(logits, classes, options),
      losses.crossEntropy(logits, classes, { ...options, classWeights: [0.5, 2, 1, 0.1], ignoreIndex: -100 }),
      losses.crossEntropy(logits, classes, {
        ...options,
        classWeights: [0.5, 2, 1, 0.1],
        labelSmoothing: 0.2,
      }),
    ])
  })

  it.each(variants)('Gaussian negative log-likelihood with options %#', (options) => {
    const inputs = { prediction, target: randomTensor([3, 3], { seed: 4 }) }
    expectGradients(inputs, ({ prediction, target }) =>
      losses.gaussianNegativeLogLikelihood(prediction, target, options),
    )
  })

  it.each(variants)('quantile loss with options %#', (options) => {
    const inputs = {
      prediction: randomTensor([3, 3, 3], { seed: 3 }),
      target: randomTensor([3, 3], { seed: 4 }),
    }
    expectGradients(inputs, ({ prediction, target }) =>
      losses.quantileLoss(prediction, target, { ...options, quantiles: [0.1, 0.5, 0.9] }),
    )
  })
})
