/** What the values of flags may be: each parser returns the value, or says what it expected. */
import { InvalidArgumentError } from 'commander'
import type { Range } from '../training/tuning/space.ts'

export function integer(minimum = 1): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= minimum) return value
    throw new InvalidArgumentError(`Expected an integer of at least ${minimum}.`)
  }
}

export function number(bounds: { low?: number; above?: number; below?: number; max?: number }) {
  const { low, above, below, max } = bounds
  const texts = [
    low !== undefined && `at least ${low}`,
    above !== undefined && `above ${above}`,
    below !== undefined && `below ${below}`,
    max !== undefined && `at most ${max}`,
  ].filter(Boolean)
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    const fits =
      value >= (low ?? -Infinity) &&
      value > (above ?? -Infinity) &&
      value < (below ?? Infinity) &&
      value <= (max ?? Infinity)
    if (fits) return value
    throw new InvalidArgumentError(`Expected a number ${texts.join(' and ')}.`)
  }
}

/** `16,32,64`, or `8..128` for all between. */
export function range(kind: { scale?: 'log'; integer?: boolean }) {
  const one = kind.integer ? integer() : number(kind.scale === 'log' ? { above: 0 } : { low: 0, below: 1 })
  return (text: string): Range => {
    const ends = text.split('..')
    if (ends.length > 2) throw new InvalidArgumentError('Expected values as 16,32,64 or a range as 8..128.')
    if (ends.length === 1) return list(text).map(one)
    const [from, to] = ends.map(one)
    if (from <= to) return { from, to, ...kind }
    throw new InvalidArgumentError('Expected the lower end of the range first.')
  }
}

/** `a,b` */
export function list(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.every(Boolean)) return names
  throw new InvalidArgumentError('Expected names separated by commas.')
}

export function integers(text: string): number[] {
  return list(text).map(integer())
}

export function quantiles(text: string): number[] {
  const shares = list(text).map(number({ above: 0, below: 1 }))
  if (shares.every((share, i) => i === 0 || share > shares[i - 1])) return shares
  throw new InvalidArgumentError('Expected shares in increasing order.')
}

/** `last`, `none`, or the rows of a season. */
export function difference(text: string): 'last' | 'none' | number {
  if (text === 'last' || text === 'none') return text
  if (/^[1-9]\d*$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new InvalidArgumentError('Expected last, none or a number of rows.')
}
