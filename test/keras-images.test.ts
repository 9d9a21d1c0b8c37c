/** Models of ours with images, normalised batches and simple recurrence in files of Keras and TensorFlow.js, there and back. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  decodeKeras,
  decodeKerasWeights,
  encodeKeras,
  encodeKerasWeights,
} from '../lib/formats/keras/index.ts'
import { decodeTfjs, encodeTfjs } from '../lib/formats/tfjs/index.ts'
import {
  AveragePool2d,
  activation,
  BatchNorm,
  Conv2d,
  type Conv2dLayerOptions,
  Flatten,
  GlobalAveragePool2d,
  GlobalMaxPool2d,
  type Layer,
  Linear,
  LSTM,
  lastStep,
  Masking,
  MaxPool2d,
  type Model,
  Random,
  Reverse,
  RNN,
  type RNNOptions,
  Sequential,
  TimeDistributed,
  tensor,
  useBackend,
} from '../lib/index.ts'
import { tensorsOf } from '../lib/layers/layer.ts'
import { run } from './support/keras.ts'

afterEach(() => useBackend('native'))

const conv = (options: Partial<Conv2dLayerOptions> = {}) =>
  new Conv2d({ inputChannels: 2, outputChannels: 3, kernelSize: 2, ...options })
const rnn = (options: Partial<RNNOptions> = {}) => new RNN({ inputSize: 3, hiddenSize: 4, ...options })

/** Numbers of every parameter and buffer, bit by bit. */
function bitsOf(model: Model): [name: string, bits: Uint32Array][] {
  return [...tensorsOf(model)].map(([name, { data }]) => [
    name,
    new Uint32Array((data as Float32Array).slice().buffer),
  ])
}

/** With one bias of two, as a model of Keras has, and statistics that are not those of the start. */
function prepared<M extends Layer>(model: M): M {
  const random = new Random(3)
  for (const [name, { data }] of tensorsOf(model)) {
    if (name.includes('bias_hh')) data.fill(0)
    if (name.includes('running')) for (let i = 0; i < data.length; i++) data[i] = random.uniform(0.3, 2)
  }
  return model
}

const models: Record<string, { model: () => Layer; shape: number[] }> = {
  'of images': {
    model: () =>
      new Sequential([
        conv({ kernelSize: [3, 2], padding: 'same', stride: [2, 1] }),
        new BatchNorm({ size: 3, momentum: 0.2, eps: 1e-3 }),
        activation('relu'),
        new MaxPool2d({ size: 2, stride: 1, padding: 'same' }),
        conv({ inputChannels: 3, dilation: [1, 2], bias: false }),
        new AveragePool2d({ size: [1, 2] }),
        new GlobalMaxPool2d(),
        new Linear({ inputSize: 3, outputSize: 2 }),
      ]),
    shape: [2, 8, 9, 2],
  },
  'of images of one size': {
    model: () =>
      new Sequential([
        new BatchNorm({ size: 2 }),
        conv({ inputHeight: 4, inputWidth: 5 }),
        activation('tanh'),
        new Flatten(),
        new Linear({ inputSize: 36, outputSize: 2 }),
      ]),
    shape: [2, 4, 5, 2],
  },
  'of images at every step': {
    model: () =>
      new Sequential([
        new TimeDistributed(conv({ inputHeight: 5, inputWidth: 4 })),
        new TimeDistributed(new BatchNorm({ size: 3 })),
        new TimeDistributed(new MaxPool2d({ size: [2, 1] })),
        new TimeDistributed(new Flatten()),
        new LSTM({ inputSize: 18, hiddenSize: 3 }),
        new BatchNorm({ size: 3 }),
      ]),
    shape: [2, 3, 5, 4, 2],
  },
  'of RNNs': {
    model: () =>
      new Sequential([
        rnn({ numLayers: 2, dropout: 0.3, nonlinearity: 'relu' }),
        rnn({ inputSize: 4, bidirectional: true, bias: false }),
        new Reverse(),
        rnn({ inputSize: 8 }),
        lastStep(),
      ]),
    shape: [2, 5, 3],
  },
  'of masks and RNNs': {
    model: () =>
      new Sequential([
        new Masking(),
        rnn(),
        new BatchNorm({ size: 4 }),
        new Reverse(),
        rnn({ inputSize: 4 }),
        lastStep(),
      ]),
    shape: [2, 5, 3],
  },
}

function inputOf(shape: number[]) {
  const random = new Random(1)
  const size = shape.reduce((a, b) => a * b)
  return tensor(
    Float32Array.from({ length: size }, (_, i) => (i < 6 ? 0 : random.uniform(-1, 1))),
    { shape },
  )
}

describe.each(Object.entries(models))('a model of ours %s', (_, { model: make, shape }) => {
  const model = prepared(make())
  const x = inputOf(shape)

  it('comes back from .keras with the same bits', async () => {
    const again = decodeKeras(await encodeKeras(model))
    expect(run(again, x).data).toEqual(run(model, x).data)
    expect(bitsOf(again).map(([, bits]) => bits)).toEqual(bitsOf(model).map(([, bits]) => bits))
    const third = decodeKeras(await encodeKeras(again))
    expect(third.config()).toEqual(again.config())
    expect(bitsOf(third)).toEqual(bitsOf(again))
  })

  it('comes back from .weights.h5 with the same bits', async () => {
    const again = make()
    decodeKerasWeights(again, await encodeKerasWeights(model))
    expect(bitsOf(again)).toEqual(bitsOf(model))
  })

  it('comes back from a folder of TensorFlow.js with the same bits', () => {
    const files = encodeTfjs(model)
    const again = decodeTfjs(files.get('model.json')!, files)
    expect(run(again, x).data).toEqual(run(model, x).data)
    expect(bitsOf(again).map(([, bits]) => bits)).toEqual(bitsOf(model).map(([, bits]) => bits))
  })
})

describe('a model of ours', () => {
  it('has both directions of an RNN under the names that TensorFlow.js gives them', () => {
    const files = encodeTfjs(new Sequential([rnn({ bidirectional: true, bias: false })]))
    const { weightsManifest } = JSON.parse(new TextDecoder().decode(files.get('model.json')))
    expect(weightsManifest[0].weights.map(({ name }: { name: string }) => name)).toEqual(
      ['forward', 'backward'].flatMap((direction) =>
        ['kernel', 'recurrent_kernel'].map((each) => `bidirectional/${direction}_simple_rnn/${each}`),
      ),
    )
  })

  it('has every layer of a stack inside TimeDistributed in one of its own there', async () => {
    const make = () =>
      new Sequential([
        new TimeDistributed(
          new Sequential([
            conv(),
            activation('relu'),
            new Sequential([new BatchNorm({ size: 3 }), new GlobalAveragePool2d()]),
          ]),
        ),
        rnn({ bidirectional: true }),
      ])
    const model = prepared(make())
    const x = inputOf([2, 3, 4, 4, 2])
    const again = decodeKeras(await encodeKeras(model))
    expect(again.layers.map((layer) => layer.constructor.name)).toEqual([
      ...Array(3).fill('TimeDistributed'),
      'RNN',
    ])
    expect(run(again, x).data).toEqual(run(model, x).data)
    const filled = make()
    decodeKerasWeights(filled, await encodeKerasWeights(model))
    expect(bitsOf(filled)).toEqual(bitsOf(model))
  })

  it.each<[what: string, layers: Model[], message: RegExp]>([
    ['padding in a number', [conv({ padding: 1 })], /layer 0 \(Conv2d\): expected padding/],
    ['padding of two kinds', [conv({ padding: ['same', 'valid'] })], /expected padding/],
    [
      'padding before the first row',
      [conv({ padding: 'causal' })],
      /expected padding: 'valid' or 'same', got causal/,
    ],
    ['strides and dilation', [conv({ stride: 2, dilation: 2 })], /expected stride: 1 or dilation: 1/],
    [
      'a mean over padding',
      [conv(), new AveragePool2d({ size: 2, padding: 'same', countPadding: true })],
      /counts padding/,
    ],
    ['a mask of rows', [new Masking(), conv()], /layer 1 \(Conv2d\): a mask reaches it/],
    [
      'a mask inside TimeDistributed',
      [new TimeDistributed(new Sequential([new Masking(), rnn()]))],
      /a mask made inside TimeDistributed/,
    ],
    [
      'images that nobody measures',
      [conv(), new Flatten()],
      /inputHeight and inputWidth of the first Conv2d/,
    ],
    [
      'the last step of two directions',
      [rnn({ bidirectional: true }), lastStep()],
      /takes each where it ends there/,
    ],
    [
      'masked steps of two directions',
      [new Masking(), rnn({ bidirectional: true })],
      /where an RNN here repeats the one before/,
    ],
    [
      'steps turned round before two directions',
      [rnn(), new Reverse(), rnn({ inputSize: 4, bidirectional: true })],
      /layer 1 \(Reverse\)/,
    ],
    [
      'a mask that is turned round',
      [new Masking(), new Reverse(), rnn()],
      /take the last step, or leave the mask out/,
    ],
  ])('with %s is refused by name', async (_, layers, message) => {
    const error = await encodeKeras(new Sequential(layers)).catch((reason) => reason)
    expect(error).toMatchObject({ name: 'FileFormatError', code: 'UnsupportedLayer' })
    expect(error.message).toMatch(message)
  })
})
