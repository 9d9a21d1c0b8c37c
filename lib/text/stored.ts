/** Vocabularies in files: beside a model, in its metadata. */
import { describe, FileFormatError } from '../errors.ts'
import { readMetadata } from '../formats/checkpoint.ts'
import { type Splitting, splittings } from './splitting.ts'
import { specialNames, TokenList } from './token-list.ts'
import { makeTokenizer, type TokenizerParts } from './tokenizer.ts'
import type { Vocabulary, VocabularyJSON } from './vocabulary.ts'

const key = 'lstm_native.vocabulary'

/**
 * Vocabularies as texts for the metadata of a model: `save(model, path, { metadata: vocabularyMetadata(vocabulary) })`.
 *
 * @param vocabularies one, or several under names of their own: `{ source, target }`
 */
export function vocabularyMetadata(
  vocabularies: Vocabulary | Readonly<Record<string, Vocabulary>>,
): Record<string, string> {
  if (isVocabulary(vocabularies)) return { [key]: JSON.stringify(vocabularies) }
  return Object.fromEntries(
    Object.entries(vocabularies).map(([name, each]) => {
      if (isVocabulary(each)) return [`${key}.${name}`, JSON.stringify(each)]
      throw new TypeError(`vocabularyMetadata: expected ${name} to be a vocabulary, got ${describe(each)}`)
    }),
  )
}

/**
 * The vocabulary that a model was saved with.
 *
 * @param name of one of several
 * @throws {FileFormatError} if the file cannot be read, or has no such vocabulary
 */
export async function loadVocabulary(path: string, name?: string): Promise<Vocabulary> {
  const wanted = name === undefined ? key : `${key}.${name}`
  const metadata = await readMetadata(path)
  const text = metadata.get(wanted)
  if (text === undefined) {
    const there = [...metadata.keys()].filter((each) => each.startsWith(key)).join(', ') || 'none'
    throw new FileFormatError(
      `${path}: expected a vocabulary under ${wanted} in its metadata, found ${there}; ` +
        'save it with the model: save(model, path, { metadata: vocabularyMetadata(vocabulary) })',
      { code: 'NoVocabulary', path },
    )
  }
  try {
    return await vocabularyFromJSON(JSON.parse(text))
  } catch (cause) {
    throw new FileFormatError(`${path}: its vocabulary ${wanted} is damaged: ${(cause as Error).message}`, {
      code: 'InvalidVocabulary',
      path,
      cause,
    })
  }
}

/**
 * The vocabulary again that `toJSON` made an object of.
 *
 * @throws {TypeError | RangeError | FileFormatError} if it is none
 */
export async function vocabularyFromJSON(json: VocabularyJSON): Promise<Vocabulary> {
  const place = 'vocabularyFromJSON'
  if (json?.version !== 1) throw new TypeError(`${place}: expected version 1, got ${describe(json?.version)}`)
  const { kind, specials } = json
  if (specials === null || typeof specials !== 'object')
    throw new TypeError(`${place}: expected specials to be an object, got ${describe(specials)}`)
  const odd = Object.entries(specials).find(
    ([name, token]) => !specialNames.includes(name as 'unknown') || typeof token !== 'string',
  )
  if (odd) throw new TypeError(`${place}: expected special tokens by name, got ${odd[0]} ${describe(odd[1])}`)
  if (kind === 'tokenizer') return makeTokenizer(place, json as unknown as TokenizerParts)
  if (kind !== 'characters' && kind !== 'words')
    throw new TypeError(`${place}: expected kind 'characters', 'words' or 'tokenizer', got ${describe(kind)}`)
  const { tokens, splitting, lowerCase } = json
  if (!Array.isArray(tokens))
    throw new TypeError(`${place}: expected tokens in an array, got ${describe(tokens)}`)
  if (typeof splitting !== 'string' || !Object.hasOwn(splittings, splitting))
    throw new TypeError(
      `${place}: expected splitting to be one of ${Object.keys(splittings).join(', ')}, got ${describe(splitting)}`,
    )
  return new TokenList({
    kind,
    tokens,
    specials,
    splitting: splitting as Splitting,
    lowerCase: lowerCase === true,
  })
}

function isVocabulary(value: unknown): value is Vocabulary {
  return value !== null && typeof value === 'object' && typeof (value as Vocabulary).encode === 'function'
}
