/** One run of a plan for several requests: their inputs put together, their results handed out. */
import { markAsUntransferable } from 'node:worker_threads'
import type { FloatArray, RunPlanAsync } from '../kernels/contract.ts'
import { Tensor, type TensorArray } from '../tensor.ts'
import { arrayLike } from './arrays.ts'
import { none, type Request } from './requests.ts'
import type { StreamStates } from './states.ts'
import type { PlanParts } from './traits.ts'

/** A result of so many numbers is copied, which costs no more than a view; a larger one is a view of the run's. */
const copied = 16

/** Elements of an array that is kept for the next run anyway; a larger one came with a sequence of unusual length. */
const kept = 2 ** 18

/** Its arrays are kept from run to run; those of a run under way belong to the run. */
export class Job {
  /** The requests of the run, and how many time steps of each. */
  readonly requests: Request[] = []
  readonly counts: Int32Array
  size = 0
  rows = 0
  T = 0
  /** Requests of a single step. */
  steps = 0
  /** Requests that somebody still waits for. */
  live = 0
  /** Microseconds that each request waited for this run. */
  readonly waits: Float64Array
  /** Of `cancelPlan`. */
  run = 0
  computeMicroseconds = 0
  readonly call: RunPlanAsync
  readonly #plan: PlanParts
  readonly #states: StreamStates
  readonly #offsets: Int32Array
  readonly #slots: Int32Array
  /** The slabs of the run, and where in them each of the plan's stands: a run looks at no others. */
  readonly #slabs: FloatArray[] = []
  readonly #places: number[] = []
  readonly #kept: number
  #x: TensorArray
  #y: FloatArray
  /** Results are views of y, and keep it: of steps, and of one request alone. */
  #isShared = false
  /** The first request that has not been handed its result. */
  #next = 0

  constructor(
    plan: PlanParts,
    states: StreamStates,
    maxSize: number,
    done: (job: Job, error: Error | undefined) => void,
  ) {
    this.#plan = plan
    this.#states = states
    this.counts = new Int32Array(maxSize)
    this.waits = new Float64Array(maxSize)
    this.#offsets = new Int32Array(maxSize + 1)
    this.#slots = new Int32Array(maxSize)
    this.#x = arrayLike(plan.inputLike, maxSize * plan.inputWidth)
    this.#y = arrayLike(plan.like, plan.outputSize > copied ? 0 : maxSize * plan.outputSize)
    this.#kept = Math.max(kept, this.#x.length, this.#y.length)
    const isStateful = plan.stateSize > 0
    this.call = {
      plan: plan.compiled,
      B: 0,
      T: 0,
      x: this.#x,
      y: this.#y,
      lengths: undefined,
      mask: undefined,
      offsets: undefined,
      initialState: undefined,
      finalState: undefined,
      slots: isStateful ? { slabs: this.#slabs, rows: states.rows, slots: this.#slots } : undefined,
      // One each: requests are shared out among jobs, which never wait for each other.
      threads: 1,
      done: (error, computeMicroseconds) => {
        this.computeMicroseconds = computeMicroseconds
        done(this, error)
      },
    }
  }

  add(request: Request, count: number): void {
    request.job = this
    this.requests[this.size] = request
    this.counts[this.size] = count
    this.size++
    this.rows += count
    if (count > this.T) this.T = count
  }

  /** Puts the inputs side by side, and says where the states are. */
  gather(): void {
    const { call, requests, counts, size, T } = this
    const { sharing, inputWidth, outputSize, stateSize, endsInOneStep, like } = this.#plan
    const isRagged = sharing === 'ragged' && T > 1
    const rows = isRagged ? this.rows : size * T
    this.#isShared = outputSize > copied && (size === 1 || T === 1) && this.#givesViews
    this.#reserve(rows, isRagged)
    const x = (call.x = exactly(this.#x, rows * inputWidth))
    const offsets = this.#offsets
    let row = 0
    for (let b = 0; b < size; b++) {
      const request = requests[b]
      const count = counts[b]
      offsets[b] = row
      copyRows(request.x, request.at * inputWidth, x, row * inputWidth, count * inputWidth)
      if (count < request.steps && !endsInOneStep)
        request.output ??= arrayLike(like, request.steps * outputSize)
      row += count
      if (isRagged || count === T) continue
      row += T - count
      x.fill(0, (offsets[b] + count) * inputWidth, row * inputWidth)
    }
    offsets[size] = row
    call.offsets = isRagged ? exactly(offsets, size + 1) : undefined
    call.lengths = !isRagged && this.rows < rows ? exactly(counts, size) : undefined
    call.B = this.live = size
    call.T = T
    if (stateSize > 0) this.#locate()
  }

  /** Whether all of its requests have been given what they waited for. */
  get isHandedOut(): boolean {
    return this.#next === this.size
  }

  /**
   * Gives each request whose sequence goes on its part of the result.
   *
   * @returns how many it was
   */
  proceed(proceed: (request: Request) => void): number {
    const { requests, counts, size } = this
    const { outputSize: O, endsInOneStep } = this.#plan
    const stride = this.#stride
    let proceeded = 0
    for (let b = 0; b < size; b++) {
      const request = requests[b]
      const count = counts[b]
      if (count === request.remaining) continue
      if (!endsInOneStep && request.output)
        copyRows(this.call.y, this.#first(b, stride), request.output, request.at * O, count * O)
      request.at += count
      request.job = undefined
      proceeded++
      proceed(request)
    }
    return proceeded
  }

  /**
   * Gives the others their results, the next `elements` of them or a little more: to answer is the caller's work, which it does
   * as soon as he has them, and the more he has the longer the event loop stands still.
   *
   * @returns how many requests it was
   */
  handOut(elements: number, finish: (request: Request, result: Tensor) => void): number {
    const { requests, counts, size, T } = this
    const { y } = this.call
    const { outputSize: O, endsInOneStep } = this.#plan
    const stride = this.#stride
    const isShared = this.#isShared
    // To transfer one result would take the others' memory away with it.
    if (isShared && size > 1 && this.#next === 0) markAsUntransferable(y.buffer)
    let handed = 0
    for (let left = elements; left > 0 && this.#next < size; this.#next++) {
      const b = this.#next
      const request = requests[b]
      const count = counts[b]
      // Of one that goes on, which runs again by now.
      if (request.job !== this) continue
      const first = this.#first(b, stride)
      const S = endsInOneStep ? 1 : stride > 0 && count === T ? stride : count
      request.job = undefined
      let array = request.output
      // One that was abandoned in the middle has no place for its parts any more.
      const isWhole = count === request.steps || endsInOneStep || !array
      if (array) copyRows(y, first, array, isWhole ? 0 : request.at * O, S * O)
      // Nothing but steps shares y: a result that somebody keeps would else keep long sequences of others.
      else if (isShared && count === request.steps) array = viewOf(y, first, S * O)
      else array = y.slice(first, first + S * O)
      const steps = isWhole ? S : request.steps
      request.at += count
      left -= array.length
      handed++
      request.given?.touch()
      finish(request, request.given ?? this.#result(request, steps, array))
    }
    return handed
  }

  /** Ready for the next run. */
  clear(): void {
    this.requests.length = 0
    this.#slabs.length = 0
    const { inputLike, like } = this.#plan
    if (this.#x.length > this.#kept) this.#x = arrayLike(inputLike, 0)
    if (this.#y.length > this.#kept) this.#y = arrayLike(like, 0)
    this.call.x = this.#x
    this.call.y = this.#y
    this.size = this.rows = this.T = this.live = this.steps = this.#next = 0
  }

  /** Whether a request gets its whole result from this run, and has brought no memory for it. */
  get #givesViews(): boolean {
    for (let b = 0; b < this.size; b++) {
      const { steps, output } = this.requests[b]
      if (this.counts[b] === steps && !output) return true
    }
    return false
  }

  /** Steps of y for each request; 0 where they lie one behind the other. */
  get #stride(): number {
    return this.call.offsets ? 0 : this.#plan.stepsAfter(this.T)
  }

  /** Where the result of a request begins in y. */
  #first(b: number, stride: number): number {
    const { outputSize, endsInOneStep } = this.#plan
    return (endsInOneStep ? b : stride > 0 ? b * stride : this.#offsets[b]) * outputSize
  }

  #result(request: Request, S: number, array: FloatArray): Tensor {
    const { outputSize, endsInOneStep, stepShape } = this.#plan
    return new Tensor(request.isStep || endsInOneStep ? stepShape : [S, outputSize], array)
  }

  #reserve(rows: number, isRagged: boolean): void {
    const { inputWidth, inputLike, outputSize, endsInOneStep, like, stepsAfter } = this.#plan
    if (rows * inputWidth > this.#x.length) this.#x = arrayLike(inputLike, grownLength(rows * inputWidth))
    const outputRows = endsInOneStep ? this.size : isRagged ? rows : this.size * stepsAfter(this.T)
    const outputs = outputRows * outputSize
    if (this.#isShared) this.call.y = arrayLike(like, outputs)
    else {
      if (outputs > this.#y.length) this.#y = arrayLike(like, grownLength(outputs))
      this.call.y = exactly(this.#y, outputs)
    }
  }

  #locate(): void {
    const { slabs, rows } = this.#states
    for (let b = 0; b < this.size; b++) {
      const request = this.requests[b]
      const slot = request.slot === none ? request.stream!.slot : request.slot
      const slab = Math.floor(slot / rows)
      let place = this.#places[slab]
      if (place === undefined || this.#slabs[place] !== slabs[slab]) {
        place = this.#slabs.length
        this.#slabs.push(slabs[slab])
        while (this.#places.length <= slab) this.#places.push(0)
        this.#places[slab] = place
      }
      this.#slots[b] = place * rows + (slot - slab * rows)
    }
  }
}

/** The first elements, as an array of that length. */
function exactly<A extends TensorArray>(array: A, length: number): A {
  return (array.length === length ? array : array.subarray(0, length)) as A
}

function grownLength(length: number): number {
  return Math.ceil(length * 1.25)
}

function viewOf(array: FloatArray, first: number, length: number): FloatArray {
  const { buffer, byteOffset } = array
  return array instanceof Float64Array
    ? new Float64Array(buffer, byteOffset + first * 8, length)
    : new Float32Array(buffer, byteOffset + first * 4, length)
}

/** A loop below some twenty elements, where `set` would cost more than it copies. */
function copyRows(from: TensorArray, at: number, to: TensorArray, place: number, length: number): void {
  if (length <= 24) for (let i = 0; i < length; i++) to[place + i] = from[at + i]
  else if (at === 0 && from.length === length) to.set(from, place)
  else to.set(from.subarray(at, at + length), place)
}
