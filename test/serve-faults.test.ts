/** Clients that vanish, send half, send too much or too slowly, and a queue that is full: the server stays, and says why. */
import { describe, expect, it } from 'vitest'
import {
  get,
  head,
  post,
  saved,
  started,
  steps,
  type TestServer,
  Wire,
  x,
} from './support/inference-server.ts'
import { serveProcess } from './support/serve-process.ts'

const path = '/v2/models/steps/infer'
const body = JSON.stringify({ inputs: [x([0.1, 0.2, 0.3], [1, 1, 3])] })
const good = `${head(path, { 'content-length': body.length })}${body}`
/** 2,000 steps take a moment. */
const long = JSON.stringify({ inputs: [x(Array(6000).fill(0.1), [1, 2000, 3])] })

async function serving(options = {}): Promise<TestServer> {
  return started({ models: await saved({ steps: steps(1, 64) }), ...options })
}

async function count({ url }: { url: string }, line: string): Promise<number> {
  const text = (await get(`${url}/metrics`)).body.toString()
  return Number(
    text
      .split('\n')
      .find((each: string) => each.startsWith(line))
      ?.split(' ')
      .at(-1),
  )
}

const outcome = (name: string) => `lstm_inference_requests_total{model="steps",version="1",outcome="${name}"}`

async function expectAlive(server: { url: string }): Promise<void> {
  expect((await post(server.url + path, body)).status).toBe(200)
}

async function until(found: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await found())) {
    if (performance.now() > end) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('a client that vanishes', () => {
  it('in the middle of its head, its body or its answer disturbs nobody', async () => {
    const server = await serving()
    for (const text of [
      'POST /v2/mod',
      head(path, { 'content-length': 500 }),
      `${head(path, { 'content-length': 500 })}{"inputs":`,
      good,
    ]) {
      for (const isRude of [false, true]) {
        const wire = await Wire.open(server.port)
        wire.send(text)
        await new Promise((resolve) => setTimeout(resolve, 20))
        if (isRude) wire.socket.resetAndDestroy()
        else wire.socket.end()
      }
    }
    await until(async () => (await count(server, outcome('cancelled'))) === 4)
    await expectAlive(server)
    expect(server.log.filter(({ level }) => (level as number) > 30)).toEqual([])
  })

  it('takes its request back from the queue', async () => {
    const server = await serving({ maxBatchSize: 1 })
    const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.open(server.port)))
    for (const wire of wires) wire.send(`${head(path, { 'content-length': long.length })}${long}`)
    await wires[0].until(() => wires.some(({ received }) => received !== ''))
    for (const wire of wires) wire.socket.destroy()
    await until(
      async () => (await count(server, outcome('ok'))) + (await count(server, outcome('cancelled'))) === 20,
    )
    expect(await count(server, outcome('cancelled'))).toBeGreaterThan(0)
    expect(await count(server, 'lstm_queue_size')).toBe(0)
    await expectAlive(server)
  })
})

describe('a body', () => {
  it('of a gigabyte is refused before it is sent', async () => {
    const server = await serving()
    const wire = await Wire.open(server.port)
    wire.send(head(path, { 'content-length': 2 ** 30 }))
    await wire.until(({ received }) => received.includes('\r\n\r\n'))
    expect(wire.received).toMatch(
      /^HTTP\/1.1 413 [\s\S]*\{"error":"expected a body of at most 16777216 bytes, got 1073741824"\}$/,
    )
    await wire.until(({ isClosed }) => isClosed)
    await expectAlive(server)
  })

  it('that waits for leave to be sent gets none if it is too large', async () => {
    const { port } = await serving({ bodyLimit: 1000 })
    const large = await Wire.open(port)
    large.send(head(path, { 'content-length': 1001, expect: '100-continue' }))
    await large.until(({ received }) => received.includes('413'))
    expect(large.received).not.toContain('100 Continue')
    const small = await Wire.open(port)
    small.send(head(path, { 'content-length': body.length, expect: '100-continue' }))
    await small.until(({ received }) => received.includes('100 Continue'))
    small.send(body)
    await small.until(({ received }) => received.includes('200 OK'))
  })

  it('in chunks without end is refused at the limit, and takes no memory', async () => {
    const server = await serveProcess(...(await saved({ steps: steps() })), '--body-limit', String(2 ** 20))
    const before = await server.residentMemory()
    const wire = await Wire.open(server.port)
    wire.send(head(path, { 'transfer-encoding': 'chunked' }))
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(2 ** 20, ' '), Buffer.from('\r\n')])
    let sent = 0
    // A gigabyte, if it is taken.
    const closed = new Promise((resolve) => wire.socket.once('close', resolve))
    for (; sent < 1024 && !wire.isClosed; sent++) {
      if (wire.socket.write(chunk)) continue
      await Promise.race([new Promise((resolve) => wire.socket.once('drain', resolve)), closed])
    }
    await wire.until(({ isClosed }) => isClosed)
    expect(wire.received).toMatch(/^HTTP\/1.1 413 [\s\S]*expected a body of at most 1048576 bytes, got more/)
    expect((await server.residentMemory()) - before).toBeLessThan(64)
    expect(await server.end()).toEqual([0, null])
  })

  it('that is empty, or not of HTTP, is told so', async () => {
    const server = await serving()
    for (const [text, answer] of [
      [head(path, { 'content-length': 0 }), /^HTTP\/1.1 400 [\s\S]*got no body/],
      [head(path), /^HTTP\/1.1 400 [\s\S]*got no body/],
      [
        `${head(path, { 'transfer-encoding': 'chunked' })}zz\r\n`,
        /^HTTP\/1.1 400 [\s\S]*expected HTTP\/1.1: Parse Error/,
      ],
      [head(path, { 'content-length': 'ten' }), /^HTTP\/1.1 400 [\s\S]*expected HTTP\/1.1: Parse Error/],
      ['\0\x01\x02 garbage\r\n\r\n', /^HTTP\/1.1 400 [\s\S]*expected HTTP\/1.1: Parse Error/],
      [head(path, { 'x-long': 'a'.repeat(20_000) }), /^HTTP\/1.1 431 [\s\S]*expected HTTP\/1.1/],
    ] as const) {
      const wire = await Wire.open(server.port)
      wire.send(text)
      await wire.until(({ received }) => received.includes('}'))
      expect(wire.received).toMatch(answer)
    }
    expect(await count(server, 'lstm_requests_refused_total{reason="malformed"}')).toBe(4)
  })

  it('may come in pieces, chunked, and behind another', async () => {
    const { port } = await serving()
    const wire = await Wire.open(port)
    for (const character of good) wire.send(character)
    const half = body.length >> 1
    const chunks = [body.slice(0, half), body.slice(half), ''].map(
      (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
    )
    wire.send(head(path, { 'transfer-encoding': 'chunked' }) + chunks.join('') + good + good)
    await wire.until(({ received }) => received.split('HTTP/1.1 200 OK').length === 5)
    const answers = wire.received.match(/\{"model_name".*?\]\}\]\}/g)!
    expect(new Set(answers).size).toBe(1)
    expect(answers.length).toBe(4)
  })
})

describe('a sender that is slow', () => {
  it('has until the end of its time, for the head and for the whole', async () => {
    const server = await serving({ headersTimeout: 200, requestTimeout: 400 })
    const slowHead = await Wire.open(server.port)
    const slowBody = await Wire.open(server.port)
    slowHead.send('POST /v2/models/steps/infer HTTP/1.1\r\nHost: a\r\n')
    slowBody.send(`${head(path, { 'content-length': body.length })}{`)
    const drip = setInterval(() => slowHead.send('a: b\r\n'), 50)
    await Promise.all([slowHead, slowBody].map((wire) => wire.until(({ isClosed }) => isClosed)))
    clearInterval(drip)
    for (const { received } of [slowHead, slowBody])
      expect(received).toMatch(/^HTTP\/1.1 408 [\s\S]*\{"error":"the request took too long to come"\}$/)
    expect(await count(server, 'lstm_requests_refused_total{reason="slow"}')).toBe(2)
    await expectAlive(server)
  })

  it('does not hold up others', async () => {
    const server = await serving()
    const wires = await Promise.all(Array.from({ length: 200 }, () => Wire.open(server.port)))
    for (const wire of wires)
      wire.send(`${head(path, { 'content-length': body.length })}${body.slice(0, 10)}`)
    for (let i = 0; i < 20; i++) await expectAlive(server)
    for (const wire of wires) wire.send(body.slice(10))
    await Promise.all(wires.map((wire) => wire.until(({ received }) => received.includes('200 OK'))))
  })
})

describe('more than there is room for', () => {
  it('is told to come later, before its body is read', async () => {
    const server = await serving({ maxQueueSize: 4, maxBatchSize: 1 })
    const wires = await Promise.all(Array.from({ length: 60 }, () => Wire.open(server.port)))
    for (const wire of wires) wire.send(`${head(path, { 'content-length': long.length })}${long}`)
    await Promise.all(wires.map((wire) => wire.until(({ received }) => received.includes('\r\n\r\n'))))
    const refused = wires.filter(({ received }) => received.startsWith('HTTP/1.1 503'))
    const served = wires.filter(({ received }) => received.startsWith('HTTP/1.1 200'))
    expect(refused.length + served.length).toBe(60)
    expect(served.length).toBeGreaterThan(0)
    expect(refused.length).toBeGreaterThan(0)
    for (const { received } of refused) {
      expect(received).toContain('Retry-After: 1')
      expect(received).toMatch(/\{"error":"[^"]*later"\}/)
    }
    const counted =
      (await count(server, outcome('queue_full'))) +
      (await count(server, 'lstm_requests_refused_total{reason="queue_full"}'))
    expect(counted).toBe(refused.length)
    // A refused connection goes on.
    await until(async () => (await count(server, 'lstm_queue_size')) === 0)
    refused[0].received = ''
    refused[0].send(good)
    await refused[0].until(({ received }) => received.includes('200 OK'))
  })

  it('is refused while its body is still to come', async () => {
    const server = await serving({ maxQueueSize: 2, maxQueueDelayMicroseconds: 10_000_000 })
    const wires = await Promise.all(Array.from({ length: 3 }, () => Wire.open(server.port)))
    const [first, second, surplus] = wires
    for (const wire of [first, second]) wire.send(good)
    await until(async () => (await count(server, 'lstm_queue_size')) === 2)
    surplus.send(head(path, { 'content-length': body.length }))
    await surplus.until(({ received }) => received.includes('}'))
    expect(surplus.received).toMatch(
      /^HTTP\/1.1 503 [\s\S]*Retry-After: 1[\s\S]*\{"error":"2 rows wait for steps already; try again later"\}$/,
    )
    expect(await count(server, 'lstm_requests_refused_total{reason="queue_full"}')).toBe(1)
  })

  it('is a timeout where waiting takes too long', async () => {
    // Alone in its batch, it would wait for others for a second.
    const server = await serving({ maxQueueDelayMicroseconds: 1_000_000, timeout: 30 })
    const ask = (parameters: object) => post(server.url + path, { ...JSON.parse(body), parameters })
    const hurried = await ask({ timeout: 20_000 })
    expect([hurried.status, hurried.body.error]).toEqual([
      504,
      expect.stringMatching(/waited for longer than its timeout of 20 ms/),
    ])
    expect((await ask({})).body.error).toMatch(/timeout of 30 ms/)
    expect((await ask({ timeout: 60_000_000 })).status).toBe(200)
    expect(await count(server, outcome('timeout'))).toBe(2)
  })

  it('is closed where there are too many connections', async () => {
    const server = await serving({ maxConnections: 3 })
    const wires = await Promise.all(Array.from({ length: 3 }, () => Wire.open(server.port)))
    const surplus = await Wire.open(server.port)
    await surplus.until(({ isClosed }) => isClosed)
    for (const wire of wires) wire.send(good)
    await Promise.all(wires.map((wire) => wire.until(({ received }) => received.includes('200 OK'))))
    wires[0].socket.destroy()
    await wires[0].until(({ isClosed }) => isClosed)
    expect(await count(server, 'lstm_requests_refused_total{reason="connection_limit"}')).toBe(1)
  })

  it('does not come of connections that do nothing, ten thousand of them', async () => {
    // A connection that never brings a head counts as slow when its time is over.
    const timeouts = ['--headers-timeout', '60000', '--request-timeout', '60000']
    const server = await serveProcess(...(await saved({ steps: steps() })), ...timeouts)
    const before = await server.residentMemory()
    const wires: Wire[] = []
    for (let i = 0; i < 10_000; i += 500)
      wires.push(...(await Promise.all(Array.from({ length: 500 }, () => Wire.open(server.port)))))
    const start = performance.now()
    for (let i = 0; i < 100; i++) await expectAlive(server)
    const perRequest = (performance.now() - start) / 100
    const perConnection = (((await server.residentMemory()) - before) * 2 ** 20) / wires.length
    expect(wires.filter(({ isClosed }) => isClosed).length).toBe(0)
    expect(perConnection).toBeLessThan(32 * 1024)
    expect(perRequest).toBeLessThan(100)
    wires[5000].send(good)
    await wires[5000].until(({ received }) => received.includes('200 OK'))
    for (const wire of wires) wire.socket.destroy()
    expect(await server.end()).toEqual([0, null])
  })
})
