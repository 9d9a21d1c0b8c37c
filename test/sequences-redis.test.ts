/** States in Redis: replicas share sequences, and whatever happens to a connection a step is applied exactly once. */
import { Random } from 'lstm-native'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../lib/serve/sequences/index.ts'
import { RedisStore, type RedisStoreOptions } from '../lib/serve/sequences/redis.ts'
import {
  SequenceConflictError,
  SequenceLimitError,
  SequenceNotFoundError,
  StateUnavailableError,
} from '../lib/serve/sequences/store.ts'
import { Line } from './support/line.ts'
import { durable, RedisServer, redisMissing } from './support/redis.ts'
import { held, sequenceModel, take, undisturbed } from './support/sequences.ts'

const model = sequenceModel()
const keyOf = (sequence: number): string => `lstm:sequence:small:${sequence}`

describe.skipIf(redisMissing)(`states in Redis${redisMissing ? `: ${redisMissing}` : ''}`, () => {
  let server: RedisServer
  let opened: RedisStore[] = []
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())
  beforeEach(() => server.command('FLUSHALL'))
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()))
    opened = []
  })
  const replica = async (options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> => {
    const store = await RedisStore.open({ url: server.url, ...options })
    opened.push(store)
    return store
  }

  it('lets replicas take turns', async () => {
    const replicas = [await replica(), await replica(), await replica()]
    const expected = undisturbed(model, 0, 12)
    for (const [step, values] of expected.entries()) {
      const result = await take(replicas[(step * step) % 3], model, 0, step, { end: step === 11 })
      expect(result).toEqual({ values, step, isReplay: false })
    }
    for (const each of replicas) await expect(take(each, model, 0, 12)).rejects.toThrow(SequenceNotFoundError)
  })

  it('asks Redis once for a step where the sequence was here last, twice where it was not', async () => {
    // The script's own GETs count as well, but it makes them only where it refuses, and here it does not.
    const calls = async (): Promise<number> => {
      const info = String(await server.command('INFO', 'commandstats'))
      const counts = ['get', 'eval', 'evalsha'].map(
        (name) => new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0,
      )
      return counts.reduce<number>((sum, count) => sum + Number(count), 0)
    }
    const [first, second] = [await replica(), await replica()]
    await take(first, model, 9, 0)
    await server.command('CONFIG', 'RESETSTAT')
    await take(first, model, 1, 0)
    await take(first, model, 1, 1)
    expect(await calls()).toBe(2)
    await take(second, model, 1, 2)
    expect(await calls()).toBe(4)
    await take(second, model, 1, 3)
    expect(await calls()).toBe(5)
  })

  it('refuses nothing for what a replica remembers of a sequence that went on elsewhere', async () => {
    const [first, second] = [await replica(), await replica()]
    const counted = (store: RedisStore, step: number, end = false) =>
      take(store, model, 14, step, { step, end }).then(({ values }) => values)
    const expected = undisturbed(model, 14, 4)
    await counted(first, 0)
    await counted(second, 1)
    expect(await counted(first, 2)).toEqual(expected[2])
    await counted(second, 3, true)
    await counted(first, 0)
    // Here the second still has the end in mind.
    expect(await counted(second, 1)).toEqual(expected[1])
    await expect(counted(first, 3)).rejects.toThrow('expected sequence_step 2, got 3')
  })

  it('applies a request once that two replicas get at the same time', async () => {
    const replicas = [await replica(), await replica()]
    const expected = undisturbed(model, 2, 20)
    for (const [step, values] of expected.entries()) {
      const requestId = `step ${step}`
      const both = await Promise.all(replicas.map((each) => take(each, model, 2, step, { requestId })))
      expect(both.map((each) => each.values)).toEqual([values, values])
      expect(both.map((each) => each.isReplay).sort()).toEqual([false, true])
    }
    const [a, b] = replicas.map(({ statistics }) => statistics)
    expect(a.steps + b.steps).toBe(20)
    expect(a.replays + b.replays).toBe(20)
  })

  it('applies two requests one after the other that two replicas get at the same time', async () => {
    const replicas = [await replica(), await replica()]
    await take(replicas[0], model, 3, 0)
    for (let step = 1; step < 15; step += 2) {
      // The same input, so that the order does not matter.
      const both = await Promise.all(replicas.map((each) => take(each, model, 3, step)))
      expect(both.map((each) => each.step).sort((p, q) => p - q)).toEqual([step, step + 1])
    }
    expect(replicas[0].statistics.races + replicas[1].statistics.races).toBeGreaterThan(0)
  })

  it('refuses a straggler whose request was applied before others', async () => {
    const [first, second] = [await replica(), await replica()]
    await take(first, model, 4, 0, { requestId: 'start' })
    for (let step = 1; step < 40; step++) await take(second, model, 4, step, { requestId: `step ${step}` })
    const late = take(first, model, 4, 20, { requestId: 'step 20' })
    await expect(late).rejects.toThrow('the request step 20 was applied, and others after it')
    await expect(late).rejects.toThrow(SequenceConflictError)
    // The start would do most harm, and is remembered for as long as the sequence lives.
    await expect(take(first, model, 4, 0, { requestId: 'start' })).rejects.toThrow(SequenceConflictError)
    expect((await take(first, model, 4, 40)).values).toEqual(undisturbed(model, 4, 41)[40])
  })

  it('does not go on with a request whose time is over when it gets its turn', async () => {
    const store = await replica()
    const { model: slow, release } = held(model)
    const before = take(store, slow, 5, 0)
    const late = take(store, model, 5, 1, { timeout: 30 })
    setTimeout(release, 60)
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' })
    await before
    expect((await take(store, model, 5, 1, { timeout: 5_000 })).values).toEqual(undisturbed(model, 5, 2)[1])
  })

  it('forgets what is idle for longer than ttl', async () => {
    const store = await openStore({ state: `${server.url}?ttl=0.2`, maxSequenceIdle: 1 })
    try {
      await take(store, model, 6, 0)
      for (let step = 1; step < 6; step++) {
        await new Promise((resolve) => setTimeout(resolve, 60))
        await take(store, model, 6, step)
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
      await expect(take(store, model, 6, 6)).rejects.toThrow(SequenceNotFoundError)
    } finally {
      await store.close()
    }
  })

  it('keeps at most so many bytes of records, and works without them', async () => {
    const store = await replica({ cacheBytes: 5_000 })
    const sequences = Array.from({ length: 30 }, (_, i) => i)
    for (const step of [0, 1, 2]) {
      const taken = await Promise.all(sequences.map((each) => take(store, model, each, step)))
      expect(taken.map(({ values }) => values)).toEqual(
        sequences.map((each) => undisturbed(model, each, 3)[step]),
      )
      expect(store.active).toBeLessThan(10)
      expect(store.active).toBeGreaterThan(3)
    }
  })

  it('says so when Redis has lost steps that it had acknowledged', async () => {
    const store = await replica()
    await take(store, model, 7, 0)
    const old = (await server.command('DUMP', keyOf(7))) as string
    expect(old).toBeTruthy()
    await server.command('COPY', keyOf(7), 'backup')
    await take(store, model, 7, 1)
    await server.command('COPY', 'backup', keyOf(7), 'REPLACE')
    await expect(take(store, model, 7, 2)).rejects.toThrow(
      'Redis has lost acknowledged steps: it holds 1, 2 had been applied',
    )
    expect((await take(store, model, 7, 1)).values).toEqual(undisturbed(model, 7, 2)[1])
  })

  it('does not take foreign keys for records', async () => {
    const store = await replica()
    for (const [i, value] of ['something else', 'LSR1', `LSR1${'x'.repeat(100)}`].entries()) {
      await server.command('SET', keyOf(i), value)
      for (const step of [0, 1])
        await expect(take(store, model, i, step)).rejects.toThrow('no record of this version of the package')
      expect(await server.command('GET', keyOf(i))).toBe(value)
    }
  })

  it('has no room when Redis has none', async () => {
    const store = await replica()
    await take(store, model, 8, 0)
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const refused = take(store, model, 8, 1)
    await expect(refused).rejects.toThrow(SequenceLimitError)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect((await take(store, model, 8, 1)).values).toEqual(undisturbed(model, 8, 2)[1])
  })

  it('lets so many steps wait, and no more', async () => {
    const store = await replica({ maxPending: 10 })
    const { model: slow, release } = held(model)
    const steps = Array.from({ length: 12 }, (_, i) => take(store, slow, i, 0))
    await expect(steps[10]).rejects.toThrow('10 steps already wait for their states')
    await expect(steps[11]).rejects.toThrow(StateUnavailableError)
    release()
    await Promise.all(steps.slice(0, 10))
  })

  describe.each([{ requestId: 'the step' }, { requestId: undefined }])('a request with the id $requestId', ({
    requestId,
  }) => {
    let line: Line
    let store: RedisStore
    beforeEach(async () => {
      line = await Line.to(server.port)
      store = await replica({ url: `redis://127.0.0.1:${line.port}/1` })
    })
    afterEach(() => line.close())

    it('is applied once if the reply to its write is lost', async () => {
      const expected = undisturbed(model, 0, 3)
      for (const step of [0, 1, 2]) {
        line.loseReply('lstm:sequence')
        const more = { requestId: requestId && `${requestId} ${step}` }
        const result = await take(store, model, 0, step, more)
        expect(result).toEqual({ values: expected[step], step, isReplay: false })
        expect(line.cuts).toBe(step + 1)
      }
      expect(store.statistics).toMatchObject({ steps: 3, replays: 0 })
    })

    it('is answered though another replica went on before the reply was lost', async () => {
      await take(store, model, 1, 0)
      const other = await replica()
      line.loseReply('lstm:sequence')
      const lost = take(store, model, 1, 1, { requestId })
      while (line.cuts === 0) await new Promise((resolve) => setImmediate(resolve))
      const next = take(other, model, 1, 2)
      if (requestId === undefined) expect((await lost).values).toEqual(undisturbed(model, 1, 3)[1])
      // With an id it could be the other replica's doing: its response is the one that counts, and is gone.
      else await lost.catch((error) => expect(error).toBeInstanceOf(SequenceConflictError))
      expect((await next).values).toEqual(undisturbed(model, 1, 3)[2])
    })

    it('is applied once if the connection breaks before the write', async () => {
      await take(store, model, 2, 0)
      const { model: slow, release } = held(model)
      const step = take(store, slow, 2, 1, { requestId })
      await new Promise((resolve) => setTimeout(resolve, 20))
      line.cutAll()
      release()
      expect((await step).values).toEqual(undisturbed(model, 2, 2)[1])
    })
  })

  it('gives up when the connection breaks again and again', async () => {
    const line = await Line.to(server.port)
    const store = await replica({ url: `redis://127.0.0.1:${line.port}/1` })
    await take(store, model, 0, 0)
    line.loseReply('lstm:sequence', { always: true })
    const step = take(store, model, 0, 1, { requestId: 'x' })
    await expect(step).rejects.toThrow(/broke 4 times in this step: .* is not known$/)
    await expect(step).rejects.toMatchObject({ isOutcomeUnknown: true, status: 503, isRetryable: true })
    line.loseReply('nothing')
    expect(await take(store, model, 0, 1, { requestId: 'x' })).toMatchObject({
      values: undisturbed(model, 0, 2)[1],
      isReplay: true,
    })
    await line.close()
  })

  it('is exact while connections are killed at random', { timeout: 30_000 }, async () => {
    const replicas = [await replica({ patience: 5_000 }), await replica({ patience: 5_000 })]
    const [sequences, steps] = [60, 25]
    const random = new Random(5)
    let kills = 0
    let isDone = false
    const killer = (async () => {
      while (!isDone) {
        kills += Number(await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
        await new Promise((resolve) => setTimeout(resolve, random.uniform(20, 150)))
      }
    })()
    const drive = async (sequence: number): Promise<number[][]> => {
      const outputs: number[][] = []
      for (let step = 0; step < steps; step++) {
        const requestId = `${sequence} ${step}`
        for (;;) {
          // Both at once, now and then: a client that lost patience.
          const chosen = random.uniform() < 0.2 ? replicas : [replicas[random.integer(2)]]
          const tries = await Promise.allSettled(
            chosen.map((each) => take(each, model, sequence, step, { requestId, step: undefined })),
          )
          const good = tries.filter((each) => each.status === 'fulfilled')
          for (const each of tries) {
            if (each.status === 'rejected') expect(each.reason).toMatchObject({ isRetryable: true })
          }
          for (const each of good) expect(each.value.step).toBe(step)
          if (good.length === 0) {
            await new Promise((resolve) => setTimeout(resolve, 5))
            continue
          }
          outputs.push(good[0].value.values)
          break
        }
      }
      return outputs
    }
    const driven = Promise.all(Array.from({ length: sequences }, (_, sequence) => drive(sequence)))
    const outputs = await driven.finally(() => {
      isDone = true
      return killer
    })
    expect(outputs).toEqual(outputs.map((_, sequence) => undisturbed(model, sequence, steps)))
    expect(kills).toBeGreaterThan(5)
    const { steps: a, races } = replicas[0].statistics
    const { steps: b } = replicas[1].statistics
    // A step that was applied without its replica hearing of it is counted nowhere.
    expect(a + b).toBeLessThanOrEqual(sequences * steps)
    console.log(
      `${a + b} of ${sequences * steps} steps acknowledged by Redis, ${kills} connections killed, ${races} races`,
    )
  })
})

describe.skipIf(redisMissing)('a Redis that goes away', () => {
  it('is missed at once, and found again with everything it had', { timeout: 30_000 }, async () => {
    const server = await RedisServer.start(durable)
    const store = await RedisStore.open({ url: server.url, patience: 300 })
    try {
      await take(store, model, 0, 0)
      await server.kill('SIGKILL')
      const since = performance.now()
      await expect(take(store, model, 0, 1)).rejects.toThrow(StateUnavailableError)
      expect(performance.now() - since).toBeGreaterThan(200)
      expect(store.isReady).toBe(false)
      const before = process.memoryUsage().heapUsed
      const again = performance.now()
      const refused = take(store, model, 0, 1)
      await expect(refused).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE', retryAfter: 1 })
      for (let i = 0; i < 20_000; i++) await take(store, model, i, 0).catch(() => {})
      expect((performance.now() - again) / 20_000).toBeLessThan(2)
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20)
      await server.run()
      while (!store.isReady) await new Promise((resolve) => setTimeout(resolve, 10))
      expect((await take(store, model, 0, 1)).values).toEqual(undisturbed(model, 0, 2)[1])
    } finally {
      await store.close()
      await server.stop()
    }
  })

  it('is not waited for without end when it hangs', { timeout: 30_000 }, async () => {
    const server = await RedisServer.start()
    const store = await RedisStore.open({ url: server.url, replyTimeout: 500, patience: 200 })
    try {
      await take(store, model, 0, 0)
      process.kill(server.pid, 'SIGSTOP')
      const since = performance.now()
      await expect(take(store, model, 0, 1, { requestId: 'x' })).rejects.toMatchObject({
        isOutcomeUnknown: true,
      })
      expect(performance.now() - since).toBeLessThan(5_000)
      process.kill(server.pid, 'SIGCONT')
      while (!store.isReady) await new Promise((resolve) => setTimeout(resolve, 10))
      const retry = await take(store, model, 0, 1, { requestId: 'x' })
      expect(retry.values).toEqual(undisturbed(model, 0, 2)[1])
      expect((await take(store, model, 0, 2)).values).toEqual(undisturbed(model, 0, 3)[2])
    } finally {
      process.kill(server.pid, 'SIGCONT')
      await store.close()
      await server.stop()
    }
  })

  it('is not there, or wants another password: the reason is told, the password is not', {
    timeout: 30_000,
  }, async () => {
    const server = await RedisServer.start()
    await server.command('CONFIG', 'SET', 'requirepass', 'secret')
    const wrong = RedisStore.open({ url: server.url.replace('//', '//:wrong@'), openTimeout: 500 })
    const nobody = RedisStore.open({ url: 'redis://:wrong@127.0.0.1:1/0', openTimeout: 500 })
    const reasons = await Promise.allSettled([wrong, nobody])
    await server.stop()
    for (const [i, expected] of ['WRONGPASS', 'ECONNREFUSED'].entries()) {
      const { reason } = reasons[i] as PromiseRejectedResult
      expect(reason).toBeInstanceOf(StateUnavailableError)
      expect(reason.message).toMatch(`no connection to the Redis that holds the states: `)
      expect(reason.message).toContain(expected)
      expect(reason.message).not.toContain(':wrong@')
    }
  })
})
