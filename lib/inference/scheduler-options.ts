/** What a scheduler is told, and what it tells. */
import type { BatchingOptions } from './dispatcher.ts'

/** A batch that has run. */
export interface BatchInfo {
  /** Requests in it, or parts of long ones. */
  size: number
  /** Time steps of all of them. */
  rows: number
  /** [size] how long each waited for this run. */
  queueMicroseconds: Float64Array
  /** How long it ran. */
  computeMicroseconds: number
  /** Why it failed, if it did. */
  error: Error | undefined
}

export interface SchedulerOptions extends BatchingOptions {
  maxQueueSize: number
  timeout: number
  onBatch: ((info: BatchInfo) => void) | undefined
}

/** Counts since the beginning. Of requests that are served: sums over them, of the time they waited, and ran. */
export interface Totals {
  requests: number
  batches: number
  rows: number
  queueMicroseconds: number
  computeMicroseconds: number
  failed: number
  aborted: number
  timedOut: number
  refused: number
}

/** Of a plan's own streams. */
export const unlimited: SchedulerOptions = {
  maxBatchSize: 64,
  maxQueueDelayMicroseconds: 0,
  preferredBatchSizes: [],
  maxQueueSize: Number.POSITIVE_INFINITY,
  timeout: Number.POSITIVE_INFINITY,
  onBatch: undefined,
}
