/** Tables of shops for tests of the command. */
import { Random } from '../../lib/random.ts'

export type Rows = readonly (readonly (string | number)[])[]

export function csvText(rows: Rows): string {
  return `${rows.map((row) => row.join(',')).join('\n')}\n`
}

/** The day t of 2024, from 0. */
export function day(t: number): string {
  return new Date(Date.UTC(2024, 0, 1 + t)).toISOString().slice(0, 10)
}

export const shops = ['north', 'south', 'east']

/** Counts of three shops, the larger the shop the more, in long form; the price is known a week ahead. */
export function sales({ only, shops: names = shops }: { only?: string; shops?: readonly string[] } = {}) {
  const random = new Random(5)
  const rows: (string | number)[][] = []
  for (let t = 0; t < 127; t++) {
    for (const [i, shop] of names.entries()) {
      const price = 2 + random.uniform()
      const units = Math.floor(
        ((i + 1) * (20 + 6 * Math.sin((2 * Math.PI * t) / 7) + 8 * random.uniform())) / price,
      )
      if (only === undefined || only === shop)
        rows.push([shop, day(t), t < 120 ? units : '', price, 100 * (i + 1)])
    }
  }
  return [['shop', 'day', 'units', 'price', 'area'], ...rows]
}

/** The options that say how such a table is to be read. */
export const grouped = [
  ...['-t', 'units', '-n', '7', '--group', 'shop'],
  ...['--known', 'price', '--statics', 'area'],
]

/** Those of a model small enough to train in a moment. */
export const quick = ['--input', '8', '--epochs', '2', '--hidden', '6', '--batch-size', '32', '--period', '7']
