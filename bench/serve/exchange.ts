/** One request and its answer, where time does not count. */
import { request } from 'node:http'

export interface Message {
  path: string
  headers: Record<string, string>
  body: string | Uint8Array
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

export function get(port: number, path: string): Promise<Answer> {
  return exchange(port, 'GET', { path, headers: {}, body: '' })
}

export function post(port: number, message: Message): Promise<Answer> {
  return exchange(port, 'POST', message)
}

function exchange(port: number, method: string, { path, headers, body }: Message): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) })
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
