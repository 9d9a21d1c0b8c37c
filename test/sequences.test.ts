/** What every store of sequences promises, and what the process's own adds: limits and the end of idle sequences. */
import { compile, LSTM, Tensor } from 'lstm-native'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Batcher } from '../lib/inference/batcher.ts'
import { openStore } from '../lib/serve/sequences/index.ts'
import { LocalStore } from '../lib/serve/sequences/local.ts'
import {
  SequenceConflictError,
  SequenceLimitError,
  SequenceNotFoundError,
  type SequenceStore,
  StateUnavailableError,
} from '../lib/serve/sequences/store.ts'
import { RedisServer, redisMissing } from './support/redis.ts'
import { features, held, input, sequenceModel, take, undisturbed } from './support/sequences.ts'

const stores = [
  { place: 'this process', isRedis: false },
  { place: `Redis${redisMissing ? `: ${redisMissing}` : ''}`, isRedis: true },
]

for (const { place, isRedis } of stores) {
  describe.skipIf(isRedis && redisMissing)(`a store in ${place}`, () => {
    const model = sequenceModel()
    let server: RedisServer | undefined
    let store: SequenceStore
    beforeAll(async () => {
      server = isRedis ? await RedisServer.start() : undefined
      store = await openStore({ state: server?.url })
    })
    afterAll(async () => {
      await store.close()
      await server?.stop()
    })

    it('takes the steps of many sequences in the order in which they come', async () => {
      const steps = 6
      const sequences = Array.from({ length: 40 }, (_, i) => i)
      const taken = sequences.map(async (sequence) => {
        // Nobody waits for the step before.
        const all = Array.from({ length: steps }, (_, step) => take(store, model, sequence, step))
        return Promise.all(all)
      })
      for (const [sequence, results] of (await Promise.all(taken)).entries()) {
        expect(results.map(({ values }) => values)).toEqual(undisturbed(model, sequence, steps))
        expect(results.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5])
      }
      expect(store.active).toBe(sequences.length)
      expect(store.isReady).toBe(true)
    })

    it('takes several steps of the model in one request', async () => {
      const x = new Tensor(
        [3, features],
        Float32Array.from([0, 1, 2].flatMap((t) => [...input(100, t).array])),
      )
      const request = { model, sequenceId: '100', start: true, end: false, x }
      const { output } = await store.step(request)
      expect(output.toArray()).toEqual(undisturbed(model, 100, 3))
      expect(await take(store, model, 100, 3)).toMatchObject({
        values: undisturbed(model, 100, 4)[3],
        step: 1,
      })
    })

    it('knows no sequence before its start and after its end', async () => {
      await expect(take(store, model, 101, 1)).rejects.toThrow(SequenceNotFoundError)
      await expect(take(store, model, 101, 1)).rejects.toMatchObject({
        code: 'SEQUENCE_NOT_FOUND',
        status: 404,
        isRetryable: false,
      })
      await take(store, model, 101, 0)
      const last = await take(store, model, 101, 1, { end: true })
      expect(last.values).toEqual(undisturbed(model, 101, 2)[1])
      await expect(take(store, model, 101, 2)).rejects.toThrow(
        /^sequence 101 of small: .* never started, has ended/,
      )
    })

    it('starts a living sequence anew', async () => {
      for (const step of [0, 1, 2, 0, 1]) {
        const { values, step: number } = await take(store, model, 102, step)
        expect(values).toEqual(undisturbed(model, 102, 3)[step])
        expect(number).toBe(step)
      }
      const alone = await take(store, model, 103, 0, { end: true })
      expect(alone.values).toEqual(undisturbed(model, 103, 1)[0])
    })

    it('answers a retry of the last step with its response', async () => {
      const expected = undisturbed(model, 104, 3)
      const before = store.statistics.replays
      for (const [step, id] of ['a', 'b', 'c'].entries()) {
        const more = { requestId: id, end: step === 2 }
        const first = await take(store, model, 104, step, more)
        expect(first).toEqual({ values: expected[step], step, isReplay: false })
        expect(await take(store, model, 104, step, more)).toEqual({ ...first, isReplay: true })
        // What it brings does not matter: the id does.
        expect(await take(store, model, 0, 0, { ...more, sequenceId: '104' })).toEqual({
          ...first,
          isReplay: true,
        })
      }
      expect(store.statistics.replays - before).toBe(6)
      await take(store, model, 104, 0, { requestId: 'a2' })
      expect((await take(store, model, 104, 1, { requestId: 'b2' })).values).toEqual(expected[1])
    })

    it('does not take a request without an id for another', async () => {
      await take(store, model, 105, 0, { requestId: 'a' })
      await take(store, model, 105, 1)
      expect((await take(store, model, 105, 2)).values).toEqual(undisturbed(model, 105, 3)[2])
    })

    it('refuses a step that the client counts differently', async () => {
      await take(store, model, 106, 0, { step: 0 })
      await take(store, model, 106, 1, { step: 1 })
      const wrong = take(store, model, 106, 1, { step: 1 })
      await expect(wrong).rejects.toThrow('sequence 106 of small: expected sequence_step 2, got 1')
      await expect(wrong).rejects.toBeInstanceOf(SequenceConflictError)
      await expect(wrong).rejects.toMatchObject({ status: 409, isRetryable: false })
      await expect(take(store, model, 106, 0, { step: 2 })).rejects.toThrow('expected sequence_step 0, got 2')
      expect((await take(store, model, 106, 2, { step: 2 })).values).toEqual(undisturbed(model, 106, 3)[2])
    })

    it('keeps the state where a step fails', async () => {
      const x = new Tensor([1, features + 1], new Float32Array(features + 1))
      await take(store, model, 107, 0)
      await expect(take(store, model, 107, 1, { x })).rejects.toThrow(RangeError)
      await expect(take(store, model, 107, 0, { x })).rejects.toThrow(RangeError)
      expect((await take(store, model, 107, 1)).values).toEqual(undisturbed(model, 107, 2)[1])
      await expect(take(store, model, 108, 0, { x })).rejects.toThrow(RangeError)
      await expect(take(store, model, 108, 1)).rejects.toThrow(SequenceNotFoundError)
    })

    it('takes a step once whose client goes while it runs, and comes back', async () => {
      await take(store, model, 109, 0)
      const reason = new Error('gone')
      await expect(take(store, model, 109, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const { model: slow, release } = held(model)
      const controller = new AbortController()
      const step = take(store, slow, 109, 1, { signal: controller.signal, requestId: 'once' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      controller.abort(reason)
      await expect(step).rejects.toBe(reason)
      const retry = take(store, model, 109, 1, { requestId: 'once' })
      release()
      const expected = undisturbed(model, 109, 3)
      // In Redis nothing was written yet, and the step runs again; a stream has taken it.
      expect(await retry).toEqual({ values: expected[1], step: 1, isReplay: !isRedis })
      expect((await take(store, model, 109, 2)).values).toEqual(expected[2])
    })

    it('goes on after a reload if the states are laid out alike', async () => {
      const reloaded = sequenceModel({ seed: 7 })
      const before = store.statistics.reloads
      await take(store, model, 110, 0)
      const { values } = await take(store, reloaded, 110, 1)
      const half = model.plan.predictSync(new Tensor([1, 1, features], input(110, 0)), { state: null })
      const whole = reloaded.plan.predictSync(new Tensor([1, 1, features], input(110, 1)), half)
      expect(values).toEqual([...whole.output.array])
      expect(store.statistics.reloads - before).toBe(1)

      const wider = sequenceModel({ hiddenSize: 10, numLayers: 1 })
      expect(wider.plan.stateSize).toBe(model.plan.stateSize)
      const refused = take(store, wider, 110, 2)
      await expect(refused).rejects.toThrow('states float32 1x5 1x5, the one now loaded has float32 1x10')
      await expect(refused).rejects.toMatchObject({ code: 'SEQUENCE_CONFLICT', isRetryable: false })
      expect((await take(store, wider, 110, 0)).values).toEqual(undisturbed(wider, 110, 1)[0])
    })

    it('keeps sequences of models apart', async () => {
      const names = ['a', 'a:b', 'a/versions/2']
      const models = names.map((name, i) => sequenceModel({ name, seed: i + 1 }))
      for (const each of models) await take(store, each, 111, 0)
      for (const each of models)
        expect((await take(store, each, 111, 1)).values).toEqual(undisturbed(each, 111, 2)[1])
      await expect(take(store, models[0], 1, 1, { sequenceId: 'b:111' })).rejects.toThrow(
        SequenceNotFoundError,
      )
    })

    it('takes models of float64', async () => {
      const layer = new LSTM({ inputSize: features, hiddenSize: 5, seed: 1, dataType: 'float64' })
      const plan = compile(layer)
      const stateLayout = 'float64 1x5'
      const double = { name: 'double', fingerprint: '00', stateLayout, batcher: new Batcher(plan) }
      const x = new Tensor([1, features], Float64Array.from([0.1, 0.2, 0.3]))
      const once = { model: double, sequenceId: '1', requestId: 'x', end: false, x }
      const [first] = [await store.step({ ...once, start: true }), await store.step({ ...once, start: true })]
      const second = await store.step({ ...once, requestId: 'y', start: false })
      const both = plan.predictSync(new Tensor([1, 2, features], Float64Array.from([...x.array, ...x.array])))
      expect([...first.output.array, ...second.output.array]).toEqual([...both.array])
      expect(second.output.array).toBeInstanceOf(Float64Array)
    })

    it.each(['', 'ä'.repeat(257)])('refuses the id %o', async (sequenceId) => {
      await expect(take(store, model, 0, 0, { sequenceId })).rejects.toThrow(
        /sequence_id: expected 1 to 512 bytes/,
      )
    })

    it('finishes the steps under way when it is closed, and takes no more', async () => {
      const own = await openStore({ state: server?.url })
      const step = take(own, model, 112, 0)
      const closed = own.close()
      await expect(take(own, model, 113, 0)).rejects.toThrow(StateUnavailableError)
      expect((await step).values).toEqual(undisturbed(model, 112, 1)[0])
      await closed
      expect(own.isReady).toBe(false)
    })
  })
}

describe('a store in this process', () => {
  const model = sequenceModel()

  it('has room for so many sequences, started at once or not', async () => {
    const store = new LocalStore({ maxSequences: 3 })
    const started = await Promise.allSettled(
      [0, 1, 2, 3, 4].map((sequence) => take(store, model, sequence, 0)),
    )
    expect(started.map(({ status }) => status).join(' ')).toBe(
      'fulfilled fulfilled fulfilled rejected rejected',
    )
    const refused = take(store, model, 3, 0)
    await expect(refused).rejects.toThrow(SequenceLimitError)
    await expect(refused).rejects.toMatchObject({ status: 503, isRetryable: true, retryAfter: 1 })
    await take(store, model, 1, 0)
    await take(store, model, 0, 1, { end: true })
    const x = new Tensor([1, features + 1], new Float32Array(features + 1))
    await expect(take(store, model, 3, 0, { x })).rejects.toThrow(RangeError)
    await take(store, model, 3, 0)
    expect(store.active).toBe(3)
    expect(model.batcher.statistics.streams).toBe(3)
    await store.close()
    expect(model.batcher.statistics.streams).toBe(0)
  })

  it('ends sequences that are idle for too long, and those alone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const store = new LocalStore({ maxSequenceIdle: 5_000 })
      const evicted: string[] = []
      store.onEvicted = (name, id) => evicted.push(`${name} ${id}`)
      const count = 2_500
      for (let i = 0; i < count; i++) await take(store, model, i, 0, { requestId: 'first' })
      await vi.advanceTimersByTimeAsync(4_000)
      await take(store, model, 7, 1)
      expect(evicted).toEqual([])
      await vi.advanceTimersByTimeAsync(1_100)
      expect(evicted.length).toBe(count - 1)
      expect(evicted).toContain('small 2499')
      expect(evicted).not.toContain('small 7')
      expect(store.statistics.evicted).toBe(count - 1)
      expect(store.active).toBe(1)
      expect((await take(store, model, 7, 2)).values).toEqual(undisturbed(model, 7, 3)[2])
      await expect(take(store, model, 8, 1)).rejects.toThrow('was idle for too long')
      await vi.advanceTimersByTimeAsync(5_100)
      expect(store.active).toBe(0)
      expect(vi.getTimerCount()).toBe(0)
      await store.close()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('the address of a store', () => {
  it.each([
    ['memcached://localhost', 'state: expected redis://host:port/database'],
    ['redis://localhost/one', 'state: expected redis://host:port/database'],
    ['redis://localhost?tll=5', 'state: unknown parameter "tll"; the only one is ttl, in seconds'],
    ['redis://localhost?ttl=-5', 'state: expected ttl in seconds, greater than 0, got "-5"'],
    ['redis://localhost?ttl=', 'state: expected ttl in seconds, greater than 0, got ""'],
  ])('%s is refused', async (state, message) => {
    await expect(openStore({ state })).rejects.toThrow(message)
  })
})
