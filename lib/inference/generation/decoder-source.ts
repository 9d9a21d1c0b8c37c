/**
 * An EncoderDecoder as a source of tokens. What all generations with one model ask for in a turn of the event loop runs in
 * batches: sources are read side by side, and so are the steps of all beams, each source projected to keys once.
 */
import { describe } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import type { EncoderDecoder } from '../../layers/encoder-decoder.ts'
import { DecoderBatches, type DecoderRow } from './decoder-batches.ts'
import { logSoftmax } from './distribution.ts'
import type { TokenSource, TokenStream } from './token-source.ts'

/** Batches are shared by all who generate with a model. */
const batches = new WeakMap<EncoderDecoder, DecoderBatches>()

export interface DecoderStream extends TokenStream {
  state: DecoderRow | undefined
}

export class DecoderSource implements TokenSource<DecoderStream> {
  readonly vocabulary: number
  readonly #batches: DecoderBatches
  readonly #source: Int32Array

  /** @throws {TypeError | RangeError} if `source` is no list of tokens that the model can read */
  constructor(model: EncoderDecoder, source: unknown) {
    const { sourceVocabulary, targetVocabulary } = model.options
    this.vocabulary = targetVocabulary
    this.#source = requireSource(source, sourceVocabulary)
    let shared = batches.get(model)
    if (!shared) batches.set(model, (shared = new DecoderBatches(model)))
    this.#batches = shared
  }

  stream(): DecoderStream {
    return { state: undefined, close() {} }
  }

  async read(
    stream: DecoderStream,
    tokens: readonly number[],
    step: number,
    signal: AbortSignal | undefined,
    result: Float64Array,
  ): Promise<void> {
    let row = stream.state ?? (await this.#batches.begin(this.#source))
    let logits: FloatArray | undefined
    for (const token of tokens) {
      signal?.throwIfAborted()
      const read = await this.#batches.step(row, token)
      row = read.row
      logits = read.logits
    }
    stream.state = row
    signal?.throwIfAborted()
    logSoftmax(logits!, step, result)
  }

  requireReadable(name: string, tokens: readonly number[]): void {
    const odd = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < this.vocabulary))
    if (odd === undefined) return
    throw new RangeError(
      `generate: expected indices of ${name} in [0, ${this.vocabulary}), got ${describe(odd)}`,
    )
  }
}

function requireSource(source: unknown, vocabulary: number): Int32Array {
  const list = source as ArrayLike<number> | undefined
  if (typeof list?.length !== 'number') {
    throw new TypeError(
      `generate: expected source to be an array of tokens for an EncoderDecoder to read, got ${describe(source)}`,
    )
  }
  if (list.length === 0) throw new RangeError('generate: expected a source of at least one token, got none')
  const odd = Array.from(list).find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabulary))
  if (odd === undefined) return Int32Array.from(list)
  throw new RangeError(`generate: expected tokens of source in [0, ${vocabulary}), got ${describe(odd)}`)
}
