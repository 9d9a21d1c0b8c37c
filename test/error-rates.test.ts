/** How far what was heard is from what was said. */
import { describe, expect, it } from 'vitest'
import { editDistance } from '../lib/edit-distance.ts'
import { Random } from '../lib/random.ts'
import { tensor } from '../lib/tensor.ts'
import { characterErrorRate, labelErrorRate, wordErrorRate } from '../lib/training/error-rates.ts'

/** The definition, by trying every edit. */
function shortest(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length
  const [, ...restA] = a
  const [, ...restB] = b
  if (a[0] === b[0]) return shortest(restA, restB)
  return 1 + Math.min(shortest(restA, restB), shortest(a, restB), shortest(restA, b))
}

describe('edit distance', () => {
  it.each([
    ['kitten', 'sitting', { total: 3, substitutions: 2, insertions: 1, deletions: 0 }],
    ['', 'abc', { total: 3, substitutions: 0, insertions: 3, deletions: 0 }],
    ['abc', '', { total: 3, substitutions: 0, insertions: 0, deletions: 3 }],
    ['abc', 'abc', { total: 0, substitutions: 0, insertions: 0, deletions: 0 }],
    ['ab', 'ba', { total: 2, substitutions: 2, insertions: 0, deletions: 0 }],
    ['abcd', 'bcd', { total: 1, substitutions: 0, insertions: 0, deletions: 1 }],
  ])('from %j to %j', (a, b, expected) => {
    expect(editDistance(a, b)).toEqual(expected)
  })

  it('is the shortest there is, and its parts add up', () => {
    const random = new Random(4)
    const draw = () => Array.from({ length: random.integer(7) }, () => random.integer(3))
    for (let n = 0; n < 200; n++) {
      const [a, b] = [draw(), draw()]
      const { total, substitutions, insertions, deletions } = editDistance(a, Int32Array.from(b))
      expect(total, `${a} to ${b}`).toBe(shortest(a, b))
      expect(substitutions + insertions + deletions).toBe(total)
      expect(a.length + insertions - deletions).toBe(b.length)
    }
  })
})

describe('error rates', () => {
  it('count the words of all references together', () => {
    const rate = wordErrorRate(['one two  three', 'four'], ['one too three', 'four five six'])
    expect(rate).toEqual({ rate: 3 / 4, length: 4, total: 3, substitutions: 1, insertions: 2, deletions: 0 })
  })

  it('count characters, those beyond 16 bits once', () => {
    expect(characterErrorRate(['a 😀b'], ['a 😁b'])).toMatchObject({ rate: 1 / 4, substitutions: 1 })
  })

  it('refuse lists that do not match and references of nothing', () => {
    expect(() => wordErrorRate(['a'], [])).toThrow('wordErrorRate: expected as many hypotheses as references')
    expect(() => wordErrorRate([' '], ['a'])).toThrow('expected references with at least one word')
    expect(() => characterErrorRate([], [])).toThrow('expected references with at least one character')
  })

  it('of labels, decoded greedily to each length', () => {
    const says = (classes: number[]) => classes.map((c) => [0, 1, 2].map((each) => Number(each === c)))
    const prediction = tensor([says([1, 0, 2, 2]), says([2, 2, 1, 1])])
    const target = tensor(Int32Array.of(1, 2, 2, 1, 7, 7), { shape: [2, 3] })
    const options = { lengths: Int32Array.of(4, 2), targetLengths: Int32Array.of(3, 1) }
    // 1 2 for 1 2 2 lacks one; 2 for 1 is another.
    expect(labelErrorRate().measure(prediction, target, options)).toEqual({ sum: 2, weight: 4 })
    expect(labelErrorRate()(prediction, target, options)).toBe(0.5)
    expect(() => labelErrorRate({ blanc: 1 } as object)).toThrow('did you mean "blank"?')
  })
})
