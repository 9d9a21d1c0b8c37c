/** Compiled plans of LSTM variants, masks and merges against the models they were made from, on every back end. */
import { describe, expect, it } from 'vitest'
import { compile } from '../lib/inference/plan.ts'
import { backend, setThreads, useBackend } from '../lib/kernels/index.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import type { Layer } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Random } from '../lib/random.ts'
import { noGrad } from '../lib/tape.ts'
import { Tensor } from '../lib/tensor.ts'
import { randomInput } from './support/close.ts'

useBackend('native')
const backends = ['reference', ...backend().available] as const
const [I, H] = [3, 21]

const variants: (Partial<LSTMOptions> & { name: string })[] = [
  { name: 'one direction', numLayers: 3 },
  { name: 'reverse', reverse: true, numLayers: 2 },
  { name: 'the last output alone', returnSequences: false, numLayers: 2 },
  { name: 'the last output of a reverse direction', returnSequences: false, reverse: true },
  { name: 'two directions', bidirectional: true, zeroMasked: true, numLayers: 2 },
  { name: 'a sum', bidirectional: true, merge: 'sum', numLayers: 2 },
  { name: 'a product', bidirectional: true, merge: 'mul' },
  { name: 'an average of last outputs', bidirectional: true, merge: 'average', returnSequences: false },
  {
    name: 'both last outputs and a projection',
    bidirectional: true,
    returnSequences: false,
    projectionSize: 5,
  },
  {
    name: 'other functions',
    gateActivation: { kind: 'hardSigmoid', alpha: 0.2 },
    cellActivation: 'softsign',
    outputActivation: { kind: 'leakyRelu', alpha: 0.3 },
    clip: 1.5,
    coupledInputForget: true,
    numLayers: 2,
  },
  { name: 'bounds, peepholes and layer normalisation', clip: 0.5, peepholes: true, layerNorm: true },
]

function holesIn(size: number, seed: number): Uint8Array {
  const random = new Random(seed)
  return Uint8Array.from({ length: size }, () => (random.uniform() < 0.4 ? 0 : 1))
}

function bitsOf({ array }: Tensor): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}

/** Plan and model call the same kernels on the same numbers: not a bit may differ. */
function expectSame(result: Tensor, expected: Tensor) {
  expect(result.shape).toEqual(expected.shape)
  expect(bitsOf(result).equals(bitsOf(expected))).toBe(true)
}

describe.each(backends)('a plan on %s gives the bits of the model with', (backendName) => {
  it.each(variants)('$name', ({ name: _, ...options }) => {
    useBackend(backendName)
    const layer = new LSTM({ inputSize: I, hiddenSize: H, seed: 1, ...options })
    const plan = compile(layer)
    for (const [B, T] of [
      [1, 1],
      [7, 9],
    ]) {
      const x = randomInput([B, T, I])
      const lengths = Int32Array.from({ length: B }, (_, b) => (b * 4) % (T + 1))
      const mask = holesIn(B * T, 4)
      for (const given of [{}, { lengths }, { mask }, { mask: new Uint8Array(B * T) }, { mask, lengths }]) {
        const { output } = noGrad(() => layer.forward(x, given))
        expectSame(plan.predictSync(x, given), output)
      }
      const { state } = noGrad(() => layer.forward(x, { mask }))
      const before = plan.predictSync(x, { mask, state: null }).state
      expectSame(
        plan.predictSync(x, { mask, state: before }).output,
        noGrad(() => layer.forward(x, { mask, state }).output),
      )
    }
  })

  it('a mask that an embedding makes', () => {
    useBackend(backendName)
    const tokens = new Tensor([3, 5], Int32Array.of(0, 3, 0, 4, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0))
    const heads: (() => Layer[])[] = [
      () => [new LSTM({ inputSize: 4, hiddenSize: H, bidirectional: true, merge: 'sum', seed: 2 })],
      () => [new LSTM({ inputSize: 4, hiddenSize: H, numLayers: 2, seed: 2 }), new LastStep()],
      () => [
        new LSTM({ inputSize: 4, hiddenSize: H, seed: 2 }),
        new LSTM({ inputSize: H, hiddenSize: H, returnSequences: false, seed: 3 }),
        new Linear({ inputSize: H, outputSize: 2, seed: 4 }),
      ],
    ]
    for (const head of heads) {
      const embedding = new Embedding({ vocabularySize: 5, embeddingSize: 4, maskZero: true, seed: 1 })
      const model = new Sequential([embedding, ...head()])
      const unmasked = new Sequential([
        new Embedding({ vocabularySize: 5, embeddingSize: 4, seed: 1 }),
        ...head(),
      ])
      const expected = noGrad(() => model.forward(tokens))
      expectSame(compile(model).predictSync(tokens), expected)
      expect(bitsOf(compile(unmasked).predictSync(tokens)).equals(bitsOf(expected))).toBe(false)
    }
  })

  it('any number of threads, and alone or in a batch', () => {
    useBackend(backendName)
    const [B, T] = [19, 6]
    const x = randomInput([B, T, I])
    const mask = holesIn(B * T, 5)
    for (const { name: _, ...options } of variants) {
      const layer = new LSTM({ inputSize: I, hiddenSize: 130, seed: 1, ...options })
      const plan = compile(layer)
      const whole = plan.predictSync(x, { mask })
      const width = whole.size / B
      for (const threads of [1, 2, 3]) {
        setThreads(threads)
        expectSame(plan.predictSync(x, { mask }), whole)
        const row = new Tensor([1, T, I], x.array.slice(7 * T * I, 8 * T * I))
        const alone = plan.predictSync(row, { mask: mask.slice(7 * T, 8 * T) })
        expect([...alone.array]).toEqual([...whole.array.slice(7 * width, 8 * width)])
      }
      setThreads(2)
    }
  })
})

describe('predictSync', () => {
  it('refuses a mask that does not fit', () => {
    const plan = compile(new LSTM({ inputSize: I, hiddenSize: 2 }))
    const mask = new Uint8Array(7)
    expect(() => plan.predictSync(randomInput([2, 4, I]), { mask })).toThrow(
      'B·T = 8 bytes, got Uint8Array(7)',
    )
  })
})
