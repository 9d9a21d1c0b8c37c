/** The deadlines of requests: one timer for all of them. */
import type { Request } from './requests.ts'

/** Requests with a deadline, in the order in which they came; one that leaves costs no search. */
export class Deadlines {
  readonly #expire: (request: Request) => void
  #first: Request | undefined
  #last: Request | undefined
  #timer: NodeJS.Timeout | undefined
  #due = Number.POSITIVE_INFINITY

  constructor(expire: (request: Request) => void) {
    this.#expire = expire
  }

  add(request: Request, now: number): void {
    request.earlier = this.#last
    if (this.#last) this.#last.later = request
    else this.#first = request
    this.#last = request
    if (request.deadline < this.#due) this.#set(request.deadline, now)
  }

  /** Of a request that may have none. */
  remove(request: Request): void {
    const { earlier, later } = request
    if (earlier) earlier.later = later
    else if (this.#first === request) this.#first = later
    else return
    if (later) later.earlier = earlier
    else this.#last = earlier
    request.earlier = request.later = undefined
  }

  #set(due: number, now: number): void {
    clearTimeout(this.#timer)
    this.#due = due
    // Stays when the last request has left: most do before their deadline, and a timer each would cost more than the rest.
    this.#timer = setTimeout(() => this.#check(), Math.max(1, Math.ceil(due - now))).unref()
  }

  #check(): void {
    this.#timer = undefined
    this.#due = Number.POSITIVE_INFINITY
    const now = performance.now()
    let due = Number.POSITIVE_INFINITY
    for (let request = this.#first; request; ) {
      const { later } = request
      if (request.deadline <= now) {
        this.remove(request)
        this.#expire(request)
      } else due = Math.min(due, request.deadline)
      request = later
    }
    if (due < Number.POSITIVE_INFINITY) this.#set(due, now)
  }
}
