/** Convolution and pooling of images: against PyTorch, finite differences, and as layers. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadPyTorchWeights, savePyTorch } from '../lib/formats/pytorch/index.ts'
import { compile } from '../lib/inference/plan.ts'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { activation } from '../lib/layers/activation.ts'
import { BatchNorm } from '../lib/layers/batch-norm.ts'
import { Conv2d, type Conv2dLayerOptions } from '../lib/layers/convolution2d.ts'
import { tensorsOf } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { AveragePool2d, GlobalAveragePool2d, GlobalMaxPool2d, MaxPool2d } from '../lib/layers/pooling2d.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import * as images from '../lib/operations/images.ts'
import { Tensor, tensor } from '../lib/tensor.ts'
import { expectClose, floats } from './support/close.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Case {
  xShape: number[]
  x: number[]
  yShape: number[]
  y: number[]
}
interface Fixture {
  conv2d: (Case & {
    options: images.Conv2dOptions
    weightShape: number[]
    weight: number[]
    bias: number[]
  })[]
  pool2d: (Case & { kind: 'max' | 'average'; options: images.Pool2dOptions })[]
  network: Case
}
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('fixtures/layers/images.json', import.meta.url), 'utf8'),
)

useBackend('native')
const { available } = backend()

describe.each(['reference', ...available] as const)('PyTorch agrees on %s with', (name) => {
  it.each(fixture.conv2d)('a convolution $options of x [$xShape]', (one) => {
    useBackend(name)
    const y = images.conv2d(
      floats(one.x, one.xShape),
      floats(one.weight, one.weightShape),
      tensor(one.bias),
      one.options,
    )
    expect(y.shape).toEqual(one.yShape)
    expectClose(y.data, one.y)
  })

  it.each(fixture.pool2d)('$kind pooling $options of x [$xShape]', (one) => {
    useBackend(name)
    const operation = one.kind === 'max' ? images.maxPool2d : images.averagePool2d
    const y = operation(floats(one.x, one.xShape), one.options)
    expect(y.shape).toEqual(one.yShape)
    expectClose(y.data, one.y)
  })
})

describe('gradients agree with finite differences:', () => {
  const x = randomTensor([2, 5, 4, 4], { seed: 1 })

  it.each([
    { padding: 'valid' },
    { padding: 'same', stride: [2, 1] },
    { padding: ['causal', 2], dilation: [2, 1] },
    { padding: 'same', groups: 2 },
  ] as images.Conv2dOptions[])('conv2d with %j', (options) => {
    const weight = randomTensor([6, 4 / (options.groups ?? 1), 3, 2], { seed: 2 })
    const bias = randomTensor([6], { seed: 3 })
    expectGradients({ x, weight, bias }, (inputs) => [
      images.conv2d(inputs.x, inputs.weight, inputs.bias, options),
      images.conv2d(inputs.x, inputs.weight, undefined, options),
    ])
  })

  it.each([
    { size: 2 },
    { size: [3, 2], stride: [2, 1], padding: ['same', 1] },
  ] as images.Pool2dOptions[])('pools with %j', (options) => {
    expectGradients({ x }, (inputs) => [
      images.maxPool2d(inputs.x, options),
      images.averagePool2d(inputs.x, options),
      images.averagePool2d(inputs.x, { ...options, countPadding: true }),
    ])
  })

  it('global pools, where some rows or all do not count', () => {
    const mask = Uint8Array.of(1, 0, 1, 1, 0, 0, 0, 0, 0, 0)
    expectGradients({ x }, (inputs) => [
      images.globalMaxPool2d(inputs.x),
      images.globalMaxPool2d(inputs.x, { mask }),
      images.globalAveragePool2d(inputs.x),
      images.globalAveragePool2d(inputs.x, { mask }),
    ])
  })
})

describe('operations on images', () => {
  it('that tie give the gradient to the first place, row by row', () => {
    const x = new Tensor([1, 2, 3, 1], Float32Array.of(1, 4, 4, 0, 4, 5), true)
    images.maxPool2d(x, { size: 2, stride: 1 }).backward(Float32Array.of(1, 10))
    expect([...x.grad!]).toEqual([0, 1, 0, 0, 0, 10])
  })

  it.each([
    [{ stride: [1, 0] }, 'expected stride to be a positive integer, got 0'],
    [{ dilation: 1.5 }, 'expected dilation to be a positive integer'],
    [{ padding: ['same', -1] }, 'expected padding valid, same, causal or an integer of at least 0, got -1'],
    [{ groups: 2 }, 'O a multiple of 2, got [3,2,3,2]'],
    [{ dilation: 3 }, 'a window of 7 rows does not fit into 5 with padding valid'],
    [{ dilation: [1, 4] }, 'a window of 5 columns does not fit into 4 with padding valid'],
  ])('refuse %j', (options, message) => {
    const call = () =>
      images.conv2d(
        randomTensor([1, 5, 4, 2]),
        randomTensor([3, 2, 3, 2]),
        undefined,
        options as images.Conv2dOptions,
      )
    expect(call).toThrow(message)
  })

  it('refuse shapes that do not fit', () => {
    const weight = randomTensor([3, 2, 2, 2])
    expect(() => images.conv2d(randomTensor([1, 5, 3]), weight)).toThrow(
      'x of shape [B, H, W, 2], got [1,5,3]',
    )
    expect(() => images.conv2d(randomTensor([1, 5, 4, 2]), weight, randomTensor([2]))).toThrow(
      'bias of shape [3]',
    )
    const x = randomTensor([1, 5, 4, 2])
    expect(() => images.maxPool2d(x, { size: [3, 2], padding: [1, 2] })).toThrow(
      'at most half the size 2, got 2',
    )
    expect(() => images.maxPool2d(x, { size: 5 })).toThrow('a window of 5 columns does not fit into 4')
    expect(() => images.globalMaxPool2d(x, { mask: new Uint8Array(4) })).toThrow('B·T = 5 bytes')
    expect(() => images.globalAveragePool2d(randomTensor([1, 5, 2]))).toThrow('[B, H, W, C], none of them 0')
  })
})

describe('a network of PyTorch', () => {
  const make = (seed: number) =>
    new Sequential([
      new Conv2d({
        inputChannels: 2,
        outputChannels: 5,
        kernelSize: 3,
        padding: 'same',
        inputWidth: 8,
        seed,
      }),
      new BatchNorm({ size: 5 }),
      activation('relu'),
      new GlobalAveragePool2d(),
      activation('linear'),
      new Linear({ inputSize: 5, outputSize: 3, seed }),
    ])
  const file = fileURLToPath(new URL('fixtures/layers/images.safetensors', import.meta.url))
  const { x, xShape, y } = fixture.network

  it('gives the same here, running statistics and all, and compiled', async () => {
    useBackend('native')
    const model = make(1)
    await loadPyTorchWeights(model, file)
    expectClose(model.forward(floats(x, xShape)).data, y)
    expectClose(compile(model).predictSync(floats(x, xShape)).data, y)
  })

  it('is written with its names, and read again', async () => {
    const [model, again] = [make(1), make(2)]
    await loadPyTorchWeights(model, file)
    const folder = await mkdtemp(join(tmpdir(), 'images-'))
    const path = join(folder, 'again.safetensors')
    await savePyTorch(model, path)
    await loadPyTorchWeights(again, path)
    await rm(folder, { recursive: true })
    expectClose(again.forward(floats(x, xShape)).data, y)
    expect([...tensorsOf(again).keys()]).toContain('1.running_var')
  })
})

describe('layers on images', () => {
  const complete: Conv2dLayerOptions = {
    inputChannels: 4,
    outputChannels: 6,
    kernelSize: [3, 2],
    stride: [2, 1],
    padding: ['causal', 'same'],
    dilation: [1, 2],
    groups: 2,
    bias: false,
    inputHeight: 5,
    inputWidth: 4,
    seed: 3,
    dataType: 'float64',
  }

  it('are built again from their configuration', () => {
    const layers = [
      new Conv2d(complete),
      new MaxPool2d({ size: [2, 3], stride: 1, padding: ['same', 1] }),
      new AveragePool2d({ size: 2, countPadding: true }),
      new GlobalMaxPool2d(),
      new GlobalAveragePool2d(),
    ]
    const x = randomTensor([2, 5, 4, 4])
    for (const layer of layers) {
      const again = layerFromConfig(JSON.parse(JSON.stringify(layer.config())))
      expect(again.constructor).toBe(layer.constructor)
      expect([...(again.forward(x) as Tensor).data]).toEqual([...(layer.forward(x) as Tensor).data])
    }
  })

  it('make the lengths of rows those of the result', () => {
    const lengths = Int32Array.of(0, 3, 5)
    expect([...new Conv2d(complete).computeLengths(lengths)]).toEqual([0, 2, 3])
    expect([...new MaxPool2d({ size: [2, 1] }).computeLengths(lengths)]).toEqual([0, 1, 2])
  })

  it('heed lengths and masks over all rows and columns', () => {
    const x = tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      { shape: [1, 3, 2, 2] },
    )
    const [lengths, mask] = [Int32Array.of(2), Uint8Array.of(0, 1, 1)]
    expect([...new GlobalMaxPool2d().forward(x, { lengths }).data]).toEqual([6, 7])
    expect([...new GlobalAveragePool2d().forward(x, { lengths, mask }).data]).toEqual([5, 6])
  })

  it.each([
    [{ kernelSize: 0 }, 'expected kernelSize to be a positive integer, got 0'],
    [{ kernelSize: [1, 2, 3] }, 'expected kernelSize to be a number or [rows, columns]'],
    [{ inputWidth: 0 }, 'expected inputWidth to be a positive integer, got 0'],
    [{ groups: 4 }, 'expected groups to divide inputChannels 4 and outputChannels 6, got 4'],
    [{ padding: 'full' }, 'got full'],
    [{ kernel: 3 }, 'unknown option "kernel"'],
  ])('refuse %j', (options, message) => {
    expect(() => new Conv2d({ ...complete, ...options } as Conv2dLayerOptions)).toThrow(message)
  })

  it('refuse images of another size than they were told', () => {
    expect(() => new Conv2d(complete).forward(randomTensor([1, 5, 3, 4]))).toThrow(
      'Conv2d: expected x of 5 rows and 4 columns, got [1,5,3,4]',
    )
  })
})
