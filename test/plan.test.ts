/** A compiled plan against the model it was made from, on the reference and on every target. */
import { describe, expect, it } from 'vitest'
import { compile } from '../lib/inference/plan.ts'
import { backend, setThreads, useBackend } from '../lib/kernels/index.ts'
import { activation } from '../lib/layers/activation.ts'
import { Conv1d, type Conv1dLayerOptions } from '../lib/layers/convolution.ts'
import { Dropout } from '../lib/layers/dropout.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import { type Layer, parametersOf } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LayerNorm } from '../lib/layers/normalization.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../lib/layers/pooling.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Flatten, Masking, Reverse, TimeDistributed } from '../lib/layers/steps.ts'
import { noGrad } from '../lib/tape.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { randomInput } from './support/close.ts'

useBackend('native')
const { available } = backend()
const backends = ['reference', ...available] as const

const variants: (Partial<LSTMOptions> & { name: string })[] = [
  { name: 'a plain LSTM' },
  { name: 'two layers and directions', numLayers: 2, bidirectional: true },
  { name: 'a projection', projectionSize: 5 },
  { name: 'peepholes', peepholes: true },
  { name: 'layer normalisation', layerNorm: true },
  { name: 'zoneout', zoneoutCell: 0.2, zoneoutHidden: 0.1 },
  { name: 'no bias', bias: false },
  {
    name: 'everything',
    numLayers: 2,
    bidirectional: true,
    projectionSize: 7,
    peepholes: true,
    layerNorm: true,
    zoneoutCell: 0.2,
    zoneoutHidden: 0.1,
  },
]

function makeModel(options: Partial<LSTMOptions>): Sequential {
  const { projectionSize, bidirectional } = options
  const features = (projectionSize ?? 18) * (bidirectional ? 2 : 1)
  return new Sequential([
    new LSTM({ inputSize: 3, hiddenSize: 18, seed: 1, ...options }),
    new Dropout({ probability: 0.5 }),
    new LayerNorm({ size: features }),
    activation('gelu'),
    new LastStep(),
    new Linear({ inputSize: features, outputSize: 4, seed: 2 }),
    activation('logSoftmax'),
  ])
}

const conv = (options: Partial<Conv1dLayerOptions>) =>
  new Conv1d({ inputChannels: 3, outputChannels: 9, kernelSize: 3, seed: 4, ...options })

/** Every fifth step is 0.1 throughout, and every seventh in all features but the last. */
function withConstantSteps(x: Tensor): Tensor {
  for (let i = 0; i < x.size; i++) {
    const step = Math.floor(i / 3)
    if (step % 5 === 2 || (step % 7 === 3 && i % 3 < 2)) x.data[i] = 0.1
  }
  return x
}

/** Models of x [B, 12, 3] that change the time axis. */
const convolutional: Record<string, () => Sequential> = {
  'convolution, pool, LSTM and head': () =>
    new Sequential([
      conv({ padding: 'same' }),
      activation('leakyRelu', { alpha: 0.2 }),
      new MaxPool1d({ size: 2 }),
      new LSTM({ inputSize: 9, hiddenSize: 7, bidirectional: true, seed: 5 }),
      new LastStep(),
      new Linear({ inputSize: 14, outputSize: 2, seed: 6 }),
      activation('hardSigmoid', { alpha: 0.2 }),
    ]),
  'causal, dilated, strided and grouped convolutions': () =>
    new Sequential([
      conv({ padding: 'causal', dilation: 2, bias: false }),
      activation('elu', { alpha: 0.7 }),
      conv({ inputChannels: 9, outputChannels: 6, groups: 3, padding: 2, stride: 2 }),
      activation('silu'),
      new LSTM({ inputSize: 6, hiddenSize: 5, seed: 5 }),
    ]),
  'convolutions of a group for each channel': () =>
    new Sequential([
      conv({ outputChannels: 18 }),
      conv({ inputChannels: 18, outputChannels: 36, groups: 18, padding: 'same' }),
      conv({ inputChannels: 36, outputChannels: 36, groups: 36, stride: 2, dilation: 2, bias: false }),
    ]),
  'a convolution that reads past a chunk of the product': () =>
    new Sequential([conv({ outputChannels: 260 }), conv({ inputChannels: 260, outputChannels: 3 })]),
  pools: () =>
    new Sequential([
      conv({}),
      new AveragePool1d({ size: 3, stride: 2, padding: 1, countPadding: true }),
      new AveragePool1d({ size: 2, stride: 1, padding: 'same' }),
      new MaxPool1d({ size: 3, stride: 1, padding: 1 }),
    ]),
  'global pools': () =>
    new Sequential([
      conv({ padding: 'same' }),
      new TimeDistributed(new Linear({ inputSize: 9, outputSize: 2, seed: 6 })),
      new GlobalAveragePool1d(),
    ]),
  'a global maximum': () => new Sequential([conv({ kernelSize: 2 }), new GlobalMaxPool1d()]),
  Flatten: () =>
    new Sequential([
      new LayerNorm({ size: 3 }),
      new MaxPool1d({ size: 4 }),
      new Flatten(),
      activation('mish'),
      new Linear({ inputSize: 9, outputSize: 2, seed: 6 }),
    ]),
  'steps that Masking sets to 0': () =>
    new Sequential([new Masking({ value: 0.1 }), new Linear({ inputSize: 3, outputSize: 2, seed: 6 })]),
  Masking: () =>
    new Sequential([
      new Masking({ value: 0.1 }),
      new LSTM({ inputSize: 3, hiddenSize: 5, bidirectional: true, zeroMasked: true, seed: 5 }),
      new Reverse({ keepMask: true }),
      new LSTM({ inputSize: 10, hiddenSize: 4, seed: 6 }),
      new Reverse(),
      new GlobalAveragePool1d(),
    ]),
  Reverse: () =>
    new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 4, seed: 5 }),
      new Reverse(),
      activation('softsign'),
      activation('linear'),
    ]),
}

/** Plan and model call the same kernels in the same order on the same numbers: not a bit may differ. */
function expectSame(result: Tensor, expected: Tensor) {
  expect(result.shape).toEqual(expected.shape)
  expect([...result.data]).toEqual([...expected.data])
}

describe.each(backends)('a plan on %s', (name) => {
  it.each(variants)('gives the bits of the model with $name', ({ name: _, ...options }) => {
    useBackend(name)
    const model = makeModel(options)
    const plan = compile(model)
    for (const [B, T] of [
      [1, 1],
      [5, 7],
    ]) {
      const x = randomInput([B, T, 3])
      expectSame(
        plan.predictSync(x),
        noGrad(() => model.forward(x)),
      )
      const lengths = Int32Array.from({ length: B }, (_, b) => (b * 3) % (T + 1))
      expectSame(
        plan.predictSync(x, { lengths }),
        noGrad(() => model.forward(x, { lengths })),
      )
    }
  })

  it.each(Object.keys(convolutional))('gives the bits of the model with %s', (kind) => {
    useBackend(name)
    const model = convolutional[kind]()
    const plan = compile(model)
    for (const [B, T] of [
      [1, 12],
      [5, 12],
    ]) {
      const x = withConstantSteps(randomInput([B, T, 3]))
      expectSame(
        plan.predictSync(x),
        noGrad(() => model.forward(x)),
      )
      const lengths = Int32Array.from({ length: B }, (_, b) => (b * 5) % (T + 1))
      expectSame(
        plan.predictSync(x, { lengths }),
        noGrad(() => model.forward(x, { lengths })),
      )
    }
    const whole = plan.predictSync(randomInput([5, 12, 3]))
    const row = tensor(randomInput([5, 12, 3]).data.slice(3 * 36, 4 * 36), { shape: [1, 12, 3] })
    const width = whole.size / 5
    expect([...plan.predictSync(row).data]).toEqual([...whole.data.slice(3 * width, 4 * width)])
  })

  it('begins with an embedding', () => {
    useBackend(name)
    const model = new Sequential([
      new Embedding({ vocabularySize: 11, embeddingSize: 6, seed: 1 }),
      new LSTM({ inputSize: 6, hiddenSize: 9, seed: 2 }),
      new Linear({ inputSize: 9, outputSize: 11, seed: 3 }),
      activation('softmax'),
    ])
    const tokens = tensor(Int32Array.of(0, 3, 10, 2, 2, 7), { shape: [2, 3] })
    expectSame(
      compile(model).predictSync(tokens),
      noGrad(() => model.forward(tokens)),
    )
    const outside = tensor(Int32Array.of(11), { shape: [1, 1] })
    expect(() => compile(model).predictSync(outside)).toThrow(/11/)
  })

  it('carries its state from call to call as if the sequence had come whole', () => {
    useBackend(name)
    const model = new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 8, numLayers: 2, projectionSize: 5, seed: 1 }),
      new Linear({ inputSize: 5, outputSize: 2, seed: 2 }),
    ])
    const plan = compile(model)
    expect(plan.stateSize).toBe(2 * (5 + 8))
    const x = randomInput([2, 6, 3])
    const whole = plan.predictSync(x)
    let state: Tensor | null = null
    for (let t = 0; t < 6; t++) {
      const step = Float32Array.from(
        { length: 6 },
        (_, i) => x.data[Math.floor(i / 3) * 18 + t * 3 + (i % 3)],
      )
      const next: { output: Tensor; state: Tensor } = plan.predictSync(tensor(step, { shape: [2, 1, 3] }), {
        state,
      })
      const expected = [0, 1].flatMap((b) => [...whole.data.slice((b * 6 + t) * 2, (b * 6 + t + 1) * 2)])
      expect([...next.output.data]).toEqual(expected)
      state = next.state
    }
  })

  it('gives a row the same bits alone and in a batch, at any number of threads', () => {
    useBackend(name)
    const plan = compile(makeModel({ hiddenSize: 130, projectionSize: 70 }))
    const x = randomInput([33, 5, 3])
    const whole = plan.predictSync(x)
    for (const threads of [1, 2, 3]) {
      setThreads(threads)
      expectSame(plan.predictSync(x), whole)
      const row = tensor(x.data.slice(7 * 15, 8 * 15), { shape: [1, 5, 3] })
      expect([...plan.predictSync(row).data]).toEqual([...whole.data.slice(28, 32)])
    }
    setThreads(2)
  })
})

describe('compile', () => {
  it('keeps the parameters as they are now', () => {
    const model = makeModel({})
    const plan = compile(model)
    const x = randomInput([2, 4, 3])
    const before = plan.predictSync(x)
    for (const parameter of parametersOf(model).values()) parameter.data.fill(0)
    expectSame(plan.predictSync(x), before)
  })

  it('writes into the tensor it is given', () => {
    const plan = compile(makeModel({}))
    const x = randomInput([2, 4, 3])
    const output = tensor(new Float32Array(8), { shape: [2, 4] })
    expect(plan.predictSync(x, { output })).toBe(output)
    expectSame(output, plan.predictSync(x))
    const narrow = tensor(new Float32Array(8), { shape: [8] })
    expect(() => plan.predictSync(x, { output: narrow })).toThrow(/output of shape \[2,4\], got \[8\]/)
  })

  it('runs a float64 model on the reference', () => {
    const layer = new LSTM({ inputSize: 2, hiddenSize: 3, seed: 1, dataType: 'float64' })
    const x = tensor(Float64Array.of(1, 2, 3, 4), { shape: [1, 2, 2] })
    expectSame(compile(layer).predictSync(x), noGrad(() => layer.forward(x)).output)
  })

  it('refuses what has no frozen form, and says which', () => {
    expect(() => compile({ forward: (x: Tensor) => x } as unknown as Layer)).toThrow(
      /expected a Sequential or a layer/,
    )
    class Own {
      forward(x: Tensor) {
        return x
      }
    }
    expect(() => compile(new Sequential([new LSTM({ inputSize: 1, hiddenSize: 1 }), new Own()]))).toThrow(
      /layer 1 \(Own\)/,
    )
    expect(() => compile(new Sequential([]))).toThrow(/at least one layer/)
    expect(() => compile(new Sequential([new LastStep()]))).toThrow(/input size/)
    const narrow = new Sequential([
      new Linear({ inputSize: 2, outputSize: 3 }),
      new Linear({ inputSize: 4, outputSize: 1 }),
    ])
    expect(() => compile(narrow)).toThrow(/expects 4 features, the one before gives 3/)
  })

  it('refuses what a plan cannot carry, and says which', () => {
    expect(() => compile(new Sequential([conv({}), new Flatten()]))).toThrow(/after Flatten/)
    const odd = new Sequential([conv({}), new Flatten(), new Linear({ inputSize: 10, outputSize: 1 })])
    expect(() => compile(odd)).toThrow(/a multiple of 9 features, got 10/)
    const inner = new TimeDistributed(new LSTM({ inputSize: 3, hiddenSize: 2 }))
    expect(() => compile(inner)).toThrow(/TimeDistributed lstm has no frozen form/)
  })

  it('refuses a number of steps that its windows or its Flatten cannot take', () => {
    const model = [conv({}), new Flatten(), new Linear({ inputSize: 27, outputSize: 1 })]
    const plan = compile(new Sequential(model))
    expect(plan.predictSync(randomInput([2, 5, 3])).shape).toEqual([2, 1])
    expect(() => plan.predictSync(randomInput([2, 6, 3]))).toThrow(/27 features: 3 steps of 9, got 4 steps/)
    expect(() => plan.predictSync(randomInput([2, 2, 3]))).toThrow(/no window of 3 steps fits into 2/)
  })

  it('refuses inputs, lengths and states that do not fit', () => {
    const plan = compile(makeModel({}))
    expect(() => plan.predictSync(randomInput([2, 4, 2]))).toThrow(
      /\[B, T, 3\] and type float32, got \[2,4,2\]/,
    )
    const x = randomInput([2, 4, 3])
    expect(() => plan.predictSync(x, { lengths: Int32Array.of(1, 5) })).toThrow(/5 at 1/)
    expect(() => plan.predictSync(x, { lengths: Int32Array.of(1) })).toThrow(/2 values/)
    expect(() => plan.predictSync(x, { state: randomInput([2, 4]) })).toThrow(/\[2, 36\]/)
    expect(() => plan.predictSync(x, { length: 3 } as object)).toThrow(/did you mean "lengths"/)
  })
})
