/** The body of a request as one Buffer, or not at all: never more of it in memory than is allowed. */
import type { IncomingMessage } from 'node:http'
import { RequestError } from '../request-error.ts'

/**
 * Reads the body of a request. Calls `done` once: with the body, with the error to answer, or with neither if the client went
 * away before its end.
 *
 * @param limit in bytes
 */
export function readBody(
  request: IncomingMessage,
  limit: number,
  done: (error: RequestError | undefined, body: Buffer | undefined) => void,
): void {
  const announced = request.headers['content-length']
  const expected = announced === undefined ? -1 : Number(announced)
  if (expected > limit) {
    done(tooLarge(limit, `${expected}`), undefined)
    return
  }
  let chunks: Buffer[] | undefined
  let received = 0
  let isDone = false
  const finish = (error: RequestError | undefined, body: Buffer | undefined): void => {
    if (isDone) return
    isDone = true
    chunks = undefined
    done(error, body)
  }
  // The listeners stay: to take them away costs a request more than to ask whether it is done.
  request.on('data', (chunk: Buffer) => {
    if (isDone) return
    received += chunk.length
    // The parser of HTTP lets no more through than was announced.
    if (received > limit) finish(tooLarge(limit, 'more'), undefined)
    else if (received === expected) finish(undefined, join(chunks, chunk))
    else if (chunks) chunks.push(chunk)
    else chunks = [chunk]
  })
  request.on('end', () => finish(undefined, join(chunks)))
  request.on('close', () => finish(undefined, undefined))
}

function join(chunks: readonly Buffer[] | undefined, last?: Buffer): Buffer {
  if (!chunks) return last ?? Buffer.alloc(0)
  return Buffer.concat(last ? [...chunks, last] : chunks)
}

function tooLarge(limit: number, got: string): RequestError {
  return new RequestError(413, `expected a body of at most ${limit} bytes, got ${got}`)
}
