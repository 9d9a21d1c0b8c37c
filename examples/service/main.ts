/**
 * The library inside a service: sequences of all callers share batches, each user has a stream of his own, and the service's
 * own HTTP is but a front. README.md tells the paths; `npx tsx examples/service/main.ts [MODEL.safetensors]` starts it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import {
  Batcher,
  ClosedError,
  compile,
  type Layer,
  load,
  QueueFullError,
  type Stream,
  TimeoutError,
  tensor,
} from 'lstm-native'
import { learnSine } from './model.ts'

export interface Service {
  server: Server
  /** Answers what has come, takes nothing more, and resolves when all is done. */
  close(): Promise<void>
}

/** @param timeout in ms: how long a call of the batcher may wait before its request is answered with 503 */
export function createService(model: Layer, { timeout = 200 } = {}): Service {
  const batcher = new Batcher(compile(model), { maxQueueSize: 1024, timeout })
  const users = new Map<string, Stream>()
  /** Requests that have come and are not answered. */
  let open = 0
  let isClosing = false

  /** A user's next values; his stream remembers those before. */
  async function next(user: string, values: number[], signal: AbortSignal): Promise<number[]> {
    let stream = users.get(user)
    if (!stream) users.set(user, (stream = batcher.stream()))
    return [...(await stream.next(floats(values), { signal })).data]
  }

  /** The values after those given: the model's guesses, each the input of the next. */
  async function forecast(values: number[], horizon: number, signal: AbortSignal): Promise<number[]> {
    let { output, state } = await batcher.predict(column(values), { state: null, signal })
    const guesses = [output.data.at(-1)!]
    while (guesses.length < horizon) {
      ;({ output, state } = await batcher.predict(column(guesses.slice(-1)), { state, signal }))
      guesses.push(output.data[0])
    }
    return guesses
  }

  function forget(user: string): boolean {
    users.get(user)?.close()
    return users.delete(user)
  }

  async function answer(
    { method, url }: IncomingMessage,
    body: unknown,
    signal: AbortSignal,
  ): Promise<unknown> {
    const [, what, user] = new URL(url!, 'http://service').pathname.split('/')
    const { values, horizon = 1 } = body as { values: number[]; horizon?: number }
    if (method === 'POST' && what === 'forecast') return forecast(values, horizon, signal)
    if (method === 'POST' && what === 'users') return next(user, values, signal)
    if (method === 'DELETE' && what === 'users') return forget(user)
    if (method === 'GET' && what === 'statistics') return { ...batcher.statistics, open }
    throw new RangeError(`expected a path of README.md, got ${method} ${url}`)
  }

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const left = new AbortController()
    open++
    response.once('close', () => {
      open--
      left.abort()
    })
    let status = 200
    let result: unknown
    try {
      const body = request.method === 'POST' ? await json(request) : {}
      result = await answer(request, body, left.signal)
    } catch (error) {
      // Nobody is there to be answered.
      if (left.signal.aborted) return
      status = statusOf(error)
      if (status === 500) console.error(error)
      result = { error: (error as Error).message }
    }
    if (status === 503) response.setHeader('Retry-After', '1')
    if (isClosing) response.setHeader('Connection', 'close')
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(result))
  })

  async function close(): Promise<void> {
    isClosing = true
    await new Promise((resolve) => server.close(resolve))
    await batcher.close()
  }
  return { server, close }
}

function column(values: readonly number[]) {
  return tensor(floats(values), { shape: [values.length, 1] })
}

function floats(values: readonly number[]): Float32Array {
  if (Array.isArray(values) && values.every(Number.isFinite)) return Float32Array.from(values)
  throw new TypeError(`expected values as an array of numbers, got ${JSON.stringify(values)}`)
}

function statusOf(error: unknown): number {
  const isBusy = [QueueFullError, TimeoutError, ClosedError].some((type) => error instanceof type)
  if (isBusy) return 503
  return [SyntaxError, TypeError, RangeError].some((type) => error instanceof type) ? 400 : 500
}

if (process.argv[1] === import.meta.filename) {
  const model = process.argv[2] ? ((await load(process.argv[2])) as Layer) : await learnSine()
  const { server, close } = createService(model, { timeout: Number(process.env.TIMEOUT ?? 200) })
  server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
    console.log('listening', server.address()),
  )
  process.once('SIGTERM', close)
}
