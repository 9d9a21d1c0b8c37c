/** What `inspect` tells of models of images, Elman networks and attention: layers in words, and the axes of input and output. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { inspect } from '../lib/formats/inspect/index.ts'
import {
  AveragePool2d,
  BatchNorm,
  Conv2d,
  Flatten,
  GlobalAveragePool2d,
  type Layer,
  Linear,
  LSTMCell,
  MaxPool2d,
  MultiHeadAttention,
  RNN,
  Sequential,
  save,
  TimeDistributed,
} from '../lib/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-inspect-'))
afterAll(() => rmSync(folder, { recursive: true }))

const conv = (options: object = {}) =>
  new Conv2d({ inputChannels: 2, outputChannels: 3, kernelSize: [3, 2], ...options })

const models: [what: string, layers: Layer[], x: unknown[], y: unknown[], kinds: string[]][] = [
  [
    'images',
    [conv({ padding: 'same', stride: [2, 1] }), new BatchNorm({ size: 3 }), new GlobalAveragePool2d()],
    ['B', 'H', 'W', 2],
    ['B', 3],
    ['Conv2d 2 → 3, kernel 3 × 2, stride: 2 × 1, padding: same', 'BatchNorm 3', 'GlobalAveragePool2d'],
  ],
  [
    'images whose rows alone become fewer',
    [new BatchNorm({ size: 2 }), conv({ padding: ['valid', 'same'] }), new AveragePool2d({ size: [2, 1] })],
    ['B', 'H', 'W', 2],
    ['B', "H'", 'W', 3],
    ['BatchNorm 2', 'Conv2d 2 → 3, kernel 3 × 2, padding: valid × same', 'AveragePool2d 2 × 1'],
  ],
  [
    'images at every step',
    [
      new TimeDistributed(new Sequential([conv(), new MaxPool2d({ size: 2 }), new Flatten()])),
      new RNN({ inputSize: 12, hiddenSize: 4, bidirectional: true }),
    ],
    ['B', 'T', 'H', 'W', 2],
    ['B', 'T', 8],
    [
      'TimeDistributed Sequential of Conv2d 2 → 3, kernel 3 × 2, MaxPool2d 2, Flatten',
      'RNN 12 → 4, bidirectional',
    ],
  ],
  [
    'attention',
    [new MultiHeadAttention({ embedSize: 6, heads: 2 }), new Linear({ inputSize: 6, outputSize: 1 })],
    ['B', 'T', 6],
    ['B', 'T', 1],
    ['MultiHeadAttention 6, 2 heads', 'Linear 6 → 1'],
  ],
  [
    'vectors',
    [new BatchNorm({ size: 3 }), new LSTMCell({ inputSize: 3, hiddenSize: 4 })],
    ['B', 3],
    ['B', 4],
    ['BatchNorm 3', 'LSTMCell 3 → 4'],
  ],
]

describe('inspect', () => {
  it.each(models)('tells a model of %s', async (_, layers, x, y, kinds) => {
    const path = join(folder, 'model.safetensors')
    await save(new Sequential(layers), path)
    const { inputs, outputs, layers: rows, problem } = await inspect(path)
    expect(problem).toBe(undefined)
    expect(inputs).toEqual([{ name: 'x', dataType: 'float32', shape: x }])
    expect(outputs).toEqual([{ name: 'y', dataType: 'float32', shape: y }])
    expect(rows.map(({ kind }) => kind)).toEqual(kinds)
  })
})
