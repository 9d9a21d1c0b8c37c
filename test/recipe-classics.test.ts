/** The data of the recipes reber and order, as the paper describes them. */
import { Random } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { longest, orderBatch, symbols as orderSymbols } from '../examples/order/task.ts'
import { reberString, reberStrings, symbols } from '../examples/reber/grammar.ts'

describe('the embedded Reber grammar', () => {
  const strings = reberStrings(500, new Random(3))

  it('writes the same T or P second and last but one, about a Reber string', () => {
    // The inner string as a regular expression: two ways in, loops of S and T, and two ways out.
    const reber = /^B(TS*X(S|XT*V(PXT*V)*(PS|V))|PT*V(PXT*V)*(PS|V))E$/
    for (const { symbols: each } of strings) {
      const text = each.join('')
      expect(text).toMatch(/^B([TP]).*\1E$/)
      expect(text.slice(2, -2)).toMatch(reber)
    }
    expect(new Set(strings.map(({ symbols: each }) => each.join(''))).size).toBe(500)
  })

  it('names as successors what may follow, among it what does', () => {
    const seen = new Set<string>()
    for (const { symbols: each, successors } of strings) {
      expect(successors).toHaveLength(each.length - 1)
      for (const [t, may] of successors.entries()) {
        expect(may).toContain(each[t + 1])
        seen.add(may.join(''))
      }
      expect([successors.at(-2), successors.at(-1)]).toEqual([[each[1]], ['E']])
    }
    expect([...seen].sort()).toEqual(['B', 'E', 'P', 'PV', 'SX', 'T', 'TP', 'TV', 'XS'])
  })

  it('takes every fork half of the time', () => {
    const random = new Random(1)
    const second = Array.from({ length: 1000 }, () => reberString(random).symbols[1])
    // ± 4 deviations of a binomial count of 1,000.
    expect(Math.abs(second.filter((each) => each === 'T').length - 500)).toBeLessThan(64)
    expect(new Set(second)).toEqual(new Set(['T', 'P']))
    expect(symbols).toHaveLength(7)
  })

  it('keeps test strings apart from training strings', () => {
    const random = new Random(2)
    const training = reberStrings(200, random)
    const texts = new Set(training.map(({ symbols: each }) => each.join('')))
    expect(
      reberStrings(200, random, training).filter(({ symbols: each }) => texts.has(each.join(''))),
    ).toEqual([])
  })
})

describe('temporal order', () => {
  const size = 400
  const { x, y, lengths } = orderBatch({ size, random: new Random(5) })
  const rows = x.toArray() as number[][][]
  const sequences = rows.map((row, b) =>
    row.slice(0, lengths![b]).map((step) => orderSymbols[step.indexOf(1)]),
  )

  it('has E, 98 to 108 symbols and B, with X or Y in three places and nowhere else', () => {
    const found = [...lengths!]
    expect([Math.min(...found), Math.max(...found)]).toEqual([100, longest])
    const bounds = [
      [10, 20],
      [33, 43],
      [66, 76],
    ]
    for (const sequence of sequences) {
      expect([sequence[0], sequence.at(-1)]).toEqual(['E', 'B'])
      const marked = sequence.flatMap((symbol, t) => (symbol === 'X' || symbol === 'Y' ? [t] : []))
      expect(marked).toHaveLength(3)
      for (const [i, [low, high]] of bounds.entries()) {
        expect(marked[i]).toBeGreaterThanOrEqual(low)
        expect(marked[i]).toBeLessThanOrEqual(high)
      }
      expect(sequence.slice(1, -1).filter((symbol) => symbol === 'E' || symbol === 'B')).toEqual([])
    }
  })

  it('asks for the order of X and Y, and pads with zeros', () => {
    for (const [b, sequence] of sequences.entries()) {
      const order = sequence.filter((symbol) => symbol === 'X' || symbol === 'Y')
      expect(y.data[b]).toBe(Number.parseInt(order.map((symbol) => (symbol === 'Y' ? 1 : 0)).join(''), 2))
      for (const step of rows[b].slice(lengths![b])) expect(step).toEqual(Array(8).fill(0))
    }
    expect(new Set(y.data).size).toBe(8)
  })
})
