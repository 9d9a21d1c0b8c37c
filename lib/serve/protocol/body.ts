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
  const chunks: Buffer[] = []
  let received = 0
  const finish = (error: RequestError | undefined, body: Buffer | undefined): void => {
    request.off('data', onData)
    request.off('end', onEnd)
    request.off('close', onClose)
    done(error, body)
  }
  const onData = (chunk: Buffer): void => {
    received += chunk.length
    // The parser of HTTP lets no more through than was announced.
    if (received > limit) finish(tooLarge(limit, 'more'), undefined)
    else if (received === expected) finish(undefined, chunks.length ? join(chunks, chunk) : chunk)
    else chunks.push(chunk)
  }
  const onEnd = (): void => finish(undefined, join(chunks))
  const onClose = (): void => finish(undefined, undefined)
  request.on('data', onData)
  request.on('end', onEnd)
  request.on('close', onClose)
}

function join(chunks: Buffer[], last?: Buffer): Buffer {
  if (last) chunks.push(last)
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
}

function tooLarge(limit: number, got: string): RequestError {
  return new RequestError(413, `expected a body of at most ${limit} bytes, got ${got}`)
}
