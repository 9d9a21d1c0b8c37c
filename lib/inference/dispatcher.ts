/** When requests run, and in what company: batches of what waits, for as many executors as there are. */

import type { Kernels } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import { Job } from './job.ts'
import { Pace } from './pace.ts'
import { none, type Request } from './requests.ts'
import type { StreamStates } from './states.ts'
import type { PlanParts } from './traits.ts'
import { Waiting } from './waiting.ts'

/** Jobs for each executor beyond those that it needs while the event loop is idle, at most. */
const mostAhead = 8

/**
 * Elements of results that are handed out in one turn of the event loop, 256 KB in single precision: whoever answers them over a network
 * takes half a millisecond and more. Single steps of a full batch are fewer.
 */
const handedAtOnce = 2 ** 16

/** A run that lasts less is not worth sharing among executors. */
const worthSharing = 200

export interface BatchingOptions {
  maxBatchSize: number
  maxQueueDelayMicroseconds: number
  preferredBatchSizes: readonly number[]
}

/** What becomes of requests. */
export interface DispatcherEvents {
  finish(request: Request, result: Tensor): void
  fail(request: Request, error: Error): void
  /** Part of it has run. */
  proceed(request: Request): void
  /** A run has ended, and its requests have been told. */
  ran(job: Job, error: Error | undefined): void
}

export class Dispatcher {
  readonly waiting: Waiting
  readonly pace = new Pace()
  /** Jobs under way. */
  inFlight = 0
  /** Time steps of all requests that have not run. */
  rows = 0
  /** Requests in those jobs. */
  running = 0
  /** Milliseconds, of the beginning of this turn of the event loop or later. */
  now = performance.now()
  readonly executors: number
  readonly #kernels: Kernels
  readonly #plan: PlanParts
  readonly #states: StreamStates
  readonly #options: BatchingOptions
  readonly #events: DispatcherEvents
  readonly #idle: Job[] = []
  readonly #jobs = new Set<Job>()
  /** Single steps among what runs. */
  #steps = 0
  #isScheduled = false
  #scheduledAt = 0
  /** Of late: milliseconds from a request until the event loop comes round, and those of a run. */
  #turnTime = 0
  #runTime = 0
  /** When the timer fires that is set for the delay, or before. */
  #wakesAt = Number.POSITIVE_INFINITY

  constructor(plan: PlanParts, states: StreamStates, options: BatchingOptions, events: DispatcherEvents) {
    this.#plan = plan
    this.#kernels = plan.kernels
    this.executors = plan.kernels.executors
    this.#states = states
    this.#options = options
    this.#events = events
    this.waiting = new Waiting(plan, this.pace, options.maxBatchSize)
  }

  /** Milliseconds until so many more time steps would have run, after all that are asked for. */
  timeFor(steps: number): number {
    return this.pace.timeFor(this.rows + steps, this.#options.maxBatchSize, this.executors)
  }

  /** To be run with what else comes in this turn of the event loop, or later. */
  enqueue(request: Request): void {
    this.waiting.push(request)
    if (!this.#isScheduled) this.schedule()
  }

  /** Sets the clock, for all that comes in this turn. */
  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.now = this.#scheduledAt = performance.now()
    setImmediate(this.#turn)
  }

  /** Runs it on this thread, at once. */
  runSync(request: Request, finish: (request: Request, result: Tensor) => void): void {
    const job = this.#newJob()
    try {
      job.add(request, request.steps)
      job.gather()
      this.#kernels.runPlan(job.call)
      job.handOut(1, finish)
    } finally {
      this.#recycle(job)
    }
  }

  /** Nobody waits for the request any more: where it was the last of its job, that need not begin. */
  abandon(job: Job): void {
    if (--job.live === 0 && this.#kernels.cancelPlan(job.run)) this.#withdraw(job)
  }

  /** Ends jobs that have not begun; their requests fail. */
  withdrawAll(error: () => Error): void {
    for (const job of [...this.#jobs]) {
      if (this.#kernels.cancelPlan(job.run)) this.#withdraw(job, error())
    }
  }

  readonly #turn = (): void => {
    this.now = performance.now()
    if (this.#isScheduled) this.heedTurn(this.now - this.#scheduledAt)
    this.#isScheduled = false
    this.#dispatch()
  }

  /** @param milliseconds that the event loop took to come round */
  heedTurn(milliseconds: number): void {
    this.#turnTime = Math.max(milliseconds, 0.95 * this.#turnTime)
  }

  /**
   * How many jobs may be under way: one more than there are executors, so that none waits for the event loop, and of requests
   * that one run ends as many more as run while it goes round once under load. Of those in parts no more: they would share the
   * time, and all end late; their parts are longer instead.
   */
  get #depth(): number {
    const { executors, waiting } = this
    if (this.#runTime === 0 || waiting.shortSize === 0) return executors + 1
    const during = Math.floor((this.#turnTime * executors) / this.#runTime)
    return executors + 1 + Math.min(during, mostAhead * executors)
  }

  #dispatch(): void {
    while (this.waiting.size > 0 && this.inFlight < this.#depth) {
      const places = this.#places()
      if (places === 0) return
      this.#start(places)
    }
  }

  /** How many requests go now: 0 while it is better to wait for more. */
  #places(): number {
    const { maxBatchSize, maxQueueDelayMicroseconds, preferredBatchSizes } = this.#options
    const { size, rows } = this.waiting
    const preferred = preferredBatchSizes.findLast((each) => each <= size)
    if (preferred) return preferred
    if (size < maxBatchSize && maxQueueDelayMicroseconds > 0 && this.waiting.begun === 0) {
      const due = this.waiting.oldest + maxQueueDelayMicroseconds / 1000
      if (due > this.now) {
        this.#wake(due)
        return 0
      }
    }
    if (preferredBatchSizes.length > 0) return Math.min(size, maxBatchSize)
    const free = Math.max(1, this.executors + 1 - this.inFlight)
    const worth = Math.floor((rows * this.pace.perRow(size)) / worthSharing)
    const shares = Math.max(1, Math.min(free, worth))
    return Math.min(maxBatchSize, Math.ceil(size / shares))
  }

  #wake(due: number): void {
    if (this.#wakesAt <= due) return
    this.#wakesAt = due
    this.#kernels.afterMicroseconds(Math.max(1, (due - this.now) * 1000), () => {
      this.#wakesAt = Number.POSITIVE_INFINITY
      this.#turn()
    })
  }

  #start(places: number): void {
    const job = this.#newJob()
    this.waiting.take(job, places, {
      isBesideSteps: this.#steps > 0,
      isAhead: this.inFlight > this.executors,
      turnTime: this.#turnTime,
      now: this.now,
    })
    for (let b = 0; b < job.size; b++) {
      const { steps, arrived } = job.requests[b]
      job.waits[b] = Math.max(0, (this.now - arrived) * 1000)
      if (steps === 1) job.steps++
    }
    this.#jobs.add(job)
    if (this.inFlight === 0) this.pace.begin(this.now)
    this.inFlight++
    this.running += job.size
    this.#steps += job.steps
    try {
      for (let b = 0; b < job.size; b++) {
        const request = job.requests[b]
        const isOnce = request.stream && job.counts[b] === request.steps
        if (!isOnce && request.slot === none) this.#giveSlot(request)
      }
      job.gather()
      job.run = this.#kernels.runPlanAsync(job.call)
    } catch (error) {
      this.#done(job, error as Error)
    }
  }

  /** A state of its own: of a sequence alone, or of a stream until all parts have run. */
  #giveSlot(request: Request): void {
    const slot = this.#states.acquire()
    request.slot = slot
    if (request.stream) this.#states.copy(request.stream.slot, slot)
    else if (request.initialState) this.#states.write(slot, request.initialState)
  }

  readonly #done = (job: Job, error: Error | undefined): void => {
    this.now = performance.now()
    this.#leave(job)
    if (error) this.#fail(job, error)
    else {
      this.pace.record(job.rows, job.T, job.computeMicroseconds)
      this.rows -= job.rows
      this.pace.served(job.rows, this.now, this.waiting.size > 0)
      this.#runTime += 0.1 * (job.computeMicroseconds / 1000 - this.#runTime)
      // A full batch waits: it runs while the results of this one are handed out.
      if (this.waiting.size >= this.#options.maxBatchSize) this.#dispatch()
      this.running -= job.proceed(this.#proceed)
    }
    if (error) this.#end(job, error)
    else this.#handOut(job)
    if (this.waiting.size > 0) this.schedule()
  }

  /** Large results over several turns, between which others are served; the next run need not wait for it. */
  #handOut(job: Job): void {
    this.running -= job.handOut(handedAtOnce, this.#finish)
    if (job.isHandedOut) this.#end(job, undefined)
    else setImmediate(() => this.#handOut(job))
  }

  #end(job: Job, error: Error | undefined): void {
    try {
      this.#events.ran(job, error)
    } finally {
      this.#recycle(job)
    }
  }

  readonly #finish = (request: Request, result: Tensor): void => this.#events.finish(request, result)
  readonly #proceed = (request: Request): void => this.#events.proceed(request)

  #withdraw(job: Job, error = new Error('withdrawn')): void {
    this.#leave(job)
    this.#fail(job, error)
    this.#recycle(job)
    if (this.waiting.size > 0) this.schedule()
  }

  #fail(job: Job, error: Error): void {
    this.running -= job.size
    for (const request of job.requests) {
      request.job = undefined
      this.#events.fail(request, error)
    }
  }

  #leave(job: Job): void {
    this.#jobs.delete(job)
    this.inFlight--
    this.#steps -= job.steps
  }

  #newJob(): Job {
    return this.#idle.pop() ?? new Job(this.#plan, this.#states, this.#options.maxBatchSize, this.#done)
  }

  #recycle(job: Job): void {
    job.clear()
    this.#idle.push(job)
  }
}
