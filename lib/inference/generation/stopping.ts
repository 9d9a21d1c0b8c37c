/** When a text is at its end. */
import { describe } from '../../errors.ts'

/** A token, tokens in a row, or a function of all tokens generated so far, which is called after each. */
export type Stop = number | readonly number[] | ((tokens: readonly number[]) => boolean)

export type IsAtEnd = (tokens: readonly number[]) => boolean

/** @throws {TypeError | RangeError} if a stop is none, or has a token that the model never gives */
export function stopCondition(stop: Stop | readonly Stop[] | undefined, vocabulary: number): IsAtEnd {
  const stops = stop === undefined ? [] : Array.isArray(stop) ? (stop as readonly Stop[]) : [stop as Stop]
  const tokens = new Set<number>()
  const sequences: (readonly number[])[] = []
  const predicates: IsAtEnd[] = []
  for (const each of stops) {
    if (typeof each === 'function') predicates.push(each)
    else if (typeof each === 'number') tokens.add(requireToken(each, vocabulary))
    else if (Array.isArray(each) && each.length > 0) {
      sequences.push(each.map((token) => requireToken(token, vocabulary)))
    } else {
      const expected = 'tokens, arrays of at least one token, or functions'
      throw new TypeError(`generate: expected stop to be ${expected}, got ${describe(each)}`)
    }
  }
  return (generated) =>
    tokens.has(generated.at(-1)!) ||
    sequences.some((sequence) => endsIn(generated, sequence)) ||
    predicates.some((predicate) => predicate(generated))
}

function requireToken(token: number, vocabulary: number): number {
  if (Number.isInteger(token) && token >= 0 && token < vocabulary) return token
  throw new RangeError(`generate: expected tokens of stop in [0, ${vocabulary}), got ${describe(token)}`)
}

function endsIn(generated: readonly number[], sequence: readonly number[]): boolean {
  const first = generated.length - sequence.length
  return first >= 0 && sequence.every((token, i) => generated[first + i] === token)
}
