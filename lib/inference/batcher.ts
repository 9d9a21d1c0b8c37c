/** Many callers, one plan: requests that wait at the same time run together. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { Tensor } from '../tensor.ts'
import type { WholeSequence } from './input.ts'
import { Plan } from './plan.ts'
import type { StatefulOptions } from './request-options.ts'
import { Scheduler } from './scheduler.ts'
import type { BatchInfo, Totals } from './scheduler-options.ts'
import { requireStreams, Stream, type StreamOptions } from './stream.ts'
import type { PlanParts } from './traits.ts'

export interface BatcherOptions {
  /** Requests that run together at most; default 64. */
  maxBatchSize?: number
  /**
   * How long a request may wait for others although an executor is free; default 0: what is there leaves with what else comes
   * in the same turn of the event loop.
   */
  maxQueueDelayMicroseconds?: number
  /** Sizes at which a batch leaves at once, the largest that what waits can fill; default: `maxBatchSize`. */
  preferredBatchSizes?: readonly number[]
  /**
   * Requests that may wait; more are rejected with a QueueFullError, and so is one that others keep waiting for longer than
   * its timeout by estimate. Default 4096.
   */
  maxQueueSize?: number
  /** Milliseconds after which a request that still waits is rejected with a TimeoutError; default: none. */
  timeout?: number
  /** Called after each batch, for metrics. */
  onBatch?: (info: BatchInfo) => void
}

/** Counts since the batcher was made, and how things stand. Means: divide the sums by `requests`. */
export interface BatcherStatistics extends Totals {
  /** Requests that wait. */
  queued: number
  /** Requests that run, and the batches in which they do. */
  running: number
  runningBatches: number
  /** Open streams. */
  streams: number
}

const optionNames = [
  ...[
    'maxBatchSize',
    'maxQueueDelayMicroseconds',
    'preferredBatchSizes',
    'maxQueueSize',
    'timeout',
    'onBatch',
  ],
]

/**
 * Runs what waits together, as soon as a thread is free: single steps of streams and whole sequences side by side, nothing
 * padded, results the same bits as alone. A batch runs on one thread, as many at a time as there are threads. Sequences too
 * long for a few milliseconds run in parts, so that others need not wait for them. Batches are dynamic, as in the
 * Triton Inference Server, and the options have its names.
 */
export class Batcher {
  readonly #scheduler: Scheduler

  /** @throws {TypeError | RangeError} if `plan` is none, or an option is unknown or out of range */
  constructor(plan: Plan, options: BatcherOptions = {}) {
    if (!(plan instanceof Plan)) {
      throw new TypeError(`Batcher: expected a plan that compile made, got ${describe(plan)}`)
    }
    refuseUnknownOptions('Batcher', options, optionNames)
    const { maxBatchSize = 64, maxQueueDelayMicroseconds = 0, maxQueueSize = 4096, onBatch } = options
    const { preferredBatchSizes = [], timeout } = options
    requireInteger('Batcher', 'maxBatchSize', maxBatchSize)
    requireInteger('Batcher', 'maxQueueSize', maxQueueSize)
    requireNumber('Batcher', 'maxQueueDelayMicroseconds', maxQueueDelayMicroseconds, { low: 0 })
    for (const size of preferredBatchSizes) {
      requireInteger('Batcher', 'preferredBatchSizes', size)
      if (size > maxBatchSize) {
        throw new RangeError(
          `Batcher: expected preferredBatchSizes of at most maxBatchSize = ${maxBatchSize}, got ${size}`,
        )
      }
    }
    if (timeout !== undefined) requireNumber('Batcher', 'timeout', timeout, { low: 0 })
    if (onBatch !== undefined && typeof onBatch !== 'function') {
      throw new TypeError(`Batcher: expected onBatch to be a function, got ${describe(onBatch)}`)
    }
    this.#scheduler = new Scheduler(plan.parts, {
      maxBatchSize,
      maxQueueDelayMicroseconds,
      preferredBatchSizes: [...preferredBatchSizes].sort((a, b) => a - b),
      maxQueueSize,
      timeout: timeout ?? Number.POSITIVE_INFINITY,
      onBatch,
    })
  }

  /**
   * @param x one sequence, [T, inputSize], or int32 [T] where the model begins with an Embedding; copied
   * @returns [S, outputSize], S being T unless convolutions or pools change it, or [outputSize] where the plan ends in one
   *   step; with `state` in the options also the new state, [1, stateSize]. Maybe a view, as of `Stream.next`
   * @throws {TypeError | RangeError} (as all errors, by rejecting) if x or an option does not fit: that request alone
   * @throws {QueueFullError} if `maxQueueSize` requests wait, or so much that it could not begin before its timeout
   * @throws {TimeoutError} if it waits too long; one whose last part runs is answered
   * @throws {ClosedError} if the batcher is closed
   * @throws {PredictionError} if the back end fails, for all requests of the batch
   */
  predict(
    x: WholeSequence,
    options: StatefulOptions & { state: Tensor | null },
  ): Promise<{ output: Tensor; state: Tensor }>
  predict(x: WholeSequence, options?: StatefulOptions): Promise<Tensor>
  predict(x: WholeSequence, options?: StatefulOptions): Promise<unknown> {
    return this.#scheduler.submit(undefined, x, options)
  }

  /**
   * A stream whose steps run in batches with the other requests.
   *
   * @throws {TypeError} if the plan has no streams, as in `plan.stream`
   */
  stream(options?: StreamOptions): Stream {
    requireStreams(this.#scheduler.plan)
    return new Stream(this.#scheduler, options)
  }

  /** @internal */
  get parts(): PlanParts {
    return this.#scheduler.plan
  }

  /** @internal Whether a request like those of late would be refused now. */
  get isFull(): boolean {
    return this.#scheduler.isFull
  }

  /** @internal Requests that no run has begun with. */
  get queued(): number {
    return this.#scheduler.queued
  }

  get statistics(): BatcherStatistics {
    const { totals, queued, dispatcher, states } = this.#scheduler
    const { running, inFlight } = dispatcher
    return { ...totals, queued, running, runningBatches: inFlight, streams: states.streams }
  }

  /**
   * Takes no more requests, and resolves when nothing runs. What waits is served before, or with `drain: false` rejected with
   * a ClosedError. Streams keep their state, and can be read and closed.
   */
  close(options: { drain?: boolean } = {}): Promise<void> {
    refuseUnknownOptions('close', options, ['drain'])
    return this.#scheduler.close(options.drain ?? true)
  }
}
