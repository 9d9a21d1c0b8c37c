/** What reports and the command say about series, in words. */
import { missingValues, type Series } from './series.ts'

/** `monthly-sunspots.csv: 2,820 rows from 1749-01 to 1983-12`, `sales.csv: 3 series, 360 rows from 2024-01-01 to 2024-04-29` */
export function seriesText(all: readonly Series[]): string {
  const [{ name, table }] = all
  const isOne = all.length === 1
  const source = all.every((each) => each.table === table) ? table : undefined
  const place = isOne ? name : source
  const rows = all.reduce((sum, each) => sum + each.rows, 0)
  const parts = isOne ? [] : [`${grouped(all.length)} series`]
  const text = [...parts, `${grouped(rows)} rows${spanText(all)}`].join(', ')
  return place === undefined ? text : `${place}: ${text}`
}

function spanText(all: readonly Series[]): string {
  if (!all.every(({ dateColumn }) => dateColumn !== undefined)) return ''
  const first = all.map(({ labels }) => labels[0]).sort()[0]
  const last = all
    .map(({ labels }) => labels.at(-1)!)
    .sort()
    .at(-1)
  return ` from ${first} to ${last}`
}

/** `12 in Sunspots, 3 in Wind`, over all series, or `none`. */
export function missingText(all: readonly Series[]): string {
  const counts = new Map<string, number>()
  for (const { column, count } of all.flatMap(missingValues))
    counts.set(column, (counts.get(column) ?? 0) + count)
  return Array.from(counts, ([column, count]) => `${grouped(count)} in ${column}`).join(', ') || 'none'
}

/** The names of a list, those beyond the first few counted: `a, b, c and 4 more`. */
export function listText(names: readonly string[], most = 3): string {
  if (names.length <= most + 1) return names.join(', ')
  return `${names.slice(0, most).join(', ')} and ${grouped(names.length - most)} more`
}

/** 2284 as 2,284. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
