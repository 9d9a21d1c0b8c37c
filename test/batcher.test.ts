/** Results of batches: the bits of each sequence alone, whatever runs beside it, in however many parts. */
import { compile, Random, type Sequential, type Tensor, tensor, useBackend } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { Batcher, type BatcherOptions } from '../lib/inference/batcher.ts'
import type { Plan } from '../lib/inference/plan.ts'
import type { Kernels, RunPlanAsync } from '../lib/kernels/contract.ts'
import {
  batchOfOne,
  bitsOf,
  lengthFor,
  masked,
  sequenceFor,
  streamed,
  whole,
} from './support/served-models.ts'

const backends = ['reference', 'native'] as const

/** The real back end, which says that each row takes so long: the parts of long sequences become short. */
function withPace(plan: Plan, perRow: number, executors: number): Plan {
  const inner = plan.kernels
  const kernels: Kernels = Object.create(inner, {
    executors: { value: executors },
    runPlan: { value: (call: RunPlanAsync) => inner.runPlan(call) },
    runPlanAsync: {
      value: (call: RunPlanAsync) =>
        inner.runPlanAsync({
          ...call,
          done: (error) => call.done(error, perRow * (call.offsets ? call.offsets[call.B] : call.B * call.T)),
        }),
    },
    cancelPlan: { value: (run: number) => inner.cancelPlan(run) },
    afterMicroseconds: { value: (delay: number, then: () => void) => inner.afterMicroseconds(delay, then) },
  })
  return Object.assign(plan, { kernels })
}

const settings: (BatcherOptions & { perRow: number; executors: number; name: string })[] = [
  { name: 'large batches on two executors', perRow: 1, executors: 2 },
  { name: 'parts of a few steps', perRow: 400, executors: 3, maxBatchSize: 7 },
  { name: 'parts of single steps', perRow: 5000, executors: 1, maxBatchSize: 5, preferredBatchSizes: [2, 4] },
  { name: 'batches of one', perRow: 700, executors: 2, maxBatchSize: 1 },
  { name: 'batches that wait', perRow: 200, executors: 2, maxBatchSize: 16, maxQueueDelayMicroseconds: 300 },
]

function expectBits(result: Tensor, expected: Tensor): void {
  expect(result.shape).toEqual(expected.shape.slice(1))
  expect(bitsOf(result).equals(bitsOf(expected))).toBe(true)
}

/** Sequences of all lengths and single steps of streams, some at once, some later; every third carries a state on. */
async function randomTraffic(name: string, model: Sequential, batcher: Batcher, plan: Plan): Promise<number> {
  const random = new Random(17)
  const wait = () => new Promise((resolve) => setImmediate(resolve))
  const checked: Promise<void>[] = []
  for (let n = 0; n < 60; n++) {
    const x = sequenceFor(model, lengthFor(name, random, n % 10 === 0 ? 90 : 12), n)
    const priority = Math.floor(random.uniform() * 3)
    const given = x.slice()
    const check = async () => {
      if (n % 7 === 1) {
        const alone = plan.predictSync(batchOfOne(x))
        const output = tensor(alone.data.slice().fill(7), { shape: alone.shape.slice(1) })
        const result = await batcher.predict(given, { priority, output })
        expect(result).toBe(output)
        expectBits(result, alone)
        return
      }
      if (n % 3 > 0 || plan.stateSize === 0) {
        expectBits(await batcher.predict(given, { priority }), plan.predictSync(batchOfOne(x)))
        return
      }
      const first = await batcher.predict(given, { priority, state: null })
      const second = await batcher.predict(x, { state: first.state })
      const alone = plan.predictSync(batchOfOne(x), { state: null })
      const after = plan.predictSync(batchOfOne(x), { state: alone.state })
      expectBits(first.output, alone.output)
      expectBits(second.output, after.output)
      expect(bitsOf(second.state).equals(bitsOf(after.state))).toBe(true)
    }
    checked.push(check())
    // The caller may write into x at once.
    given.fill(1)
    if (random.uniform() < 0.3) await wait()
  }
  await Promise.all(checked)
  return checked.length
}

describe.each(backends)('on %s', (backendName) => {
  describe.each(settings)('$name', ({ name: _, perRow, executors, ...options }) => {
    it.each(Object.entries({ ...streamed, ...masked, ...whole }))('%s', async (name, make) => {
      useBackend(backendName)
      const model = make()
      const plan = withPace(compile(model), perRow, executors)
      const sizes: number[] = []
      const batcher = new Batcher(plan, { ...options, onBatch: ({ size }) => sizes.push(size) })
      expect(await randomTraffic(name, model, batcher, plan)).toBe(60)
      await batcher.close()
      const { maxBatchSize = 64 } = options
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxBatchSize)
      if (maxBatchSize > 1 && perRow <= 200) expect(Math.max(...sizes)).toBeGreaterThan(1)
      const requests = batcher.statistics.requests
      const parts = sizes.reduce((sum, size) => sum + size, 0)
      if (!(name in streamed)) expect(parts).toBe(requests)
      else if (perRow >= 50) expect(parts).toBeGreaterThan(requests)
    })
  })
})
