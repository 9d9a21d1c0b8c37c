/** What a client is told when its request cannot be served: an HTTP status and a sentence. */
import { ClosedError, QueueFullError, TimeoutError, TracelessError } from '../errors.ts'
import { SequenceError } from './sequences/store.ts'

/** How a request ended, as the metrics count it. */
export type Outcome =
  | 'ok'
  | 'bad_request'
  | 'not_found'
  | 'conflict'
  | 'queue_full'
  | 'timeout'
  | 'unavailable'
  | 'cancelled'
  | 'error'

export const outcomes: readonly Outcome[] = [
  'ok',
  'bad_request',
  'not_found',
  'conflict',
  'queue_full',
  'timeout',
  'unavailable',
  'cancelled',
  'error',
]

export class RequestError extends TracelessError {
  override readonly name = 'RequestError'
  readonly status: number
  readonly outcome: Outcome
  /** In seconds, for the header Retry-After. */
  readonly retryAfter?: number

  constructor(
    status: number,
    message: string,
    { outcome = 'bad_request', retryAfter }: { outcome?: Outcome; retryAfter?: number } = {},
  ) {
    super(message)
    this.status = status
    this.outcome = outcome
    this.retryAfter = retryAfter
  }
}

/** 400: the request is not what the protocol or the model asks for. */
export function badRequest(message: string): RequestError {
  return new RequestError(400, message)
}

/** Why a request is withdrawn whose client has closed the connection. */
export class ClientGoneError extends TracelessError {
  override readonly name = 'ClientGoneError'

  constructor() {
    super('the client closed the connection')
  }
}

/** What a failure is to the client. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error
  if (error instanceof ClientGoneError) return new RequestError(499, error.message, { outcome: 'cancelled' })
  if (error instanceof SequenceError) {
    const { status, message, retryAfter } = error
    const outcome = status === 404 ? 'not_found' : status === 409 ? 'conflict' : 'unavailable'
    return new RequestError(status, message, { outcome, retryAfter })
  }
  if (error instanceof QueueFullError)
    return new RequestError(503, error.message, { outcome: 'queue_full', retryAfter: 1 })
  if (error instanceof TimeoutError) return new RequestError(504, error.message, { outcome: 'timeout' })
  if (error instanceof ClosedError)
    return new RequestError(503, 'the server is about to end', { outcome: 'unavailable', retryAfter: 1 })
  return new RequestError(500, 'the server failed; its log tells why', { outcome: 'error' })
}
