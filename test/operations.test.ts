/** Values and refusals of the operations; their gradients are in gradients.test.ts. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { bernoulliMask, dropout } from '../lib/operations/dropout.ts'
import { embedding } from '../lib/operations/embedding.ts'
import { linear, matmul } from '../lib/operations/linear.ts'
import {
  binaryCrossEntropy,
  crossEntropy,
  gaussianNegativeLogLikelihood,
  huber,
  maskOf,
  meanAbsoluteError,
  meanSquaredError,
  quantileLoss,
} from '../lib/operations/losses.ts'
import { lstm } from '../lib/operations/lstm.ts'
import { layerNorm, logSoftmax, softmax } from '../lib/operations/normalization.ts'
import { add, divide, gelu, maximum, minimum, softplus, subtract } from '../lib/operations/pointwise.ts'
import { mean, sum } from '../lib/operations/reductions.ts'
import {
  broadcastTo,
  concat,
  lastValidStep,
  reshape,
  select,
  slice,
  stack,
  transpose,
} from '../lib/operations/shape.ts'
import { Random, withRandom } from '../lib/random.ts'
import { type Nested, Tensor, tensor, zeros } from '../lib/tensor.ts'

const float64 = (source: Nested) => tensor(source, { dataType: 'float64' })
const int32 = (source: Nested) => tensor(source, { dataType: 'int32' })
/** Numbers counted up from 0, in float64. */
const count = (...shape: number[]) =>
  tensor(
    Float64Array.from({ length: shape.reduce((n, m) => n * m, 1) }, (_, i) => i),
    { shape },
  )

describe('pointwise operations', () => {
  it('broadcast a vector, a column and a number', () => {
    expect(add(count(2, 3), float64([10, 20, 30])).toArray()).toEqual([
      [10, 21, 32],
      [13, 24, 35],
    ])
    expect(subtract(float64([[1], [2]]), float64([1, 2, 3])).toArray()).toEqual([
      [0, -1, -2],
      [1, 0, -1],
    ])
    expect(divide(12, float64([2, 3])).toArray()).toEqual([6, 4])
    expect(maximum(float64([1, 5]), 3).toArray()).toEqual([3, 5])
    expect(minimum(3, float64([1, 5])).toArray()).toEqual([1, 3])
  })

  it('refuse shapes that do not broadcast, mixed types and two numbers', () => {
    expect(() => add(zeros([2, 3]), zeros([2]))).toThrow(
      'add: shapes [2,3] and [2] do not broadcast: 3 against 2 on axis 1',
    )
    expect(() => add(zeros([2]), float64([1, 2]))).toThrow(
      'add: expected tensors of one float type, got float32 and float64',
    )
    expect(() => add(int32([1]), int32([1]))).toThrow(TypeError)
    expect(() => add(1, 2)).toThrow('at least one tensor')
  })

  it('stay exact where the plain formulas overflow or cancel', () => {
    expect(softplus(float64([-800, 0, 800])).toArray()).toEqual([0, Math.log(2), 800])
    // x·Φ(x) with Φ(-1) = 0.158655253931457 from tables of the normal distribution; 1e-14 is 50 units in its last place.
    expect(gelu(float64([-1])).item()).toBeCloseTo(-0.158655253931457, 14)
  })
})

describe('matrix products', () => {
  it('multiply with either matrix transposed', () => {
    const product = [
      [10, 13],
      [28, 40],
    ]
    const a = count(2, 3)
    const b = count(3, 2)
    expect(matmul(a, b).toArray()).toEqual(product)
    expect(matmul(transpose(a), b, { transposeA: true }).toArray()).toEqual(product)
    expect(matmul(a, transpose(b), { transposeB: true }).toArray()).toEqual(product)
    expect(matmul(transpose(a), transpose(b), { transposeA: true, transposeB: true }).toArray()).toEqual(
      product,
    )
  })

  it('refuse sizes that do not fit', () => {
    expect(() => matmul(zeros([2, 3]), zeros([2, 3]))).toThrow('got [2,3] and [2,3]')
    expect(() => matmul(zeros([3]), zeros([3, 2]))).toThrow(RangeError)
    expect(() => linear(zeros([2, 3]), zeros([4, 5]))).toThrow('[..., 5] for weight [4,5], got [2,3]')
    expect(() => linear(zeros([2, 5]), zeros([4, 5]), zeros([5]))).toThrow('bias of shape [4], got [5]')
  })
})

describe('operations that move numbers', () => {
  it('put every element where NumPy puts it', () => {
    const x = count(2, 3, 2)
    expect(reshape(x, [3, -1]).toArray()).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ])
    expect(transpose(x, { axes: [0, 1] }).toArray()).toEqual([
      [
        [0, 1],
        [6, 7],
      ],
      [
        [2, 3],
        [8, 9],
      ],
      [
        [4, 5],
        [10, 11],
      ],
    ])
    expect(slice(x, { axis: 1, start: 1, end: 3 }).toArray()).toEqual([
      [
        [2, 3],
        [4, 5],
      ],
      [
        [8, 9],
        [10, 11],
      ],
    ])
    expect(select(x, { axis: 1, index: -1 }).toArray()).toEqual([
      [4, 5],
      [10, 11],
    ])
    expect(concat([x, x], { axis: 2 }).toArray()).toEqual([
      [
        [0, 1, 0, 1],
        [2, 3, 2, 3],
        [4, 5, 4, 5],
      ],
      [
        [6, 7, 6, 7],
        [8, 9, 8, 9],
        [10, 11, 10, 11],
      ],
    ])
    expect(stack([float64([1, 2]), float64([3, 4])], { axis: 1 }).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ])
    expect(broadcastTo(float64([[1], [2]]), [2, 2, 2]).toArray()).toEqual([
      [
        [1, 1],
        [2, 2],
      ],
      [
        [1, 1],
        [2, 2],
      ],
    ])
    expect(sum(x, { axis: 1 }).toArray()).toEqual([
      [6, 9],
      [24, 27],
    ])
    expect(mean(x, { axis: -1 }).toArray()).toEqual([
      [0.5, 2.5, 4.5],
      [6.5, 8.5, 10.5],
    ])
    expect(mean(x).item()).toBe(5.5)
  })

  it('slice int32 tensors, which have no gradient', () => {
    const indices = slice(
      int32([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      { axis: 1, start: 1 },
    )
    expect(indices.dataType).toBe('int32')
    expect(indices.toArray()).toEqual([
      [2, 3],
      [5, 6],
    ])
  })

  it('pick the last valid step, zeros where there is none', () => {
    const x = count(3, 2, 2)
    expect(lastValidStep(x, { lengths: Int32Array.of(1, 0, 2) }).toArray()).toEqual([
      [0, 1],
      [0, 0],
      [10, 11],
    ])
    expect(lastValidStep(x).toArray()).toEqual([
      [2, 3],
      [6, 7],
      [10, 11],
    ])
    expect(() => lastValidStep(x, { lengths: Int32Array.of(1, 3, 2) })).toThrow(
      'expected lengths[1] in [0, 2], got 3',
    )
    expect(() => lastValidStep(x, { lengths: Int32Array.of(1) })).toThrow('expected 3 lengths')
  })

  it('refuse what does not fit', () => {
    const x = zeros([2, 3])
    expect(() => reshape(x, [4, -1])).toThrow('shape [2,3] has 6 elements, which do not fill [4,-1]')
    expect(() => reshape(x, [5])).toThrow(RangeError)
    expect(() => slice(x, { axis: 2 })).toThrow('expected an axis from -2 to 1 for shape [2,3], got 2')
    expect(() => slice(x, { axis: 1, start: 2, end: 4 })).toThrow('0 ≤ start ≤ end ≤ 3')
    expect(() => select(x, { index: 2 })).toThrow('expected an index from -2 to 1')
    expect(() => concat([x, zeros([3, 3])], { axis: 1 })).toThrow('[2,3] and [3,3] differ beside axis 1')
    expect(() => stack([x, zeros([3, 2])])).toThrow('expected tensors of shape [2,3], got [3,2]')
    expect(() => broadcastTo(x, [3, 2])).toThrow(RangeError)
  })
})

describe('normalisation', () => {
  it('gives rows of mean 0 and variance 1, then gain and shift', () => {
    const y = layerNorm(float64([[1, 2, 3]]), {
      gain: float64([1, 1, 2]),
      shift: float64([0, 10, 0]),
      eps: 0,
    })
    const unit = Math.sqrt(1.5)
    const expected = [-unit, 10, 2 * unit]
    // Ten digits: the sums of three numbers are good to 16.
    for (const [i, each] of expected.entries()) expect(y.data[i]).toBeCloseTo(each, 10)
    expect(() => layerNorm(zeros([2, 3]), { gain: zeros([2]) })).toThrow(
      'expected gain of shape [3], got [2]',
    )
  })

  it('makes probabilities of large scores without overflow', () => {
    // 1000 is known to 1e-13, so its exponential is too: 12 digits.
    for (const each of softmax(float64([1000, 1000])).data) expect(each).toBeCloseTo(0.5, 12)
    expect(logSoftmax(float64([1000, 0])).toArray()).toEqual([0, -1000])
  })
})

describe('embedding', () => {
  const weight = tensor(Float64Array.of(0, 1, 10, 11, 20, 21), { shape: [3, 2], requiresGrad: true })

  it('looks up indices of any shape', () => {
    expect(embedding(int32([[2], [0]]), weight).toArray()).toEqual([[[20, 21]], [[0, 1]]])
  })

  it('gives the padding row no gradient and keeps what it had', () => {
    weight.grad = new Float64Array(6).fill(1)
    embedding(int32([0, 1, 1]), weight, { paddingIndex: 1 }).backward(new Float64Array(6).fill(5))
    expect(weight.grad).toEqual(Float64Array.of(6, 6, 1, 1, 1, 1))
  })

  it('refuses an index without a row and names its position', () => {
    expect(() =>
      embedding(
        int32([
          [0, 1],
          [2, 3],
        ]),
        weight,
      ),
    ).toThrow('expected indices[1,1] in [0, 2], got 3')
    expect(() => embedding(int32([-1]), weight)).toThrow('indices[0]')
    expect(() => embedding(float64([1]), weight)).toThrow('expected indices of type int32, got float64')
  })
})

describe('dropout', () => {
  it('zeroes about the given share and scales the rest', () => {
    const y = withRandom(new Random(1), () => dropout(add(zeros([10_000]), 1), { probability: 0.2 }))
    const kept = [...y.data].filter((each) => each !== 0)
    expect(kept.every((each) => each === Math.fround(1.25))).toBe(true)
    // 10,000 draws at 0.8: a standard deviation of 40; six of them pass or fail for this seed alone.
    expect(Math.abs(kept.length - 8000)).toBeLessThan(240)
  })

  it('draws another mask each time, and the same ones from the same stream', () => {
    const draw = () => [...bernoulliMask(new Float32Array(0), [64], { probability: 0.5 }).data].join('')
    const [first, second] = withRandom(new Random(1), () => [draw(), draw()])
    expect(first).not.toBe(second)
    expect(withRandom(new Random(1), draw)).toBe(first)
  })

  it('refuses a probability outside [0, 1)', () => {
    expect(() => dropout(zeros([1]), { probability: 1 })).toThrow('expected probability in [0, 1), got 1')
  })
})

describe('losses', () => {
  const prediction = float64([
    [1, 2],
    [3, 4],
  ])
  const target = float64([
    [1, 4],
    [0, 4.5],
  ])
  const mask = float64([
    [1, 0],
    [0, 1],
  ])
  // 64-bit sums of four numbers: good to 15 digits, compared to 12.
  const expectValue = (actual: Tensor, expected: number) => expect(actual.item()).toBeCloseTo(expected, 12)

  it('average over everything, or sum', () => {
    expectValue(meanSquaredError(prediction, target), (4 + 9 + 0.25) / 4)
    expectValue(meanSquaredError(prediction, target, { reduction: 'sum' }), 13.25)
    expectValue(meanAbsoluteError(prediction, target), 5.5 / 4)
    expectValue(huber(prediction, target), (1.5 + 2.5 + 0.125) / 4)
    expectValue(huber(prediction, target, { delta: 2 }), (2 + 4 + 0.125) / 4)
  })

  it('leave masked elements out of sum and count', () => {
    expectValue(meanSquaredError(prediction, target, { mask }), 0.25 / 2)
    expectValue(meanAbsoluteError(prediction, target, { mask, reduction: 'sum' }), 0.5)
    expectValue(huber(prediction, target, { mask }), 0.125 / 2)
    expectValue(meanSquaredError(prediction, target, { mask: float64([0, 1]) }), 9.25 / 2)
    expectValue(meanSquaredError(prediction, target, { mask: float64([0, 0]) }), 0)
  })

  it('mask the padding of sequences with maskOf', () => {
    expect(maskOf(Int32Array.of(2, 0, 3), 3).toArray()).toEqual([
      [1, 1, 0],
      [0, 0, 0],
      [1, 1, 1],
    ])
    expect(() => maskOf(Int32Array.of(4), 3)).toThrow('maskOf: expected lengths[0] in [0, 3], got 4')
  })

  it('weigh cross-entropy by class as PyTorch does, dividing by the weights that count', () => {
    const logits = float64([
      [1, 2, 3],
      [0, 0, 0],
      [5, 1, 1],
      [9, 9, 9],
    ])
    const classes = int32([2, 0, 1, -100])
    const of = (scores: number[], t: number) =>
      Math.log(scores.reduce((s, x) => s + Math.exp(x), 0)) - scores[t]
    const each = [of([1, 2, 3], 2), of([0, 0, 0], 0), of([5, 1, 1], 1)]
    expectValue(crossEntropy(logits, classes), (each[0] + each[1] + each[2]) / 3)
    const classWeights = [0.5, 3, 1]
    const weighed = each[0] + 0.5 * each[1] + 3 * each[2]
    expectValue(crossEntropy(logits, classes, { classWeights }), weighed / 4.5)
    expectValue(crossEntropy(logits, classes, { classWeights, reduction: 'sum' }), weighed)
    expectValue(
      crossEntropy(logits, classes, { ignoreIndex: 0, mask: float64([1, 1, 1, 0]) }),
      (each[0] + each[2]) / 2,
    )
    expectValue(crossEntropy(logits, int32([-100, -100, -100, -100])), 0)
  })

  it('smooth labels as PyTorch does', () => {
    const path = new URL('fixtures/losses/losses.json', import.meta.url)
    const { N, C, targets, cases } = JSON.parse(readFileSync(path, 'utf8'))
    expect(cases.length).toBe(12)
    for (const { logits, loss, gradient, classWeights, ...options } of cases) {
      const x = new Tensor([N, C], Float64Array.from(logits), true)
      const value = crossEntropy(x, int32(targets), { ...options, classWeights: classWeights ?? undefined })
      value.backward()
      // Sums of 30 terms of size 10 in double precision.
      expect(Math.abs(value.item() - loss)).toBeLessThan(1e-13 * 300)
      for (const [i, each] of x.grad!.entries()) expect(Math.abs(each - gradient[i])).toBeLessThan(1e-14)
    }
  })

  it('refuse to smooth by more than all', () => {
    expect(() => crossEntropy(float64([[1, 2]]), int32([0]), { labelSmoothing: 1.1 })).toThrow(
      'crossEntropy: expected labelSmoothing in [0, 1], got 1.1',
    )
  })

  it('compute binary cross-entropy without overflow', () => {
    expectValue(binaryCrossEntropy(float64([0]), float64([1])), Math.log(2))
    expectValue(binaryCrossEntropy(float64([-1000, 1000]), float64([1, 1])), 500)
    expectValue(binaryCrossEntropy(float64([2]), float64([0.3])), Math.log(1 + Math.exp(2)) - 0.6)
  })

  it('compute the Gaussian negative log-likelihood of a mean and a log-variance', () => {
    const gaussian = float64([
      [1, 0],
      [2, Math.log(4)],
    ])
    expectValue(
      gaussianNegativeLogLikelihood(gaussian, float64([2, 5])),
      (0.5 + 0.5 * (Math.log(4) + 9 / 4)) / 2,
    )
  })

  it('compute the pinball loss of several quantiles', () => {
    const quantiles = [0.1, 0.9]
    // Target 2: the estimates 1 and 4 lie 1 below and 2 above it.
    expectValue(quantileLoss(float64([[1, 4]]), float64([2]), { quantiles }), (0.1 * 1 + 0.1 * 2) / 2)
    const two = float64([
      [1, 4],
      [9, 9],
    ])
    const first = { quantiles, mask: float64([1, 0]) }
    expectValue(quantileLoss(two, float64([2, 3]), first), (0.1 * 1 + 0.1 * 2) / 2)
    expectValue(quantileLoss(two, float64([2, 3]), { ...first, reduction: 'sum' }), 0.1 * 1 + 0.1 * 2)
  })

  it('refuse what does not fit', () => {
    expect(() => meanSquaredError(prediction, zeros([2]))).toThrow('expected target of shape [2,2], got [2]')
    expect(() => meanSquaredError(prediction, target, { mask: zeros([3]) })).toThrow(
      'mask of shape [2,2] or its leading',
    )
    expect(() => meanSquaredError(prediction, target, { reducton: 'sum' } as object)).toThrow(
      'did you mean "reduction"',
    )
    expect(() => meanSquaredError(prediction, target, { reduction: 'max' } as object)).toThrow(
      "'mean' or 'sum'",
    )
    expect(() => huber(prediction, target, { delta: 0 })).toThrow(RangeError)
    expect(() => crossEntropy(prediction, int32([0, 2]))).toThrow(
      'expected targets in [0, 1] or -100, got 2 at 1',
    )
    expect(() => crossEntropy(prediction, zeros([2]))).toThrow('expected target of type int32, got float32')
    expect(() => crossEntropy(prediction, int32([0, 1]), { classWeights: [1] })).toThrow(
      'expected 2 classWeights, got 1',
    )
    expect(() => quantileLoss(prediction, float64([1, 2]), { quantiles: [0.5, 1] })).toThrow(
      'quantiles in (0, 1)',
    )
    expect(() => gaussianNegativeLogLikelihood(float64([[1, 2, 3]]), float64([1]))).toThrow(
      'of shape [1,2], got [1,3]',
    )
  })
})

describe('lstm', () => {
  const weights = { weightIh: zeros([8, 3]), weightHh: zeros([8, 2]) }
  const x = zeros([1, 4, 3])

  it('refuses shapes that do not fit and says which', () => {
    const call = (more: object, of: object = weights) =>
      lstm(x, { directions: [of as typeof weights], ...more })
    expect(() => lstm(zeros([4, 3]), { directions: [weights] })).toThrow(
      'expected x of shape [B, T, I], got [4,3]',
    )
    expect(() => lstm(zeros([1, 4, 5]), { directions: [weights] })).toThrow(
      'weightIh of shape [8,5], got [8,3]',
    )
    expect(() => lstm(x, { directions: [] })).toThrow('expected one or two directions, got 0')
    expect(() => call({ h0: zeros([1, 2, 2]) })).toThrow('expected h0 of shape [1,1,2], got [1,2,2]')
    expect(() => call({ c0: zeros([1, 1, 3]) })).toThrow('expected c0 of shape [1,1,2]')
    expect(() => call({ recurrentMask: zeros([1, 1, 3]) })).toThrow('expected recurrentMask of shape [1,1,2]')
    expect(() => call({ zoneoutCell: 1.5 })).toThrow('expected zoneoutCell in [0, 1], got 1.5')
    expect(() => call({ zoneoutHidden: zeros([1, 1, 4, 3]) })).toThrow(
      'expected zoneoutHidden of shape [1,1,4,2]',
    )
    expect(() => call({ lengths: Int32Array.of(5) })).toThrow('expected lengths[0] in [0, 4], got 5')
    expect(() => call({}, { ...weights, normIh: zeros([8]) })).toThrow('normIh, normHh and normCell together')
    const both = [weights, { ...weights, biasIh: zeros([8]) }]
    expect(() => lstm(x, { directions: both })).toThrow('only one of the two directions has biasIh')
  })
})
