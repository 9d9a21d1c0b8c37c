/** Streams: a sequence step by step gives the bits of the whole, in order, for little memory. */
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  Batcher,
  backend,
  ClosedError,
  compile,
  Linear,
  LSTM,
  type Plan,
  Random,
  Sequential,
  type Stream,
  Tensor,
  useBackend,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { StreamStates } from '../lib/inference/states.ts'
import { HeldKernels, turn } from './support/held-kernels.ts'
import { batchOfOne, bitsOf, masked, sequenceFor, streamed, whole } from './support/served-models.ts'

useBackend('native')
const backends = ['reference', ...backend().available] as const

v8.setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function smallPlan(): Plan {
  return compile(
    new Sequential([
      new LSTM({ inputSize: 2, hiddenSize: 4, seed: 1 }),
      new Linear({ inputSize: 4, outputSize: 3, seed: 2 }),
    ]),
  )
}

const step = (t: number) => Float32Array.of(t, -t)

/** Steps t of `from` to `to`, as [T, I] or [T]. */
function part(x: Float32Array | Int32Array, from: number, to: number): Float32Array | Int32Array {
  return x instanceof Int32Array ? x.slice(from, to) : x.slice(from * 3, to * 3)
}

const stepsOf = (x: Float32Array | Int32Array) => (x instanceof Int32Array ? x.length : x.length / 3)

/** Output t of a whole sequence. */
function rowOf(output: Tensor, t: number): Buffer {
  const width = output.shape.at(-1)!
  return bitsOf({ array: output.array.slice(t * width, (t + 1) * width) })
}

describe.each(
  backends,
)('on %s a stream gives the bits of predictSync with the state carried, for', (name) => {
  it.each(Object.entries({ ...streamed, ...masked }))('%s', async (_, make) => {
    useBackend(name)
    const model = make()
    const plan = compile(model)
    const x = sequenceFor(model, 20, 5)
    const [stream, sync, parts] = [plan.stream(), plan.stream(), plan.stream()]
    const outputs = await Promise.all(
      Array.from({ length: 20 }, (_, t) => {
        const [value] = part(x, t, t + 1)
        return stream.next(x instanceof Int32Array ? value : (part(x, t, t + 1) as Float32Array))
      }),
    )
    let state: Tensor | null = null
    for (const [t, output] of outputs.entries()) {
      const alone: { output: Tensor; state: Tensor } = plan.predictSync(batchOfOne(part(x, t, t + 1)), {
        state,
      })
      state = alone.state
      expect(output.shape).toEqual([plan.outputSize])
      expect(bitsOf(output)).toEqual(bitsOf(alone.output))
      expect(bitsOf(sync.nextSync(x instanceof Int32Array ? x[t] : part(x, t, t + 1)))).toEqual(
        bitsOf(output),
      )
    }
    expect(bitsOf(stream.state)).toEqual(bitsOf(state!))
    expect(bitsOf(sync.state)).toEqual(bitsOf(state!))

    const random = new Random(3)
    state = null
    for (let t = 0; t < 20; ) {
      const end = Math.min(20, t + 1 + Math.floor(random.uniform() * 6))
      const some = part(x, t, end)
      const alone: { output: Tensor; state: Tensor } = plan.predictSync(batchOfOne(some), { state })
      const shape = some instanceof Int32Array ? [end - t] : [end - t, 3]
      const output = await parts.next(new Tensor(shape, some))
      expect(output.shape).toEqual(
        plan.contents.endsInOneStep ? [plan.outputSize] : [end - t, plan.outputSize],
      )
      expect(bitsOf(output)).toEqual(bitsOf(alone.output))
      state = alone.state
      t = end
    }
    expect(bitsOf(parts.state)).toEqual(bitsOf(state!))
  })

  it.each(Object.entries(streamed))('%s, and of the whole sequence', async (_, make) => {
    useBackend(name)
    const model = make()
    const plan = compile(model)
    const x = sequenceFor(model, 12, 6)
    const { output } = plan.predictSync(batchOfOne(x), { state: null })
    const stream = plan.stream()
    const all: Tensor[] = []
    for await (const each of stream.run(Array.from({ length: stepsOf(x) }, (_, t) => part(x, t, t + 1))))
      all.push(each)
    expect(all).toHaveLength(12)
    if (plan.contents.endsInOneStep) expect(bitsOf(all[11])).toEqual(bitsOf(output))
    else for (const [t, each] of all.entries()) expect(bitsOf(each)).toEqual(rowOf(output, t))
  })
})

it('a plan in float64 has streams, on the reference', async () => {
  const plan = compile(new LSTM({ inputSize: 2, hiddenSize: 3, seed: 1, dataType: 'float64' }))
  const stream = plan.stream()
  const x = Float64Array.of(1, 2, 3, 4)
  const outputs = [await stream.next(x.slice(0, 2)), stream.nextSync(x.slice(2))]
  const expected = plan.predictSync(new Tensor([1, 2, 2], x))
  expect(outputs.map(bitsOf)).toEqual([rowOf(expected, 0), rowOf(expected, 1)])
  expect(stream.state.dataType).toBe('float64')
  await expect(stream.next(new Float32Array(2))).rejects.toThrow(
    'next: expected x of shape [2] or [T, 2] and type float64, T at least 1, got Float32Array(2)',
  )
})

it.each(Object.entries(whole))('%s has no streams', (_, make) => {
  const plan = compile(make())
  const names =
    /bidirectional LSTM|LSTM that reads backwards|LSTM behind the last|conv1d|flatten|globalPool1d|reverse|attention/
  expect(() => plan.stream()).toThrow(names)
  expect(() => plan.stream()).toThrow(TypeError)
  expect(() => new Batcher(plan).stream()).toThrow('needs the whole sequence')
})

describe('a stream', () => {
  it('keeps the order of its calls while others come and go', async () => {
    const plan = smallPlan()
    const streams = Array.from({ length: 30 }, () => plan.stream())
    const random = new Random(11)
    const asked: Promise<Tensor>[][] = streams.map(() => [])
    for (let n = 0; n < 900; n++) {
      const s = Math.floor(random.uniform() * 30)
      asked[s].push(streams[s].next(step(asked[s].length)))
      if (random.uniform() < 0.05) await turn()
    }
    for (const own of asked) {
      const outputs = await Promise.all(own)
      const x = Float32Array.from({ length: own.length * 2 }, (_, i) => (i % 2 ? -1 : 1) * (i >> 1))
      const alone = plan.predictSync(new Tensor([1, own.length, 2], x))
      for (const [t, output] of outputs.entries()) expect(bitsOf(output)).toEqual(rowOf(alone, t))
    }
  })

  it('copies x when the call is made, and its results are nobody else’s', async () => {
    const stream = smallPlan().stream()
    const other = smallPlan().stream()
    const x = step(1)
    const pending = stream.next(x)
    x.fill(9)
    const first = await pending
    expect(bitsOf(first)).toEqual(bitsOf(await other.next(step(1))))
    const copy = first.clone()
    await stream.next(step(2))
    await other.next(step(7))
    expect(bitsOf(first)).toEqual(bitsOf(copy))
  })

  it('gives results of their own where a batch has wide ones', async () => {
    const plan = compile(new LSTM({ inputSize: 2, hiddenSize: 40, seed: 1 }))
    const streams = [plan.stream(), plan.stream(), plan.stream()]
    const outputs = await Promise.all(streams.map((each, s) => each.next(step(s))))
    const expected = outputs.map((each) => each.clone())
    outputs[1].data.fill(0)
    expect([0, 2].map((s) => bitsOf(outputs[s]))).toEqual([0, 2].map((s) => bitsOf(expected[s])))
    await Promise.all(streams.map((each) => each.next(step(5))))
    expect(bitsOf(outputs[2])).toEqual(bitsOf(expected[2]))
  })

  it('is reset and set in the order of its calls', async () => {
    const plan = smallPlan()
    const held = new HeldKernels(plan)
    const stream = plan.stream()
    const state = new Tensor([1, 8], new Float32Array(8).fill(0.25))
    const outputs = [stream.next(step(1))]
    stream.reset()
    outputs.push(stream.next(step(1)))
    stream.state = state
    state.data.fill(7)
    outputs.push(stream.next(step(1)))
    stream.reset()
    stream.state = state
    stream.reset()
    await turn()
    await held.releaseAll()
    const [first, second, third] = await Promise.all(outputs)
    expect(bitsOf(second)).toEqual(bitsOf(first))
    state.data.fill(0.25)
    const { output } = plan.predictSync(new Tensor([1, 1, 2], step(1)), { state })
    expect(bitsOf(third)).toEqual(bitsOf(output))
    expect([...stream.state.data]).toEqual(Array(8).fill(0))

    const later = [stream.next(step(1)), stream.next(step(2)), stream.next(step(3))]
    await turn()
    await held.releaseAll()
    const x = Float32Array.of(1, -1, 2, -2, 3, -3)
    const whole = plan.predictSync(new Tensor([1, 3, 2], x))
    expect(Buffer.concat((await Promise.all(later)).map(bitsOf))).toEqual(bitsOf(whole))
  })

  it('is set although what was asked before is withdrawn', async () => {
    const plan = smallPlan()
    const held = new HeldKernels(plan)
    const state = new Tensor([1, 8], new Float32Array(8).fill(0.25))
    for (const withdrawn of [0, 1, 2]) {
      const stream = plan.stream()
      const controllers = [0, 1, 2].map(() => new AbortController())
      const asked = controllers.map(({ signal }) => stream.next(step(1), { signal }))
      stream.state = state
      controllers[withdrawn].abort('gone')
      await expect(asked[withdrawn]).rejects.toBe('gone')
      await turn()
      await held.releaseAll()
      await Promise.allSettled(asked)
      expect(bitsOf(stream.state)).toEqual(bitsOf(state))
    }
  })

  it('begins with a state, and says one that others begin with', async () => {
    const plan = smallPlan()
    const first = plan.stream()
    await first.next(step(1))
    const { state } = first
    const others = [plan.stream({ state }), new Batcher(plan).stream({ state }), plan.stream({ state: null })]
    const outputs = await Promise.all([first, ...others].map((stream) => stream.next(step(3))))
    expect(bitsOf(outputs[1])).toEqual(bitsOf(outputs[0]))
    expect(bitsOf(outputs[2])).toEqual(bitsOf(outputs[0]))
    expect(bitsOf(outputs[3])).not.toEqual(bitsOf(outputs[0]))
    // A copy: what the stream has become since does not show.
    expect(bitsOf(plan.stream({ state }).nextSync(step(3)))).toEqual(bitsOf(outputs[0]))
  })

  it('refuses what does not fit', async () => {
    const plan = smallPlan()
    const stream = plan.stream()
    const bad = new Tensor([1, 7], new Float32Array(7))
    expect(() => plan.stream({ state: bad })).toThrow(
      'expected a state of shape [1, 8] from this plan, got [1,7]',
    )
    expect(() => plan.stream({ sate: bad } as object)).toThrow('did you mean "state"?')
    expect(() => {
      stream.state = bad
    }).toThrow(RangeError)
    expect(() => stream.nextSync(new Float32Array(3))).toThrow('next: expected x of shape [2] or [T, 2]')
    await expect(stream.next(new Tensor([1, 1, 2], step(1)))).rejects.toThrow('got [1,1,2] of float32')
    await expect(stream.next(3)).rejects.toThrow('got 3')
    const words = compile(streamed['indices, and a wide result']()).stream()
    await expect(words.next(11)).rejects.toThrow('next: expected indices in [0, 11), got 11 at 0')
    await expect(words.next(0.5)).rejects.toThrow('got 0.5 at 0')
    await expect(words.next(Int32Array.of(1, -1))).rejects.toThrow('got -1 at 1')
    await expect(words.next(Float32Array.of(1))).rejects.toThrow(
      'expected x of shape one index or [T] and type int32',
    )
    await expect(words.next(new Tensor([1, 1], Int32Array.of(1)))).rejects.toThrow('got [1,1] of int32')
    expect((await words.next(new Tensor([], Int32Array.of(1)))).shape).toEqual([40])
    expect((await words.next(Int32Array.of(1))).shape).toEqual([1, 40])
  })

  it('does at once only what nothing is before', async () => {
    const stream = smallPlan().stream()
    const pending = stream.next(step(1))
    expect(() => stream.nextSync(step(1))).toThrow('nextSync: calls of next on this stream are not done')
    expect(() => stream.state).toThrow('state: calls of next on this stream are not done; await them before')
    await pending
    expect(stream.nextSync(step(1)).shape).toEqual([3])
  })

  it('ends: what has not begun is rejected, what runs is answered', async () => {
    const plan = smallPlan()
    const held = new HeldKernels(plan)
    const batcher = new Batcher(plan)
    const [stream, idle, waiting] = [batcher.stream(), batcher.stream(), batcher.stream()]
    const asked = [stream.next(step(1)), stream.next(step(2)), stream.next(step(3))]
    await turn()
    const late = waiting.next(step(1))
    expect(batcher.statistics.streams).toBe(3)
    for (const each of [stream, idle, waiting]) each.close()
    stream.close()
    // The state of the one that runs is in use.
    expect(batcher.statistics).toMatchObject({ streams: 1, queued: 0, running: 1 })
    await expect(late).rejects.toThrow(ClosedError)
    await expect(asked[1]).rejects.toThrow('predict: the stream is closed')
    await expect(asked[2]).rejects.toMatchObject({ code: 'CLOSED' })
    await held.releaseAll()
    expect((await asked[0]).shape).toEqual([3])
    expect(batcher.statistics.streams).toBe(0)
    await expect(stream.next(step(1))).rejects.toThrow(ClosedError)
    expect(() => stream.nextSync(step(1))).toThrow(ClosedError)
    expect(() => stream.state).toThrow(ClosedError)
    expect(() => stream.reset()).toThrow(ClosedError)
    expect(batcher.statistics.streams).toBe(0)
  })

  it('can be closed by what disposes of it', () => {
    const batcher = new Batcher(smallPlan())
    batcher.stream()[Symbol.dispose]()
    expect(batcher.statistics.streams).toBe(0)
  })

  it('runs over a source, and lets go of it', async () => {
    const stream = smallPlan().stream()
    let isClosed = false
    async function* source() {
      try {
        for (let t = 0; ; t++) yield step(t)
      } finally {
        isClosed = true
      }
    }
    const shapes: (readonly number[])[] = []
    for await (const { shape } of stream.run(source())) {
      shapes.push(shape)
      if (shapes.length === 3) break
    }
    expect(shapes).toEqual([[3], [3], [3]])
    expect(isClosed).toBe(true)
    await expect(
      stream
        .run([step(1), new Float32Array(1)])
        .next()
        .then(() => 'first'),
    ).resolves.toBe('first')
    const failing = stream.run([new Float32Array(1)])
    await expect(failing.next()).rejects.toThrow('next: expected x')
  })
})

describe('states', () => {
  it('reuse slots, and a slab that nobody uses gives its memory back', () => {
    const states = new StreamStates(2 ** 14, new Float32Array(0))
    expect(states.rows).toBe(16)
    const slots = Array.from({ length: 48 }, () => states.acquire())
    expect(slots).toEqual(Array.from({ length: 48 }, (_, slot) => slot))
    states.write(20, new Float32Array(2 ** 14).fill(3))
    states.release(20)
    expect(states.acquire()).toBe(20)
    expect(states.read(20).every((each) => each === 0)).toBe(true)
    for (const slot of slots) states.release(slot)
    expect(states.slabs.map(({ length }) => length > 0)).toEqual([true, false, false])
    // The lowest slab is filled first.
    const again = Array.from({ length: 17 }, () => Math.floor(states.acquire() / states.rows))
    expect(again).toEqual([...Array(16).fill(0), 1])
    expect(states.slabs.map(({ length }) => length > 0)).toEqual([true, true, false])
  })

  it('come back when a stream is forgotten, but not when its slot is another’s by then', async () => {
    const plan = smallPlan()
    const batcher = new Batcher(plan)
    const kept: Stream[] = []
    const make = () => {
      for (let n = 0; n < 1000; n++) {
        const stream = batcher.stream()
        if (n % 4 === 0) stream.close()
        if (n % 4 === 1) kept.push(stream)
      }
    }
    make()
    expect(batcher.statistics.streams).toBe(750)
    // Those that were closed are gone, and these have their slots.
    for (let n = 0; n < 250; n++) kept.push(batcher.stream())
    await Promise.all(kept.map((stream, n) => stream.next(step(n))))
    for (let n = 0; n < 50 && batcher.statistics.streams > 500; n++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(batcher.statistics.streams).toBe(500)
    const [slots, others] = [
      new Set(kept.map(({ slot }) => slot)),
      Array.from({ length: 600 }, () => batcher.stream()),
    ]
    expect(slots.size).toBe(500)
    for (const { slot } of others) expect(slots.has(slot)).toBe(false)
    for (const [n, stream] of kept.entries()) {
      const alone = plan.predictSync(new Tensor([1, 1, 2], step(n)), { state: null })
      expect(bitsOf(stream.state)).toEqual(bitsOf(alone.state))
    }
  })

  it('of 100,000 streams cost themselves and at most 200 bytes each', async () => {
    const count = 100_000
    const plan = compile(new LSTM({ inputSize: 2, hiddenSize: 32, seed: 1 }))
    // Memory of arrays is given back some time after a collection.
    const used = async () => {
      let least = Number.POSITIVE_INFINITY
      for (let n = 0; n < 5; n++) {
        collect()
        const { heapUsed, arrayBuffers } = process.memoryUsage()
        least = Math.min(least, heapUsed + arrayBuffers)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return least
    }
    await plan.stream().next(step(1))
    const before = await used()
    const streams: Stream[] = new Array(count)
    for (let n = 0; n < count; n++) streams[n] = plan.stream()
    // All at once, and then at rest again.
    const outputs = await Promise.all(streams.slice(0, 5000).map((stream) => stream.next(step(1))))
    expect(outputs[4999].shape).toEqual([32])
    outputs.length = 0
    const after = await used()
    const beside = (after - before) / count - 4 * plan.stateSize
    expect(beside).toBeGreaterThan(0)
    expect(beside).toBeLessThan(200)
    for (const stream of streams) stream.close()
    streams.length = 0
    expect(((await used()) - before) / count).toBeLessThan(100)
  })
})
