/** Takes requests in, keeps those of a stream in order, and settles their promises. */
import { ClosedError, PredictionError, QueueFullError, TimeoutError } from '../errors.ts'
import { Tensor } from '../tensor.ts'
import { Deadlines } from './deadlines.ts'
import { Dispatcher, type DispatcherEvents } from './dispatcher.ts'
import { type Reader, readInput, type SequenceInput } from './input.ts'
import type { Job } from './job.ts'
import { readOptions, type StatefulOptions } from './request-options.ts'
import { none, type Request, type RequestOwner, RequestStore } from './requests.ts'
import { type SchedulerOptions, type Totals, unlimited } from './scheduler-options.ts'
import { Signals } from './signals.ts'
import { StreamStates } from './states.ts'
import type { Stream } from './stream.ts'
import type { PlanParts } from './traits.ts'

/** Of a timeout, may be spent waiting by estimate: estimates err. */
const shareOfTimeout = 0.35

// One function makes all promises: a closure for each would cost as much as the promise.
let resolveMade: (value: never) => void
let rejectMade: (reason: unknown) => void
const keep = (resolve: (value: never) => void, reject: (reason: unknown) => void): void => {
  resolveMade = resolve
  rejectMade = reject
}

export class Scheduler implements RequestOwner, DispatcherEvents {
  readonly plan: PlanParts
  readonly states: StreamStates
  readonly totals: Totals = {
    ...{ requests: 0, batches: 0, rows: 0, queueMicroseconds: 0, computeMicroseconds: 0 },
    ...{ failed: 0, aborted: 0, timedOut: 0, refused: 0 },
  }
  /** Requests that are not settled, or whose run has not ended. */
  pending = 0
  readonly dispatcher: Dispatcher
  readonly options: SchedulerOptions
  readonly #store: RequestStore
  readonly #reader: Reader
  readonly #signals = new Signals()
  readonly #deadlines = new Deadlines((request) => this.#expire(request))
  /** Time steps of a request, of late. */
  #steps = 1
  #isClosed = false
  /** Closed without draining: what has not run never will. */
  #isDiscarding = false
  #isDrained: (() => void) | undefined

  constructor(plan: PlanParts, options: SchedulerOptions = unlimited) {
    this.plan = plan
    this.states = new StreamStates(plan.stateSize, plan.like)
    this.options = options
    this.#store = new RequestStore(this, plan.inputWidth, plan.inputLike)
    this.#reader = { plan, store: this.#store }
    this.dispatcher = new Dispatcher(plan, this.states, options, this)
  }

  /** Requests that no run has begun with, or not with their next part. */
  get queued(): number {
    return this.pending - this.dispatcher.running
  }

  /** Whether a request like those of late would be refused now. */
  get isFull(): boolean {
    const { maxQueueSize, timeout } = this.options
    return this.queued >= maxQueueSize || this.wouldWait(timeout, this.#steps)
  }

  /**
   * Whether so many steps more would hardly run before the timeout, at the speed of late: to be told so at once is worth more
   * than a timeout later.
   */
  wouldWait(timeout: number, steps: number): boolean {
    if (timeout === Number.POSITIVE_INFINITY || this.dispatcher.waiting.size === 0) return false
    return this.dispatcher.timeFor(steps) > shareOfTimeout * timeout
  }

  /** A promise of the result; of `{ output, state }` where the options have a state. */
  submit(stream: Stream | undefined, x: SequenceInput, options: StatefulOptions | undefined): Promise<never> {
    if (this.#isClosed) return Promise.reject(new ClosedError('batcher'))
    if (this.queued >= this.options.maxQueueSize) {
      this.totals.refused++
      return Promise.reject(new QueueFullError(this.queued))
    }
    const request = this.#store.take()
    try {
      readInput(this.#reader, x, request, stream !== undefined)
      if (options) readOptions(this.plan, options, request, stream !== undefined)
    } catch (error) {
      this.#store.give(request)
      return Promise.reject(error)
    }
    this.#steps += 0.1 * (request.steps - this.#steps)
    const timeout = options?.timeout ?? this.options.timeout
    if (this.wouldWait(timeout, request.steps)) {
      this.totals.refused++
      this.#store.give(request)
      return Promise.reject(new QueueFullError(this.queued, timeout))
    }
    this.pending++
    this.dispatcher.rows += request.steps
    const promise = new Promise<never>(keep)
    request.resolve = resolveMade as Request['resolve']
    request.reject = rejectMade
    this.dispatcher.schedule()
    const { now } = this.dispatcher
    request.arrived = now
    if (timeout < Number.POSITIVE_INFINITY) {
      request.timeout = timeout
      request.deadline = now + timeout
      this.#deadlines.add(request, now)
    }
    if (request.signal) this.#signals.add(request, request.signal)
    if (!stream) this.dispatcher.enqueue(request)
    else {
      request.stream = stream
      if (stream.last) stream.last.following = request
      else {
        stream.first = request
        this.dispatcher.enqueue(request)
      }
      stream.last = request
    }
    return promise
  }

  /** The steps of a stream for which nothing else waits, on this thread. */
  runSync(stream: Stream, x: SequenceInput): Tensor {
    const request = this.#store.take()
    try {
      readInput(this.#reader, x, request, true)
      request.stream = stream
      let output: Tensor | undefined
      this.dispatcher.runSync(request, (_, result) => {
        output = result
      })
      return output!
    } finally {
      this.#store.give(request)
    }
  }

  /** Of its signal. */
  abort(request: Request): void {
    const { job } = request
    this.totals.aborted++
    const reason = request.signal!.reason
    if (job) {
      request.isAbandoned = true
      // A caller who has been told of the end may use it for something else.
      if (request.given) request.given = request.output = undefined
      request.reject(reason)
      this.dispatcher.abandon(job)
    } else this.#drop(request, reason)
  }

  /** Rejects what a stream that is closed still waits for; what runs ends first. */
  endStream(stream: Stream): void {
    const running = stream.first?.job ? stream.first : undefined
    let request = running ? running.following : stream.first
    if (running) {
      running.following = running.stateAfter = undefined
      stream.last = running
    } else stream.first = stream.last = undefined
    while (request) {
      const { following } = request
      if (request.queue) this.dispatcher.waiting.remove(request)
      request.stream = undefined
      this.#settle(request, new ClosedError('stream'))
      request = following
    }
    if (!running) stream.giveBack()
  }

  finish(request: Request, output: Tensor): void {
    const { stream, slot } = request
    let state: Tensor | undefined
    if (slot !== none) {
      if (stream) this.states.copy(slot, stream.slot)
      else if (request.returnsState) state = new Tensor([1, this.plan.stateSize], this.states.read(slot))
    }
    if (!request.isAbandoned) {
      this.totals.requests++
      request.resolve(state ? { output, state } : output)
    }
    this.#end(request)
  }

  fail(request: Request, error: Error): void {
    if (request.isAbandoned) this.#end(request)
    else {
      this.totals.failed++
      this.#settle(request, error instanceof ClosedError ? error : new PredictionError(error))
    }
  }

  proceed(request: Request): void {
    const { now } = this.dispatcher
    request.arrived = now
    if (request.isAbandoned) this.#end(request)
    else if (request.deadline > 0 && request.deadline <= now) this.#timeOut(request)
    else this.dispatcher.enqueue(request)
  }

  ran(job: Job, error: Error | undefined): void {
    const { size, rows, waits, computeMicroseconds } = job
    const { totals } = this
    totals.batches++
    totals.rows += rows
    totals.computeMicroseconds += size * computeMicroseconds
    for (let b = 0; b < size; b++) totals.queueMicroseconds += waits[b]
    if (this.#isDiscarding) this.#discard()
    const { onBatch } = this.options
    if (!onBatch) return
    onBatch({ size, rows, queueMicroseconds: waits.slice(0, size), computeMicroseconds, error })
  }

  /** Takes no more; resolves when nothing runs and nothing waits. */
  close(drain: boolean): Promise<void> {
    this.#isClosed = true
    if (!drain) {
      this.#isDiscarding = true
      this.dispatcher.withdrawAll(() => new ClosedError('batcher'))
      this.#discard()
    }
    return new Promise((resolve) => {
      if (this.pending === 0) resolve()
      else {
        const before = this.#isDrained
        this.#isDrained = () => {
          before?.()
          resolve()
        }
      }
    })
  }

  /** Of streams, whatever waited behind waits next: until there is none. */
  #discard(): void {
    for (let request: Request | undefined; (request = this.dispatcher.waiting.first); )
      this.#drop(request, new ClosedError('batcher'))
  }

  #expire(request: Request): void {
    // One that runs is answered; or, with parts to come, rejected when it comes back.
    if (!request.job) this.#timeOut(request)
  }

  #timeOut(request: Request): void {
    this.totals.timedOut++
    this.#drop(request, new TimeoutError(request.timeout))
  }

  /** Rejects a request that does not run. */
  #drop(request: Request, reason: unknown): void {
    const { stream } = request
    if (request.queue) this.dispatcher.waiting.remove(request)
    else if (stream && stream.first !== request) this.#leaveStream(stream, request)
    this.#settle(request, reason)
  }

  /** Takes a request out that waits behind another of its stream. */
  #leaveStream(stream: Stream, request: Request): void {
    let before = stream.first!
    while (before.following !== request) before = before.following!
    before.following = request.following
    if (stream.last === request) stream.last = before
    if (request.stateAfter !== undefined) before.stateAfter = request.stateAfter
    request.stream = undefined
  }

  #settle(request: Request, reason: unknown): void {
    request.reject(reason)
    this.#end(request)
  }

  /** The request is over: whatever it held goes back, and the stream's next one may run. */
  #end(request: Request): void {
    const { stream, slot } = request
    if (slot !== none) this.states.release(slot)
    if (request.deadline > 0) this.#deadlines.remove(request)
    if (request.signal) this.#signals.remove(request, request.signal)
    if (stream) this.#advance(stream, request)
    // What has run is subtracted already.
    this.dispatcher.rows -= request.remaining
    this.#store.give(request)
    if (--this.pending === 0) this.#isDrained?.()
  }

  #advance(stream: Stream, { following, stateAfter }: Request): void {
    stream.first = following
    if (stateAfter !== undefined) stream.setState(stateAfter)
    if (!following) {
      stream.last = undefined
      if (stream.isClosed) stream.giveBack()
    } else this.dispatcher.enqueue(following)
  }
}
