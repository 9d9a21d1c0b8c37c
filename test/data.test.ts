import {
  add,
  batches,
  type DataSet,
  dataSet,
  Random,
  recycle,
  type Tensor,
  tensor,
  windows,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { batchIndices } from '../lib/training/batching.ts'

const show = ({ x, y, lengths }: { x: Tensor; y: Tensor; lengths?: Int32Array }) => ({
  x: x.toArray(),
  y: y.toArray(),
  ...(lengths && { lengths: [...lengths] }),
})

describe('dataSet', () => {
  it('gathers sequences and targets in the order asked for', () => {
    const set = dataSet({
      x: [
        [[1], [2]],
        [[3], [4]],
        [[5], [6]],
      ],
      y: [[10], [20], [30]],
    })
    expect(set.size).toBe(3)
    expect(show(set.batch([2, 0]))).toEqual({
      x: [
        [[5], [6]],
        [[1], [2]],
      ],
      y: [[30], [10]],
    })
  })

  it('keeps the types of tensors and gives plain numbers those asked for', () => {
    const fromTensors = dataSet({
      x: tensor(Float64Array.of(1, 2), { shape: [2, 1] }),
      y: tensor(Int32Array.of(0, 1)),
    }).batch([1])
    expect([fromTensors.x.dataType, fromTensors.y.dataType]).toEqual(['float64', 'int32'])
    const indices = dataSet(
      {
        x: [
          [1, 2],
          [3, 4],
        ],
        y: [0, 1],
      },
      { xType: 'int32', yType: 'float64' },
    ).batch([0])
    expect([indices.x.dataType, indices.y.dataType]).toEqual(['int32', 'float64'])
  })

  it('pads sequences of differing length with zeros to the longest of a batch, with targets per step or per sequence', () => {
    const x = [[[1], [2], [3]], [[4]], [[5], [6]]]
    const perStep = dataSet({ x, y: [[1, 2, 3], [4], [5, 6]] }, { yType: 'int32' })
    expect(show(perStep.batch([1, 2]))).toEqual({
      x: [
        [[4], [0]],
        [[5], [6]],
      ],
      y: [
        [4, 0],
        [5, 6],
      ],
      lengths: [1, 2],
    })
    const perSequence = dataSet({ x, y: [[7], [8], [9]] })
    expect(show(perSequence.batch([1, 0]))).toEqual({
      x: [
        [[4], [0], [0]],
        [[1], [2], [3]],
      ],
      y: [[8], [7]],
      lengths: [1, 3],
    })
  })

  it('cuts padded tensors with lengths to the longest of a batch', () => {
    const x = tensor([
      [[1], [2], [3]],
      [[4], [0], [0]],
      [[5], [6], [0]],
    ])
    const y = tensor([
      [[1], [2], [3]],
      [[4], [0], [0]],
      [[5], [6], [0]],
    ])
    const set = dataSet({ x, y, lengths: [3, 1, 2] })
    expect(show(set.batch([1, 2]))).toEqual({
      x: [
        [[4], [0]],
        [[5], [6]],
      ],
      y: [
        [[4], [0]],
        [[5], [6]],
      ],
      lengths: [1, 2],
    })
    expect(dataSet({ x, y: [[1], [2], [3]], lengths: [3, 1, 0] }).batch([2]).x.shape).toEqual([1, 1, 1])
  })

  it('takes tensors as sequences without copying them first', () => {
    const long = tensor([
      [1, 2],
      [3, 4],
    ])
    const set = dataSet({ x: [long, tensor([[5, 6]])], y: tensor([[0], [1]]) })
    ;(long.data as Float32Array)[0] = 9
    expect(show(set.batch([0]))).toEqual({
      x: [
        [
          [9, 2],
          [3, 4],
        ],
      ],
      y: [[0]],
      lengths: [2],
    })
  })

  it('refuses data that disagree', () => {
    expect(() => dataSet({ x: [[1], [2]], y: [[1]] })).toThrow(/x has 2 sequences, y has 1 targets/)
    expect(() => dataSet({ x: [], y: [] })).toThrow(/expected at least one sequence/)
    expect(() => dataSet({ x: [[[1]], [[1], [2]]], y: [[[1], [2]], [[1]]] })).toThrow(
      /sequence 0 has 1 steps, its targets have 2/,
    )
    expect(() =>
      dataSet({
        x: [
          [[1]],
          [
            [1, 2],
            [3, 4],
          ],
        ],
        y: [1, 2],
      }),
    ).toThrow(/item 1 float32 \[2,2\]/)
    expect(() => dataSet({ x: [[1, 2]], y: [[1]], lengths: [3] })).toThrow(
      /expected lengths\[0\] in \[0, 2\], got 3/,
    )
    expect(() => dataSet({ x: [[1]], y: [[1]], length: [1] } as never)).toThrow(/did you mean "lengths"/)
  })
})

describe('windows', () => {
  const univariate = Float32Array.from({ length: 20 }, (_, t) => t)

  it('of a univariate series hold what came before and what came next', () => {
    const { train, validation } = windows(univariate, { input: 3, horizon: 2 })
    expect(validation).toBeUndefined()
    expect(train.size).toBe(16)
    expect(show(train.batch([0, 15]))).toEqual({
      x: [
        [[0], [1], [2]],
        [[15], [16], [17]],
      ],
      y: [
        [3, 4],
        [18, 19],
      ],
    })
  })

  it('of several columns forecast the columns asked for', () => {
    const series = Array.from({ length: 6 }, (_, t) => [t, 10 + t, 20 + t])
    const one = windows(series, { input: 2, horizon: 2, target: 1 }).train.batch([1])
    expect(show(one)).toEqual({
      x: [
        [
          [1, 11, 21],
          [2, 12, 22],
        ],
      ],
      y: [[13, 14]],
    })
    const two = windows(series, { input: 2, horizon: 2, target: [2, 0] }).train.batch([1])
    expect(two.y.toArray()).toEqual([
      [
        [23, 3],
        [24, 4],
      ],
    ])
  })

  it('step by the stride, and leave out what fills no window', () => {
    const { train } = windows(univariate, { input: 3, horizon: 2, stride: 4 })
    expect(train.size).toBe(4)
    expect(train.batch([3]).x.toArray()).toEqual([[[12], [13], [14]]])
  })

  it('for validation forecast the end of the series, of which training sees nothing', () => {
    const { train, validation } = windows(univariate, { input: 3, horizon: 2, validation: 0.25 })
    const targets = (set: DataSet) =>
      (set.batch(Array.from({ length: set.size }, (_, n) => n)).y.toArray() as number[][]).flat()
    expect(Math.max(...targets(train))).toBe(14)
    expect(Math.min(...targets(validation!))).toBe(15)
    expect(Math.max(...targets(validation!))).toBe(19)
    expect(validation!.batch([0]).x.toArray()).toEqual([[[12], [13], [14]]])
  })

  it('are cut out when a batch is made, without a copy of the series', () => {
    const series = Float64Array.from(univariate)
    const { train } = windows(series, { input: 3, horizon: 2 })
    series[0] = 99
    expect(train.batch([0]).x.toArray()).toEqual([[[99], [1], [2]]])
  })

  it('refuse a series too short, columns it lacks and unknown options', () => {
    expect(() => windows(univariate, { input: 18, horizon: 3 })).toThrow(
      /training part has 20 steps, a window takes 21/,
    )
    expect(() => windows(univariate, { input: 3, horizon: 4, validation: 0.1 })).toThrow(
      /validation part has 5 steps, a window takes 7/,
    )
    expect(() => windows(univariate, { input: 3, horizon: 1, target: 1 })).toThrow(
      /target columns from 0 to 0, got 1/,
    )
    expect(() => windows(univariate, { input: 3, horizonn: 1 } as never)).toThrow(/did you mean "horizon"/)
  })
})

describe('batches', () => {
  const numbers = (size: number): DataSet =>
    dataSet({ x: Array.from({ length: size }, (_, n) => [n]), y: Array(size).fill([0]) })
  const order = (set: DataSet, seed?: number, batchSize = 4) =>
    Array.from(
      batchIndices(set, { batchSize, random: seed === undefined ? undefined : new Random(seed) }),
      (b) => [...b],
    )

  it('hold every sequence once, the last being what is left', () => {
    expect(order(numbers(10))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ])
    const shuffled = order(numbers(10), 1)
    expect(shuffled.map((batch) => batch.length)).toEqual([4, 4, 2])
    expect(shuffled.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect([...batches(numbers(3), { batchSize: 2 })].map(({ x }) => x.toArray())).toEqual([
      [[0], [1]],
      [[2]],
    ])
  })

  it('come in an order that the seed decides', () => {
    expect(order(numbers(50), 1)).toEqual(order(numbers(50), 1))
    expect(order(numbers(50), 1)).not.toEqual(order(numbers(50), 2))
    expect(order(numbers(50), 1)).not.toEqual(order(numbers(50)))
  })

  it('bring together sequences of similar length, in an order that is random still', () => {
    const random = new Random(3)
    const lengths = Array.from({ length: 400 }, () => 1 + random.integer(100))
    const set = dataSet({ x: lengths.map((n) => Array(n).fill([1])), y: Array(400).fill([0]) })
    const found = order(set, 5, 8)
    expect(found.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, n) => n))
    const padded = found.reduce(
      (sum, batch) => sum + batch.length * Math.max(...batch.map((n) => lengths[n])),
      0,
    )
    const valid = lengths.reduce((sum, n) => sum + n, 0)
    // Random batches of 8 pad to about 8/9 of the longest length, which is 1.76 times the mean.
    expect(padded / valid).toBeLessThan(1.05)
    const longest = found.map((batch) => Math.max(...batch.map((n) => lengths[n])))
    expect(longest).not.toEqual([...longest].sort((a, b) => a - b))
    expect(order(set, undefined, 8).map((batch) => lengths[batch[0]])).toEqual(
      order(set, undefined, 8)
        .map((batch) => lengths[batch[0]])
        .sort((a, b) => a - b),
    )
  })

  it('made inside recycle give their memory back', () => {
    const set = numbers(4)
    const inside = recycle(() => set.batch([0, 1]))
    expect(() => inside.x.toArray()).toThrow(/recycled/)
    expect(set.batch([0, 1]).x.toArray()).toEqual([[0], [1]])
  })

  it('pad with zeros, whatever the memory held before', () => {
    const ragged = dataSet({ x: [[[1], [2]], [[3]]], y: [[[4], [5]], [[6]]] })
    recycle(() =>
      add(
        tensor([
          [[7], [7]],
          [[7], [7]],
        ]),
        tensor([
          [[7], [7]],
          [[7], [7]],
        ]),
      ),
    )
    expect(recycle(() => ragged.batch([0, 1]).x.toArray())).toEqual([
      [[1], [2]],
      [[3], [0]],
    ])
  })
})
