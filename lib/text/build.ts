/** Vocabularies made of the texts they are for. */
import { describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import { type Splitting, splittings } from './splitting.ts'
import { specialNames, TokenList } from './token-list.ts'
import type { SpecialTokens, Vocabulary } from './vocabulary.ts'

export interface CharacterVocabularyOptions {
  /** Characters that come less often are left out, which needs an unknown token; default 1. */
  minimumCount?: number
  /** Default: none. */
  specials?: SpecialTokens
  /** Default false. */
  lowerCase?: boolean
}

export interface WordVocabularyOptions {
  /** Words that come less often are left out; default 1. */
  minimumCount?: number
  /** Most tokens, special ones included: the most frequent words; default: all. */
  maximumSize?: number
  /** Default `<pad>`, `<unk>`, `<s>` and `</s>`, in this order from 0; a name set to undefined leaves one out. */
  specials?: SpecialTokens
  /**
   * `whitespace` (default): words are what stands between white space. `words`: runs of letters and digits, with
   * apostrophes inside, and every other visible character alone.
   */
  split?: 'whitespace' | 'words'
  /** Default false. */
  lowerCase?: boolean
}

const wordSpecials: SpecialTokens = { padding: '<pad>', unknown: '<unk>', start: '<s>', end: '</s>' }

type Texts = string | Iterable<string>

/**
 * The characters (Unicode code points) of texts, in the order of their code points, special tokens before them.
 *
 * @param texts one text, or many; of an async iterable, such as the lines of a file, in a promise
 * @throws {RangeError} if there are none
 */
export function characterVocabulary(texts: Texts, options?: CharacterVocabularyOptions): Vocabulary
export function characterVocabulary(
  texts: AsyncIterable<string>,
  options?: CharacterVocabularyOptions,
): Promise<Vocabulary>
export function characterVocabulary(
  texts: Texts | AsyncIterable<string>,
  options: CharacterVocabularyOptions = {},
): Vocabulary | Promise<Vocabulary> {
  refuseUnknownOptions('characterVocabulary', options, ['minimumCount', 'specials', 'lowerCase'])
  const { minimumCount = 1, lowerCase = false } = options
  const specials = completeSpecials('characterVocabulary', options.specials ?? {})
  requireInteger('characterVocabulary', 'minimumCount', minimumCount)
  return counted('characterVocabulary', texts, { splitting: 'characters', lowerCase }, (counts) => {
    const kept = [...counts].filter(([, count]) => count >= minimumCount).map(([token]) => token)
    kept.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!)
    const first = namesOf(specials)
    const tokens = [...first, ...kept.filter((token) => !first.includes(token))]
    return new TokenList({ kind: 'characters', tokens, specials, splitting: 'characters', lowerCase })
  })
}

/**
 * The words of texts, the most frequent first, those of equal count in the order of their UTF-16 units; special tokens before
 * them. Words that are left out are encoded as the unknown token.
 *
 * @param texts one text, or many; of an async iterable, such as the lines of a file, in a promise
 * @throws {RangeError} if there are none
 */
export function wordVocabulary(texts: Texts, options?: WordVocabularyOptions): Vocabulary
export function wordVocabulary(
  texts: AsyncIterable<string>,
  options?: WordVocabularyOptions,
): Promise<Vocabulary>
export function wordVocabulary(
  texts: Texts | AsyncIterable<string>,
  options: WordVocabularyOptions = {},
): Vocabulary | Promise<Vocabulary> {
  const place = 'wordVocabulary'
  refuseUnknownOptions(place, options, ['minimumCount', 'maximumSize', 'specials', 'split', 'lowerCase'])
  const { minimumCount = 1, maximumSize = Number.MAX_SAFE_INTEGER, split = 'whitespace' } = options
  const { lowerCase = false } = options
  const specials = completeSpecials(place, { ...wordSpecials, ...options.specials })
  requireInteger(place, 'minimumCount', minimumCount)
  requireInteger(place, 'maximumSize', maximumSize)
  if (split !== 'whitespace' && split !== 'words') {
    throw new TypeError(`${place}: expected split to be 'whitespace' or 'words', got ${describe(split)}`)
  }
  return counted(place, texts, { splitting: split, lowerCase }, (counts) => {
    const first = namesOf(specials)
    for (const token of first) counts.delete(token)
    const kept = [...counts].filter(([, count]) => count >= minimumCount)
    kept.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    const tokens = [...first, ...kept.map(([token]) => token)].slice(0, Math.max(maximumSize, first.length))
    return new TokenList({ kind: 'words', tokens, specials, splitting: split, lowerCase })
  })
}

/** Counts the tokens of texts, now or as they come, and makes the vocabulary of the counts. */
function counted(
  place: string,
  texts: Texts | AsyncIterable<string>,
  { splitting, lowerCase }: { splitting: Splitting; lowerCase: boolean },
  make: (counts: Map<string, number>) => Vocabulary,
): Vocabulary | Promise<Vocabulary> {
  const counts = new Map<string, number>()
  const { split } = splittings[splitting]
  const add = (text: string): void => {
    if (typeof text !== 'string') throw new TypeError(`${place}: expected texts, got ${describe(text)}`)
    for (const token of split(lowerCase ? text.toLowerCase() : text))
      counts.set(token, (counts.get(token) ?? 0) + 1)
  }
  const finish = (): Vocabulary => {
    if (counts.size === 0) throw new RangeError(`${place}: expected texts with at least one token, got none`)
    return make(counts)
  }
  if (typeof texts === 'string') add(texts)
  else if (texts !== null && typeof texts === 'object' && Symbol.iterator in texts)
    for (const text of texts) add(text)
  else if (texts !== null && typeof texts === 'object' && Symbol.asyncIterator in texts)
    return later(texts, add, finish)
  else throw new TypeError(`${place}: expected a text or an iterable of texts, got ${describe(texts)}`)
  return finish()
}

async function later(
  texts: AsyncIterable<string>,
  add: (text: string) => void,
  finish: () => Vocabulary,
): Promise<Vocabulary> {
  for await (const text of texts) add(text)
  return finish()
}

function namesOf(specials: SpecialTokens): string[] {
  return specialNames.flatMap((name) => specials[name] ?? [])
}

/** Those that are said. */
function completeSpecials(place: string, specials: SpecialTokens): SpecialTokens {
  refuseUnknownOptions(`${place}: specials`, specials, specialNames)
  return Object.fromEntries(Object.entries(specials).filter(([, token]) => token !== undefined))
}
