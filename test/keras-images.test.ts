/** Images, normalised batches and simple recurrence: what Keras gave for its models, and models of ours there and back. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  decodeKeras,
  decodeKerasWeights,
  encodeKeras,
  encodeKerasWeights,
  loadKeras,
} from '../lib/formats/keras/index.ts'
import { decodeTfjs, encodeTfjs } from '../lib/formats/tfjs/index.ts'
import {
  AveragePool2d,
  activation,
  BatchNorm,
  Conv2d,
  type Conv2dLayerOptions,
  compile,
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
import {
  expectClose,
  fixture,
  fixturePath,
  kerasFile,
  numbered,
  recorded,
  run,
  withConfig,
} from './support/keras.ts'

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

describe('a model of Keras', () => {
  it.each([
    ['images.keras', 'BatchNorm Conv2d Activation MaxPool2d Conv2d AveragePool2d Flatten Linear'],
    ['images_nested.h5', 'Conv2d Sequential GlobalAveragePool2d'],
    ['films.keras', 'TimeDistributed TimeDistributed TimeDistributed TimeDistributed LSTM Linear'],
    ['films_model.keras', 'TimeDistributed RNN LastStep'],
    ['films_global.keras', 'TimeDistributed TimeDistributed BatchNorm RNN'],
    ['simple_rnn.keras', 'Masking RNN BatchNorm RNN Reverse RNN LastStep'],
    ['simple_rnn_bidirectional.keras', 'RNN Reverse RNN GlobalMaxPool1d'],
  ])('%s becomes %s', async (name, types) => {
    const { layers } = await loadKeras(fixturePath(`keras/${name}`))
    expect(layers.map((layer) => layer.constructor.name).join(' ')).toBe(types)
  })

  it('tells its first convolution the size of its images, and so compiles', async () => {
    for (const name of ['images', 'films', 'films_model']) {
      const model = await loadKeras(fixturePath(`keras/${name}.keras`))
      const { x, y } = recorded(`keras/${name}.keras`, model)
      expectClose(compile(model).predictSync(x), y)
      expect(JSON.stringify(model.config())).toMatch(/"inputHeight":\d,"inputWidth":\d/)
    }
  })

  it('has the part of its running statistics that stays for momentum, ours the part that comes', async () => {
    const { layers } = await loadKeras(fixturePath('keras/images.keras'))
    expect((layers[0] as BatchNorm).config()).toMatchObject({ momentum: 0.1, eps: 0.01 })
  })

  const change =
    (option: string, value: unknown, of: string) =>
    (config: { config: { layers: { class_name: string; config: Record<string, unknown> }[] } }) => {
      const layer = config.config.layers.find(({ class_name }) => class_name === of)!
      layer.config[option] = value
    }

  it.each<[file: string, className: string, option: string, value: unknown, message: RegExp]>([
    ['images', 'Conv2D', 'data_format', 'channels_first', /expected data_format: "channels_last"/],
    ['images', 'MaxPooling2D', 'data_format', 'channels_first', /expected data_format: "channels_last"/],
    ['images', 'Conv2D', 'padding', 'causal', /expected padding to be valid, same/],
    ['images', 'Conv2D', 'kernel_size', [3, 2, 1], /expected kernel_size to be 2 positive integers/],
    ['images', 'BatchNormalization', 'axis', 1, /expected axis: -1, got 1/],
    ['images', 'BatchNormalization', 'renorm', true, /expected renorm: false/],
    ['simple_rnn', 'SimpleRNN', 'activation', 'sigmoid', /expected activation tanh or relu, got sigmoid/],
    ['simple_rnn', 'SimpleRNN', 'recurrent_dropout', 0.1, /expected recurrent_dropout: 0, got 0.1/],
    ['simple_rnn', 'SimpleRNN', 'stateful', true, /expected stateful: false/],
    ['simple_rnn', 'SimpleRNN', 'go_backwards', true, /the mask is not turned round there/],
    ['simple_rnn_bidirectional', 'Bidirectional', 'merge_mode', 'sum', /expected merge_mode: "concat"/],
  ])('%s whose %s has %s: %j is refused', (file, className, option, value, message) => {
    const bytes = withConfig(fixture(`keras/${file}.keras`), change(option, value, className) as never)
    const error = (() => {
      try {
        decodeKeras(bytes)
      } catch (reason) {
        return reason as Error
      }
    })()
    expect(error).toMatchObject({
      name: 'FileFormatError',
      code: expect.stringMatching(/UnsupportedOption|InvalidConfig/),
    })
    expect(error!.message).toMatch(message)
  })

  it('is refused where a mask would be of places, or of two directions', async () => {
    const file = (shape: unknown[], layers: object[], ...groups: Parameters<typeof kerasFile>[1][number][]) =>
      kerasFile(
        [
          { class_name: 'InputLayer', config: { batch_shape: shape } },
          { class_name: 'Masking', config: {} },
          ...layers,
        ],
        groups,
      )
    const images = await file([null, 4, 4, 1], [{ class_name: 'GlobalMaxPooling2D', config: {} }])
    expect(() => decodeKeras(images)).toThrow(
      /expected an input of \[batch, steps, features\], got one of 4 axes/,
    )
    const inner = { class_name: 'SimpleRNN', config: { units: 1, use_bias: false, return_sequences: true } }
    const cells = ['forward_layer', 'backward_layer'].map((part) =>
      numbered(`/layers/bidirectional/${part}/cell/vars`, [2, 1], [1, 1]),
    )
    const config = { layer: inner, merge_mode: 'concat' }
    const both = await file([null, 4, 2], [{ class_name: 'Bidirectional', config }], ...cells)
    expect(() => decodeKeras(both)).toThrow(
      /expected no mask: masked steps of its Bidirectional are zeros there/,
    )
  })
})

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
