/** Sub-word vocabularies of others: byte-pair encoding and what else a `tokenizer.json` describes. */
import { readFile } from 'node:fs/promises'
import type { Tokenizer } from '@huggingface/tokenizers'
import { describe, FileFormatError, refuseUnknownOptions } from '../errors.ts'
import { lastSpace } from './splitting.ts'
import type {
  DecodeOptions,
  EncodeOptions,
  SpecialIndices,
  SpecialTokens,
  Vocabulary,
  VocabularyJSON,
} from './vocabulary.ts'

/** What a `tokenizer.json` says, and which of its tokens are special in what way. */
export interface TokenizerParts {
  definition: object
  specials: SpecialTokens
}

/**
 * Reads a `tokenizer.json`, as the tokenizers of Hugging Face are saved: byte-pair encoding (Sennrich et al. 2016), WordPiece or
 * Unigram, with its normaliser, pre-tokeniser and decoder. Texts are encoded without what its post-processor would add: start
 * and end tokens come by the options of `encode`.
 *
 * @param options.specials which of its tokens stand for padding, unknown, start and end; default: none
 * @throws {FileFormatError} if the file cannot be read or is none
 * @throws {RangeError} if a special token is none of its tokens
 */
export async function loadTokenizer(
  path: string,
  options: { specials?: SpecialTokens } = {},
): Promise<Vocabulary> {
  refuseUnknownOptions('loadTokenizer', options, ['specials'])
  let definition: unknown
  try {
    definition = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    const isSyntax = cause instanceof SyntaxError
    throw new FileFormatError(
      `${path}: ${isSyntax ? 'is no JSON' : 'cannot be read'}: ${(cause as Error).message}`,
      {
        code: isSyntax ? 'InvalidTokenizer' : 'Unreadable',
        path,
        cause,
      },
    )
  }
  return makeTokenizer(path, { definition: definition as object, specials: options.specials ?? {} })
}

/** @param place the file the parts are from, for messages */
export async function makeTokenizer(place: string, parts: TokenizerParts): Promise<Vocabulary> {
  const fail = (message: string, cause?: unknown): never => {
    throw new FileFormatError(`${place}: ${message}`, { code: 'InvalidTokenizer', path: place, cause })
  }
  const { definition } = parts
  if (definition === null || typeof definition !== 'object' || !('model' in definition))
    fail(`expected a tokenizer.json, an object with a model, got ${describe(definition)}`)
  const { Tokenizer } = await import('@huggingface/tokenizers')
  let tokenizer: Tokenizer
  try {
    tokenizer = new Tokenizer(definition, {})
  } catch (cause) {
    return fail(`its tokenizer cannot be built: ${(cause as Error).message}`, cause)
  }
  return new TokenizerVocabulary(tokenizer, parts)
}

class TokenizerVocabulary implements Vocabulary {
  readonly kind = 'tokenizer'
  readonly size: number
  readonly specials: SpecialIndices
  readonly #tokenizer: Tokenizer
  readonly #parts: TokenizerParts

  constructor(tokenizer: Tokenizer, parts: TokenizerParts) {
    const largest = Math.max(
      ...tokenizer.get_vocab().values(),
      ...tokenizer.get_added_tokens_decoder().keys(),
    )
    this.size = largest + 1
    const found: Record<string, number> = {}
    for (const [name, token] of Object.entries(parts.specials)) {
      if (token === undefined) continue
      const index = tokenizer.token_to_id(token)
      if (index === undefined)
        throw new RangeError(`loadTokenizer: expected the ${name} token ${describe(token)} among the tokens`)
      found[name] = index
    }
    this.specials = found
    this.#tokenizer = tokenizer
    this.#parts = parts
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    refuseUnknownOptions('encode', options, ['start', 'end'])
    const { ids }: { ids: number[] } = this.#tokenizer.encode(text, { add_special_tokens: false })
    const odd = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0))
    if (odd >= 0)
      throw new RangeError(`encode: the tokenizer has no index for part ${odd} of ${describe(text)}`)
    const start = options.start ? [this.#require('start')] : []
    const end = options.end ? [this.#require('end')] : []
    return Int32Array.from([...start, ...ids, ...end])
  }

  decode(indices: ArrayLike<number>, options: DecodeOptions = {}): string {
    refuseUnknownOptions('decode', options, ['specials'])
    const ids = Array.from(indices)
    for (const id of ids) this.tokenAt(id)
    const own = new Set(Object.values(this.specials))
    const shown = options.specials ? ids : ids.filter((id) => !own.has(id))
    // The package refuses to decode nothing.
    if (shown.length === 0) return ''
    return this.#tokenizer.decode(shown, {
      skip_special_tokens: !options.specials,
      clean_up_tokenization_spaces: false,
    })
  }

  tokenAt(index: number): string {
    const token = this.#tokenizer.id_to_token(index)
    if (token !== undefined) return token
    throw new RangeError(`Vocabulary: expected an index in [0, ${this.size}), got ${describe(index)}`)
  }

  indexOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token)
  }

  /** Before white space: pre-tokenisers put it at the beginning of the word that follows, or leave it out. */
  lastCut(text: string): number {
    return lastSpace(text)
  }

  toJSON(): VocabularyJSON {
    return { version: 1, kind: 'tokenizer', ...this.#parts }
  }

  #require(name: 'start' | 'end'): number {
    const index = this.specials[name]
    if (index !== undefined) return index
    throw new RangeError(
      `encode: the tokenizer has no ${name} token; load it with specials: { ${name}: '...' }`,
    )
  }
}
