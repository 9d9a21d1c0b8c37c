/** Explanations of predictions against what is known of them: linear models, sums that must come out, finite differences. */
import { describe, expect, it } from 'vitest'
import { gaussLegendre } from '../lib/explanation/quadrature.ts'
import {
  add,
  Dropout,
  Embedding,
  type ForwardOptions,
  GlobalMaxPool1d,
  gradientTimesInput,
  integratedGradients,
  Linear,
  LSTM,
  lastStep,
  type Model,
  multiply,
  noGrad,
  occlusion,
  parametersOf,
  Sequential,
  select,
  setTraining,
  sum,
  Tensor,
  tensor,
} from '../lib/index.ts'
import { Random } from '../lib/random.ts'

const float64 = { dataType: 'float64' } as const

/** Numbers of a seed. */
function numbers(shape: readonly number[], seed: number): Tensor {
  const random = new Random(seed)
  const size = shape.reduce((product, n) => product * n, 1)
  return tensor(
    Float64Array.from({ length: size }, () => random.uniform(-1, 1)),
    { shape },
  )
}

function lstmModel({ inputSize = 3, bidirectional = true } = {}): Sequential {
  return new Sequential([
    new LSTM({ inputSize, hiddenSize: 5, bidirectional, seed: 1, ...float64 }),
    lastStep(),
    new Linear({ inputSize: bidirectional ? 10 : 5, outputSize: 4, seed: 2, ...float64 }),
  ])
}

/** An LSTM over symbols of a vocabulary of 7, of which 0 is padding. */
function wordModel(options: { maskZero?: boolean } = {}): Sequential {
  return new Sequential([
    new Embedding({ vocabularySize: 7, embeddingSize: 4, seed: 3, ...options, ...float64 }),
    new Dropout({ probability: 0.5 }),
    new LSTM({ inputSize: 4, hiddenSize: 5, bidirectional: true, seed: 4, ...float64 }),
    lastStep(),
    new Linear({ inputSize: 10, outputSize: 2, seed: 5, ...float64 }),
  ])
}

const words = tensor(
  [
    [1, 2, 3, 4, 5],
    [6, 2, 1, 0, 0],
  ],
  { dataType: 'int32' },
)
const lengths = Int32Array.of(5, 3)

const outputOf = (model: Model, x: Tensor, options?: ForwardOptions): Tensor => {
  const result = noGrad(() => model.forward(x, options))
  return 'output' in result ? result.output : result
}

function sums({ array, shape }: Tensor): number[] {
  const width = array.length / shape[0]
  return Array.from({ length: shape[0] }, (_, b) =>
    Array.from(array.subarray(b * width, (b + 1) * width)).reduce((total, each) => total + each, 0),
  )
}

/** Float64 sums of some hundred numbers near 1 are off by some hundred ε of 2e-16. */
const rounding = 1e-12

describe('gradient times input', () => {
  it('is weight times input for a linear model, for each sequence and step', () => {
    const weight = numbers([3, 2], 1)
    const model: Model = { forward: (x) => sum(sum(multiply(x, weight), { axis: 1 }), { axis: 1 }) }
    const x = numbers([4, 3, 2], 2)
    const { attribution, steps, features, score, targets } = gradientTimesInput(model, x)
    const expected = x.array.map((value, i) => value * weight.array[i % 6]) as Float64Array
    expect(attribution.shape).toEqual([4, 3, 2])
    for (const [i, value] of expected.entries()) expect(attribution.array[i]).toBeCloseTo(value, 14)
    expect(steps.shape).toEqual([4, 3])
    expect(steps.array[4]).toBeCloseTo(expected[8] + expected[9], 14)
    expect(features.shape).toEqual([4, 2])
    expect(features.array[3]).toBeCloseTo(expected[7] + expected[9] + expected[11], 14)
    for (const [b, total] of sums(attribution).entries()) expect(score.array[b]).toBeCloseTo(total, 12)
    expect(targets).toEqual(new Int32Array(4))
  })

  it('is the slope of the chosen output by finite differences', () => {
    const model = lstmModel()
    const x = numbers([2, 4, 3], 3)
    const { attribution, score } = gradientTimesInput(model, x, { target: [2, 0] })
    const values = x.array as Float64Array
    const step = 1e-5
    for (const i of [0, 5, 11, 12, 23]) {
      const [b, column] = i < 12 ? [0, 2] : [1, 0]
      const before = values[i]
      const at = (value: number) => {
        values[i] = value
        return outputOf(model, x).array[b * 4 + column]
      }
      const slope = (at(before + step) - at(before - step)) / (2 * step)
      at(before)
      // Central differences: h²·f‴/6 and ε/h, both about 1e-10.
      expect(attribution.array[i]).toBeCloseTo(before * slope, 8)
      expect(score.array[b]).toBe(outputOf(model, x).array[b * 4 + column])
    }
  })

  it('explains the largest output where no target is given', () => {
    const model = lstmModel()
    const x = numbers([3, 4, 3], 4)
    const output = outputOf(model, x).toArray() as number[][]
    for (const batchSize of [64, 2]) {
      const { targets, score } = gradientTimesInput(model, x, { batchSize })
      for (const [b, row] of output.entries()) {
        expect(row[targets![b]]).toBe(Math.max(...row))
        expect(score.array[b]).toBe(Math.max(...row))
      }
    }
  })
})

describe('integrated gradients', () => {
  it.each([
    undefined,
    0.3,
    numbers([3], 9),
    numbers([5, 3], 9),
  ])('sum to the score less that of the baseline %#', (baseline) => {
    const model = lstmModel()
    const x = numbers([3, 5, 3], 5)
    const { attribution, score, baselineScore, gap } = integratedGradients(model, x, {
      target: 1,
      points: 24,
      ...(baseline !== undefined && { baseline }),
    })
    const from = numbers([3, 5, 3], 5)
    const low = baseline instanceof Tensor ? baseline.array : Float64Array.of(baseline ?? 0)
    for (let i = 0; i < from.size; i++) from.data[i] = low[i % low.length]
    const lowest = outputOf(model, from).toArray() as number[][]
    for (const [b, total] of sums(attribution).entries()) {
      expect(baselineScore.array[b]).toBe(lowest[b][1])
      expect(total).toBeCloseTo(score.array[b] - baselineScore.array[b], 11)
      expect(Math.abs(gap.array[b])).toBeLessThan(rounding)
    }
  })

  it('say how far too few points miss the sum', () => {
    const { attribution, score, baselineScore, gap } = integratedGradients(
      lstmModel(),
      numbers([1, 9, 3], 6),
      {
        target: 0,
        points: 1,
      },
    )
    expect(Math.abs(gap.array[0])).toBeGreaterThan(1e-6)
    expect(gap.array[0]).toBeCloseTo(sums(attribution)[0] - (score.array[0] - baselineScore.array[0]), 14)
  })

  it('sum to the difference through an Embedding, with lengths', () => {
    const model = wordModel()
    const { attribution, steps, score, gap } = integratedGradients(model, words, {
      lengths,
      target: 0,
      points: 24,
    })
    expect(attribution.shape).toEqual([2, 5, 4])
    expect(steps.shape).toEqual([2, 5])
    expect([...steps.array.slice(8)]).toEqual([0, 0])
    expect([...steps.array.slice(0, 8)].every((each) => each !== 0)).toBe(true)
    expect(score.array[1]).toBe(outputOf(model, words, { lengths }).array[2])
    for (const each of gap.array) expect(Math.abs(each)).toBeLessThan(rounding)
  })

  it('compare with a symbol where the baseline is one', () => {
    const model = wordModel()
    const x = tensor([[1, 2, 2]], { dataType: 'int32' })
    const same = tensor([[2, 2, 2]], { dataType: 'int32' })
    for (const baseline of [2, tensor([2, 2, 2], { dataType: 'int32' }), same]) {
      const { steps, baselineScore } = integratedGradients(model, x, { baseline, target: 0 })
      expect(baselineScore.item()).toBe(outputOf(model, same).array[0])
      expect([...steps.array.slice(1)]).toEqual([0, 0])
      expect(steps.array[0]).not.toBe(0)
    }
  })

  it('give a sequence of a padded batch what it gets alone', () => {
    const model = wordModel()
    const batch = integratedGradients(model, words, { lengths, target: 1, batchSize: 7 })
    const alone = integratedGradients(model, tensor([[6, 2, 1]], { dataType: 'int32' }), { target: 1 })
    expect([...batch.steps.array.slice(5, 8)]).toEqual([...alone.steps.array])
  })

  it('give masked steps 0 whatever stands there', () => {
    const model = lstmModel()
    const x = numbers([1, 4, 3], 7)
    x.data.fill(Number.NaN, 3, 6)
    const mask = Uint8Array.of(1, 0, 1, 1)
    const { steps, gap } = integratedGradients(model, x, { mask, target: 0, points: 24 })
    expect(steps.array[1]).toBe(0)
    expect(steps.array.every(Number.isFinite)).toBe(true)
    expect(Math.abs(gap.item())).toBeLessThan(rounding)
  })

  it('heed the mask that an Embedding makes', () => {
    const model = wordModel({ maskZero: true })
    const masked = integratedGradients(model, tensor([[6, 0, 2, 1]], { dataType: 'int32' }), { target: 1 })
    const without = integratedGradients(model, tensor([[6, 2, 1]], { dataType: 'int32' }), { target: 1 })
    expect([...masked.steps.array].filter((_, t) => t !== 1)).toEqual([...without.steps.array])
    expect(masked.steps.array[1]).toBe(0)
  })

  it('explain what a function makes of the output', () => {
    const model = wordModel()
    const column = (output: Tensor, index: number) => select(output, { axis: 1, index })
    const both = integratedGradients(model, words, {
      lengths,
      target: (output) => add(column(output, 0), column(output, 1)),
    })
    const [first, second] = [0, 1].map((target) => integratedGradients(model, words, { lengths, target }))
    expect(both.targets).toBeUndefined()
    for (const [i, each] of both.steps.array.entries())
      expect(each).toBeCloseTo(first.steps.array[i] + second.steps.array[i], 12)
  })

  it('say which sequence each row of a run is', () => {
    const seen = new Set<number>()
    integratedGradients(wordModel(), words, {
      points: 3,
      batchSize: 2,
      target: (output, rows) => {
        expect(rows.length).toBe(output.shape[0])
        for (const row of rows) seen.add(row)
        return select(output, { axis: 1, index: 0 })
      },
    })
    expect([...seen]).toEqual([0, 1])
  })
})

describe('an explanation leaves the model as it was:', () => {
  it.each([gradientTimesInput, integratedGradients, occlusion])('%o', (explain) => {
    const model = wordModel()
    setTraining(model, true)
    const before = [...parametersOf(model)].map(([name, parameter]) => {
      parameter.grad = new Float64Array(parameter.size).fill(0.5)
      return { name, values: parameter.array.slice() }
    })
    const first = explain(model, words, { lengths })
    // Dropout is off inside, or two runs would differ.
    expect(explain(model, words, { lengths }).attribution.array).toEqual(first.attribution.array)
    for (const { name, values } of before) {
      const parameter = parametersOf(model).get(name)!
      expect(parameter.array, name).toEqual(values)
      expect(
        parameter.grad!.every((each) => each === 0.5),
        name,
      ).toBe(true)
    }
    expect((model.layers[1] as Dropout).training).toBe(true)
  })

  it('and works inside noGrad', () => {
    const inside = noGrad(() => gradientTimesInput(wordModel(), words, { lengths }))
    expect(inside.steps.array).toEqual(gradientTimesInput(wordModel(), words, { lengths }).steps.array)
  })
})

describe('occlusion', () => {
  it('is the score less that without the step', () => {
    const model = lstmModel()
    const x = numbers([2, 4, 3], 8)
    const { attribution, score } = occlusion(model, x, { target: 3, baseline: 0.25 })
    expect(attribution.shape).toEqual([2, 4])
    for (const [b, t] of [
      [0, 0],
      [0, 3],
      [1, 2],
    ]) {
      const hidden = x.clone()
      hidden.data.fill(0.25, (b * 4 + t) * 3, (b * 4 + t + 1) * 3)
      expect(attribution.array[b * 4 + t]).toBe(score.array[b] - outputOf(model, hidden).array[b * 4 + 3])
    }
  })

  it('hides a feature at all steps, or one number', () => {
    const model = lstmModel()
    const x = numbers([2, 4, 3], 8)
    const features = occlusion(model, x, { target: 0, by: 'features' })
    const elements = occlusion(model, x, { target: 0, by: 'elements', batchSize: 5 })
    expect(features.attribution.shape).toEqual([2, 3])
    expect(elements.attribution.shape).toEqual([2, 4, 3])
    const without = (places: readonly number[]) => {
      const hidden = x.clone()
      for (const i of places) hidden.data[12 + i] = 0
      return outputOf(model, hidden).array[4]
    }
    expect(features.attribution.array[3 + 1]).toBe(features.score.array[1] - without([1, 4, 7, 10]))
    expect(elements.attribution.array[12 + 7]).toBe(elements.score.array[1] - without([7]))
  })

  it('gives a step the mean of the windows it is in', () => {
    const model = lstmModel()
    const x = numbers([1, 3, 3], 8)
    const { attribution, score } = occlusion(model, x, { target: 0, window: 2 })
    const without = (first: number) => {
      const hidden = x.clone()
      hidden.data.fill(0, first * 3, (first + 2) * 3)
      return score.item() - outputOf(model, hidden).array[0]
    }
    expect(attribution.array[0]).toBeCloseTo(without(0), 14)
    expect(attribution.array[1]).toBeCloseTo((without(0) + without(1)) / 2, 14)
    expect(attribution.array[2]).toBeCloseTo(without(1), 14)
  })

  it('replaces words by another and leaves padding alone', () => {
    const model = wordModel()
    const { attribution, score } = occlusion(model, words, { lengths, target: 0, baseline: 6 })
    expect([...attribution.array.slice(8)]).toEqual([0, 0])
    expect(attribution.array[5]).toBe(0)
    const other = words.clone()
    other.data[6] = 6
    expect(attribution.array[6]).toBe(score.array[1] - outputOf(model, other, { lengths }).array[2])
  })

  it('needs no slope', () => {
    const model: Model = {
      forward: (x) => noGrad(() => sum(new GlobalMaxPool1d().forward(x), { axis: 1 })),
    }
    const x = tensor([[[1], [5], [2]]])
    expect([...occlusion(model, x).attribution.array]).toEqual([0, 3, 0])
    expect(() => gradientTimesInput(model, x)).toThrow(
      "gradientTimesInput: the model's output does not depend on x",
    )
  })
})

describe('the rule of Gauss and Legendre', () => {
  it.each([1, 2, 5, 50, 200])('with %i points integrates polynomials up to degree 2n - 1', (n) => {
    const { points, weights } = gaussLegendre(n)
    for (const degree of new Set([0, 1, n, 2 * n - 1])) {
      const integral = points.reduce((total, x, k) => total + weights[k] * x ** degree, 0)
      expect(integral).toBeCloseTo(1 / (degree + 1), 13)
    }
    expect(points.every((x, k) => x > (k === 0 ? 0 : points[k - 1]) && x < 1)).toBe(true)
  })
})

describe('what cannot be explained is refused:', () => {
  const x = numbers([2, 4, 3], 1)
  it.each([
    [
      'an unknown option',
      () => integratedGradients(lstmModel(), x, { point: 3 } as object),
      /did you mean "points"/,
    ],
    [
      'a column that is not there',
      () => occlusion(lstmModel(), x, { target: 4 }),
      /expected a target in \[0, 3\].*got 4 for sequence 0/,
    ],
    [
      'too few targets',
      () => occlusion(lstmModel(), x, { target: [1] }),
      /expected 2 targets, one for each sequence, got 1/,
    ],
    [
      'outputs at each step',
      () => gradientTimesInput(new LSTM({ inputSize: 3, hiddenSize: 2, ...float64 }), x),
      /expected an output \[B, C\], got float64 \[2,4,2\]; give a function/,
    ],
    [
      'a function that returns another number of scores',
      () => gradientTimesInput(lstmModel(), x, { target: (output) => output }),
      /expected target to return 2 numbers/,
    ],
    [
      'symbols without an Embedding',
      () => gradientTimesInput(lstmModel(), words),
      /has 0 Embedding layers instead of one; give x as numbers/,
    ],
    [
      'a symbol the vocabulary lacks',
      () => gradientTimesInput(wordModel(), tensor([[9]], { dataType: 'int32' })),
      /expected indices\[0,0\] in \[0, 6\], got 9/,
    ],
    [
      'numbers that are not finite',
      () => occlusion(lstmModel(), tensor(new Float64Array(3).fill(Number.NaN), { shape: [1, 1, 3] })),
      /output for sequence 0 is NaN/,
    ],
    [
      'a baseline of another type',
      () => occlusion(lstmModel(), x, { baseline: tensor([1, 2, 3]) }),
      /expected baseline to be a number or a float64 tensor, got float32/,
    ],
    [
      'a baseline of another shape',
      () => occlusion(lstmModel(), x, { baseline: numbers([4], 1) }),
      /does not broadcast/,
    ],
    [
      'a window of features',
      () => occlusion(lstmModel(), x, { by: 'features', window: 2 }),
      /hides steps together/,
    ],
    [
      'lengths of another number',
      () => occlusion(lstmModel(), x, { lengths: Int32Array.of(1) }),
      /expected 2 lengths/,
    ],
    [
      'an x without steps',
      () => occlusion(lstmModel(), tensor([1, 2])),
      /expected x to be a tensor \[B, T, ...\]/,
    ],
  ])('%s', (_, explain, message) => {
    expect(explain).toThrow(message)
  })
})
