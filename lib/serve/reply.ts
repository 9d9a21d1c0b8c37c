/** Writes answers straight to the response: headers and body go out in one call of the system. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EncodedResponse } from './protocol/response.ts'
import type { RequestError } from './request-error.ts'

/** A body of so many bytes is put together; the tensors of a longer one go out from where they lie. */
const copied = 2 ** 14

/** @param written called when the tensors' memory is not read any more; not if the connection breaks before */
export function writeAnswer(
  response: ServerResponse,
  { text, tensors }: EncodedResponse,
  isLast: boolean,
  written: () => void,
): void {
  let length = Buffer.byteLength(text)
  const isBinary = tensors.length > 0
  const headers = ['Content-Type', isBinary ? 'application/octet-stream' : 'application/json']
  if (isBinary) headers.push('Inference-Header-Content-Length', String(length))
  for (const { byteLength } of tensors) length += byteLength
  headers.push('Content-Length', String(length))
  if (isLast) headers.push('Connection', 'close')
  response.writeHead(200, headers)
  if (isBinary && length > copied) {
    response.cork()
    response.write(text)
    for (const each of tensors) response.write(each)
    response.end(written)
    return
  }
  response.end(isBinary ? Buffer.concat([Buffer.from(text), ...tensors], length) : text)
  written()
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
