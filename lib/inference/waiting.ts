/** The requests that wait for a run, and which of them go next. */
import type { Job } from './job.ts'
import type { Pace } from './pace.ts'
import { type Request, RequestQueue } from './requests.ts'
import type { PlanParts } from './traits.ts'

/** Priorities are integers from 0 to it, the highest first. */
export const highestPriority = 9

/**
 * Microseconds that a run may last: less while single steps are about, which share it or wait behind it, and more where nothing short
 * has come of late, since every run costs the event loop a tenth of a millisecond.
 */
const longest = 2000
const longestBesideSteps = 1000
const longestAlone = 8000
/** Milliseconds. */
const ofLate = 250

/** What a job is to be made for. */
interface Circumstances {
  /** Single steps run. */
  isBesideSteps: boolean
  /** It is more than executors need: to keep them busy while the event loop is not there, with what a run ends. */
  isAhead: boolean
  /** Milliseconds in which the event loop comes round. */
  turnTime: number
  /** Milliseconds of `performance.now()`. */
  now: number
}

/** Of one priority. What fits into a run beside a batch of its like need not wait behind what lasts. */
interface Level {
  short: RequestQueue
  /** Long ones of which a part has run. They go before `long`: many that share the time would all end late, or too late. */
  begun: RequestQueue
  long: RequestQueue
}

export class Waiting {
  size = 0
  /** Time steps of all. */
  rows = 0
  /** Those of which a part has run. */
  begun = 0
  readonly #plan: PlanParts
  readonly #pace: Pace
  readonly #maxSize: number
  readonly #levels: Level[] = []
  /** When the last of the short ones came. */
  #shortAt = Number.NEGATIVE_INFINITY

  constructor(plan: PlanParts, pace: Pace, maxSize: number) {
    this.#plan = plan
    this.#pace = pace
    this.#maxSize = maxSize
    for (let priority = 0; priority <= highestPriority; priority++)
      this.#levels.push({ short: new RequestQueue(), begun: new RequestQueue(), long: new RequestQueue() })
  }

  push(request: Request): void {
    const { short, begun, long } = this.#levels[request.priority]
    const queue = request.at > 0 ? begun : this.#isLong(request) ? long : short
    queue.push(request)
    if (queue === short) this.#shortAt = request.arrived
    this.size++
    this.rows += request.remaining
    if (request.at > 0) this.begun++
  }

  remove(request: Request): void {
    request.queue!.remove(request)
    this.size--
    this.rows -= request.remaining
    if (request.at > 0) this.begun--
  }

  /** Those that a run ends. */
  get shortSize(): number {
    let size = 0
    for (const { short } of this.#levels) size += short.size
    return size
  }

  /** When the one came that waits longest. */
  get oldest(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const { short, begun, long } of this.#levels) {
      if (short.first) oldest = Math.min(oldest, short.first.arrived)
      if (begun.first) oldest = Math.min(oldest, begun.first.arrived)
      if (long.first) oldest = Math.min(oldest, long.first.arrived)
    }
    return oldest
  }

  /** Any that waits. */
  get first(): Request | undefined {
    for (const { short, begun, long } of this.#levels) {
      const first = short.first ?? begun.first ?? long.first
      if (first) return first
    }
    return undefined
  }

  /**
   * Moves up to `places` requests into a job.
   *
   */
  take(job: Job, places: number, circumstances: Circumstances): void {
    if (this.#plan.sharing === 'ragged') this.#takeMixed(job, places, circumstances)
    else this.#takeAlike(job, places)
  }

  /** Of any length: short ones whole, long ones in part, which gives the same bits where nothing masks steps. */
  #takeMixed(job: Job, places: number, { isBesideSteps, isAhead, turnTime, now }: Circumstances): void {
    // What runs lasts until the event loop comes round.
    const atLeast = 500 * turnTime
    const alone = now - this.#shortAt > ofLate ? longestAlone : longest
    for (let priority = highestPriority; priority >= 0 && job.size < places; priority--) {
      const level = this.#levels[priority]
      const { short } = level
      const left = places - job.size
      const shorts = Math.min(short.size, isAhead ? left : left - placesForLong(level, left))
      for (let n = 0; n < shorts; n++) this.#move(short.first!, job, short.first!.remaining)
      const most = isBesideSteps || job.size > 0 ? longestBesideSteps : alone
      if (!isAhead) this.#takeLong(level, job, places, Math.max(most, atLeast))
    }
  }

  /** Parts of long sequences, each as long as the others. */
  #takeLong({ begun, long }: Level, job: Job, places: number, microseconds: number): void {
    const count = Math.min(begun.size + long.size, places - job.size)
    if (count === 0) return
    const rows = this.#pace.rowsIn(microseconds, count)
    const share = Math.max(1, Math.floor((rows - job.rows) / count))
    for (let n = 0; n < count; n++) {
      const request = (begun.first ?? long.first)!
      const { remaining } = request
      if (!this.#plan.obstacle) this.#move(request, job, Math.min(share, remaining))
      else if (job.size === 0 || job.rows + remaining <= rows) this.#move(request, job, remaining)
      else return
    }
  }

  /** The first in line and others of its length, or near it where `lengths` may tell them apart. */
  #takeAlike(job: Job, places: number): void {
    const rows = this.#pace.rowsIn(longest, places)
    for (let priority = highestPriority; priority >= 0; priority--) {
      const { short } = this.#levels[priority]
      for (let request = short.first; request && job.size < places; ) {
        const { next, steps } = request
        if (this.#isAlike(steps, job)) {
          if (steps > 1 && job.size > 0 && job.rows + steps > rows) return
          this.#move(request, job, steps)
        }
        request = next
      }
    }
  }

  #isAlike(steps: number, job: Job): boolean {
    if (job.size === 0) return true
    if (this.#plan.sharing === 'equal') return steps === job.T
    const first = job.counts[0]
    return steps * 4 >= first * 3 && steps * 3 <= first * 4
  }

  #move(request: Request, job: Job, count: number): void {
    this.remove(request)
    job.add(request, count)
  }

  #isLong({ steps }: Request): boolean {
    if (this.#plan.sharing !== 'ragged') return false
    if (steps === 1) return false
    return steps * this.#maxSize > this.#pace.rowsIn(longest, this.#maxSize)
  }
}

/** A quarter, so that neither kind keeps the other from running; a single place goes to who came first. */
function placesForLong({ short, begun, long }: Level, places: number): number {
  const first = begun.first ?? long.first
  if (!first) return 0
  if (places > 1 || !short.first) return Math.min(begun.size + long.size, Math.max(1, places >> 2))
  return first.arrived < short.first.arrived ? 1 : 0
}
