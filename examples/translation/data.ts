/** Multi30k (Elliott et al. 2016): captions of pictures in German and English, a sentence a line, tokens apart. */
import { readFileSync } from 'node:fs'
import { DataError, type DataSet, parallelText } from 'lstm-native'
import { type Vocabulary, wordVocabulary } from 'lstm-native/text'

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

/** @throws {DataError} if the two files do not hold a sentence for each other's */
export function readPairs(name: string, path: (file: string) => string): Pairs {
  const [de, en] = [path(`translation/${name}.de`), path(`translation/${name}.en`)]
  const [source, target] = [readSentences(de), readSentences(en)]
  if (source.length === target.length) return { source, target }
  throw new DataError({
    file: en,
    place: `line ${Math.min(source.length, target.length) + 1}`,
    expected: `${source.length} lines, as many as ${de} has`,
    got: String(target.length),
    fix: 'one of the two is cut off; fetch both anew',
  })
}

/** @throws {DataError} if the file is no UTF-8, is cut off, or has a line without words */
function readSentences(file: string): string[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (cause) {
    const fix = 'convert it, with iconv for example'
    throw new DataError({ file, expected: 'text in UTF-8', got: 'other bytes', fix, cause })
  }
  if (text === '')
    throw new DataError({ file, expected: 'a sentence a line', got: 'an empty file', fix: 'fetch it anew' })
  const lines = text.split('\n')
  if (lines.pop() !== '') {
    const place = `line ${lines.length + 1}`
    throw new DataError({
      file,
      place,
      expected: 'a line break at the end',
      got: 'none',
      fix: 'it is cut off; fetch it anew',
    })
  }
  const empty = lines.findIndex((line) => line.trim() === '')
  if (empty < 0) return lines
  const fix = 'leave the pair out of both files'
  throw new DataError({ file, place: `line ${empty + 1}`, expected: 'a sentence', got: 'an empty line', fix })
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
