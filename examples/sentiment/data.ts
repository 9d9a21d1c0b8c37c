/** The sentences of rt-polarity, read and checked. */
import { DataError, type DataSet, dataSet, tensor } from 'lstm-native'
import type { Vocabulary } from 'lstm-native/text'
import { readLines } from '../support/lines.ts'

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

/** The sentences as indices of a vocabulary, each with one number as target. */
export function encode({ texts, labels }: Sentences, vocabulary: Vocabulary): DataSet {
  return dataSet({
    x: texts.map((text) => vocabulary.encode(text)),
    y: tensor(Float32Array.from(labels), { shape: [labels.length, 1] }),
  })
}
