/**
 * Sharing the thread with the rest of the program: pauses for the event loop, and stopping when a signal says
 * so.
 */
import { setImmediate } from 'node:timers/promises'

/** How long training holds the thread before other events get a turn, in milliseconds. */
const holdMilliseconds = 15

export class Pace {
  readonly #signal: AbortSignal | undefined
  #since = performance.now()

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /** Throws the signal's reason if it was aborted, and lets other events have their turn if it is time. */
  async breathe(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (performance.now() - this.#since < holdMilliseconds) return
    await setImmediate()
    this.#since = performance.now()
    this.#signal?.throwIfAborted()
  }

  /** The items of an iterable, ended by the signal even while the next one is awaited. */
  async *each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
    if (Symbol.iterator in items) {
      yield* items
      return
    }
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        this.#signal?.throwIfAborted()
        const { done, value } = await untilAborted(iterator.next(), this.#signal)
        if (done) return
        yield value
      }
    } finally {
      const closing = iterator.return?.()
      // A source that is still busy closes whenever it is done; waiting for it would hold up the abort.
      if (this.#signal?.aborted) closing?.catch(() => {})
      else await closing
    }
  }
}

/** The promise's outcome, or a rejection with the signal's reason if that comes first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
