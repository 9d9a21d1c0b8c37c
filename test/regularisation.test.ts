/** What is dropped while training, beside single elements: features of all steps, whole symbols, weights of the recurrence. */
import {
  compile,
  concat,
  dropout,
  dropSymbols,
  Embedding,
  embedding,
  LSTM,
  type LstmWeights,
  lstm,
  type Parameter,
  parametersOf,
  seedAll,
  setTraining,
  Tensor,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

const x = randomTensor([2, 4, 3]).detach()

/** The LSTM's output in training, with its random numbers from the beginning of a stream. */
function trained(layer: LSTM): number[] {
  setTraining(layer, true)
  seedAll(5)
  const { output } = layer.forward(x)
  setTraining(layer, false)
  return [...output.array]
}

describe('dropout between the layers of an LSTM', () => {
  const options = {
    inputSize: 3,
    hiddenSize: 5,
    numLayers: 2,
    dropout: 0.5,
    seed: 3,
    dataType: 'float64',
  } as const

  it('takes the same features at every step where it is asked to', () => {
    const layer = new LSTM({ ...options, dropoutAcrossTime: true })
    const [first, second] = layer.weights
    seedAll(5)
    const between = dropout(lstm(x, { directions: first }).output, { probability: 0.5, acrossTime: true })
    expect(trained(layer)).toEqual([...lstm(between, { directions: second }).output.array])
    const dropped = between.toArray() as number[][][]
    expect(dropped.flat(2).filter((each) => each === 0).length).toBeGreaterThan(0)
    for (const steps of dropped) {
      for (const step of steps)
        expect(step.map((each) => each === 0)).toEqual(steps[0].map((each) => each === 0))
    }
  })

  it('takes others at each step otherwise', () => {
    expect(trained(new LSTM({ ...options, dropoutAcrossTime: true }))).not.toEqual(trained(new LSTM(options)))
  })
})

describe('weight drop', () => {
  const options = { inputSize: 3, hiddenSize: 5, seed: 3, dataType: 'float64' } as const

  it('sets weights of every W_hh to 0 for all the steps of a call, and scales up the others', () => {
    const layer = new LSTM({ ...options, numLayers: 2, bidirectional: true, weightDrop: 0.4 })
    seedAll(5)
    const dropped: Tensor[] = []
    const calls = layer.weights.map((directions) =>
      directions.map((weights): LstmWeights => {
        const weightHh = dropout(weights.weightHh, { probability: 0.4 })
        dropped.push(weightHh)
        return { ...weights, weightHh }
      }),
    )
    const first = lstm(x, { directions: calls[0] }).output
    expect(trained(layer)).toEqual([...lstm(first, { directions: calls[1] }).output.array])
    for (const [n, { array }] of dropped.entries()) {
      const whole = layer.weights.flat()[n].weightHh.array
      const zeros = array.filter((each) => each === 0).length
      // Four standard deviations of a share of 0.4 among 100 weights.
      expect(Math.abs(zeros / array.length - 0.4)).toBeLessThan(0.2)
      for (const [i, each] of array.entries()) if (each !== 0) expect(each).toBeCloseTo(whole[i] / 0.6, 12)
    }
  })

  it('draws another mask in each call, none outside training, and none in a plan', () => {
    const [layer, plain] = [new LSTM({ ...options, weightDrop: 0.4 }), new LSTM(options)]
    setTraining(layer, true)
    const [a, b] = [layer.forward(x).output, layer.forward(x).output].map(({ array }) => [...array])
    expect(a).not.toEqual(b)
    setTraining(layer, false)
    const expected = plain.forward(x).output.array
    expect(layer.forward(x).output.array).toEqual(expected)
    expect(compile(layer).predictSync(x).array).toEqual(compile(plain).predictSync(x).array)
  })

  it('has gradients that agree with finite differences, and go to the weights themselves', () => {
    const layer = new LSTM({ ...options, weightDrop: 0.4 })
    setTraining(layer, true)
    const inputs = Object.fromEntries([...parametersOf(layer)])
    expectGradients(inputs, () => layer.forward(x).output)
  })

  it('is checked', () => {
    expect(() => new LSTM({ ...options, weightDrop: 1 })).toThrow(
      'LSTM: expected weightDrop in [0, 1), got 1',
    )
    expect(() => new LSTM({ ...options, weightdrop: 0.1 } as never)).toThrow(/did you mean "weightDrop"/)
    const yes = 'yes' as never
    expect(() => new LSTM({ ...options, dropoutAcrossTime: yes })).toThrow(
      /dropoutAcrossTime to be true or false/,
    )
    expect(new LSTM({ ...options, weightDrop: 0.4 }).config()).toMatchObject({ weightDrop: 0.4 })
  })
})

describe('embedding dropout', () => {
  const indices = new Tensor([2, 6], Int32Array.of(0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0))
  const options = { vocabularySize: 6, embeddingSize: 3, dropout: 0.5, seed: 2, dataType: 'float64' } as const

  it('drops a symbol wherever it stands, and scales up the vectors of the others', () => {
    const layer = new Embedding(options)
    setTraining(layer, true)
    seedAll(7)
    const y = layer.forward(indices).toArray() as number[][][]
    const kept = y[0].map((vector) => vector.some((each) => each !== 0))
    expect(new Set(kept).size).toBe(2)
    for (const [symbol, isKept] of kept.entries()) {
      const row = [...layer.weight.array.slice(symbol * 3, symbol * 3 + 3)].map((each) =>
        isKept ? 2 * each : 0 * each,
      )
      expect(y[0][symbol]).toEqual(row)
      expect(y[1][5 - symbol]).toEqual(row)
    }
    setTraining(layer, false)
    expect(layer.forward(indices).array).toEqual(embedding(indices, layer.weight as Parameter).array)
    expect(compile(layer).predictSync(indices).array).toEqual(layer.forward(indices).array)
  })

  it('keeps the expectation', () => {
    const y = new Tensor([4000, 1], new Float64Array(4000).fill(1))
    const own = new Tensor(
      [4000],
      Int32Array.from({ length: 4000 }, (_, i) => i),
    )
    seedAll(1)
    const { array } = dropSymbols(y, own, { vocabularySize: 4000, probability: 0.25 })
    const mean = (array as Float64Array).reduce((sum, each) => sum + each, 0) / 4000
    // Four standard deviations: 4·√(0.25/0.75/4000).
    expect(Math.abs(mean - 1)).toBeLessThan(0.037)
  })

  it('has gradients that agree with finite differences', () => {
    const weight = randomTensor([6, 3], { seed: 4 })
    expectGradients({ weight }, (inputs) => {
      const drawn = () =>
        dropSymbols(embedding(indices, inputs.weight), indices, { vocabularySize: 6, probability: 0.5 })
      return concat([drawn(), drawn()])
    })
  })

  it('is checked', () => {
    expect(() => new Embedding({ ...options, dropout: 1 })).toThrow(
      'Embedding: expected dropout in [0, 1), got 1',
    )
    expect(new Embedding(options).config()).toMatchObject({ dropout: 0.5 })
  })
})
