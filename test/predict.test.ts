/** Predictions off the event loop, ragged runs and states in slots, against the same run alone. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { BackendError } from '../lib/errors.ts'
import { attach, compile, type Plan } from '../lib/inference/plan.ts'
import type { FloatArray } from '../lib/kernels/contract.ts'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { activation } from '../lib/layers/activation.ts'
import { Attention } from '../lib/layers/attention.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { MultiHeadAttention } from '../lib/layers/multi-head-attention.ts'
import { LayerNorm } from '../lib/layers/normalization.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Random } from '../lib/random.ts'
import { Tensor } from '../lib/tensor.ts'

useBackend('native')
const { available } = backend()
const backends = ['reference', ...available] as const
afterEach(() => useBackend('native'))

const support = join(import.meta.dirname, 'support')
const I = 5
const models: Record<string, () => Sequential> = {
  'stacked layers and a head': () =>
    new Sequential([
      new LSTM({ inputSize: I, hiddenSize: 19, numLayers: 2, seed: 1 }),
      new LayerNorm({ size: 19 }),
      activation('tanh'),
      new Linear({ inputSize: 19, outputSize: 3, seed: 2 }),
      activation('softmax'),
    ]),
  'the last step': () =>
    new Sequential([
      new LSTM({ inputSize: I, hiddenSize: 7, projectionSize: 4, seed: 3 }),
      new LastStep(),
      new Linear({ inputSize: 4, outputSize: 2, seed: 4 }),
    ]),
  'two directions, added': () =>
    new Sequential([new LSTM({ inputSize: I, hiddenSize: 17, bidirectional: true, merge: 'sum', seed: 5 })]),
  'a final h, layer normalisation, peepholes, zoneout': () =>
    new Sequential([
      new LSTM({
        inputSize: I,
        hiddenSize: 9,
        layerNorm: true,
        peepholes: true,
        zoneoutCell: 0.1,
        zoneoutHidden: 0.2,
        returnSequences: false,
        seed: 6,
      }),
    ]),
  attention: () =>
    new Sequential([
      new LSTM({ inputSize: I, hiddenSize: 18, seed: 9 }),
      new MultiHeadAttention({ embedSize: 18, heads: 3, seed: 10 }),
      new Attention({ score: 'additive', querySize: 18, size: 7, seed: 11 }),
      new Linear({ inputSize: 18, outputSize: 3, seed: 12 }),
    ]),
  indices: () =>
    new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 6, seed: 7 }),
      new LSTM({ inputSize: 6, hiddenSize: 16, seed: 8 }),
    ]),
}

function inputs(plan: Plan, rows: number, seed: number): FloatArray | Int32Array {
  const random = new Random(seed)
  if (plan.inputSize === 0) return Int32Array.from({ length: rows }, () => random.integer(11))
  return Float32Array.from({ length: rows * plan.inputSize }, () => random.normal())
}

/** One sequence alone, from a state: what every other way must give to the bit. */
function alone(plan: Plan, x: FloatArray | Int32Array, T: number, state: Float32Array) {
  const shape = plan.inputSize ? [1, T, plan.inputSize] : [1, T]
  const result = plan.predictSync(new Tensor(shape, x), { state: new Tensor([1, plan.stateSize], state) })
  return { y: result.output.array, state: result.state.array }
}

const lengths = [3, 0, 7, 1, 1, 20, 2]
const offsets = new Int32Array(lengths.length + 1)
for (const [b, length] of lengths.entries()) offsets[b + 1] = offsets[b] + length

describe.each(backends)('on %s', (name) => {
  describe.each(Object.entries(models))('%s', (_, make) => {
    it('a ragged run with states in slots is each sequence alone', () => {
      useBackend(name)
      const plan = compile(make())
      const width = plan.inputSize || 1
      const B = lengths.length
      const x = inputs(plan, offsets[B], 1)
      const rows = 4
      const slots = Int32Array.from([6, 1, 0, 7, 2, 5, 3])
      const slabs = [0, 1].map(
        (seed) => inputs({ inputSize: plan.stateSize } as Plan, rows, 10 + seed) as Float32Array,
      )
      const before = slabs.map((slab) => slab.slice())
      const stateOf = (from: Float32Array[], slot: number) => {
        const first = (slot % rows) * plan.stateSize
        return from[Math.floor(slot / rows)].subarray(first, first + plan.stateSize)
      }
      const endsInOne = plan.contents.endsInOneStep
      const y = plan.floats((endsInOne ? B : offsets[B]) * plan.outputSize)
      plan.kernels.runPlan({
        plan: plan.contents.compiled,
        B,
        T: 20,
        x,
        y,
        offsets,
        slots: { slabs, rows, slots },
      })
      for (const [b, T] of lengths.entries()) {
        const own = x.slice(offsets[b] * width, offsets[b + 1] * width)
        const expected = alone(plan, own, T, stateOf(before, slots[b]).slice())
        const [first, end] = endsInOne ? [b, b + 1] : [offsets[b], offsets[b + 1]]
        expect(y.subarray(first * plan.outputSize, end * plan.outputSize)).toEqual(expected.y)
        expect(stateOf(slabs, slots[b])).toEqual(expected.state)
      }
      expect(stateOf(slabs, 4)).toEqual(stateOf(before, 4))
    })

    it('predict gives what predictSync gives, many at once', async () => {
      useBackend(name)
      const plan = compile(make())
      const calls = Array.from({ length: 12 }, (_, i) => {
        const [B, T] = [1 + (i % 5), 1 + (i % 4)]
        const shape = plan.inputSize ? [B, T, plan.inputSize] : [B, T]
        const x = new Tensor(shape, inputs(plan, B * T, i))
        const options = i % 3 === 0 ? { lengths: new Int32Array(B).fill(i % (T + 1)) } : {}
        return { x, options, expected: plan.predictSync(x, { ...options, state: null }) }
      })
      const results = await Promise.all(
        calls.map(({ x, options }) => plan.predict(x, { ...options, state: null })),
      )
      for (const [i, { output, state }] of results.entries()) {
        expect(output.shape).toEqual(calls[i].expected.output.shape)
        expect(output.array).toEqual(calls[i].expected.output.array)
        expect(state.array).toEqual(calls[i].expected.state.array)
      }
    })
  })

  it('copies what it is given, unless it is shared memory', async () => {
    useBackend(name)
    const plan = compile(models['stacked layers and a head']())
    const values = inputs(plan, 6, 3) as Float32Array
    const expected = plan.predictSync(new Tensor([2, 3, I], values.slice())).array
    const own = new Tensor([2, 3, I], values.slice())
    const pending = plan.predict(own)
    own.data.fill(9)
    structuredClone(own.array, { transfer: [own.array.buffer as ArrayBuffer] })
    expect((await pending).array).toEqual(expected)
    const shared = new Float32Array(new SharedArrayBuffer(values.byteLength))
    shared.set(values)
    expect((await plan.predict(new Tensor([2, 3, I], shared))).array).toEqual(expected)
  })

  it.each([
    'stacked layers and a head',
    'attention',
  ])('another thread runs a shared plan on the same weights: %s', async (model) => {
    useBackend(name)
    const plan = compile(models[model]())
    const x = inputs(plan, 8, 4)
    const program = pathToFileURL(join(support, 'attach-program.ts')).href
    const worker = new Worker(join(support, 'worker-start.mjs'), {
      workerData: { program, shared: plan.share(), name, x, shape: [2, 4, I] },
    })
    const answer = await new Promise<{ y: Float32Array }>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    expect(answer.y).toEqual(plan.predictSync(new Tensor([2, 4, I], x)).array)
    await worker.terminate()
  })
})

it('a shared plan is refused where another target runs, and where it is none', () => {
  useBackend('scalar')
  const shared = compile(models.indices()).share()
  useBackend('reference')
  expect(() => attach(shared)).toThrow(BackendError)
  expect(() => attach(shared)).toThrow('packed for scalar, and this thread runs the reference')
  expect(() => attach({} as never)).toThrow('expected what plan.share() gave')
})

it('rejects what predictSync throws', async () => {
  const plan = compile(models['stacked layers and a head']())
  await expect(plan.predict(new Tensor([2, 3], new Float32Array(6)))).rejects.toThrow('expected x of shape')
  await expect(plan.predict(null as never)).rejects.toThrow(TypeError)
  const x = new Tensor([1, 1, I], new Float32Array(I))
  await expect(plan.predict(x, { outputs: 1 } as never)).rejects.toThrow('outputs')
  await expect(plan.predict(x, { lengths: Int32Array.of(2) })).rejects.toThrow('lengths')
})

it('ragged runs are refused with lengths, with holes, and by plans that look along time', () => {
  const plan = compile(models['stacked layers and a head']())
  const run = (more: object, of = plan) =>
    of.kernels.runPlan({
      plan: of.contents.compiled,
      B: 2,
      T: 3,
      x: new Float32Array(6 * I),
      y: new Float32Array(6 * of.outputSize),
      ...more,
    })
  const good = Int32Array.of(0, 1, 4)
  run({ offsets: good })
  expect(() => run({ offsets: good, lengths: Int32Array.of(1, 3) })).toThrow('either offsets')
  expect(() => run({ offsets: Int32Array.of(0, 1, 5) })).toThrow('ascend')
  expect(() => run({ offsets: Int32Array.of(0, 2, 1) })).toThrow('ascend')
  expect(() => run({ offsets: Int32Array.of(1, 2, 3) })).toThrow('ascend')
  const slab = new Float32Array(3 * plan.stateSize)
  const slots = (...numbers: number[]) => ({
    slots: { slabs: [slab], rows: 3, slots: Int32Array.from(numbers) },
  })
  run(slots(2, 0))
  expect(() => run(slots(0, 3))).toThrow('inside the slabs')
  expect(() => run(slots(-1, 0))).toThrow('inside the slabs')
  expect(() => run({ ...slots(0, 1), finalState: slab })).toThrow('either slots')
})

describe('cancellation', () => {
  const plan = () => compile(new Sequential([new LSTM({ inputSize: 64, hiddenSize: 256, seed: 1 })]))
  const long = new Tensor([64, 60, 64], new Float32Array(64 * 60 * 64))

  it('withdraws what has not begun, and lets go of what has', async () => {
    const heavy = plan()
    const running = [1, 2, 3, 4].map(() => heavy.predict(long))
    const controller = new AbortController()
    const waiting = [1, 2, 3].map(() => heavy.predict(long, { signal: controller.signal }))
    const begun = new AbortController()
    const first = compile(models.indices()).predict(new Tensor([1, 1], new Int32Array(1)), {
      signal: begun.signal,
    })
    setTimeout(() => controller.abort(new Error('enough')), 1)
    const settled = await Promise.allSettled(waiting)
    expect(settled.map((each) => each.status === 'rejected' && each.reason.message)).toEqual(
      Array(3).fill('enough'),
    )
    await first
    begun.abort()
    const results = await Promise.all(running)
    expect(new Set(results.map(({ array }) => array[array.length - 1])).size).toBe(1)
    await expect(heavy.predict(long, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    )
  })

  it('the event loop goes on while a prediction runs', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await plan().predict(long, { state: null })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(2)
  })
})

const program = join(support, 'predict-program.ts')
const runProgram = async (task: string) =>
  (await promisify(execFile)(process.execPath, ['--import', 'tsx', program, task])).stdout.trim()

it('a process stays until its predictions are done, and no longer', async () => {
  expect(await runProgram('stay')).toBe('done 3')
})

it('worker threads ended while predictions run and wait do no harm', { timeout: 60_000 }, async () => {
  expect(await runProgram('workers')).toBe('ended 24')
})
