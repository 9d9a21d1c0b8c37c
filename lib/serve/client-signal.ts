/** What tells the batcher that a client has gone. */
import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { ClientGoneError } from './request-error.ts'

const signals = new WeakMap<Socket, AbortSignal>()

/** Aborted when the connection closes: one for all its requests, for a signal costs a request more than its tensors do. */
export function clientSignal(socket: Socket): AbortSignal {
  let signal = signals.get(socket)
  if (!signal) {
    const controller = new AbortController()
    // As many as there are requests on their way.
    setMaxListeners(0, controller.signal)
    socket.once('close', () => controller.abort(new ClientGoneError()))
    signals.set(socket, (signal = controller.signal))
  }
  return signal
}
