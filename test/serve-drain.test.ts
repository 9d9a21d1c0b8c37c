/** The end of a server, with requests under way: all that were accepted are answered, and the process ends with code 0. */
import { EventEmitter } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { save } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { run } from '../lib/cli/program.ts'
import { serve } from '../lib/cli/serve.ts'
import { get, head, post, saved, started, steps, Wire, x } from './support/inference-server.ts'
import { type ServeProcess, serveProcess } from './support/serve-process.ts'

const path = '/v2/models/steps/infer'
const body = JSON.stringify({ inputs: [x([0.1, 0.2, 0.3], [1, 1, 3])] })

/** What became of the requests of a client that keeps its connections and stops when the server says `close` on all. */
interface Load {
  answered: number
  /** Requests on a connection that had answered before, to which no answer came. */
  lost: number
  statuses: Set<number>
}

/** Clients, each with a request under way at all times, until the server takes no more connections. */
async function loadUntilRefused(port: number, clients: number): Promise<Load> {
  const load: Load = { answered: 0, lost: 0, statuses: new Set() }
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const ask = () =>
    new Promise<'answered' | 'refused' | 'lost'>((resolve) => {
      const asking = request(
        { port, path, method: 'POST', agent, headers: { 'content-length': body.length } },
        (response) => {
          load.statuses.add(response.statusCode!)
          response.resume()
          response.on('end', () => resolve('answered'))
          response.on('error', () => resolve('lost'))
        },
      )
      asking.on('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'lost'),
      )
      asking.end(body)
    })
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (;;) {
        const end = await ask()
        if (end === 'refused') return
        load[end]++
        if (end === 'lost') return
      }
    }),
  )
  agent.destroy()
  return load
}

/** The count that the server's last words give. */
async function ending(server: ServeProcess, signal: NodeJS.Signals) {
  const load = loadUntilRefused(server.port, 16)
  await new Promise((resolve) => setTimeout(resolve, 700))
  const code = await server.end(signal)
  return { code, ...(await load) }
}

describe('a server that is told to end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s under load loses no request', async (signal) => {
    const server = await serveProcess(...(await saved({ steps: steps() })))
    const { code, answered, lost, statuses } = await ending(server, signal)
    expect(code).toEqual([0, null])
    expect([...statuses]).toEqual([200])
    expect(lost).toBe(0)
    expect(answered).toBeGreaterThan(100)
    await server.logged(`${signal}: no new connections`)
  })

  it('while its models load ends as soon as it could begin', async () => {
    const signals = new EventEmitter()
    let log = ''
    const terminal = { out: (text: string) => void (log += text), error: () => {}, isInteractive: false }
    const ended = serve(await saved({ steps: steps() }), { port: 0, logLevel: 'info' }, terminal, signals)
    signals.emit('SIGTERM')
    await ended
    expect(log).toMatch(/Server listening[\s\S]*SIGTERM: no new connections/)
    expect(signals.eventNames()).toEqual([])
  })

  it('is not ready any more, but serves whom it has accepted', async () => {
    const { server, port } = await started({
      models: await saved({ steps: steps() }),
      drainTimeout: 20_000,
      drainDelay: 300,
    })
    const [early, slow] = [await Wire.open(port), await Wire.open(port)]
    slow.send(`${head(path, { 'content-length': body.length })}${body.slice(0, 5)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closing = server.close()
    expect(server.isReady).toBe(false)
    // In the delay new connections are taken still, and told that it is over.
    const probe = await Wire.open(port)
    probe.send('GET /v2/health/ready HTTP/1.1\r\nHost: a\r\n\r\n')
    await probe.until(({ received }) => received.includes('}'))
    expect(probe.received).toMatch(/^HTTP\/1.1 503 [\s\S]*connection: close[\s\S]*\{"ready":false\}$/i)
    await new Promise((resolve) => setTimeout(resolve, 400))
    await expect(Wire.open(port)).rejects.toThrow('ECONNREFUSED')
    early.send(`${head(path, { 'content-length': body.length })}${body}`)
    slow.send(body.slice(5))
    await Promise.all([early, slow].map((wire) => wire.until(({ isClosed }) => isClosed)))
    for (const { received } of [early, slow])
      expect(received).toMatch(/^HTTP\/1.1 200 OK[\s\S]*Connection: close[\s\S]*\]\}$/)
    expect(await closing).toBe(0)
  })

  it('waits no longer than it was told, or told again', async () => {
    for (const isTold of [false, true]) {
      const { server, port } = await started({
        models: await saved({ steps: steps() }),
        drainTimeout: isTold ? 60_000 : 200,
      })
      const wire = await Wire.open(port)
      wire.send(`${head(path, { 'content-length': body.length })}{`)
      await new Promise((resolve) => setTimeout(resolve, 50))
      const start = performance.now()
      const closing = server.close()
      if (isTold) void server.close()
      expect(await closing).toBe(1)
      expect(performance.now() - start).toBeLessThan(10_000)
      await wire.until(({ isClosed }) => isClosed)
    }
  })

  it('does not wait for connections that do nothing', async () => {
    const { server, port, url } = await started({
      models: await saved({ steps: steps() }),
      drainTimeout: 20_000,
    })
    await Wire.open(port)
    await get(`${url}/v2`)
    const start = performance.now()
    expect(await server.close()).toBe(0)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('lstm serve', () => {
  it('loads models and keys anew on SIGHUP, and keeps the old ones where the new are garbage', async () => {
    const [model] = await saved({ steps: steps(1) })
    const keys = `${model}.keys`
    await writeFile(keys, 'old')
    const server = await serveProcess(model, '--no-watch', '--api-key-file', keys)
    const ask = async (key: string) => post(server.url + path, body, { 'x-api-key': key })
    const before = await ask('old')
    await save(steps(2), `${model}.new`)
    await rename(`${model}.new`, model)
    await writeFile(keys, 'new')
    server.process.kill('SIGHUP')
    await server.logged('reloaded')
    while ((await ask('new')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 10))
    const after = await ask('new')
    expect(after.body.outputs[0].data).not.toEqual(before.body.outputs[0].data)
    await writeFile(model, 'garbage')
    server.process.kill('SIGHUP')
    await server.logged('not reloaded')
    expect((await ask('new')).body).toEqual(after.body)
    expect(await server.end()).toEqual([0, null])
  })

  it('says in a line what it cannot do', async () => {
    const { port, server } = await started({ models: await saved({ steps: steps() }) })
    const [model] = await saved({ steps: steps() })
    const lstm = async (...args: string[]) => {
      let error = ''
      const code = await run(['serve', ...args], {
        out: () => {},
        error: (text) => void (error += text),
        isInteractive: false,
      })
      return [code, error.trimEnd()]
    }
    expect(await lstm('/no/model')).toEqual([
      2,
      expect.stringMatching(/^lstm: \/no\/model: cannot be served: ENOENT/),
    ])
    expect(await lstm(model, '--tls-cert', 'a')).toEqual([
      2,
      'lstm: expected --tls-cert and --tls-key, got one of them',
    ])
    expect(await lstm(model, '--port', String(port))).toEqual([2, expect.stringMatching(/EADDRINUSE/)])
    expect(await lstm(model, '--log-level', 'loud')).toEqual([2, expect.stringMatching(/loud/)])
    expect(await lstm(model, '--max-batch', '0')).toEqual([2, expect.stringMatching(/integer of at least 1/)])
    expect(await lstm()).toEqual([2, expect.stringMatching(/missing required argument 'model'/)])
    await server.close()
  })
})
