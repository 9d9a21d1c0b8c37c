/** When requests run, with whom, and what becomes of those that do not: on executors that run when the test says so. */
import {
  Batcher,
  type BatcherOptions,
  ClosedError,
  compile,
  Linear,
  LSTM,
  PredictionError,
  QueueFullError,
  Sequential,
  Tensor,
  TimeoutError,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { Dispatcher } from '../lib/inference/dispatcher.ts'
import { Scheduler } from '../lib/inference/scheduler.ts'
import type { RunPlanAsync } from '../lib/kernels/contract.ts'
import { HeldKernels, turn } from './support/held-kernels.ts'
import { bitsOf } from './support/served-models.ts'

// Rejections are looked at when all is over, which Node takes for not at all.
const { submit } = Scheduler.prototype
Scheduler.prototype.submit = function (...call) {
  const promise = submit.apply(this, call)
  promise.catch(() => {})
  return promise
}

// How fast the event loop comes round on a machine with other work is not to decide what these tests see.
const { heedTurn } = Dispatcher.prototype
Dispatcher.prototype.heedTurn = () => {}

function setUp(options: BatcherOptions & { executors?: number } = {}) {
  const { executors = 1, ...own } = options
  const plan = compile(
    new Sequential([
      new LSTM({ inputSize: 1, hiddenSize: 5, seed: 1 }),
      new Linear({ inputSize: 5, outputSize: 2, seed: 2 }),
    ]),
  )
  const held = new HeldKernels(plan, executors)
  return { plan, held, batcher: new Batcher(plan, own) }
}

const step = (value: number) => Float32Array.of(value)
const steps = (value: number, T: number) => new Float32Array(T).fill(value)

/** The inputs of a run, by which the requests are told apart. */
const inputsOf = (run: { call: RunPlanAsync }) => [...run.call.x]
const lengthsOf = ({ call: { offsets, B } }: { call: RunPlanAsync }) =>
  offsets ? [...offsets.subarray(1, B + 1)].map((end, b) => end - offsets[b]) : Array(B).fill(1)

/** What became of each promise so far: its value's name, its error's name or reason, or `waits`. */
async function outcomes(promises: Promise<unknown>[]): Promise<string[]> {
  const waits = Symbol('waits')
  return Promise.all(
    promises.map(async (promise) => {
      try {
        const value = await Promise.race([promise, Promise.resolve(waits)])
        return value === waits ? 'waits' : 'served'
      } catch (error) {
        return error instanceof Error ? error.name : String(error)
      }
    }),
  )
}

describe('a batch', () => {
  it('hands large results out over several turns of the event loop, and small ones in one', async () => {
    const { plan, batcher, held } = setUp()
    held.perRow = 1e-4
    const small = Array.from({ length: 5 }, (_, i) => batcher.predict(step(i)))
    await turn()
    held.releaseNow()
    expect(await outcomes(small)).toEqual(Array(5).fill('served'))
    // Of 40,000 elements each: the second goes beyond what one turn takes.
    const large = Array.from({ length: 5 }, (_, i) => batcher.predict(steps(i, 20_000)))
    await turn()
    const [{ call }] = held.runs
    held.releaseNow()
    expect(await outcomes(large)).toEqual(['served', 'served', 'waits', 'waits', 'waits'])
    expect(batcher.statistics).toMatchObject({ queued: 0, running: 3, runningBatches: 0 })
    // Another run meanwhile has memory of its own, and one that ends takes nobody's turn.
    const next = batcher.predict(step(7))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await outcomes(large)).toEqual(['served', 'served', 'served', 'served', 'waits'])
    await turn()
    expect(held.runs[0].call.x.buffer).not.toBe(call.x.buffer)
    await held.release()
    await next
    const results = await Promise.all(large)
    for (const [i, result] of results.entries()) {
      const alone = plan.predictSync(new Tensor([1, 20_000, 1], steps(i, 20_000)))
      expect(bitsOf(result).equals(bitsOf(alone))).toBe(true)
    }
    expect(batcher.statistics).toMatchObject({ queued: 0, running: 0, requests: 11 })
  })

  it('has what came in the same turn of the event loop', async () => {
    const { batcher, held } = setUp()
    const served = [batcher.predict(step(1)), batcher.predict(step(2))]
    await Promise.resolve().then(() => served.push(batcher.predict(step(3))))
    expect(held.runs).toHaveLength(0)
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[1, 2, 3]])
    served.push(batcher.predict(step(4)))
    await turn()
    await held.releaseAll()
    expect(await outcomes(served)).toEqual(['served', 'served', 'served', 'served'])
  })

  it('is no larger than maxBatchSize', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 3 })
    const served = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => batcher.predict(step(value)))
    await turn()
    const seen: number[][] = []
    while (held.runs.length > 0) {
      // One runs, one more waits where the executor will find it.
      expect(held.runs.length).toBeLessThanOrEqual(2)
      seen.push(inputsOf(held.runs[0]))
      await held.release()
    }
    expect(seen).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8],
    ])
    await Promise.all(served)
  })

  it('takes the highest priority first, and the first of that', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 2 })
    const served = [batcher.predict(step(0)), batcher.predict(step(0))]
    await turn()
    served.push(batcher.predict(step(0)))
    await turn()
    const ask = (value: number, priority?: number) => served.push(batcher.predict(step(value), { priority }))
    ask(1)
    ask(2, 9)
    ask(3, 4)
    ask(4)
    ask(5, 4)
    await held.release()
    await held.release()
    await held.release()
    expect(held.runs.map(inputsOf)).toEqual([[5, 1], [4]])
    await held.releaseAll()
    await Promise.all(served)
  })

  it('has at most one request of a stream, and none while one of it runs', async () => {
    const { batcher, held, plan } = setUp({ executors: 3 })
    const [a, b] = [batcher.stream(), batcher.stream()]
    const served = [a.next(step(1)), a.next(step(2)), b.next(step(3)), a.next(step(4))]
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[1, 3]])
    await held.release()
    expect(held.runs.map(inputsOf)).toEqual([[2]])
    served.push(b.next(step(5)), a.next(step(6)))
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[2], [5]])
    await held.release()
    await held.release()
    expect(held.runs.map(inputsOf)).toEqual([[4]])
    await held.releaseAll()
    const outputs = await Promise.all(served)
    const alone = plan.predictSync(new Tensor([1, 4, 1], Float32Array.of(1, 2, 4, 6)))
    expect(Buffer.concat([outputs[0], outputs[1], outputs[3], outputs[5]].map(bitsOf))).toEqual(bitsOf(alone))
  })

  it('is shared out among executors that have nothing to do, where it is worth it', async () => {
    const { batcher, held } = setUp({ executors: 2 })
    held.perRow = 100
    const before = [batcher.predict(steps(0, 8))]
    await turn()
    await held.releaseAll()
    before.push(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((value) => batcher.predict(step(value))))
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ])
    await held.releaseAll()
    held.perRow = 0.5
    for (let n = 0; n < 40; n++) {
      before.push(batcher.predict(steps(0, 8)))
      await turn()
      await held.releaseAll()
    }
    before.push(...[1, 2, 3, 4].map((value) => batcher.predict(step(value))))
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[1, 2, 3, 4]])
    await held.releaseAll()
    await Promise.all(before)
  })

  it('that fails rejects its requests and leaves their states', async () => {
    const { batcher, held } = setUp()
    const stream = batcher.stream()
    const first = stream.next(step(1))
    await turn()
    await held.release()
    await first
    const { state } = stream
    const failed = [stream.next(step(2)), batcher.predict(step(3), { state: null }), stream.next(step(1))]
    await turn()
    await held.fail('out of memory')
    expect(await outcomes(failed)).toEqual(['PredictionError', 'PredictionError', 'waits'])
    await expect(failed[0]).rejects.toThrow(PredictionError)
    await expect(failed[0]).rejects.toMatchObject({
      code: 'PREDICTION_FAILED',
      cause: { message: 'out of memory' },
      message: expect.stringContaining('out of memory'),
    })
    await held.releaseAll()
    const again = batcher.stream({ state })
    const expected = again.next(step(1))
    await turn()
    await held.releaseAll()
    expect(bitsOf((await failed[2]) as Tensor)).toEqual(bitsOf(await expected))
    expect(batcher.statistics).toMatchObject({ failed: 2, requests: 3 })
  })

  it('that the back end refuses rejects its requests', async () => {
    const { batcher, held } = setUp()
    held.refusal = new TypeError('runPlan: expected x')
    const stream = batcher.stream()
    const refused = [stream.next(step(1)), stream.next(step(1)), batcher.predict(step(1))]
    await turn()
    expect(await outcomes(refused)).toEqual(Array(3).fill('PredictionError'))
    await batcher.close()
  })
})

describe('preferredBatchSizes and maxQueueDelayMicroseconds', () => {
  it('let a batch leave at the largest preferred size, or when the oldest has waited', async () => {
    const { batcher, held } = setUp({
      executors: 2,
      preferredBatchSizes: [4, 2],
      maxQueueDelayMicroseconds: 20_000,
      maxBatchSize: 5,
    })
    const ask = (...values: number[]) => values.map((value) => batcher.predict(step(value)))
    const served = ask(1)
    const begin = performance.now()
    await turn()
    expect(held.runs).toHaveLength(0)
    served.push(...ask(2))
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[1, 2]])
    served.push(...ask(3, 4, 5, 6, 7))
    await turn()
    // 7 is alone: no preferred size.
    expect(held.runs.map(inputsOf)).toEqual([
      [1, 2],
      [3, 4, 5, 6],
    ])
    while (held.runs.length === 2) await turn()
    expect(performance.now() - begin).toBeGreaterThan(15)
    expect(inputsOf(held.runs[2])).toEqual([7])
    await held.releaseAll()
    await Promise.all(served)
  })

  it('send what there is without a delay', async () => {
    const { batcher, held } = setUp({ executors: 2, preferredBatchSizes: [4] })
    const served = [1, 2, 3, 4, 5, 6].map((value) => batcher.predict(step(value)))
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ])
    await held.releaseAll()
    await Promise.all(served)
  })

  it('do not hold up the next part of a long sequence', async () => {
    const { batcher, held } = setUp({ maxQueueDelayMicroseconds: 200_000 })
    held.perRow = 1000
    const begin = performance.now()
    const served = batcher.predict(steps(1, 400))
    while (held.runs.length === 0) await turn()
    await held.release()
    expect(held.runs).toHaveLength(1)
    await held.releaseAll()
    await served
    expect(performance.now() - begin).toBeGreaterThan(190)
    expect(performance.now() - begin).toBeLessThan(400)
  })
})

describe('a long sequence', () => {
  it('runs in parts of a few milliseconds, which let single steps pass', async () => {
    const { batcher, held, plan } = setUp({ maxBatchSize: 4 })
    held.perRow = 100
    await held.serve(batcher.predict(step(0)))
    const long = Array.from({ length: 6 }, (_, n) => batcher.predict(steps(n + 1, 50)))
    await turn()
    // At 100 µs a row 2 ms are 20 rows.
    expect(held.runs.map(lengthsOf)).toEqual([
      [6, 6, 6],
      [6, 6, 6],
    ])
    const short = Array.from({ length: 9 }, () => batcher.predict(step(9)))
    await held.release()
    // A full batch waits: it leaves before the long ones are back.
    expect(lengthsOf(held.runs[1])).toEqual([1, 1, 1, 1])
    await held.release()
    // Three places for steps, one for a long one; 1 ms in all while steps are about.
    expect(lengthsOf(held.runs[1])).toEqual([1, 1, 1, 7])
    await held.release()
    await held.release()
    expect((await outcomes(short)).filter((outcome) => outcome === 'served')).toHaveLength(7)
    await held.releaseAll()
    for (const [n, output] of (await Promise.all(long)).entries()) {
      expect(bitsOf(output)).toEqual(bitsOf(plan.predictSync(new Tensor([1, 50, 1], steps(n + 1, 50)))))
    }
  })

  it('runs in longer parts where nothing short has come for a quarter of a second', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 4 })
    held.perRow = 100
    await held.serve(batcher.predict(step(0)))
    await new Promise((resolve) => setTimeout(resolve, 260))
    const long = Array.from({ length: 6 }, (_, n) => batcher.predict(steps(n + 1, 50)))
    await turn()
    // 8 ms are 80 rows.
    expect(held.runs.map(lengthsOf)).toEqual([
      [26, 26, 26],
      [26, 26, 26],
    ])
    const short = batcher.predict(step(9))
    await held.release()
    expect(lengthsOf(held.runs[1]).at(0)).toBe(1)
    await held.releaseAll()
    expect(await outcomes([short, ...long])).toEqual(Array(7).fill('served'))
  })

  it('of a stream is taken whole or not at all', async () => {
    const { batcher, held, plan } = setUp()
    held.perRow = 1000
    const stream = batcher.stream()
    const before = stream.next(step(1))
    await turn()
    await held.releaseAll()
    await before
    const { state } = stream
    const attempt = async (end: () => void | Promise<void>) => {
      const controller = new AbortController()
      const long = stream.next(steps(2, 9), { signal: controller.signal })
      await turn()
      await held.release()
      await held.release()
      expect(lengthsOf(held.runs[0])).toEqual([2])
      if (end === abort) controller.abort('enough')
      else await end()
      await held.releaseAll()
      return (await outcomes([long]))[0]
    }
    const abort = () => {}
    expect(await attempt(() => held.fail('no'))).toBe('PredictionError')
    expect(bitsOf(stream.state)).toEqual(bitsOf(state))
    expect(await attempt(abort)).toBe('enough')
    expect(bitsOf(stream.state)).toEqual(bitsOf(state))
    expect(await attempt(() => {})).toBe('served')
    const alone = plan.predictSync(new Tensor([1, 10, 1], Float32Array.of(1, ...steps(2, 9))), {
      state: null,
    })
    expect(bitsOf(stream.state)).toEqual(bitsOf(alone.state))
  })
})

describe('a request', () => {
  it('of one step runs ahead of more when the event loop is slow to come round', async () => {
    const { plan, held } = setUp()
    const options = { maxBatchSize: 2, maxQueueDelayMicroseconds: 0, preferredBatchSizes: [] }
    const none = { maxQueueSize: 1000, timeout: Number.POSITIVE_INFINITY, onBatch: undefined }
    const scheduler = new Scheduler(plan.parts, { ...options, ...none })
    held.perRow = 500
    const ask = (count: number) =>
      Array.from({ length: count }, (_, i) => scheduler.submit(undefined, step(i), undefined))
    const measured = ask(2)
    await turn()
    await held.releaseAll()
    await Promise.all(measured)
    const many = ask(30)
    await turn()
    expect(held.runs.length).toBe(2)
    heedTurn.call(scheduler.dispatcher, 4)
    many.push(...ask(1))
    await turn()
    expect(held.runs.length).toBe(10)
    await held.releaseAll()
    await Promise.all(many)
  })

  it('that has begun ends before others of its kind begin', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 2, executors: 0 })
    held.perRow = 500
    await held.serve(batcher.predict(step(0)))
    const long = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => batcher.predict(steps(value, 7)))
    const order: string[] = []
    await turn()
    while (held.runs.length > 0) {
      const { call } = held.runs[0]
      order.push(Array.from({ length: call.B }, (_, b) => call.x[call.offsets?.[b] ?? b]).join('+'))
      await held.release()
    }
    await Promise.all(long)
    // Two batches take turns: one waits while the results of the other are handed out.
    expect(order.filter((names) => names === '1+2').length).toBeGreaterThan(1)
    expect(order.indexOf('5+6')).toBeGreaterThan(order.lastIndexOf('1+2'))
    expect(order.indexOf('7+8')).toBeGreaterThan(order.lastIndexOf('3+4'))
  })

  it('is refused when the queue is full', async () => {
    const { batcher, held } = setUp({ maxQueueSize: 2, maxBatchSize: 1 })
    const first = [batcher.predict(step(1)), batcher.predict(step(2))]
    await expect(batcher.predict(step(3))).rejects.toThrow(QueueFullError)
    await turn()
    // Both run: there is room again, and a stream's steps count wherever they wait.
    const stream = batcher.stream()
    first.push(stream.next(step(3)), stream.next(step(4)))
    await expect(stream.next(step(5))).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    await expect(batcher.predict(step(6))).rejects.toThrow(
      'predict: 2 requests wait already, as many as maxQueueSize allows; ask again later',
    )
    expect(batcher.statistics).toMatchObject({ queued: 2, running: 2, runningBatches: 2, refused: 3 })
    await held.releaseAll()
    await Promise.all(first)
  })

  it('is refused at once where others would keep it waiting beyond its timeout', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 1 })
    held.perRow = 10_000
    await held.serve(batcher.predict(step(0)))
    // 10 ms each on one executor: half of what runs, and what waits.
    const before = Array.from({ length: 8 }, (_, i) => batcher.predict(step(i), { timeout: 1000 }))
    await turn()
    await expect(batcher.predict(step(9), { timeout: 90 })).rejects.toThrow(
      'predict: 6 requests wait already, too many for a timeout of 90 ms; ask again later',
    )
    const patient = batcher.predict(step(9), { timeout: 1000 })
    expect(batcher.isFull).toBe(false)
    expect(batcher.statistics).toMatchObject({ queued: 7, refused: 1 })
    await held.releaseAll()
    await Promise.all([...before, patient])
    // Nobody is before it: whatever it takes itself, it begins in time.
    const alone = batcher.predict(step(1), { timeout: 1 })
    await turn()
    await held.release()
    await alone
  })

  it('is not refused for the time in which there was nothing to do', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 1 })
    // The first run ends with more waiting, a while after the process began.
    expect(performance.now()).toBeGreaterThan(200)
    const served = Array.from({ length: 6 }, (_, i) => batcher.predict(step(i)))
    await turn()
    await held.release()
    const timeout = performance.now() / 2
    served.push(batcher.predict(step(9), { timeout }))
    await turn()
    expect((await outcomes(served)).at(-1)).toBe('waits')
    await held.releaseAll()
    await Promise.all(served)
  })

  it('leaves the results of others where they are when its own is transferred', async () => {
    const plan = compile(new Sequential([new LSTM({ inputSize: 1, hiddenSize: 40, seed: 1 })]))
    const batcher = new Batcher(plan)
    const [one, two] = await Promise.all([1, 2].map((value) => batcher.stream().next(step(value))))
    expect(one.array.buffer).toBe(two.array.buffer)
    const bits = bitsOf(two)
    try {
      structuredClone(one.array, { transfer: [one.array.buffer as ArrayBuffer] })
    } catch (error) {
      // Node 21 and later say what earlier ones do without a word: they copy.
      expect((error as Error).name).toBe('DataCloneError')
    }
    expect(bitsOf(two)).toEqual(bits)
    expect(two.array.length).toBe(40)
  })

  it('is rejected alone for what is wrong with it', async () => {
    const { batcher, held } = setUp()
    const stream = batcher.stream()
    const good = [batcher.predict(step(1)), stream.next(step(1))]
    const wrong: [unknown, object | undefined, string][] = [
      [new Float32Array(0), undefined, 'expected x of shape [T, 1] and type float32, T at least 1'],
      [new Float64Array(1), undefined, 'got Float64Array(1)'],
      [[1], undefined, 'got an array of 1'],
      [7, undefined, 'got 7'],
      [undefined, undefined, 'got undefined'],
      [new Tensor([1, 1, 1], step(1)), undefined, 'got [1,1,1] of float32'],
      [new Tensor([1, 2], steps(1, 2)), undefined, 'got [1,2] of float32'],
      [step(1), { priority: 10 }, 'expected priority to be an integer from 0 to 9, got 10'],
      [step(1), { timeout: -1 }, 'expected timeout'],
      [step(1), { signal: {} }, 'expected signal to be an AbortSignal'],
      [step(1), { state: new Tensor([1, 3], steps(0, 3)) }, 'expected a state of shape [1, 10]'],
      [step(1), { prority: 1 }, 'did you mean "priority"?'],
    ]
    for (const [x, options, message] of wrong) {
      await expect(batcher.predict(x as Float32Array, options as object)).rejects.toThrow(message)
    }
    await expect(stream.next(steps(1, 0))).rejects.toThrow('expected x of shape [1] or [T, 1]')
    await expect(stream.next(step(1), { state: null } as object)).rejects.toThrow('unknown option "state"')
    await turn()
    await held.releaseAll()
    await Promise.all(good)
    expect(batcher.statistics).toMatchObject({ requests: 2, failed: 0, queued: 0, running: 0 })
  })

  it('takes NaN as predictSync does', async () => {
    const { batcher, held } = setUp()
    const served = [batcher.predict(step(Number.NaN)), batcher.predict(step(1))]
    await turn()
    await held.releaseAll()
    const [odd, even] = await Promise.all(served)
    expect([...odd.data].every(Number.isNaN)).toBe(true)
    expect([...even.data].some(Number.isNaN)).toBe(false)
  })

  it('that waits too long is rejected, and leaves no trace in its stream', async () => {
    const { batcher, held, plan } = setUp({ maxBatchSize: 1, timeout: 15 })
    const blocking = [batcher.predict(step(0)), batcher.predict(step(0), { timeout: 10_000 })]
    await turn()
    const stream = batcher.stream()
    const late = [
      stream.next(step(1)),
      stream.next(step(2), { timeout: 10_000 }),
      stream.next(step(3)),
      batcher.predict(step(4)),
      batcher.predict(step(5), { timeout: 60_000 }),
    ]
    while ((await outcomes(late.slice(3, 4)))[0] === 'waits') await new Promise((go) => setTimeout(go, 5))
    expect(await outcomes(late)).toEqual(['TimeoutError', 'waits', 'TimeoutError', 'TimeoutError', 'waits'])
    await expect(late[0]).rejects.toThrow(TimeoutError)
    await expect(late[0]).rejects.toThrow('waited for longer than its timeout of 15 ms')
    // The first has run out of its time too, but runs: it is answered.
    await held.releaseAll()
    expect(await outcomes(blocking)).toEqual(['served', 'served'])
    const alone = plan.predictSync(new Tensor([1, 1, 1], step(2)), { state: null })
    expect(bitsOf((await late[1]) as Tensor)).toEqual(bitsOf(alone.output))
    expect(bitsOf(stream.state)).toEqual(bitsOf(alone.state))
    expect(batcher.statistics).toMatchObject({ timedOut: 3, requests: 4, queued: 0 })
  })

  it('that is withdrawn while it waits never runs', async () => {
    const { batcher, held, plan } = setUp({ maxBatchSize: 1 })
    const blocking = [batcher.predict(step(0)), batcher.predict(step(0))]
    await turn()
    const stream = batcher.stream()
    const [first, middle, last] = [new AbortController(), new AbortController(), new AbortController()]
    const asked = [
      stream.next(step(1), { signal: first.signal }),
      stream.next(step(2)),
      stream.next(step(3), { signal: middle.signal }),
      stream.next(step(4)),
      stream.next(step(5), { signal: last.signal }),
      batcher.predict(step(6), { signal: middle.signal }),
      batcher.predict(step(7), { signal: AbortSignal.abort('before') }),
    ]
    middle.abort('gone')
    first.abort('gone')
    last.abort('gone')
    const expected = ['gone', 'waits', 'gone', 'waits', 'gone', 'gone', 'before', 'waits']
    asked.push(stream.next(step(8)))
    expect(await outcomes(asked)).toEqual(expected)
    await held.releaseAll()
    expect(await outcomes(blocking)).toEqual(['served', 'served'])
    const alone = plan.predictSync(new Tensor([1, 3, 1], Float32Array.of(2, 4, 8)), { state: null })
    const outputs = await Promise.all([asked[1], asked[3], asked[7]])
    expect(Buffer.concat(outputs.map(bitsOf))).toEqual(bitsOf(alone.output))
    expect(bitsOf(stream.state)).toEqual(bitsOf(alone.state))
    expect(batcher.statistics).toMatchObject({ aborted: 4, requests: 5 })
  })

  it('that is withdrawn while it runs is rejected at once, and its step counts', async () => {
    const { batcher, held, plan } = setUp()
    const stream = batcher.stream()
    const controller = new AbortController()
    const asked = [
      stream.next(step(1), { signal: controller.signal }),
      batcher.predict(step(2)),
      stream.next(step(3)),
    ]
    await turn()
    controller.abort('gone')
    expect(await outcomes(asked)).toEqual(['gone', 'waits', 'waits'])
    await held.releaseAll()
    expect(await outcomes(asked)).toEqual(['gone', 'served', 'served'])
    const alone = plan.predictSync(new Tensor([1, 2, 1], Float32Array.of(1, 3)), { state: null })
    expect(bitsOf(stream.state)).toEqual(bitsOf(alone.state))
  })

  it('that is withdrawn with all others of its batch takes the batch along, if that has not begun', async () => {
    const { batcher, held } = setUp({ maxBatchSize: 2 })
    const controller = new AbortController()
    const stream = batcher.stream()
    const asked = [batcher.predict(step(1)), batcher.predict(step(2))]
    await turn()
    asked.push(stream.next(step(3), { signal: controller.signal }))
    asked.push(batcher.predict(step(4), { signal: controller.signal }))
    await turn()
    asked.push(stream.next(step(5)))
    expect(held.runs.map(inputsOf)).toEqual([
      [1, 2],
      [3, 4],
    ])
    controller.abort('gone')
    await turn()
    expect(held.runs.map(inputsOf)).toEqual([[1, 2], [5]])
    await held.releaseAll()
    expect(await outcomes(asked)).toEqual(['served', 'served', 'gone', 'gone', 'served'])
  })

  it('may share its signal with a thousand others', async () => {
    const { batcher, held } = setUp()
    const warnings: Error[] = []
    const hear = (warning: Error) => warnings.push(warning)
    process.on('warning', hear)
    const controller = new AbortController()
    const asked = Array.from({ length: 1000 }, () => batcher.predict(step(1), { signal: controller.signal }))
    await turn()
    await held.releaseAll()
    await Promise.all(asked)
    controller.abort()
    await turn()
    process.off('warning', hear)
    expect(warnings).toEqual([])
    expect(batcher.statistics).toMatchObject({ requests: 1000, aborted: 0 })
  })
})

describe('close', () => {
  const fill = async (options?: BatcherOptions) => {
    const { batcher, held } = setUp({ maxBatchSize: 1, ...options })
    const stream = batcher.stream()
    const asked = [
      batcher.predict(step(1)),
      batcher.predict(step(2)),
      batcher.predict(step(3)),
      stream.next(step(4)),
      stream.next(step(5)),
    ]
    await turn()
    let isClosed = false
    const close = async (drain?: boolean) => {
      await batcher.close({ drain })
      isClosed = true
    }
    return { batcher, held, stream, asked, close, isClosed: () => isClosed }
  }

  it('serves what waits, and takes no more', async () => {
    const { batcher, held, stream, asked, close, isClosed } = await fill()
    const closed = close()
    await expect(batcher.predict(step(6))).rejects.toThrow(ClosedError)
    await expect(stream.next(step(6))).rejects.toMatchObject({ code: 'CLOSED' })
    await turn()
    await held.release()
    expect(await outcomes(asked.slice(0, 1))).toEqual(['served'])
    expect(isClosed()).toBe(false)
    await held.releaseAll()
    await closed
    expect(await outcomes(asked)).toEqual(Array(5).fill('served'))
    expect(stream.state.shape).toEqual([1, 10])
    await batcher.close()
  })

  it('rejects what waits without draining', async () => {
    const { batcher, held, stream, asked, close, isClosed } = await fill()
    const { state } = batcher.stream()
    const closed = close(false)
    await turn()
    expect(await outcomes(asked)).toEqual(['waits', ...Array(4).fill('ClosedError')])
    expect(isClosed()).toBe(false)
    await held.releaseAll()
    await closed
    expect(await outcomes(asked.slice(0, 1))).toEqual(['served'])
    expect(bitsOf(stream.state)).toEqual(bitsOf(state))
    expect(batcher.statistics).toMatchObject({ queued: 0, running: 0 })
  })

  it('rejects parts that are to come, and what waits behind what runs', async () => {
    const { batcher, held } = setUp()
    held.perRow = 1000
    const stream = batcher.stream()
    const asked = [stream.next(steps(1, 500)), stream.next(step(1)), stream.next(step(1))]
    await turn()
    await held.release()
    const closed = batcher.close({ drain: false })
    await held.releaseAll()
    await closed
    expect(await outcomes(asked)).toEqual(Array(3).fill('ClosedError'))
  })
})

it('onBatch and statistics tell how long requests waited and ran', async () => {
  const infos: Parameters<NonNullable<BatcherOptions['onBatch']>>[0][] = []
  const { batcher, held } = setUp({ onBatch: (info) => infos.push(info), maxBatchSize: 3 })
  held.perRow = 10
  const served = [batcher.predict(steps(1, 5)), batcher.predict(step(2))]
  await turn()
  served.push(batcher.predict(step(3)))
  await turn()
  await new Promise((go) => setTimeout(go, 20))
  served.push(batcher.predict(step(4)))
  await turn()
  await held.release()
  await new Promise((go) => setTimeout(go, 20))
  await held.fail('no')
  await held.releaseAll()
  await Promise.allSettled(served)
  expect(infos.map(({ size, rows, error }) => [size, rows, error?.message])).toEqual([
    [2, 6, undefined],
    [1, 1, 'no'],
    [1, 1, undefined],
  ])
  const [first, , last] = infos
  expect(first.computeMicroseconds).toBe(60)
  expect(first.queueMicroseconds).toHaveLength(2)
  expect(first.queueMicroseconds[0]).toBeLessThan(15_000)
  expect(last.queueMicroseconds[0]).toBeLessThan(15_000)
  const { queueMicroseconds, ...counts } = batcher.statistics
  const waits = infos.flatMap((info) => [...info.queueMicroseconds])
  expect(queueMicroseconds).toBeCloseTo(
    waits.reduce((sum, each) => sum + each, 0),
    6,
  )
  expect(counts).toEqual({
    ...{ requests: 3, batches: 3, rows: 8, computeMicroseconds: 60 * 2 + 10, failed: 1, aborted: 0 },
    ...{ timedOut: 0, refused: 0, queued: 0, running: 0, runningBatches: 0, streams: 0 },
  })
})

it('queue time is counted from the request to its run', async () => {
  const waits: number[] = []
  const { batcher, held } = setUp({
    maxBatchSize: 1,
    onBatch: ({ queueMicroseconds }) => waits.push(queueMicroseconds[0]),
  })
  const served = [1, 2, 3].map((value) => batcher.predict(step(value)))
  await turn()
  await new Promise((go) => setTimeout(go, 30))
  await held.releaseAll()
  await Promise.all(served)
  expect(waits[2]).toBeGreaterThan(29_000)
  expect(waits[0]).toBeLessThan(25_000)
})

describe('the constructor', () => {
  it.each([
    [{ maxBatchSize: 0 }, 'expected maxBatchSize to be a positive integer, got 0'],
    [{ maxQueueSize: 1.5 }, 'expected maxQueueSize to be a positive integer, got 1.5'],
    [{ maxQueueDelayMicroseconds: -1 }, 'expected maxQueueDelayMicroseconds'],
    [{ preferredBatchSizes: [65] }, 'expected preferredBatchSizes of at most maxBatchSize = 64, got 65'],
    [{ preferredBatchSizes: [0] }, 'expected preferredBatchSizes to be a positive integer'],
    [{ timeout: Number.NaN }, 'expected timeout'],
    [{ onBatch: 1 }, 'expected onBatch to be a function, got 1'],
    [{ maxBatchsize: 1 }, 'did you mean "maxBatchSize"?'],
  ])('refuses %o', (options, message) => {
    const { plan } = setUp()
    expect(() => new Batcher(plan, options as unknown as BatcherOptions)).toThrow(message)
  })

  it('refuses what is no plan', () => {
    const model = new LSTM({ inputSize: 1, hiddenSize: 1 })
    expect(() => new Batcher(model as never)).toThrow('expected a plan that compile made, got LSTM')
  })
})
