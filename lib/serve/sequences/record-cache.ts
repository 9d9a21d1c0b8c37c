/** The records a process has seen last, the least recently used thrown away first. */
import { Turns } from './turns.ts'

/** Bytes that a record costs beside its own. */
const overhead = 400

/** A sequence as this process knows it. */
export class Sequence extends Turns {
  /** As Redis held it last, as far as known; memory of its own. */
  record: Buffer | undefined
  /** What the cache has counted of it. */
  counted = 0
}

export class RecordCache {
  readonly #limit: number
  /** In the order of their last use. */
  readonly #sequences = new Map<string, Sequence>()
  #bytes = 0

  /** @param limit in bytes; sequences with steps under way are kept beyond it */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#sequences.size
  }

  /** The sequence under the key, for a step, after which it must be given back. */
  take(key: string): Sequence {
    const sequence = this.#sequences.get(key) ?? new Sequence()
    this.#sequences.delete(key)
    this.#sequences.set(key, sequence)
    return sequence
  }

  give(key: string, sequence: Sequence): void {
    const { record } = sequence
    if (sequence.waiting === 0 && !record) this.#sequences.delete(key)
    const size = record ? record.length + overhead : 0
    this.#bytes += size - sequence.counted
    sequence.counted = size
    for (const [oldest, each] of this.#sequences) {
      if (this.#bytes <= this.#limit) break
      if (each.waiting > 0) continue
      this.#sequences.delete(oldest)
      this.#bytes -= each.counted
    }
  }
}
