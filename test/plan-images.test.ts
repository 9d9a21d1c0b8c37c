/** Compiled plans of models on images, and with batch normalisation, against the models they were made from. */
import { describe, expect, it } from 'vitest'
import { Batcher } from '../lib/inference/batcher.ts'
import { compile } from '../lib/inference/plan.ts'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { activation } from '../lib/layers/activation.ts'
import { BatchNorm } from '../lib/layers/batch-norm.ts'
import { Conv2d, type Conv2dLayerOptions } from '../lib/layers/convolution2d.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import type { Layer } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { AveragePool2d, GlobalAveragePool2d, GlobalMaxPool2d, MaxPool2d } from '../lib/layers/pooling2d.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Flatten, TimeDistributed } from '../lib/layers/steps.ts'
import { noGrad } from '../lib/tape.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { randomInput } from './support/close.ts'

useBackend('native')
const backends = ['reference', ...backend().available] as const

const conv = (options: Partial<Conv2dLayerOptions>) =>
  new Conv2d({ inputChannels: 2, outputChannels: 5, kernelSize: 3, seed: 4, ...options })

/** With statistics and weights as training leaves them. */
function norm(size: number): BatchNorm {
  const layer = new BatchNorm({ size })
  layer.weight.write(randomInput([size], 5).array as Float32Array)
  layer.bias.write(randomInput([size], 6).array as Float32Array)
  layer.running_mean.write(randomInput([size], 7).array as Float32Array)
  layer.running_var.write((randomInput([size], 8).array as Float32Array).map((each) => each * each + 0.1))
  return layer
}

/** Models of x [B, 8, 7, 2], whose rows are steps. */
const ofRows: Record<string, () => Layer> = {
  'convolutions, pools and a head': () =>
    new Sequential([
      conv({ inputWidth: 7, padding: 'same' }),
      activation('relu'),
      new MaxPool2d({ size: 2 }),
      conv({
        inputChannels: 5,
        outputChannels: 6,
        kernelSize: [2, 3],
        groups: 1,
        stride: [1, 2],
        bias: false,
      }),
      new AveragePool2d({ size: 2, stride: 1, padding: 'same', countPadding: true }),
      new Flatten(),
      new Linear({ inputSize: 18, outputSize: 3, seed: 6 }),
    ]),
  'rows that an LSTM reads': () =>
    new Sequential([
      conv({ inputWidth: 7, padding: ['causal', 'same'], stride: [1, 2] }),
      new TimeDistributed(new Flatten()),
      new LSTM({ inputSize: 20, hiddenSize: 6, bidirectional: true, seed: 7 }),
      new LastStep(),
    ]),
  'a global mean': () => new Sequential([conv({ inputWidth: 7 }), new GlobalAveragePool2d()]),
  'a global maximum': () =>
    new Sequential([conv({ inputWidth: 7, groups: 1, dilation: 2 }), new GlobalMaxPool2d()]),
  'groups of single channels': () =>
    new Sequential([
      conv({ inputWidth: 7, outputChannels: 6, groups: 2, padding: 'same' }),
      activation('gelu'),
      conv({ inputChannels: 6, outputChannels: 12, groups: 6, kernelSize: [3, 1] }),
      new TimeDistributed(new Flatten()),
    ]),
}

/** Models of x [B, T, 6, 5, 2], of which each step is an image. */
const ofFrames: Record<string, () => Layer> = {
  'a CNN inside TimeDistributed, and an LSTM': () =>
    new Sequential([
      new TimeDistributed(
        new Sequential([
          conv({ inputHeight: 6, inputWidth: 5, padding: 'same' }),
          activation('relu'),
          new MaxPool2d({ size: 2 }),
          conv({ inputChannels: 5, outputChannels: 3, kernelSize: 2 }),
          new Flatten(),
        ]),
      ),
      new LSTM({ inputSize: 6, hiddenSize: 4, seed: 7 }),
      new Linear({ inputSize: 4, outputSize: 2, seed: 8 }),
    ]),
  'layers that stand in TimeDistributed one by one': () =>
    new Sequential([
      new TimeDistributed(conv({ inputHeight: 6, inputWidth: 5 })),
      new TimeDistributed(new AveragePool2d({ size: [2, 1] })),
      new TimeDistributed(new GlobalMaxPool2d()),
      new LSTM({ inputSize: 5, hiddenSize: 4, seed: 7 }),
    ]),
}

const withNorms: Record<string, { shape: number[]; make: () => Layer }> = {
  'of features': {
    shape: [4, 3, 6],
    make: () => new Sequential([norm(6), new LSTM({ inputSize: 6, hiddenSize: 4, seed: 1 }), norm(4)]),
  },
  'of channels of rows': {
    shape: [4, 8, 7, 2],
    make: () =>
      new Sequential([
        norm(2),
        conv({ inputWidth: 7 }),
        norm(5),
        activation('relu'),
        new GlobalAveragePool2d(),
      ]),
  },
  'of channels of frames': {
    shape: [2, 3, 6, 5, 2],
    make: () =>
      new TimeDistributed(new Sequential([conv({ inputHeight: 6, inputWidth: 5 }), norm(5), new Flatten()])),
  },
}

/** What a plan gives is [B, S, features], whatever axes features have. */
const numbers = ({ data }: Tensor) => [...data]

describe.each(backends)('a plan on %s', (name) => {
  it.each(Object.entries(ofRows))('gives the bits of a model on rows: %s', (_, make) => {
    useBackend(name)
    const model = make()
    const plan = compile(model)
    const x = randomInput([3, 8, 7, 2])
    const run = (options: object) => numbers(noGrad(() => model.forward(x, options) as Tensor))
    expect(numbers(plan.predictSync(x))).toEqual(run({}))
    const lengths = Int32Array.of(8, 4, 0)
    expect(numbers(plan.predictSync(x, { lengths }))).toEqual(run({ lengths }))
  })

  it.each(Object.entries(ofFrames))('gives the bits of a model on frames: %s', (_, make) => {
    useBackend(name)
    const model = make()
    const plan = compile(model)
    const x = randomInput([3, 4, 6, 5, 2])
    const run = (options: object) => numbers(noGrad(() => model.forward(x, options) as Tensor))
    expect(numbers(plan.predictSync(x))).toEqual(run({}))
    const lengths = Int32Array.of(4, 1, 3)
    expect(numbers(plan.predictSync(x, { lengths }))).toEqual(run({ lengths }))
  })

  it.each(Object.entries(withNorms))('freezes batch normalisation %s', (_, { shape, make }) => {
    useBackend(name)
    const model = make()
    const x = randomInput(shape)
    const [frozen, whole] = [compile(model).predictSync(x), noGrad(() => model.forward(x) as Tensor)]
    expect(frozen.size).toBe(whole.size)
    // Scale and shift are rounded once more than mean and deviation, and are of size 10 at most.
    for (let i = 0; i < whole.size; i++) expect(Math.abs(frozen.data[i] - whole.data[i])).toBeLessThan(1e-5)
  })

  it('takes frames one at a time, and sequences of several lengths beside each other', async () => {
    useBackend(name)
    const [, make] = Object.entries(ofFrames)[0]
    const plan = compile(make())
    expect(plan.contents.traits.sharing).toBe('ragged')
    const x = randomInput([1, 4, 60])
    const whole = numbers(plan.predictSync(x))
    const stream = plan.stream()
    const frame = (t: number) => x.array.slice(t * 60, (t + 1) * 60) as Float32Array
    const steps = [0, 1, 2, 3].flatMap((t) => numbers(stream.nextSync(frame(t))))
    expect(steps).toEqual(whole)
    const batcher = new Batcher(plan)
    const parts = [4, 1, 2].map((T) => batcher.predict(tensor(x.array.slice(0, T * 60), { shape: [T, 60] })))
    const results = await Promise.all(parts)
    expect(results.map((each) => [...each.data])).toEqual([4, 1, 2].map((T) => whole.slice(0, T * 2)))
  })
})

describe('compile', () => {
  it.each([
    [[conv({})], 'expected the first layer on images to be a Conv2d with inputWidth'],
    [[new MaxPool2d({ size: 2 })], 'expected the first layer on images to be a Conv2d with inputWidth'],
    [
      [new TimeDistributed(conv({ inputWidth: 7 }))],
      'expected the first layer on images to be a Conv2d with inputHeight and inputWidth',
    ],
    [[conv({ inputWidth: 2 })], 'no window of 3 rows or columns fits into 2'],
    [
      [conv({ inputWidth: 7 }), conv({ inputChannels: 5, inputWidth: 4 })],
      'a conv2d step expects images of T by 4, the one before gives T by 5',
    ],
    [[conv({ inputWidth: 7 }), activation('softmax')], 'a softmax step on the channels of images'],
    [[conv({ inputWidth: 7 }), norm(4)], 'expects 4 channels, the one before gives 5 channels'],
    [
      [new Linear({ inputSize: 2, outputSize: 6 }), norm(3)],
      'expects 3 channels, the one before gives 6 features',
    ],
  ])('refuses what has no frozen form', (layers, message) => {
    expect(() => compile(new Sequential(layers))).toThrow(message)
  })
})
