/** Multi30k (Elliott et al. 2016): captions of pictures in German and English, a sentence a line, tokens apart. */
import { DataError, type DataSet, parallelText } from 'lstm-native'
import { type Vocabulary, wordVocabulary } from 'lstm-native/text'
import { readLines } from '../support/lines.ts'

export interface Pairs {
  source: readonly string[]
  target: readonly string[]
}

export interface Vocabularies {
  source: Vocabulary
  target: Vocabulary
}

export const files = ['train', 'val', 'test_2016_flickr'].flatMap((name) => [
  `translation/${name}.de`,
  `translation/${name}.en`,
])

/** @throws {DataError} if a file cannot be read, or the two do not hold a sentence for each other's */
export function readPairs(name: string, path: (file: string) => string): Pairs {
  const [de, en] = [path(`translation/${name}.de`), path(`translation/${name}.en`)]
  const [source, target] = [readLines(de), readLines(en)]
  if (source.length === target.length) return { source, target }
  throw new DataError({
    file: en,
    place: `line ${Math.min(source.length, target.length) + 1}`,
    expected: `${source.length} lines, as many as ${de} has`,
    got: String(target.length),
    fix: 'one of the two is cut off; fetch both anew',
  })
}

/** The words of either language that come so often or more. */
export function makeVocabularies({ source, target }: Pairs, minimumCount: number): Vocabularies {
  return {
    source: wordVocabulary(source, { minimumCount }),
    target: wordVocabulary(target, { minimumCount }),
  }
}

export function encodeSource(sentence: string, { source }: Vocabularies): Int32Array {
  return source.encode(sentence, { end: true })
}

export function encodePairs(pairs: Pairs, vocabularies: Vocabularies): DataSet {
  return parallelText({
    source: pairs.source.map((sentence) => encodeSource(sentence, vocabularies)),
    target: pairs.target.map((sentence) => vocabularies.target.encode(sentence, { end: true })),
  })
}
