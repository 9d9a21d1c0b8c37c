/** Servers of small models, and clients that speak the protocol as their makers would: in JSON, in bytes, or not at all. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedding, type Layer, Linear, LSTM, lastStep, Sequential, save } from 'lstm-native'
import { createServer, type InferenceServer, type ServeOptions } from 'lstm-native/serve'
import { afterAll, onTestFinished } from 'vitest'

/** [B, T, 3] to [B, T, 2], with a state of 2 x 5 numbers. */
export function steps(seed = 1, hiddenSize = 5): Sequential {
  return new Sequential([
    new LSTM({ inputSize: 3, hiddenSize, seed }),
    new Linear({ inputSize: hiddenSize, outputSize: 2, seed }),
  ])
}

/** [B, T, 3] to [B, 2]. */
export function last(seed = 1): Sequential {
  const [lstm, linear] = steps(seed).layers
  return new Sequential([lstm, lastStep(), linear])
}

/** Indices below 10, [B, T], to [B, T, 4]. */
export function words(): Sequential {
  return new Sequential([
    new Embedding({ vocabularySize: 10, embeddingSize: 4, seed: 3 }),
    new LSTM({ inputSize: 4, hiddenSize: 4, seed: 4 }),
  ])
}

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

/** An empty folder that is gone after the file's tests. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lstm-serve-'))
  folders.push(folder)
  return folder
}

/** Saves models as NAME.safetensors. @returns the arguments to serve them */
export async function saved(models: Record<string, Layer>): Promise<string[]> {
  const folder = await newFolder()
  const paths: string[] = []
  for (const [name, model] of Object.entries(models)) {
    const path = join(folder, `${name}.safetensors`)
    await save(model, path)
    paths.push(path)
  }
  return paths
}

export interface TestServer {
  server: InferenceServer
  url: string
  port: number
  /** What was logged. */
  log: Record<string, unknown>[]
}

/** A server that ends with the test, and waits for nobody then unless it is told to. */
export async function started(options: ServeOptions): Promise<TestServer> {
  const log: Record<string, unknown>[] = []
  const logStream = { write: (line: string) => void log.push(JSON.parse(line)) }
  const server = await createServer({ port: 0, logStream, drainTimeout: 0, ...options })
  onTestFinished(async () => void (await server.close()))
  const url = await server.listen()
  return { server, url, port: Number(new URL(url).port), log }
}

export interface Reply {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says
  body: any
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url, { headers })
  return { status: response.status, headers: response.headers, body: await bodyOf(response) }
}

export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Reply> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: isRaw ? (body as string) : JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: await bodyOf(response) }
}

async function bodyOf(response: Response): Promise<unknown> {
  const bytes = Buffer.from(await response.arrayBuffer())
  if (response.headers.get('content-type')?.startsWith('application/json'))
    return JSON.parse(bytes.toString())
  return bytes
}

/** The input x of a request, FP32, in JSON. */
export function x(data: unknown, shape: readonly number[]) {
  return { name: 'x', shape, datatype: 'FP32', data }
}

/** A connection that is written to by hand. */
export class Wire {
  readonly socket: Socket
  received = ''
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => (this.received += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => (this.isClosed = true))
  }

  static async open(port: number): Promise<Wire> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const wire = new Wire(socket)
    onTestFinished(() => void socket.destroy())
    return wire
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  async until(found: (wire: Wire) => boolean, timeout = 20_000): Promise<void> {
    const end = performance.now() + timeout
    while (!found(this)) {
      if (performance.now() > end) throw new Error(`waited in vain; received: ${this.received.slice(0, 500)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** The head of a POST. */
export function head(path: string, headers: Record<string, string | number> = {}): string {
  const lines = Object.entries({ host: 'localhost', 'content-type': 'application/json', ...headers })
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
