/** One after another: what a sequence's steps have to be. */

export class Turns {
  #last: Promise<unknown> | undefined
  #waiting = 0

  /** Tasks under way and waiting. */
  get waiting(): number {
    return this.#waiting
  }

  /** Runs the task when those given before it have ended, well or not: at once if there are none. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    const before = this.#last
    this.#waiting++
    const turn = before ? before.then(task, task) : task()
    this.#last = turn
    try {
      return await turn
    } finally {
      if (--this.#waiting === 0) this.#last = undefined
    }
  }
}

/** The promise, or `signal.reason` as soon as the signal is given; what the promise stands for goes on. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
