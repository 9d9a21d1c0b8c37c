/** Word vectors that others have trained, for the embedding of a vocabulary. */
import { DataError, describe, refuseUnknownOptions } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Embedding } from '../layers/embedding.ts'
import { textLines } from './blocks.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface WordVectorsOptions {
  vocabulary: Vocabulary
  /** Gets the vectors; `embeddingSize` must be theirs, `vocabularySize` that of the vocabulary. */
  embedding: Embedding
}

export interface WordVectorsFound {
  /** Tokens that have a vector now. */
  found: number
  /** Tokens that the file has not, special ones included: they keep the values they had. */
  missing: string[]
}

/**
 * Reads a text file of word vectors, a word and its numbers a line, as GloVe, fastText (`.vec`) and word2vec write them, and
 * sets the rows of an embedding to those of its tokens. Where a word comes twice the first counts. The file is read in blocks
 * and need not fit in memory; if it is refused the embedding is left as it was.
 *
 * @throws {TypeError | RangeError} if an option is unknown, or embedding and vocabulary differ in size
 * @throws {DataError} if the file cannot be read, is not UTF-8, or a line has another number of values than the embedding, or
 *   one that is no finite number: names the line
 */
export async function loadWordVectors(path: string, options: WordVectorsOptions): Promise<WordVectorsFound> {
  refuseUnknownOptions('loadWordVectors', options, ['vocabulary', 'embedding'])
  const { vocabulary, embedding } = options
  if (typeof vocabulary?.indexOf !== 'function')
    throw new TypeError(`loadWordVectors: expected a vocabulary, got ${describe(vocabulary)}`)
  if (!(embedding instanceof Embedding))
    throw new TypeError(`loadWordVectors: expected an Embedding, got ${describe(embedding)}`)
  const { weight } = embedding
  const [V, E] = weight.shape
  if (V !== vocabulary.size) {
    throw new RangeError(
      `loadWordVectors: expected an embedding of ${vocabulary.size} tokens, as the vocabulary has, got ${V}`,
    )
  }
  const rows = weight.array.slice() as FloatArray
  const found = new Set<number>()
  let number = 0
  let hasBegun = false
  for await (const line of textLines(path)) {
    number++
    const fields = line.trimEnd().split(' ')
    // fastText and word2vec begin with how many vectors there are, and their size.
    if (number === 1 && E > 1 && fields.length === 2 && fields.every((field) => /^\d+$/.test(field))) continue
    // Later on more fields are a word with blanks in it: GloVe has some.
    if (fields.length < E + 1 || (!hasBegun && fields.length > E + 1)) {
      throw new DataError({
        file: path,
        place: `line ${number}`,
        expected: `a word and ${E} numbers, as embeddingSize says`,
        got: `${fields.length - 1} numbers`,
        fix: 'make the embedding of the size of the vectors, or fetch the file again if it was cut off',
      })
    }
    hasBegun = true
    const index = vocabulary.indexOf(fields.slice(0, -E).join(' '))
    if (index === undefined || found.has(index)) continue
    for (const [i, field] of fields.slice(-E).entries()) {
      const value = Number(field)
      if (field === '' || !Number.isFinite(value)) {
        throw new DataError({
          file: path,
          place: `line ${number}, value ${i + 1}`,
          expected: 'a finite number',
          got: JSON.stringify(field),
        })
      }
      rows[index * E + i] = value
    }
    found.add(index)
  }
  if (!hasBegun) throw new DataError({ file: path, expected: 'word vectors', got: 'an empty file' })
  weight.write(rows)
  const tokens = Array.from({ length: V }, (_, index) => index)
  return {
    found: found.size,
    missing: tokens.filter((index) => !found.has(index)).map((index) => vocabulary.tokenAt(index)),
  }
}
