import { Random } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { addingBatch } from '../examples/adding/task.ts'

const length = 100
const size = 500
const { x, y, lengths } = addingBatch(length, { size, random: new Random(4) })
const rows = x.toArray() as number[][][]
const sequences = Array.from({ length: size }, (_, b) => {
  const steps = rows[b].slice(0, lengths![b])
  return {
    values: steps.map(([value]) => value),
    markers: steps.map(([, marker]) => marker),
    target: y.data[b],
  }
})

describe('the adding problem, as the paper describes it', () => {
  it('has lengths from T to T + T/10 and values in [-1, 1)', () => {
    const found = [...lengths!]
    expect([Math.min(...found), Math.max(...found)]).toEqual([100, 110])
    const values = sequences.flatMap(({ values }) => values)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1)
    expect(Math.min(...values)).toBeLessThan(-0.99)
    expect(Math.max(...values)).toBeLessThan(1)
    expect(Math.max(...values)).toBeGreaterThan(0.99)
  })

  it('marks one of the first ten pairs and one of the first T/2 - 1, and the first and last with -1', () => {
    const second: number[] = []
    for (const { values, markers } of sequences) {
      const marked = markers.flatMap((marker, t) => (marker === 1 ? [t] : []))
      const isFirstChosen = values[0] === 0
      expect(marked).toHaveLength(isFirstChosen ? 1 : 2)
      if (!isFirstChosen) expect(marked[0]).toBeLessThan(10)
      expect(marked.at(-1)).toBeLessThan(49)
      second.push(marked.at(-1)!)
      const ends = markers.flatMap((marker, t) => (marker === -1 ? [t] : []))
      expect(ends).toEqual([0, markers.length - 1])
    }
    expect(Math.max(...second)).toBe(48)
  })

  it('has the target 0.5 + (X1 + X2) / 4, a marked first pair counting as 0', () => {
    let withFirst = 0
    for (const { values, markers, target } of sequences) {
      const marked = values.filter((_, t) => markers[t] === 1)
      if (marked.length === 1) withFirst++
      // The target is rounded to float32 once: half of 6e-8 relative, below 1.
      expect(Math.abs(target - (0.5 + marked.reduce((sum, value) => sum + value) / 4))).toBeLessThan(6e-8)
    }
    // 1/10 + 9/10 · 1/48 of the sequences, ± 4 deviations of a binomial count of 500.
    expect(Math.abs(withFirst - 500 * 0.11875)).toBeLessThan(29)
  })
})
