/** Texts a line each, in a file of any size, as a data set that can be shuffled. */
import { closeSync, openSync, readSync } from 'node:fs'
import { DataError, refuseUnknownOptions, requireInteger } from '../errors.ts'
import { Tensor } from '../tensor.ts'
import type { Batch, DataSet } from '../training/dataset.ts'
import {
  afterLastLine,
  blocksOf,
  cutOff,
  encodeBlock,
  linesWithEnds,
  openText,
  withoutEnd,
} from './blocks.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface LineDataSetOptions {
  /** With start and end tokens. */
  vocabulary: Vocabulary
  /** Tokens of a sequence at most, the start token included: the rest of a line is left out; default: all. */
  maximumLength?: number
}

/** Where the lines with text in them stand in the file, in bytes, and how many tokens x has of each. */
interface Places {
  starts: readonly number[]
  ends: readonly number[]
  lengths: readonly number[]
}

/**
 * The lines of a text file as sequences for a model of tokens: x is the start token and the line, y the line and the end token.
 * Lines without text are left out. Lines stay in the file, and are read when a batch is made; in memory are their places. Made
 * by `openLines`.
 */
export class LineDataSet implements DataSet {
  /** Lines with text in them. */
  readonly size: number
  readonly #path: string
  readonly #vocabulary: Vocabulary
  readonly #places: Places
  readonly #file: number

  /** @internal Use `openLines`. */
  constructor(path: string, vocabulary: Vocabulary, places: Places) {
    this.#path = path
    this.#vocabulary = vocabulary
    this.#places = places
    this.size = places.lengths.length
    this.#file = openSync(path, 'r')
  }

  lengthOf(index: number): number {
    return this.#places.lengths[index]
  }

  batch(indices: ArrayLike<number>): Batch {
    const B = indices.length
    const lengths = Int32Array.from(indices, (index) => this.lengthOf(index))
    const T = Math.max(...lengths)
    const padding = this.#vocabulary.specials.padding ?? 0
    const x = new Int32Array(B * T).fill(padding)
    const y = new Int32Array(B * T).fill(padding)
    for (let b = 0; b < B; b++) {
      const tokens = this.#vocabulary.encode(this.#read(indices[b]), { start: true, end: true })
      x.set(tokens.subarray(0, lengths[b]), b * T)
      y.set(tokens.subarray(1, lengths[b] + 1), b * T)
    }
    return { x: new Tensor([B, T], x), y: new Tensor([B, T], y), lengths }
  }

  /** Closes the file; no batch can be made after that. */
  close(): void {
    closeSync(this.#file)
  }

  #read(index: number): string {
    const [start, end] = [this.#places.starts[index], this.#places.ends[index]]
    const bytes = Buffer.alloc(end - start)
    let read = 0
    while (read < bytes.length) {
      const more = readSync(this.#file, bytes, read, bytes.length - read, start + read)
      if (more === 0) throw cutOff(this.#path, { expected: end, got: start + read })
      read += more
    }
    return bytes.toString('utf8')
  }
}

/**
 * Opens a text file as a data set of its lines. The file is read once, to find the lines and count their tokens, so that what is
 * wrong with it is known before training starts.
 *
 * @throws {DataError} if the file cannot be read, is not UTF-8, has a token that is not in the vocabulary, or no line with text
 * @throws {RangeError} for a vocabulary without start or end token
 */
export async function openLines(path: string, options: LineDataSetOptions): Promise<LineDataSet> {
  refuseUnknownOptions('openLines', options, ['vocabulary', 'maximumLength'])
  const { vocabulary, maximumLength = Number.MAX_SAFE_INTEGER } = options
  requireInteger('openLines', 'maximumLength', maximumLength)
  // Throws where they are missing.
  vocabulary.encode('', { start: true, end: true })
  const places = { starts: [] as number[], ends: [] as number[], lengths: [] as number[] }
  const add = (text: string, start: number): void => {
    if (text.trim() === '') return
    const { length } = encodeBlock(path, vocabulary, { text, start })
    places.starts.push(start)
    places.ends.push(start + Buffer.byteLength(text))
    places.lengths.push(Math.min(length + 1, maximumLength))
  }

  const file = await openText(path)
  try {
    const { size } = await file.stat()
    for await (const block of blocksOf(file, path, { start: 0, end: size }, afterLastLine)) {
      let at = block.start
      for (const line of linesWithEnds(block.text)) {
        add(withoutEnd(line), at)
        at += Buffer.byteLength(line)
      }
    }
  } finally {
    await file.close()
  }
  if (places.lengths.length === 0) {
    const fix = 'bring the file that has them'
    throw new DataError({ file: path, expected: 'a line with text in it', got: 'none', fix })
  }
  return new LineDataSet(path, vocabulary, places)
}
