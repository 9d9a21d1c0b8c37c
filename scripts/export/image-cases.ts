/** Convolution and pooling of images, batch normalisation, and images at every step. */
import {
  Activation,
  AveragePool2d,
  BatchNorm,
  Conv2d,
  type Conv2dLayerOptions,
  Dropout,
  Flatten,
  GlobalAveragePool2d,
  GlobalMaxPool2d,
  type Layer,
  Masking,
  MaxPool2d,
  TimeDistributed,
} from '../../lib/index.ts'
import type { ExportCase } from './case.ts'
import { head, lstm, stack } from './layers.ts'

type ConvOptions = Partial<Conv2dLayerOptions>

const conv2d = (options: ConvOptions = {}) =>
  new Conv2d({ inputChannels: 4, outputChannels: 6, kernelSize: [3, 2], ...options })

const convolutions: readonly ConvOptions[] = [
  ...(['valid', 'same', 'causal', 1] as const).flatMap((padding): ConvOptions[] => [
    { padding },
    { padding, stride: [2, 3], groups: 2 },
    { padding, stride: [2, 1], dilation: [1, 2], bias: false },
  ]),
  { padding: 'same', stride: [3, 1] },
  { padding: ['same', 2], stride: 2 },
  { padding: ['valid', 'same'], stride: 2, dilation: 2 },
]

const pools = (['valid', 'same', 1, ['same', 1]] as const).flatMap((padding): [string, () => Layer][] =>
  [
    ['MaxPool2d', () => new MaxPool2d({ size: [3, 2], padding })],
    ['MaxPool2d, stride 2 and 1', () => new MaxPool2d({ size: [3, 2], stride: [2, 1], padding })],
    ['AveragePool2d', () => new AveragePool2d({ size: [3, 2], stride: 2, padding })],
    [
      'AveragePool2d, counted',
      () => new AveragePool2d({ size: [4, 3], stride: [3, 1], padding, countPadding: true }),
    ],
  ].map(([name, make]) => [`${name}, padding ${padding}`, make] as [string, () => Layer]),
)

const images = { input: 'images', features: 4 } as const
const films = { input: 'films', features: 4 } as const

export const imageCases: readonly ExportCase[] = [
  ...convolutions.map(
    (options): ExportCase => ({
      name: `Conv2d ${JSON.stringify(options)}`,
      make: () => stack(conv2d(options), new GlobalAveragePool2d()),
      ...images,
    }),
  ),
  ...pools.map(
    ([name, make]): ExportCase => ({ name, make: () => stack(make(), new GlobalMaxPool2d()), ...images }),
  ),
  { name: 'Conv2d alone', make: () => conv2d(), ...images },
  { name: 'GlobalMaxPool2d', make: () => stack(new GlobalMaxPool2d(), head(4)), ...images },
  {
    name: 'Masking and GlobalAveragePool2d',
    make: () => stack(new Masking(), new GlobalAveragePool2d()),
    ...images,
  },
  {
    name: 'BatchNorm of features',
    make: () => stack(head(3), new BatchNorm({ size: 2, eps: 1e-3 })),
    input: 'vectors',
    features: 3,
    isWithoutLengths: true,
  },
  {
    name: 'BatchNorm of steps',
    make: () => stack(new BatchNorm({ size: 3 }), lstm(), new BatchNorm({ size: 4, momentum: 0.3 })),
    features: 3,
  },
  {
    name: 'BatchNorm, float64',
    make: () => stack(new BatchNorm({ size: 3, dataType: 'float64' })),
    input: 'vectors',
    features: 3,
    isFloat64: true,
    isWithoutLengths: true,
  },
  {
    name: 'a network of images',
    make: () =>
      stack(
        conv2d({ padding: 'same' }),
        new BatchNorm({ size: 6 }),
        new Activation('relu'),
        new MaxPool2d({ size: 2 }),
        conv2d({ inputChannels: 6, kernelSize: 2, inputWidth: 3 }),
        new GlobalAveragePool2d(),
        head(6),
      ),
    ...images,
  },
  {
    name: 'images at every step, and an LSTM',
    make: () =>
      stack(
        new TimeDistributed(
          stack(
            conv2d({ padding: 'same', inputHeight: 7, inputWidth: 5 }),
            new BatchNorm({ size: 6 }),
            new Activation('relu'),
            new MaxPool2d({ size: 2 }),
            new Dropout(),
            new Flatten(),
          ),
        ),
        lstm({ inputSize: 36 }),
      ),
    ...films,
  },
  {
    name: 'TimeDistributed of each layer on images',
    make: () =>
      stack(
        new TimeDistributed(conv2d({ stride: 2 })),
        new TimeDistributed(new BatchNorm({ size: 6 })),
        new TimeDistributed(new AveragePool2d({ size: [2, 1], padding: 'same' })),
        new TimeDistributed(new GlobalMaxPool2d()),
        lstm({ inputSize: 6 }),
      ),
    ...films,
  },
]
