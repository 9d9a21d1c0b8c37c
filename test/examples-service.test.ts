/** The service of examples/: what it answers, what it does when it is too slow or nobody waits, and that SIGTERM loses nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { BatcherStatistics } from 'lstm-native'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createService, type Service } from '../examples/service/main.ts'
import { learnSine } from '../examples/service/model.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sine = (from: number, steps: number) =>
  Array.from({ length: steps }, (_, i) => Math.sin(((from + i) * Math.PI) / 6))

/** So many steps, each in a batch of its own, that a request lasts long enough to be met on its way. */
const long = { values: sine(0, 12), horizon: 4000 }

const post = (url: string, body: unknown, signal?: AbortSignal) =>
  fetch(url, { method: 'POST', body: JSON.stringify(body), signal })

type Statistics = BatcherStatistics & { open: number }

async function statistics(url: string): Promise<Statistics> {
  return (await fetch(`${url}/statistics`)).json() as Promise<Statistics>
}

/** Until requests run or wait. */
async function underWay(url: string): Promise<void> {
  const { requests } = await statistics(url)
  while ((await statistics(url)).requests < requests + 10);
}

describe('the service', () => {
  let service: Service
  let hasty: Service
  let url = ''
  let hastyUrl = ''

  const listen = async ({ server }: Service) => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  beforeAll(async () => {
    const model = await learnSine()
    service = createService(model, { timeout: 10_000 })
    hasty = createService(model, { timeout: 1 })
    url = await listen(service)
    hastyUrl = await listen(hasty)
  })

  afterAll(() => Promise.all([service.close(), hasty.close()]))

  it('continues a series', async () => {
    const response = await post(`${url}/forecast`, { values: sine(0, 24), horizon: 6 })
    const guesses = (await response.json()) as number[]
    const truth = sine(24, 6)
    expect(guesses).toHaveLength(6)
    // A tenth of the sine's height: one that forgot the series, or guessed 0 or the last value, is off by 0.5 and more.
    for (const [i, guess] of guesses.entries()) expect(Math.abs(guess - truth[i])).toBeLessThan(0.1)
  })

  it('remembers what a user has sent, and of no other', async () => {
    const next = async (user: string, values: number[]) =>
      (await post(`${url}/users/${user}`, { values })).json()
    const [first, ...others] = (await next('all', sine(3, 4))) as number[]
    const steps = []
    for (const value of sine(3, 4)) {
      steps.push(...((await next('anna', [value])) as number[]))
      await next('ben', [1 - value])
    }
    expect(steps).toEqual([first, ...others])
    expect(await (await fetch(`${url}/users/anna`, { method: 'DELETE' })).json()).toBe(true)
    expect(await next('anna', sine(3, 1))).toEqual([first])
  })

  it.each([
    ['values that are none', '/users/anna', { values: 'x' }],
    ['a value that is no number', '/users/anna', { values: [1, null] }],
    ['no values', '/forecast', {}],
    ['a path that it does not have', '/nowhere', { values: [1] }],
  ])('refuses %s with 400', async (_, path, body) => {
    const response = await post(url + path, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: expect.stringMatching(/./) })
  })

  it('answers 503 where a request would wait for too long', async () => {
    const body = { values: sine(0, 5000) }
    const answers = await Promise.all(Array.from({ length: 64 }, () => post(`${hastyUrl}/forecast`, body)))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused.length).toBeGreaterThan(0)
    for (const each of refused) {
      expect([each.status, each.headers.get('retry-after')]).toEqual([503, '1'])
      expect(await each.json()).toEqual({
        error: expect.stringMatching(/waited for longer than its timeout|too many for a timeout of 1 ms/),
      })
    }
  })

  it('stops working for a client that has left', async () => {
    const left = new AbortController()
    const answer = post(`${url}/forecast`, { ...long, horizon: 1e6 }, left.signal)
    await underWay(url)
    left.abort()
    await expect(answer).rejects.toThrow(/abort/)
    const progress = async () => {
      const before = await statistics(url)
      await setTimeout(200)
      return (await statistics(url)).requests - before.requests
    }
    await expect.poll(progress, { timeout: 10_000 }).toBe(0)
  })
})

describe('the service as a process', () => {
  let child: ChildProcess
  let url = ''
  let errors = ''

  beforeAll(async () => {
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    const env = { ...process.env, PORT: String(port), TIMEOUT: '10000' }
    child = spawn(process.execPath, ['--import', 'tsx', 'examples/service/main.ts'], { cwd: root, env })
    child.stderr!.on('data', (chunk) => (errors += chunk))
    await once(child.stdout!, 'data')
  })

  afterAll(() => void child.kill('SIGKILL'))

  it('answers at SIGTERM all that has come, takes nothing more and ends', async () => {
    const ended = once(child, 'exit')
    // Long enough that none has ended when all have come, however they are held up on their way.
    const longest = { ...long, horizon: 30_000 }
    const answers = Array.from({ length: 20 }, () => post(`${url}/forecast`, longest))
    // Beside the one that asks.
    const isOpen = async () => (await statistics(url)).open
    await expect.poll(isOpen, { timeout: 20_000 }).toBe(answers.length + 1)
    child.kill('SIGTERM')
    for (const answer of await Promise.all(answers)) {
      expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
      expect(await answer.json()).toHaveLength(longest.horizon)
    }
    expect(await ended).toEqual([0, null])
    expect(errors).toBe('')
    await expect(post(`${url}/forecast`, long)).rejects.toThrow()
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
