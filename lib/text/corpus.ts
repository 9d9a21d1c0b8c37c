/** Corpora: running text in a file of any size, as batches whose rows go on from batch to batch. */
import type { FileHandle } from 'node:fs/promises'
import { DataError, describe, refuseUnknownOptions, requireInteger } from '../errors.ts'
import { Tensor } from '../tensor.ts'
import type { BatchSource, EpochStart } from '../training/batching.ts'
import type { Batch } from '../training/dataset.ts'
import { blocksOf, cutFrom, encodeBlock, openText, type Span } from './blocks.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface CorpusOptions {
  vocabulary: Vocabulary
  /** B: rows, each of which reads a part of the text of its own, from its beginning to its end. */
  batchSize: number
  /** T: steps of a batch, and so the reach of the gradient. */
  steps: number
  /** Which part of the file is read: from and to, as fractions of its bytes; default [0, 1], all of it. */
  part?: readonly [from: number, to: number]
  /** Whether each epoch's rows begin a random number of tokens below `steps` later, and so are cut elsewhere; default false. */
  shift?: boolean
}

/** One row's part of the text. */
interface Row extends Span {
  /** How many tokens it predicts: all of its own but the first, and the first of the next row. */
  targets: number
}

/**
 * A text as what a model of its tokens learns from: x [B, T] and y [B, T], the tokens that follow those of x. Row b of a batch
 * goes on where row b of the batch before ended, which the batches say by `continues`, so that `fit` and `evaluate` carry the
 * state: truncated backpropagation through time. Every token but the very first is a target once. Made by `openCorpus`.
 */
export class Corpus implements BatchSource {
  /** Tokens of the part that is read. */
  readonly tokens: number
  /** Batches of an epoch. */
  readonly count: number
  readonly #path: string
  readonly #options: Required<CorpusOptions>
  readonly #rows: readonly Row[]
  readonly #firsts: readonly number[]

  /** @internal Use `openCorpus`. */
  constructor(
    path: string,
    options: Required<CorpusOptions>,
    { tokens, rows, firsts }: { tokens: number; rows: readonly Row[]; firsts: readonly number[] },
  ) {
    this.#path = path
    this.#options = options
    this.#rows = rows
    this.#firsts = firsts
    this.tokens = tokens
    this.count = Math.ceil(Math.max(...rows.map(({ targets }) => targets)) / options.steps)
  }

  async *open({ random }: EpochStart): AsyncGenerator<Batch> {
    const { steps, shift } = this.#options
    const skip = shift ? random.integer(steps) : 0
    const file = await openText(this.#path)
    try {
      const readers = this.#rows.map((row, b) => this.#reader(file, row, this.#firsts[b + 1]))
      for (const reader of readers) await reader.skip(skip)
      const left = this.#rows.map(({ targets }) => targets - skip)
      for (let n = 0; n < this.count; n++) {
        const lengths = Int32Array.from(left, (targets) => Math.min(Math.max(targets - n * steps, 0), steps))
        const T = Math.max(...lengths)
        // The shift may have used up the last batch.
        if (T > 0) yield { ...(await batchOf(readers, lengths, T)), continues: n > 0 }
      }
    } finally {
      await file.close()
    }
  }

  #reader(file: FileHandle, row: Row, next: number | undefined): RowReader {
    const { vocabulary } = this.#options
    return new RowReader(tokensOf(file, this.#path, row, vocabulary), next)
  }
}

/**
 * Opens a text file as a corpus. The file is read once to count its tokens, so that what is wrong with it is known before
 * training starts; after that an epoch at a time, in blocks: it need not fit in memory.
 *
 * @throws {DataError} if the file cannot be read, is not UTF-8, has a token that is not in the vocabulary, or too little text for
 *   so many rows
 */
export async function openCorpus(path: string, options: CorpusOptions): Promise<Corpus> {
  const place = 'openCorpus'
  refuseUnknownOptions(place, options, ['vocabulary', 'batchSize', 'steps', 'part', 'shift'])
  const { vocabulary, batchSize, steps, part = [0, 1], shift = false } = options
  requireInteger(place, 'batchSize', batchSize)
  requireInteger(place, 'steps', steps)
  if (typeof vocabulary?.encode !== 'function')
    throw new TypeError(`${place}: expected a vocabulary, got ${describe(vocabulary)}`)
  if (typeof shift !== 'boolean')
    throw new TypeError(`${place}: expected shift to be true or false, got ${describe(shift)}`)
  const [from, to] = part
  if (!(from >= 0 && from < to && to <= 1))
    throw new RangeError(
      `${place}: expected part to be two fractions of the file, the lower first, got [${part}]`,
    )

  const file = await openText(path)
  try {
    const { size } = await file.stat()
    const bounds: number[] = []
    for (let b = 0; b <= batchSize; b++) {
      const position = Math.round(size * from + (size * (to - from) * b) / batchSize)
      bounds.push(await cutFrom(file, position, { size, kind: vocabulary.kind }))
    }
    const rows: Row[] = []
    const firsts: number[] = []
    let tokens = 0
    for (let b = 0; b < batchSize; b++) {
      const span = { start: bounds[b], end: bounds[b + 1] }
      let own = 0
      for await (const block of tokensOf(file, path, span, vocabulary)) {
        if (own === 0 && block.length > 0) firsts.push(block[0])
        own += block.length
      }
      if (own < 2) {
        throw new DataError({
          file: path,
          place: `bytes ${span.start} to ${span.end}, row ${b} of ${batchSize}`,
          expected: '2 tokens or more',
          got: String(own),
          fix: 'bring more text or lower batchSize',
        })
      }
      tokens += own
      rows.push({ ...span, targets: own - (b === batchSize - 1 ? 1 : 0) })
    }
    return new Corpus(path, { vocabulary, batchSize, steps, part, shift }, { tokens, rows, firsts })
  } finally {
    await file.close()
  }
}

async function* tokensOf(
  file: FileHandle,
  path: string,
  span: Span,
  vocabulary: Vocabulary,
): AsyncGenerator<Int32Array> {
  const lastCut = (text: string) => vocabulary.lastCut(text)
  for await (const block of blocksOf(file, path, span, lastCut)) yield encodeBlock(path, vocabulary, block)
}

/** x and y of the next steps of every row, padded with zeros where a row is shorter. */
async function batchOf(readers: readonly RowReader[], lengths: Int32Array, T: number): Promise<Batch> {
  const B = readers.length
  const [x, y] = [new Int32Array(B * T), new Int32Array(B * T)]
  for (let b = 0; b < B; b++) {
    const [from, to] = [b * T, b * T + lengths[b]]
    await readers[b].read(x.subarray(from, to), y.subarray(from, to))
  }
  const batch = { x: new Tensor([B, T], x), y: new Tensor([B, T], y) }
  return lengths.every((length) => length === T) ? batch : { ...batch, lengths }
}

/** The tokens of a row, in portions of any size, and after them the first of the next row. */
class RowReader {
  readonly #blocks: AsyncGenerator<Int32Array>
  readonly #next: number | undefined
  #block: Int32Array = new Int32Array()
  #at = 0
  #current: number | undefined

  constructor(blocks: AsyncGenerator<Int32Array>, next: number | undefined) {
    this.#blocks = blocks
    this.#next = next
  }

  async skip(count: number): Promise<void> {
    const skipped = new Int32Array(count)
    await this.read(skipped, skipped)
  }

  /** Fills x with tokens and y with those that follow them; x may be y. */
  async read(x: Int32Array, y: Int32Array): Promise<void> {
    for (let t = 0; t < x.length; t++) {
      this.#current ??= await this.#token()
      const following = this.#at < this.#block.length ? this.#block[this.#at++] : await this.#token()
      x[t] = this.#current
      y[t] = following
      this.#current = following
    }
  }

  async #token(): Promise<number> {
    while (this.#at >= this.#block.length) {
      const { done, value } = await this.#blocks.next()
      if (done) return this.#next!
      this.#block = value
      this.#at = 0
    }
    return this.#block[this.#at++]
  }
}
