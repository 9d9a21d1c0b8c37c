/** What is counted of a model: plain fields, so that a request pays nanoseconds for it. */
import type { BatchInfo } from '../inference/scheduler-options.ts'
import { type Outcome, outcomes } from './request-error.ts'

/** A histogram's counts: one for each bound, and one for what is beyond the last. */
export class Distribution {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const { bounds } = this
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (value <= bounds[middle]) high = middle
      else low = middle + 1
    }
    this.counts[low]++
    this.sum += value
  }

  get count(): number {
    return this.counts.reduce((sum, n) => sum + n, 0)
  }
}

/** In seconds. */
const durations = [
  25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1,
  2.5, 5, 10,
]
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

/** Of one model and version, since the server started; reloads do not set them back. */
export class Counters {
  readonly requests: Record<Outcome, number> = Object.fromEntries(
    outcomes.map((outcome) => [outcome, 0]),
  ) as Record<Outcome, number>
  /** Of requests answered with outputs, in seconds. */
  readonly duration = new Distribution(durations)
  /** Of all others. */
  failureSeconds = 0
  /** Of each row's wait, in seconds. */
  readonly queue = new Distribution(durations)
  /** Of each batch. */
  readonly compute = new Distribution(durations)
  readonly batchSize = new Distribution(batchSizes)
  /** Rows, each a sequence of its own. */
  inferences = 0
  /** ms since the epoch; 0: there was none. */
  lastInference = 0
  /** Batches of each size, and the seconds they took. */
  readonly batches = new Map<number, { count: number; seconds: number }>()
  readonly reloads = { ok: 0, failed: 0 }

  addBatch({ size, queueMicroseconds, computeMicroseconds, error }: BatchInfo): void {
    for (let i = 0; i < size; i++) this.queue.add(queueMicroseconds[i] / 1e6)
    if (error) return
    const seconds = computeMicroseconds / 1e6
    this.compute.add(seconds)
    this.batchSize.add(size)
    let batch = this.batches.get(size)
    if (!batch) this.batches.set(size, (batch = { count: 0, seconds: 0 }))
    batch.count++
    batch.seconds += seconds
  }
}
