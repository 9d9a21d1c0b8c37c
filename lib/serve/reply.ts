/** Writes answers straight to the response: headers and body in one piece. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EncodedResponse } from './protocol/response.ts'
import type { RequestError } from './request-error.ts'

export function writeAnswer(
  response: ServerResponse,
  { body, headerLength }: EncodedResponse,
  isLast: boolean,
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  const headers =
    headerLength === undefined
      ? ['Content-Type', 'application/json', 'Content-Length', String(length)]
      : [
          'Content-Type',
          'application/octet-stream',
          'Inference-Header-Content-Length',
          String(headerLength),
          'Content-Length',
          String(length),
        ]
  if (isLast) headers.push('Connection', 'close')
  response.writeHead(200, headers)
  response.end(body)
}

/** For so long a refused request may go on sending, in ms: a client that is cut off in the middle of it sees no answer. */
const lingerFor = 1000

/** A body of so many bytes has come, or will in a moment. */
const shortBody = 2 ** 16

/** `{"error": "..."}`. The rest of a long body is thrown away for a moment, then the connection ends. */
export function writeError(
  request: IncomingMessage,
  response: ServerResponse,
  { status, message, retryAfter }: RequestError,
  isLast: boolean,
): void {
  if (response.headersSent || response.destroyed) return
  const body = JSON.stringify({ error: message })
  const headers = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))]
  if (retryAfter !== undefined) headers.push('Retry-After', String(retryAfter))
  if (status === 401) headers.push('WWW-Authenticate', 'Bearer')
  if (isLast) headers.push('Connection', 'close')
  response.writeHead(status, headers)
  response.end(body)
  if (request.complete || isLast || Number(request.headers['content-length']) <= shortBody) return
  const { socket } = request
  request.resume()
  const end = setTimeout(() => socket.destroy(), lingerFor)
  request.once('end', () => clearTimeout(end))
  request.once('close', () => clearTimeout(end))
}
