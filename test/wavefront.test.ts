/** Stacked layers of a plan as a wavefront against the same plan on one thread: not a bit may differ. */
import { afterAll, describe, expect, it } from 'vitest'
import { compile, type Plan } from '../lib/inference/plan.ts'
import { backend, setThreads, useBackend } from '../lib/kernels/index.ts'
import { loadNative } from '../lib/kernels/native.ts'
import { Dropout } from '../lib/layers/dropout.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import type { Tensor } from '../lib/tensor.ts'
import { randomInput } from './support/close.ts'

useBackend('native')
const { available, threads: usual } = backend()
const addon = loadNative()

afterAll(() => {
  addon.setSharing('automatic')
  setThreads(usual)
})

/** Output and state as bytes: from zeros, from a given state, and from that of the call before. */
function runs(plan: Plan, x: Tensor, lengths?: Int32Array): string[] {
  const given = randomInput([x.shape[0], plan.stateSize], 4)
  const first = plan.predictSync(x, { state: given, lengths })
  const second = plan.predictSync(x, { state: first.state, lengths })
  const results = [plan.predictSync(x, { lengths }), first.output, first.state, second.output, second.state]
  return results.map(({ data }) => Buffer.from(data.buffer).toString('base64'))
}

function expectSameInWaves(plan: Plan, x: Tensor, lengths?: Int32Array) {
  setThreads(1)
  addon.setSharing('rows')
  const expected = runs(plan, x, lengths)
  for (const sharing of ['layers', 'automatic']) {
    addon.setSharing(sharing)
    for (const threads of [1, 2, 3, 4]) {
      setThreads(threads)
      expect(runs(plan, x, lengths), `${sharing} on ${threads} threads`).toEqual(expected)
    }
  }
}

describe.each(available)('layers as a wavefront on %s', (target) => {
  it.each([2, 3, 5])('give the same bits with %i layers', (numLayers) => {
    useBackend(target)
    for (const hiddenSize of [1, 7, 16, 33]) {
      const plan = compile(new LSTM({ inputSize: 12, hiddenSize, numLayers, seed: 1 }))
      for (const T of [1, 2, 5, 6, 7, 13, 50]) expectSameInWaves(plan, randomInput([1, T, 12], T))
    }
  })

  const variants: Partial<LSTMOptions>[] = [
    { inputSize: 1 },
    { projectionSize: 5 },
    { peepholes: true, bias: false },
    { layerNorm: true },
    { zoneoutCell: 0.2, zoneoutHidden: 0.1 },
    { bidirectional: true },
  ]
  it.each(variants)('give the same bits with %o, in batches and with lengths', (options) => {
    useBackend(target)
    const lstm = new LSTM({ inputSize: 9, hiddenSize: 18, numLayers: 3, seed: 1, ...options })
    const plan = compile(lstm)
    for (const B of [1, 3, 8]) {
      const x = randomInput([B, 17, plan.inputSize], B)
      expectSameInWaves(plan, x)
      expectSameInWaves(
        plan,
        x,
        Int32Array.from({ length: B }, (_, b) => (b * 5) % 18),
      )
    }
  })

  it('stand between other steps of a plan, and beside layers of their own', () => {
    useBackend(target)
    const model = new Sequential([
      new Linear({ inputSize: 3, outputSize: 10, seed: 1 }),
      new LSTM({ inputSize: 10, hiddenSize: 20, numLayers: 2, dropout: 0.5, seed: 2 }),
      new Dropout({ probability: 0.5 }),
      new LSTM({ inputSize: 20, hiddenSize: 8, seed: 3 }),
      new LSTM({ inputSize: 8, hiddenSize: 4, bidirectional: true, seed: 4 }),
      new LSTM({ inputSize: 8, hiddenSize: 64, numLayers: 2, seed: 5 }),
      new LastStep(),
      new LSTM({ inputSize: 64, hiddenSize: 4, numLayers: 2, seed: 6 }),
    ])
    expectSameInWaves(compile(model), randomInput([2, 40, 3], 7))
  })
})
