/** What waits for a run of a plan: requests, their queues and their store. */
import type { FloatArray } from '../kernels/contract.ts'
import type { Tensor, TensorArray } from '../tensor.ts'
import { ArrayPool } from './array-pool.ts'
import { arrayLike } from './arrays.ts'
import type { Job } from './job.ts'
import type { Stream } from './stream.ts'

/** What a request may ask of who holds it. */
export interface RequestOwner {
  abort(request: Request): void
}

export const none = -1

/** One call of `predict` or `next`. Kept and used again: a step every few microseconds is no place for garbage. */
export class Request {
  readonly owner: RequestOwner
  /** Its neighbours in `queue`, and among those with a deadline. */
  previous: Request | undefined
  next: Request | undefined
  queue: RequestQueue | undefined
  earlier: Request | undefined
  later: Request | undefined

  stream: Stream | undefined
  /** The request of the same stream that comes after it. */
  following: Request | undefined
  /** What the stream's state is set to after it: null is zeros, undefined leaves it. */
  stateAfter: FloatArray | null | undefined

  resolve: (value: Tensor | { output: Tensor; state: Tensor }) => void = unset
  reject: (reason: unknown) => void = unset
  signal: AbortSignal | undefined
  /** Its promise is rejected while it runs: nobody waits for the result. */
  isAbandoned = false

  /** The input's time steps, maybe with more behind them: `row` where it is a single one, so that no array is made for it. */
  x: TensorArray
  readonly row: TensorArray
  steps = 0
  /** The time steps that have run. */
  at = 0
  /** Whether x came without a time axis, and so the result has none. */
  isStep = false
  /** Where the parts of a result are put together, and the caller's own tensor for it. */
  output: FloatArray | undefined
  given: Tensor | undefined
  initialState: FloatArray | undefined
  returnsState = false
  /** Of a state of its own: a stream's is the stream's unless it runs in parts. */
  slot = none

  priority = 0
  /** Milliseconds of `performance.now()` at which it came, or came back for its next part. */
  arrived = 0
  deadline = 0
  timeout = 0
  job: Job | undefined

  constructor(owner: RequestOwner, row: TensorArray) {
    this.owner = owner
    this.row = row
    this.x = row
  }

  get remaining(): number {
    return this.steps - this.at
  }
}

function unset(): void {}

/** First in, first out; a request leaves the middle in a moment. */
export class RequestQueue {
  first: Request | undefined
  size = 0
  #last: Request | undefined

  push(request: Request): void {
    request.queue = this
    request.previous = this.#last
    if (this.#last) this.#last.next = request
    else this.first = request
    this.#last = request
    this.size++
  }

  remove(request: Request): void {
    const { previous, next } = request
    if (previous) previous.next = next
    else this.first = next
    if (next) next.previous = previous
    else this.#last = previous
    request.previous = request.next = request.queue = undefined
    this.size--
  }
}

/** Requests that are used again. */
export class RequestStore {
  readonly #owner: RequestOwner
  readonly #like: TensorArray
  readonly #width: number
  readonly #idle: Request[] = []
  /** For the inputs of sequences. */
  readonly #arrays: ArrayPool<TensorArray>

  /** @param width elements of a time step of x, which are of the type of `like` */
  constructor(owner: RequestOwner, width: number, like: TensorArray) {
    this.#owner = owner
    this.#like = like
    this.#width = width
    this.#arrays = new ArrayPool(like)
  }

  take(): Request {
    return this.#idle.pop() ?? new Request(this.#owner, arrayLike(this.#like, this.#width))
  }

  /** Copies x, which the caller may write into at once. */
  hold(request: Request, x: TensorArray, steps: number): void {
    request.steps = steps
    const { row } = request
    if (steps > 1) {
      request.x = this.#arrays.take(x.length)
      request.x.set(x)
    } else if (x.length > 24) row.set(x)
    else for (let i = 0; i < x.length; i++) row[i] = x[i]
  }

  give(request: Request): void {
    if (request.x !== request.row) this.#arrays.give(request.x)
    if (this.#idle.length >= 1024) return
    request.stream = request.following = request.signal = request.output = request.initialState = undefined
    request.stateAfter = request.job = request.given = undefined
    request.resolve = request.reject = unset
    request.isAbandoned = request.returnsState = request.isStep = false
    request.x = request.row
    request.at = request.deadline = request.priority = 0
    request.slot = none
    this.#idle.push(request)
  }
}
