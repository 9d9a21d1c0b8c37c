/** The steps of a model's decoder that wait for the same turn of the event loop, run side by side. */
import type { FloatArray } from '../../kernels/contract.ts'
import type { Memory } from '../../layers/attention.ts'
import type { DecoderState } from '../../layers/attention-decoder.ts'
import type { EncoderDecoder } from '../../layers/encoder-decoder.ts'
import { inMode } from '../../layers/layer.ts'
import { noGrad } from '../../tape.ts'
import { Tensor } from '../../tensor.ts'

/** A source as the decoder asks it: rows of the batch that it was read in. */
interface ReadSource {
  keys: FloatArray
  values: FloatArray
  steps: number
}

/** What a beam carries: never written to, so that beams may share it. */
export interface DecoderRow {
  readonly source: ReadSource
  /** [L, H] */
  readonly h: FloatArray
  readonly c: FloatArray
  /** [A] */
  readonly feed: FloatArray
}

interface Beginning {
  tokens: Int32Array
  resolve(row: DecoderRow): void
  reject(error: unknown): void
}

interface Step {
  row: DecoderRow
  token: number
  resolve(result: { row: DecoderRow; logits: FloatArray }): void
  reject(error: unknown): void
}

/** Rows that run in one call: enough for whole tiles, few enough that their logits stay in the cache. */
const mostRows = 256

export class DecoderBatches {
  readonly #model: EncoderDecoder
  #beginnings: Beginning[] = []
  #steps: Step[] = []
  #isScheduled = false

  constructor(model: EncoderDecoder) {
    this.#model = model
  }

  /** Reads a source. */
  begin(tokens: Int32Array): Promise<DecoderRow> {
    return new Promise((resolve, reject) => {
      this.#beginnings.push({ tokens, resolve, reject })
      this.#schedule()
    })
  }

  /** Reads a token of the target. */
  step(row: DecoderRow, token: number): Promise<{ row: DecoderRow; logits: FloatArray }> {
    return new Promise((resolve, reject) => {
      this.#steps.push({ row, token, resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  /** Runs all that waits; whoever is told goes on before the next turn. */
  #run(): void {
    const beginnings = this.#beginnings.sort((a, b) => a.tokens.length - b.tokens.length)
    const steps = this.#steps.sort((a, b) => a.row.source.steps - b.row.source.steps)
    this.#beginnings = []
    this.#steps = []
    for (let n = 0; n < beginnings.length; n += mostRows)
      this.#settle(beginnings.slice(n, n + mostRows), (part) => this.#begin(part))
    for (let n = 0; n < steps.length; n += mostRows)
      this.#settle(steps.slice(n, n + mostRows), (part) => this.#step(part))
  }

  #settle<R extends { resolve(result: never): void; reject(error: unknown): void }>(
    requests: readonly R[],
    run: (requests: readonly R[]) => readonly unknown[],
  ): void {
    try {
      const results = inMode(this.#model, { training: false }, () => noGrad(() => run(requests)))
      for (const [n, { resolve }] of requests.entries()) resolve(results[n] as never)
    } catch (error) {
      for (const { reject } of requests) reject(error)
    }
  }

  #begin(requests: readonly Beginning[]): DecoderRow[] {
    const lengths = Int32Array.from(requests, ({ tokens }) => tokens.length)
    const S = Math.max(...lengths)
    const x = new Int32Array(requests.length * S)
    for (const [b, { tokens }] of requests.entries()) x.set(tokens, b * S)
    const { memory, state } = this.#model.encode(new Tensor([requests.length, S], x), { lengths })
    const rowOf = rowsOf(state)
    const part = ({ array, shape }: Tensor, b: number) => {
      const start = b * S * shape[2]
      return (array as FloatArray).slice(start, start + lengths[b] * shape[2])
    }
    return requests.map((_, b) => ({
      ...rowOf(b),
      source: { keys: part(memory.keys, b), values: part(memory.values, b), steps: lengths[b] },
    }))
  }

  #step(requests: readonly Step[]): { row: DecoderRow; logits: FloatArray }[] {
    const { decoder, options } = this.#model
    const { memory, rows } = this.#memoryOf(requests)
    const tokens = new Tensor(
      [requests.length, 1],
      Int32Array.from(requests, ({ token }) => token),
    )
    const state = stateOf(
      requests.map(({ row }) => row),
      options,
    )
    const read = decoder.read(tokens, { memory, state, rows })
    const V = options.targetVocabulary
    const logits = decoder.output.forward(read.output).array as FloatArray
    const rowOf = rowsOf(read.state)
    return requests.map(({ row: { source } }, b) => ({
      row: { ...rowOf(b), source },
      logits: logits.subarray(b * V, (b + 1) * V),
    }))
  }

  /** The sources of all, each once, and which of them each asks. */
  #memoryOf(requests: readonly Step[]): { memory: Memory; rows: Int32Array } {
    const sources = new Map<ReadSource, number>()
    const rows = Int32Array.from(requests, ({ row: { source } }) => {
      const known = sources.get(source)
      if (known === undefined) sources.set(source, sources.size)
      return known ?? sources.size - 1
    })
    const S = Math.max(...requests.map(({ row }) => row.source.steps))
    const M = sources.size
    const keyMask = new Uint8Array(M * S)
    for (const [{ steps }, m] of sources) keyMask.fill(1, m * S, m * S + steps)
    const stacked = (name: 'keys' | 'values') => {
      const [[first]] = sources
      const width = first[name].length / first.steps
      const array = emptyLike(first[name], M * S * width)
      for (const [source, m] of sources) array.set(source[name], m * S * width)
      return new Tensor([M, S, width], array)
    }
    return { memory: { keys: stacked('keys'), values: stacked('values'), keyMask }, rows }
  }
}

/** One batch row of a state. */
function rowsOf({ h, c, feed }: DecoderState): (b: number) => Omit<DecoderRow, 'source'> {
  const [L, B, H] = h.shape
  const [, A] = feed.shape
  const layers = ({ array }: Tensor, b: number) => {
    const row = emptyLike(array as FloatArray, L * H)
    for (let k = 0; k < L; k++) {
      const start = (k * B + b) * H
      row.set((array as FloatArray).subarray(start, start + H), k * H)
    }
    return row
  }
  return (b) => ({
    h: layers(h, b),
    c: layers(c, b),
    feed: (feed.array as FloatArray).slice(b * A, (b + 1) * A),
  })
}

/** The rows of a batch as its state. */
function stateOf(
  rows: readonly DecoderRow[],
  {
    numLayers: L,
    hiddenSize: H,
    attentionalSize: A,
  }: { numLayers: number; hiddenSize: number; attentionalSize: number },
): DecoderState {
  const B = rows.length
  const layers = (name: 'h' | 'c') => {
    const array = emptyLike(rows[0][name], L * B * H)
    for (const [b, row] of rows.entries()) {
      for (let k = 0; k < L; k++) array.set(row[name].subarray(k * H, (k + 1) * H), (k * B + b) * H)
    }
    return new Tensor([L, B, H], array)
  }
  const feed = emptyLike(rows[0].feed, B * A)
  for (const [b, row] of rows.entries()) feed.set(row.feed, b * A)
  return { h: layers('h'), c: layers('c'), feed: new Tensor([B, A], feed) }
}

function emptyLike(like: FloatArray, length: number): FloatArray {
  return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
}
