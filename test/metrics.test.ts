import {
  accuracy,
  binaryAccuracy,
  dataSet,
  evaluate,
  mae,
  meanSquaredError,
  mse,
  rmse,
  tensor,
  within,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'

const identity = { forward: (x: ReturnType<typeof tensor>) => x }

describe('a metric', () => {
  const prediction = tensor([
    [1, 2],
    [3, 5],
  ])
  const target = tensor([
    [1, 4],
    [3, 4],
  ])

  it('of one batch is a plain function', () => {
    expect(mae(prediction, target)).toBe(3 / 4)
    expect(mse(prediction, target)).toBe(5 / 4)
    expect(rmse(prediction, target)).toBe(Math.sqrt(5 / 4))
    expect(within({ tolerance: 1 })(prediction, target)).toBe(0.5)
    expect(binaryAccuracy(tensor([2, -1, 0.5]), tensor([1, 1, 1]))).toBe(2 / 3)
  })

  it('leaves out what the mask does not count', () => {
    const mask = tensor([
      [1, 0],
      [1, 1],
    ])
    expect(mae(prediction, target, { mask })).toBe(1 / 3)
    expect(mae(prediction, target, { mask: tensor([0, 1]) })).toBe(1 / 2)
  })

  it('accuracy compares the largest entry with the class and skips ignored classes', () => {
    const logits = tensor([
      [0.1, 0.9],
      [0.8, 0.2],
      [0.3, 0.7],
      [0.6, 0.4],
    ])
    const classes = tensor(Int32Array.of(1, 1, 1, -100))
    expect(accuracy(logits, classes)).toBe(2 / 3)
    expect(accuracy(logits, classes, { mask: tensor([1, 0, 1, 1]) })).toBe(1)
  })

  it('of a set does not depend on how it is cut into batches', async () => {
    const set = dataSet({ x: [[0], [0], [3]], y: [[1], [2], [0]] })
    const of = async (batchSize: number) =>
      evaluate(identity, set, {
        loss: meanSquaredError,
        metrics: { rmse, mae, largest: (p, t) => Math.abs(p.data[0] - t.data[0]) },
        batchSize,
      })
    const whole = await of(3)
    expect(whole.metrics.rmse).toBe(Math.sqrt(14 / 3))
    expect(whole.metrics.mae).toBe(2)
    expect(whole.samples).toBe(3)
    // Float32 losses of batches, added in another order.
    expect(whole.loss).toBeCloseTo(14 / 3, 6)
    const cut = await of(2)
    expect([cut.metrics.rmse, cut.metrics.mae]).toEqual([whole.metrics.rmse, whole.metrics.mae])
    expect(cut.loss).toBeCloseTo(14 / 3, 6)
    // A plain function is weighed by the size of the batch: (2·|0 - 1| + 1·|3 - 0|) / 3.
    expect(cut.metrics.largest).toBe(5 / 3)
  })

  it('refuses shapes that do not fit', () => {
    expect(() => mae(prediction, tensor([1, 2, 3, 4]))).toThrow(/mae: expected shape \[4\], got \[2,2\]/)
  })
})
