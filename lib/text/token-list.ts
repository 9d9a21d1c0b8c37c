/** A vocabulary that is a list of its tokens: characters or words. */
import { describe, nearestName, refuseUnknownOptions } from '../errors.ts'
import { type Splitting, splittings } from './splitting.ts'
import type {
  DecodeOptions,
  EncodeOptions,
  SpecialIndices,
  SpecialTokens,
  Vocabulary,
  VocabularyJSON,
} from './vocabulary.ts'

export const specialNames = [
  'padding',
  'unknown',
  'start',
  'end',
] as const satisfies readonly (keyof SpecialTokens)[]

export interface TokenListParts {
  kind: 'characters' | 'words'
  /** Special tokens among them. */
  tokens: readonly string[]
  specials: SpecialTokens
  /** How a text becomes tokens. */
  splitting: Splitting
  lowerCase: boolean
}

export class TokenList implements Vocabulary {
  readonly kind: TokenListParts['kind']
  readonly specials: SpecialIndices
  readonly #parts: TokenListParts
  readonly #indices: ReadonlyMap<string, number>
  readonly #isSpecial: ReadonlySet<number>

  /** @throws {RangeError | TypeError} if a token comes twice, is no text, or a special one is missing in the list */
  constructor(parts: TokenListParts) {
    const { kind, tokens, specials } = parts
    const indices = new Map<string, number>()
    for (const [index, token] of tokens.entries()) {
      if (typeof token !== 'string' || token === '')
        throw new TypeError(
          `Vocabulary: expected token ${index} to be a text of a character or more, got ${describe(token)}`,
        )
      const before = indices.get(token)
      if (before !== undefined)
        throw new RangeError(
          `Vocabulary: expected each token once, got ${describe(token)} at ${before} and ${index}`,
        )
      indices.set(token, index)
    }
    if (indices.size === 0) throw new RangeError('Vocabulary: expected at least one token, got none')
    const found: { [name in keyof SpecialTokens]?: number } = {}
    for (const name of specialNames) {
      const token = specials[name]
      if (token === undefined) continue
      found[name] = indices.get(token)
      if (found[name] === undefined)
        throw new RangeError(`Vocabulary: expected the ${name} token ${describe(token)} among the tokens`)
    }
    this.kind = kind
    this.specials = found
    this.#parts = parts
    this.#indices = indices
    this.#isSpecial = new Set(Object.values(found))
  }

  get size(): number {
    return this.#parts.tokens.length
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    refuseUnknownOptions('encode', options, ['start', 'end'])
    const { split } = splittings[this.#parts.splitting]
    const { unknown } = this.specials
    const indices = options.start ? [this.#require('start')] : []
    for (const token of split(this.#parts.lowerCase ? text.toLowerCase() : text)) {
      const index = this.#indices.get(token) ?? unknown
      if (index === undefined) throw this.#strange(token, text)
      indices.push(index)
    }
    if (options.end) indices.push(this.#require('end'))
    return Int32Array.from(indices)
  }

  decode(indices: ArrayLike<number>, options: DecodeOptions = {}): string {
    refuseUnknownOptions('decode', options, ['specials'])
    const tokens = Array.from(indices, (index) => this.tokenAt(index))
    const shown = options.specials ? tokens : tokens.filter((_, n) => !this.#isSpecial.has(indices[n]))
    return shown.join(splittings[this.#parts.splitting].between)
  }

  tokenAt(index: number): string {
    const token = this.#parts.tokens[index]
    if (token !== undefined) return token
    throw new RangeError(`Vocabulary: expected an index in [0, ${this.size}), got ${describe(index)}`)
  }

  indexOf(token: string): number | undefined {
    return this.#indices.get(token)
  }

  lastCut(text: string): number {
    return splittings[this.#parts.splitting].lastCut(text)
  }

  toJSON(): VocabularyJSON {
    return { version: 1, ...this.#parts }
  }

  #require(name: 'start' | 'end'): number {
    const index = this.specials[name]
    if (index !== undefined) return index
    throw new RangeError(
      `encode: the vocabulary has no ${name} token; make it with specials: { ${name}: '<${name}>' }`,
    )
  }

  #strange(token: string, text: string): RangeError {
    const nearest = this.kind === 'words' ? nearestName(token, this.#parts.tokens) : undefined
    const hint = nearest ? `; the nearest is ${describe(nearest)}` : ''
    const point =
      this.kind === 'characters'
        ? ` (U+${token.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')})`
        : ''
    const position = this.#parts.lowerCase ? text.toLowerCase().indexOf(token) : text.indexOf(token)
    return new RangeError(
      `encode: expected tokens of the vocabulary, got ${describe(token)}${point} at position ${position}${hint}; ` +
        "make the vocabulary with an unknown token, specials: { unknown: '<unk>' }, or of all the texts",
    )
  }
}
