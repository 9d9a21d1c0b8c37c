/** Cross validation: every item tested once, classes alike in every fold, nothing seen before its test. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataSet, type FoldOptions, kFold, subset, tensor } from '../lib/index.ts'

const count = (items: Iterable<number>, labels: readonly number[], label: number) =>
  [...items].filter((item) => labels[item] === label).length

describe('kFold', () => {
  it('tests every item once and never one it trains on', () => {
    const sizes = fc.record({
      size: fc.integer({ min: 10, max: 200 }),
      k: fc.integer({ min: 2, max: 10 }),
      seed: fc.integer(),
      validation: fc.double({ min: 0, max: 0.9, noNaN: true }),
    })
    fc.assert(
      fc.property(sizes, ({ size, ...options }) => {
        const folds = kFold(size, options)
        expect(folds.length).toBe(options.k)
        const all = Array.from({ length: size }, (_, item) => item)
        const tested = folds.flatMap(({ test }) => [...test])
        expect(tested.toSorted((a, b) => a - b)).toEqual(all)
        for (const { train, validation, test } of folds) {
          expect([...train, ...validation, ...test].sort((a, b) => a - b)).toEqual(all)
          expect(Math.abs(test.length - size / options.k)).toBeLessThan(1)
        }
      }),
    )
  })

  it('gives each fold its share of every class, also of what is set aside', () => {
    const labels = Array.from({ length: 103 }, (_, item) => (item % 10 < 7 ? 0 : item % 10 < 9 ? 4 : 9))
    const folds = kFold(labels.length, { k: 5, seed: 3, labels, validation: 0.25 })
    for (const label of [0, 4, 9]) {
      const whole = count(labels.keys(), labels, label)
      for (const { train, validation, test } of folds) {
        const tested = count(test, labels, label)
        expect(Math.abs(tested - whole / 5)).toBeLessThan(1)
        expect(count(validation, labels, label)).toBe(Math.round((whole - tested) / 4))
        expect(count(train, labels, label)).toBe(whole - tested - Math.round((whole - tested) / 4))
      }
    }
    expect(Math.max(...folds.map(({ test }) => test.length))).toBe(21)
  })

  it('shuffles, by the seed alone', () => {
    const [one, again, other] = [1, 1, 2].map((seed) => kFold(50, { k: 5, seed, validation: 0.2 }))
    expect(again).toEqual(one)
    expect(other).not.toEqual(one)
    expect([...one[0].test]).not.toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40, 45])
    // What is set aside is drawn anew in each fold.
    expect(one[0].validation).not.toEqual(one[1].validation)
  })

  it('counts a data set itself', () => {
    const data = dataSet({ x: tensor([[1], [2], [3], [4]]), y: tensor([1, 2, 3, 4]) })
    expect(kFold(data, { k: 2, seed: 1 })).toEqual(kFold(4, { k: 2, seed: 1 }))
  })

  it.each([
    [() => kFold(10, { k: 1, seed: 1 }), 'kFold: expected k to be an integer of at least 2, got 1'],
    [() => kFold(3, { k: 4, seed: 1 }), 'kFold: expected at least k = 4 items, got 3'],
    [() => kFold(10, { seed: 1, labels: [1] }), 'kFold: expected 10 labels, one for each item, got 1'],
    [
      () => kFold(4, { k: 3, seed: 1, labels: [0, 0, 1, 0] }),
      'kFold: expected at least k = 3 items of each class, got 1 of class 1; take fewer folds, or leave labels out',
    ],
    [
      () => kFold(4, { k: 2, seed: 1, labels: [0, 0.5, 1, 0] }),
      'kFold: expected labels[1] to be an integer, got 0.5',
    ],
    [() => kFold(4, { k: 2, seed: 1, validation: 1 }), 'kFold: expected validation in [0, 1), got 1'],
    [
      () => kFold(4, { k: 2, seed: 1, folds: 2 } as FoldOptions),
      'kFold: unknown option "folds"; known options: k, seed, labels, validation',
    ],
    [() => kFold(4, { k: 2 } as unknown as FoldOptions), 'kFold: expected seed to be an integer'],
  ])('refuses what cannot be split %#', (split, message) => {
    expect(split).toThrow(message)
  })
})

describe('subset', () => {
  const data = dataSet({ x: [[1], [2, 3], [4, 5, 6]], y: tensor([1, 2, 3]) })

  it('is a data set of the chosen sequences in their order', () => {
    const some = subset(data, [2, 0])
    expect(some.size).toBe(2)
    expect([0, 1].map((position) => some.lengthOf!(position))).toEqual([3, 1])
    const { x, y, lengths } = some.batch([1, 0])
    expect(x.toArray()).toEqual([
      [1, 0, 0],
      [4, 5, 6],
    ])
    expect(y.toArray()).toEqual([1, 3])
    expect(lengths).toEqual(Int32Array.of(1, 3))
  })

  it('refuses an index that is not there', () => {
    expect(() => subset(data, [0, 3])).toThrow('subset: expected indices[1] in [0, 2], got 3')
  })
})
