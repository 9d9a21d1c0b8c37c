/** The configurations a search draws from. */
import { describe } from '../../errors.ts'
import type { Random } from '../../random.ts'

export type Value = number | string | boolean

/** What an option may be: one of a list, or a number of an interval, where integers include both ends. */
export type Range =
  | readonly Value[]
  | { from: number; to: number; scale?: 'linear' | 'log'; integer?: boolean }

/** The options that are searched, by name. */
export type SearchSpace = Readonly<Record<string, Range>>

/** A value for each option of a space. */
export type ConfigurationOf<Space extends SearchSpace> = {
  -readonly [name in keyof Space]: Space[name] extends readonly (infer Item)[] ? Item : number
}

/** @throws {TypeError | RangeError} if the space is empty, or a range holds nothing */
export function requireSpace(space: SearchSpace): void {
  if (space === null || typeof space !== 'object' || Object.keys(space).length === 0)
    throw new TypeError(`tune: expected a space of at least one option, got ${describe(space)}`)
  for (const [name, range] of Object.entries(space)) {
    if (isList(range)) {
      if (range.length === 0) throw new RangeError(`tune: expected choices for ${name}, got none`)
      continue
    }
    const { from, to, scale } = range
    const low = scale === 'log' ? Number.MIN_VALUE : Number.NEGATIVE_INFINITY
    if (Number.isFinite(from) && Number.isFinite(to) && from >= low && from <= to) continue
    const kind = scale === 'log' ? 'a range above 0' : 'a range'
    throw new RangeError(`tune: expected ${name} to be ${kind}, got ${from} to ${to}`)
  }
}

/**
 * So many configurations, none of them twice, each option uniform in its range, or uniform in its logarithm. Fewer if the
 * space is too small to hold as many.
 */
export function drawConfigurations<Space extends SearchSpace>(
  space: Space,
  count: number,
  random: Random,
): ConfigurationOf<Space>[] {
  const found = new Map<string, ConfigurationOf<Space>>()
  // A space that is used up would be drawn from for ever.
  for (let draws = 0; found.size < count && draws < 100 * count; draws++) {
    const entries = Object.entries(space).map(([name, range]) => [name, draw(range, random)])
    found.set(JSON.stringify(entries), Object.fromEntries(entries))
  }
  return [...found.values()].slice(0, count)
}

function draw(range: Range, random: Random): Value {
  if (isList(range)) return range[random.integer(range.length)]
  const { from, to, scale, integer } = range
  // An integer has as much room on either side as any other.
  const [low, high] = integer ? [from - 0.5, to + 0.5] : [from, to]
  const value =
    scale === 'log'
      ? Math.exp(random.uniform(Math.log(integer ? from : low), Math.log(high)))
      : random.uniform(low, high)
  return integer ? Math.min(to, Math.max(from, Math.round(value))) : value
}

function isList(range: Range): range is readonly Value[] {
  return Array.isArray(range)
}
