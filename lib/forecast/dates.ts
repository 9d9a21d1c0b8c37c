/** Dates as ISO 8601 text: telling them from other cells, and going on from the last one. Not a calendar library. */

const iso = /^\d{4}-\d{2}(-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?$/

/** Whether a cell is a date or time written as ISO 8601: 1749-01, 1981-01-31, 2016-07-01 02:00:00. */
export function looksLikeDate(cell: string): boolean {
  return iso.test(cell) && !Number.isNaN(instant(cell))
}

/**
 * The labels of the `count` rows after the last: one more month or the same time further if the labels are dates at
 * even steps, the next numbers if they number the rows from 1, otherwise `+1`, `+2`, …
 */
export function labelsAfter(labels: readonly string[], count: number): string[] {
  const next = successor(labels.slice(-4))
  const isNumbered = labels.at(-1) === String(labels.length)
  const other = (k: number) => (isNumbered ? String(labels.length + k) : `+${k}`)
  return Array.from({ length: count }, (_, i) => next?.(i + 1) ?? other(i + 1))
}

/** What a step of a series is called: month, day, hour, …, or row where the labels do not tell. */
export function stepName(labels: readonly string[]): string {
  const [first, second] = labelsAfter(labels, 2)
  if (!first || !looksLikeDate(first)) return 'row'
  const days = (instant(second) - instant(first)) / 86_400_000
  const lengths: Record<string, number> = { minute: 1 / 1440, hour: 1 / 24, day: 1, week: 7 }
  const name = Object.keys(lengths).find((unit) => Math.abs(lengths[unit] - days) < 1e-9)
  if (name) return name
  const months = monthOf(second) - monthOf(first)
  const isCalendar = first.slice(7) === second.slice(7)
  return isCalendar && months === 1 ? 'month' : isCalendar && months === 12 ? 'year' : 'row'
}

/** What adds k steps to the last of a few labels, or undefined if they are no dates at even steps. */
function successor(labels: readonly string[]): ((k: number) => string) | undefined {
  if (labels.length < 3 || !labels.every(looksLikeDate)) return undefined
  const last = labels.at(-1)!
  const evenly = (position: (label: string) => number) => {
    const steps = labels.slice(1).map((label, i) => position(label) - position(labels[i]))
    return steps.every((step) => step === steps[0] && step > 0) ? steps[0] : undefined
  }
  const tails = new Set(labels.map((label) => label.slice(7)))
  const months = tails.size === 1 ? evenly(monthOf) : undefined
  if (months) return (k) => monthLabel(monthOf(last) + k * months) + last.slice(7)
  const milliseconds = evenly(instant)
  if (!milliseconds || /Z|[+-]\d{2}:?\d{2}$/.test(last.slice(10))) return undefined
  return (k) => {
    const text = new Date(instant(last) + k * milliseconds).toISOString()
    return text.replace('T', last[10] ?? 'T').slice(0, last.length)
  }
}

function monthOf(label: string): number {
  return Number(label.slice(0, 4)) * 12 + Number(label.slice(5, 7)) - 1
}

function monthLabel(month: number): string {
  return `${String(Math.floor(month / 12)).padStart(4, '0')}-${String((month % 12) + 1).padStart(2, '0')}`
}

/** Milliseconds since 1970; a date without a zone is read as UTC, so that no day is shorter than another. */
export function instant(label: string): number {
  const hasZone = /(Z|[+-]\d{2}:?\d{2})$/.test(label.slice(10))
  const text = label.replace(' ', 'T')
  return Date.parse(label.length > 10 && !hasZone ? `${text}Z` : text)
}
