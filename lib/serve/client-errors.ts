/** What becomes of connections that speak no HTTP, too slowly, or are too many. */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Refusal } from './metrics.ts'
import type { Settings } from './options.ts'

export type Refusals = Record<Refusal, number>

/** For what cannot be answered as a request: the answer is written by hand, and the connection ends. */
export function refuseClient(refused: Refusals): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    refused[isSlow ? 'slow' : 'malformed']++
    const message = isSlow ? 'the request took too long to come' : `expected HTTP/1.1: ${error.message}`
    const body = JSON.stringify({ error: message })
    const head = [
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ]
    socket.end(`HTTP/1.1 ${statusOf(error.code)}\r\n${head.join('\r\n')}\r\n\r\n${body}`)
  }
}

function statusOf(code: string | undefined): string {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout'
  return code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request'
}

export function limitConnections(
  server: HttpServer,
  { maxConnections, bodyLimit }: Settings,
  refused: Refusals,
): void {
  server.maxConnections = maxConnections
  server.on('drop', () => refused.connection_limit++)
  // A body that is too large is refused before it is sent, where the client asks.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!(Number(request.headers['content-length']) > bodyLimit)) response.writeContinue()
    server.emit('request', request, response)
  })
}
