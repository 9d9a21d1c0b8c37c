/** The sentences of rt-polarity, read and checked. */
import { readFileSync } from 'node:fs'
import { DataError, type DataSet, dataSet, tensor } from 'lstm-native'
import type { Vocabulary } from 'lstm-native/text'

/** Sentences in lower case, their tokens apart; labels 0 for rotten, 1 for fresh. */
export interface Sentences {
  texts: readonly string[]
  labels: readonly number[]
}

/**
 * @param files of the negative and the positive sentences, one a line, in UTF-8
 * @throws {DataError} if a file is in another encoding, cut off or has an empty line, or one has more sentences than the other
 */
export function readSentences(files: { negative: string; positive: string }): Sentences {
  const [negative, positive] = [files.negative, files.positive].map(readLines)
  if (negative.length !== positive.length) {
    const [short, long] =
      negative.length < positive.length
        ? (['negative', 'positive'] as const)
        : (['positive', 'negative'] as const)
    const [fewer, more] = [negative.length, positive.length].sort((a, b) => a - b)
    throw new DataError({
      file: files[short],
      expected: `${more} sentences, as many as ${files[long]} has`,
      got: String(fewer),
      fix: 'fetch the file again',
    })
  }
  return {
    texts: [...negative, ...positive],
    labels: [...negative.map(() => 0), ...positive.map(() => 1)],
  }
}

function readLines(file: string): string[] {
  const bytes = readFileSync(file)
  if (bytes.length === 0) throw new DataError({ file, expected: 'a sentence a line', got: 'an empty file' })
  const lines: string[] = []
  // Only a line feed ends a sentence: some hold U+0085, which stood for an ellipsis once.
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start)
    const place = `line ${lines.length + 1}`
    if (end < 0) {
      const got = 'a sentence that breaks off'
      throw new DataError({
        file,
        place,
        expected: 'a line feed at the end',
        got,
        fix: 'fetch the file again',
      })
    }
    const line = decode(bytes.subarray(start, end), { file, place })
    if (line.trim() === '') throw new DataError({ file, place, expected: 'a sentence', got: 'an empty line' })
    lines.push(line)
    start = end + 1
  }
  return lines
}

function decode(bytes: Buffer, where: { file: string; place: string }): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    // The files were first published in Latin-1.
    throw new DataError({
      ...where,
      expected: 'text in UTF-8',
      got: `bytes that are none: ${JSON.stringify(bytes.toString('latin1').trim())} if they are Latin-1`,
      fix: `convert the file: iconv -f latin1 -t utf-8 ${where.file}`,
      cause,
    })
  }
}

/** The sentences as indices of a vocabulary, each with one number as target. */
export function encode({ texts, labels }: Sentences, vocabulary: Vocabulary): DataSet {
  return dataSet({
    x: texts.map((text) => vocabulary.encode(text)),
    y: tensor(Float32Array.from(labels), { shape: [labels.length, 1] }),
  })
}
