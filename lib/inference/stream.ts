/** A sequence that comes a step at a time: a plan with h and c kept in between. */
import { ClosedError, refuseUnknownOptions } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Tensor } from '../tensor.ts'
import type { SequenceInput } from './input.ts'
import { type RequestOptions, requireState } from './request-options.ts'
import { none, type Request } from './requests.ts'
import type { Scheduler } from './scheduler.ts'
import type { Traits } from './traits.ts'

export interface StreamOptions {
  /** The state to begin with, [1, stateSize], as `state` gives it; default zeros. */
  state?: Tensor | null
}

/** @throws {TypeError} if the plan has no streams */
export function requireStreams({ obstacle }: Traits): void {
  if (!obstacle) return
  throw new TypeError(
    `stream: the model has ${obstacle}, which needs the whole sequence and not only a state of what came before; ` +
      'use predict with whole sequences',
  )
}

/**
 * Made by `plan.stream()` and `batcher.stream()`. A hundred thousand of them cost their states and little more; one that
 * nobody refers to gives its state back when it is garbage-collected, one that is closed at once.
 */
export class Stream {
  /** @internal The request that is queued or runs, and the last of those behind it. */
  first: Request | undefined
  /** @internal */
  last: Request | undefined
  /** @internal Of its state. */
  slot: number
  /** @internal */
  isClosed = false
  readonly #scheduler: Scheduler

  /** @internal */
  constructor(scheduler: Scheduler, options: StreamOptions = {}) {
    refuseUnknownOptions('stream', options, ['state'])
    const { state } = options
    const initial = state && requireState(scheduler.plan, state)
    const { states } = scheduler
    this.#scheduler = scheduler
    this.slot = states.acquire()
    this.first = this.last = undefined
    states.lend(this.slot, this)
    if (initial) states.write(this.slot, initial)
  }

  /**
   * The next step of the sequence, or the next steps. Calls keep their order: one that comes while another runs waits behind it.
   * What is asked for together, of many streams, runs together.
   *
   * A request that is withdrawn or runs out of time while it waits leaves no trace in the state. One that runs when it is
   * withdrawn still counts: its promise is rejected, its steps have been taken, unless more parts of it were to come.
   *
   * @param x [I], or [T, I] for T steps at once, a typed array or tensor of the plan's type; an index, or int32 [T], where
   *   the model begins with an Embedding. Copied: the caller may write into it at once
   * @returns [O] for one step, [T, O] for x with a time axis; [O] if the plan ends in one step. Of more than 16 numbers it may be
   *   a view of its batch's memory, which it keeps: `clone` what is to stay for long
   * @throws {RangeError} (as all errors, by rejecting) if x does not fit
   * @throws {ClosedError} if the stream is closed, or is before the request has begun
   * @throws {QueueFullError | TimeoutError} as the batcher's options have it
   * @throws {PredictionError} if the back end fails; the state is then as before
   */
  next(x: SequenceInput, options?: RequestOptions): Promise<Tensor> {
    if (this.isClosed) return Promise.reject(new ClosedError('stream'))
    return this.#scheduler.submit(this, x, options)
  }

  /**
   * As `next`, on this thread, before it returns: the least time for one stream, while nothing else happens.
   *
   * @throws {Error} if calls of `next` are not done
   */
  nextSync(x: SequenceInput): Tensor {
    this.#requireIdle('nextSync')
    return this.#scheduler.runSync(this, x)
  }

  /** An output for each x of the source, in order; ends with it. */
  async *run(
    source: Iterable<SequenceInput> | AsyncIterable<SequenceInput>,
    options?: RequestOptions,
  ): AsyncGenerator<Tensor, void, undefined> {
    for await (const x of source) yield await this.next(x, options)
  }

  /** Back to the state of a new stream, zeros: for what is asked for from now on. */
  reset(): void {
    this.#set(null)
  }

  /**
   * A copy of the state, [1, stateSize], for `state` of `predictSync`, of another stream or a file. Set, it holds for what is
   * asked for from then on.
   *
   * @throws {Error} if it is read while calls of `next` are not done
   */
  get state(): Tensor {
    this.#requireIdle('state')
    const { states } = this.#scheduler
    return new Tensor([1, states.width], states.read(this.slot))
  }

  set state(state: Tensor) {
    this.#set(requireState(this.#scheduler.plan, state).slice())
  }

  /** Gives the state's memory back. Calls of `next` that have not begun are rejected; one that runs is answered. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#scheduler.endStream(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  setState(state: FloatArray | null): void {
    const { states } = this.#scheduler
    if (state) states.write(this.slot, state)
    else states.clear(this.slot)
  }

  /** @internal */
  giveBack(): void {
    this.#scheduler.states.giveBack(this.slot)
    this.slot = none
  }

  #set(state: FloatArray | null): void {
    if (this.isClosed) throw new ClosedError('stream')
    if (this.last) this.last.stateAfter = state
    else this.setState(state)
  }

  #requireIdle(what: string): void {
    if (this.isClosed) throw new ClosedError('stream')
    if (!this.first) return
    throw new Error(`${what}: calls of next on this stream are not done; await them before`)
  }
}
