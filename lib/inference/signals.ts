/** Requests by the signal that may withdraw them. */
import type { Request } from './requests.ts'

/** A listener for each signal, however many requests have it: a server has one for all that it does. */
export class Signals {
  readonly #groups = new Map<AbortSignal, SignalGroup>()

  add(request: Request, signal: AbortSignal): void {
    let group = this.#groups.get(signal)
    if (!group) {
      group = new SignalGroup()
      this.#groups.set(signal, group)
      signal.addEventListener('abort', group)
    }
    group.requests.add(request)
  }

  remove(request: Request, signal: AbortSignal): void {
    const group = this.#groups.get(signal)
    if (!group?.requests.delete(request) || group.requests.size > 0) return
    signal.removeEventListener('abort', group)
    this.#groups.delete(signal)
  }
}

class SignalGroup {
  readonly requests = new Set<Request>()

  handleEvent(): void {
    for (const request of [...this.requests]) {
      // One that is gone with another of its stream or batch may be somebody else's by now.
      if (this.requests.has(request)) request.owner.abort(request)
    }
  }
}
