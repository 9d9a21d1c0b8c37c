/**
 * The bench of servers: what it computes, and its load generator against a server whose behaviour is known.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseArguments } from '../bench/serve/arguments.ts'
import { type Figure, isMet, shortfalls } from '../bench/serve/figures.ts'
import { type LoadResult, type Records, runLoad, type Script } from '../bench/serve/load.ts'
import { meanBatchSize, sumOf } from '../bench/serve/metrics.ts'
import { percentilesOf } from '../bench/serve/percentiles.ts'
import { inferMessage, streamScripts } from '../bench/serve/requests.ts'
import { takeTurns } from '../bench/serve/settings.ts'
import { summarise } from '../bench/serve/summary.ts'

describe('percentiles', () => {
  it('are exact, by nearest rank, whatever the order', () => {
    const values = Array.from({ length: 1000 }, (_, i) => ((i * 617) % 1000) + 1)
    expect(percentilesOf(values)).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999, max: 1000 })
    expect(percentilesOf([3])).toEqual({ p50: 3, p90: 3, p99: 3, p999: 3, max: 3 })
  })

  it('are not a number where there is no value', () => {
    expect(percentilesOf([]).p99).toBeNaN()
  })
})

describe('a summary', () => {
  const records: Records = {
    start: Float64Array.of(0, 0.5, 1, 1.9),
    latency: Float64Array.of(0.1, 0.2, 0.001, 0.5),
    status: Uint16Array.of(200, 200, 503, 200),
    hasRetryAfter: Uint8Array.of(0, 0, 1, 0),
  }

  it('counts all, times what was answered, and takes no answer for throughput that came too late', () => {
    const { statuses, throughput, p50, max, generatorSeconds } = summarise({
      records,
      seconds: 2,
      processorSeconds: 0.004,
      reconnections: 0,
    })
    expect(statuses).toEqual({ 200: 3, 503: 1 })
    expect(throughput).toBe(1)
    expect([p50, max]).toEqual([0.2, 0.5])
    expect(generatorSeconds).toBe(0.001)
  })
})

describe('a figure', () => {
  const figure: Figure = { point: 2, name: 'streams', value: 49, asked: 50, bound: 'at least', unit: '%' }

  it('is met from what is asked on, and never by what is no number', () => {
    expect(isMet(figure)).toBe(false)
    expect(isMet({ ...figure, value: 50 })).toBe(true)
    expect(isMet({ ...figure, bound: 'at most' })).toBe(true)
    expect(isMet({ ...figure, value: Number.NaN })).toBe(false)
    expect(isMet({ ...figure, value: Number.NaN, bound: 'at most' })).toBe(false)
  })

  it('is named where it falls short', () => {
    expect(shortfalls([figure, { ...figure, value: 51 }])).toEqual(['2  streams: 49 %, asked at least 50 %'])
  })
})

describe('the command line', () => {
  it('has its defaults, and those of --quick', () => {
    expect(parseArguments([])).toMatchObject({ seconds: 30, overloadSeconds: 60, points: [1, 2, 3, 4, 5] })
    expect(parseArguments(['--quick', '--only', '2,4'])).toMatchObject({
      seconds: 10,
      overloadSeconds: 10,
      points: [2, 4],
    })
  })

  it('is refused where it makes no sense', () => {
    expect(() => parseArguments(['--only', '6'])).toThrow('--only: expected some of 1, 2, 3, 4, 5, got "6"')
    expect(() => parseArguments(['--rounds', '0'])).toThrow('--rounds: expected a whole number')
    expect(() => parseArguments(['--soak', '5', '--check'])).toThrow('leave --check and --only out')
  })
})

describe('metrics of a server', () => {
  const text = 'a_sum{model="x"} 6\na_sum{model="y"} 4\na_sum_more 100\n# HELP a_sum 7\nb 2\n'

  it('are summed over their labels', () => {
    expect(sumOf(text, 'a_sum')).toBe(10)
    expect(sumOf(text, 'c')).toBe(0)
  })

  it('give the mean of the batches between two readings', () => {
    const reading = (sum: number, count: number) =>
      `lstm_batch_size_sum ${sum}\nlstm_batch_size_count ${count}\n`
    expect(meanBatchSize(reading(10, 10), reading(70, 14))).toBe(15)
  })
})

describe('turns', () => {
  it('give everyone every place', async () => {
    const order: string[] = []
    const results = await takeTurns(['a', 'b', 'c'], 3, async (each) => order.push(each))
    expect(order.join('')).toBe('abcbcacab')
    expect(results.get('b')).toEqual([2, 4, 9])
  })
})

describe('requests', () => {
  it('start a sequence once, and tell of their bytes what is so', () => {
    const [{ first, next }] = streamScripts({ connections: 1, inputSize: 3 })
    for (const [bytes, isStart] of [
      [first, true],
      [next, false],
    ] as const) {
      const [head, rest] = Buffer.from(bytes).toString('latin1').split('\r\n\r\n')
      const number = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(head)![1])
      expect(number('Content-Length')).toBe(rest.length)
      const json = JSON.parse(rest.slice(0, number('Inference-Header-Content-Length')))
      expect(json.parameters).toEqual({ sequence_id: 1, sequence_start: isStart, binary_data_output: true })
      expect(rest.length - number('Inference-Header-Content-Length')).toBe(12)
    }
  })

  it('carry x as it is', () => {
    const { headers, body } = inferMessage({ x: Float32Array.of(1, 2.5), steps: 2 })
    const at = Number(headers['Inference-Header-Content-Length'])
    const bytes = new Uint8Array(Buffer.from(body).subarray(at))
    expect(JSON.parse(Buffer.from(body).toString('utf8', 0, at)).inputs[0].shape).toEqual([1, 2, 1])
    expect([...new Float32Array(bytes.buffer)]).toEqual([1, 2.5])
  })
})

describe.skipIf(process.platform !== 'linux')('the load generator', () => {
  let server: Server | undefined

  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function listen(listener: RequestListener): Promise<number> {
    server = createServer(listener)
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  function scripts(count: number, body = ''): Script[] {
    const request = (path: string) =>
      Buffer.from(`POST ${path} HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    return Array.from({ length: count }, () => ({ first: request('/first'), next: request('/next') }))
  }

  const statusesOf = ({ records }: LoadResult) => summarise({ ...empty, records }).statuses
  const empty = { seconds: 1, processorSeconds: 0, reconnections: 0 }

  it('sends the next request when it has the answer, on the same connection', async () => {
    const seen = { '/first': 0, '/next': 0 }
    const sockets = new Set<unknown>()
    const port = await listen((request, response) => {
      seen[request.url as keyof typeof seen]++
      sockets.add(request.socket)
      request.resume()
      setTimeout(() => response.end('x'.repeat(100_000)), 20)
    })
    const result = await runLoad({ port, scripts: scripts(4, 'y'.repeat(300_000)), seconds: 0.5 })
    expect(sockets.size).toBe(4)
    expect(seen['/first']).toBe(4)
    expect(statusesOf(result)).toEqual({ 200: 4 + seen['/next'] })
    // Each took 20 ms at least.
    expect(result.records.start.length).toBeLessThanOrEqual(4 * 25)
    expect(result.records.start.length).toBeGreaterThan(4)
    expect(Math.min(...result.records.latency)).toBeGreaterThan(0.018)
  })

  it('charges a server that stalls for all who would have come meanwhile', async () => {
    let count = 0
    const port = await listen((_, response) => {
      if (++count === 100) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
      response.end()
    })
    const { records } = await runLoad({ port, scripts: scripts(20), phases: [{ rate: 400, seconds: 1 }] })
    // Some 160 arrive during the stall, but 20 connections can have been sent on: half of 160 wait for 200 ms or more.
    const late = records.latency.filter((each) => each > 0.2).length
    expect(late).toBeGreaterThan(40)
    expect(records.start.length).toBeGreaterThan(300)
  })

  it('lets requests arrive at the rate of each phase, the same for the same seed', async () => {
    const port = await listen((_, response) => response.end())
    const run = (seed: number) =>
      runLoad({
        port,
        scripts: scripts(8),
        phases: [
          { rate: 1000, seconds: 0.3 },
          { rate: 0, seconds: 0.1 },
          { rate: 100, seconds: 0.3 },
        ],
        seed,
      })
    const starts = async (seed: number) => [...(await run(seed)).records.start].sort((a, b) => a - b)
    const [a, b, c] = [await starts(1), await starts(1), await starts(2)]
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
    const between = (low: number, high: number) => a.filter((each) => each >= low && each < high).length
    // Five standard deviations of a Poisson number.
    expect(Math.abs(between(0, 0.3) - 300)).toBeLessThan(5 * Math.sqrt(300))
    expect(between(0.3, 0.4)).toBe(0)
    expect(Math.abs(between(0.4, 0.7) - 30)).toBeLessThan(5 * Math.sqrt(30))
  })

  it('records refusals, with what they say about trying again, and does not take them for a start', async () => {
    let count = 0
    const paths = new Set<string | undefined>()
    const port = await listen((request, response) => {
      paths.add(request.url)
      response.statusCode = 503
      if (++count % 2) response.setHeader('RETRY-after', '1')
      response.end('{"error": "full"}')
    })
    const { records } = await runLoad({ port, scripts: scripts(1), seconds: 0.1 })
    expect([...records.status.slice(0, 4)]).toEqual([503, 503, 503, 503])
    expect([...records.hasRetryAfter.slice(0, 4)]).toEqual([1, 0, 1, 0])
    expect([...paths]).toEqual(['/first'])
  })

  it('opens a connection anew that the server has ended', async () => {
    const port = await listen((_, response) => response.setHeader('Connection', 'close').end())
    const result = await runLoad({ port, scripts: scripts(2), seconds: 0.2 })
    expect(Object.keys(statusesOf(result))).toEqual(['200'])
    expect(result.reconnections).toBeGreaterThan(2)
  })

  it('tells of requests that nobody answered', async () => {
    const port = await listen((request) => request.socket.destroy())
    const result = await runLoad({ port, scripts: scripts(1), phases: [{ rate: 50, seconds: 0.2 }] })
    expect(Object.keys(statusesOf(result))).toEqual(['0'])
  })

  it('says where nobody listens', async () => {
    const port = await listen(() => {})
    await new Promise((resolve) => server!.close(resolve))
    await expect(runLoad({ port, scripts: scripts(1), seconds: 0.1 })).rejects.toThrow('connect')
  })
})
