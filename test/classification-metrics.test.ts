/** Precision, recall and F1 of one class, counted by hand. */
import { accuracy, dataSet, evaluate, f1, meanSquaredError, precision, recall, tensor } from 'lstm-native'
import { describe, expect, it } from 'vitest'

describe('precision, recall and F1', () => {
  // Predicted 1, 1, 0, 2, 1, 0.
  const scores = tensor([
    [0, 3, 1],
    [0, 2, 1],
    [4, 2, 1],
    [0, 2, 5],
    [0, 1, 0],
    [1, 0, 0],
  ])
  const classes = tensor(Int32Array.of(1, 0, 1, 2, 1, -100))

  it('count one class among several', () => {
    expect(precision({ of: 1 })(scores, classes)).toBe(2 / 3)
    expect(recall({ of: 1 })(scores, classes)).toBe(2 / 3)
    expect(f1({ of: 1 })(scores, classes)).toBe(2 / 3)
    expect(precision({ of: 0 })(scores, classes)).toBe(0)
    expect(recall({ of: 2 })(scores, classes)).toBe(1)
    expect(accuracy(scores, classes)).toBe(3 / 5)
  })

  it('take logits and targets 0 and 1', () => {
    const logits = tensor([[2], [-1], [0.5], [3], [-2]])
    const targets = tensor([[1], [1], [0], [1], [0]])
    expect(precision()(logits, targets)).toBe(2 / 3)
    expect(recall()(logits, targets)).toBe(2 / 3)
    expect(recall({ of: 0 })(logits, targets)).toBe(1 / 2)
    expect(f1({ of: 0 })(logits, targets)).toBe(1 / 2)
  })

  it('leave out what the mask does not count', () => {
    const mask = tensor([1, 0, 0, 1, 1, 1])
    expect(precision({ of: 1 })(scores, classes, { mask })).toBe(1)
    expect(recall({ of: 1 })(scores, classes, { mask })).toBe(1)
    const half = tensor([1, 0.5, 1, 1, 1, 1])
    expect(precision({ of: 1 })(scores, classes, { mask: half })).toBe(0.8)
    const logits = { mask: tensor([1, 0.5]) }
    expect(precision()(tensor([[2], [3]]), tensor([[1], [0]]), logits)).toBe(1 / 1.5)
  })

  it('are 0 where the class neither is nor is said', () => {
    expect(f1({ of: 7 })(scores, classes)).toBe(0)
    expect(precision({ of: 7 })(scores, classes)).toBe(0)
  })

  it('of a set do not depend on how it is cut into batches', async () => {
    const set = dataSet({ x: tensor([[2], [-1], [0.5], [3], [-2]]), y: tensor([[1], [1], [0], [1], [0]]) })
    const of = async (batchSize: number) =>
      evaluate({ forward: (x) => x }, set, {
        loss: meanSquaredError,
        batchSize,
        metrics: { precision: precision(), recall: recall(), f1: f1() },
      })
    const { metrics } = await of(5)
    expect(metrics).toEqual({ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 })
    expect((await of(2)).metrics).toEqual(metrics)
  })

  it.each([
    [() => recall({ of: -1 }), 'recall: expected of to be an integer of at least 0, got -1'],
    [() => f1({ class: 1 } as object), 'f1: unknown option "class"; known options: of'],
    [() => f1({ of: 2 })(tensor([1]), tensor([1])), 'f1: expected of to be 0 or 1'],
    [() => precision()(tensor([[1, 2]]), tensor([1])), 'precision: expected shape [1], got [1,2]'],
  ])('refuse what they cannot count %#', (use, message) => {
    expect(use).toThrow(message)
  })
})
