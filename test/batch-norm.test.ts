/** Batch normalisation: against PyTorch, finite differences, and as a layer that is trained, stored and resumed. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { load, save } from '../lib/formats/checkpoint.ts'
import { openSafetensors } from '../lib/formats/safetensors/index.ts'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { BatchNorm } from '../lib/layers/batch-norm.ts'
import { buffersOf, parametersOf } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { batchNorm } from '../lib/operations/batch-norm.ts'
import { meanSquaredError } from '../lib/operations/losses.ts'
import { Tensor, tensor, zeros } from '../lib/tensor.ts'
import { dataSet } from '../lib/training/dataset.ts'
import { fit } from '../lib/training/fit.ts'
import { expectClose } from './support/close.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Batch {
  training: boolean
  x: number[]
  dy: number[]
  y: number[]
  dx: number[]
  dweight: number[]
  dbias: number[]
  runningMean: number[]
  runningVariance: number[]
}
interface Case {
  shape: number[]
  momentum: number
  weight: number[]
  bias: number[]
  batches: Batch[]
}
const fixture: { batchNorm: Case[] } = JSON.parse(
  readFileSync(new URL('fixtures/layers/images.json', import.meta.url), 'utf8'),
)

useBackend('native')
const { available } = backend()

/** Both sides are float32; PyTorch sums up to 24 terms in it. */
const within = 2e-6

describe.each(['reference', ...available] as const)('PyTorch agrees on %s', (name) => {
  it.each(fixture.batchNorm)('with x [$shape], momentum $momentum: in training and after it', (one) => {
    useBackend(name)
    const layer = new BatchNorm({ size: one.shape.at(-1)!, momentum: one.momentum })
    layer.weight.write(Float32Array.from(one.weight))
    layer.bias.write(Float32Array.from(one.bias))
    for (const batch of one.batches) {
      layer.training = batch.training
      for (const each of [layer.weight, layer.bias]) each.zeroGrad()
      const x = new Tensor(one.shape, Float32Array.from(batch.x), true)
      const y = layer.forward(x)
      y.backward(Float32Array.from(batch.dy))
      expectClose(y.data, batch.y, { name: 'y', within })
      expectClose(x.grad!, batch.dx, { name: 'dx', within })
      expectClose(layer.weight.grad!, batch.dweight, { name: 'dweight', within })
      expectClose(layer.bias.grad!, batch.dbias, { name: 'dbias', within })
      expectClose(layer.running_mean.data, batch.runningMean, { name: 'running_mean', within })
      expectClose(layer.running_var.data, batch.runningVariance, { name: 'running_var', within })
    }
  })
})

describe('gradients agree with finite differences:', () => {
  const inputs = {
    x: randomTensor([3, 4, 5], { seed: 1 }),
    gain: randomTensor([5], { seed: 2 }),
    shift: randomTensor([5], { seed: 3 }),
  }
  const running = () => ({
    runningMean: randomTensor([5], { seed: 4 }).detach(),
    runningVariance: randomTensor([5], { seed: 5, low: 0.5, high: 2 }).detach(),
  })
  const mask = Uint8Array.of(1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1)

  it.each([
    { training: true, mask: undefined },
    { training: true, mask },
    { training: false, mask },
  ])('batchNorm with %j', (options) => {
    expectGradients(inputs, ({ x, gain, shift }) => [
      batchNorm(x, { ...running(), ...options, gain, shift, eps: 0.01 }),
      batchNorm(x, { ...running(), ...options, eps: 0.01 }),
    ])
  })
})

describe('BatchNorm', () => {
  it.each([
    'reference',
    ...available,
  ] as const)('takes its statistics from the steps that count, whatever stands at the others, on %s', (name) => {
    useBackend(name)
    const [whole, ragged] = [new BatchNorm({ size: 2 }), new BatchNorm({ size: 2 })]
    whole.training = ragged.training = true
    whole.forward(
      tensor([
        [1, 5],
        [2, -1],
        [4, 0],
      ]),
    ) // prettier-ignore
    const x = new Tensor([2, 3, 2], Float32Array.of(1, 5, 2, -1, 9, NaN, 7, 8, 4, 0, NaN, 9), true)
    const y = ragged.forward(x, { lengths: Int32Array.of(2, 2), mask: Uint8Array.of(1, 1, 1, 0, 1, 1) })
    expect([...ragged.running_mean.data]).toEqual([...whole.running_mean.data])
    expect([...ragged.running_var.data]).toEqual([...whole.running_var.data])
    y.backward(Float32Array.of(1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 0, 0))
    expect([...x.grad!].every(Number.isFinite)).toBe(true)
    expect([...x.grad!.subarray(4, 8)]).toEqual([0, 0, 0, 0])
    expect([...parametersOf(ragged).values()].every(({ grad }) => grad!.every(Number.isFinite))).toBe(true)
  })

  it('counts every place of the rows that count in images', () => {
    const layer = new BatchNorm({ size: 1, momentum: 1 })
    layer.training = true
    const x = tensor(Float32Array.of(1, 3, 5, 7, 99, 99), { shape: [1, 3, 2, 1] })
    layer.forward(x, { lengths: Int32Array.of(2) })
    expect([layer.running_mean.item(), layer.running_var.item()]).toEqual([4, Math.fround(20 / 3)])
  })

  it('leaves the running statistics alone in evaluation', () => {
    const layer = new BatchNorm({ size: 2 })
    layer.forward(randomTensor32([4, 2]))
    expect([...layer.running_mean.data, ...layer.running_var.data]).toEqual([0, 0, 1, 1])
  })

  it('has weights to train and buffers to store', () => {
    const model = new Sequential([new Linear({ inputSize: 2, outputSize: 3 }), new BatchNorm({ size: 3 })])
    expect([...parametersOf(model).keys()]).toEqual(['0.weight', '0.bias', '1.weight', '1.bias'])
    expect([...buffersOf(model).keys()]).toEqual(['1.running_mean', '1.running_var'])
  })

  it.each([
    [{ size: 0 }, 'expected size to be a positive integer, got 0'],
    [{ size: 2, momentum: 1.5 }, 'expected momentum in [0, 1], got 1.5'],
    [{ size: 2, eps: -1 }, 'expected eps'],
    [{ size: 2, momentun: 1 }, 'did you mean "momentum"?'],
  ])('refuses %j', (options, message) => {
    expect(() => new BatchNorm(options as never)).toThrow(message)
  })

  it('refuses shapes that do not fit, and to train on a single row', () => {
    const layer = new BatchNorm({ size: 2 })
    expect(() => layer.forward(zeros([3, 4]))).toThrow('runningMean of shape [4], got [2]')
    expect(() => layer.forward(zeros([2]))).toThrow('x of shape [..., C], at least two axes')
    layer.training = true
    expect(() => layer.forward(zeros([1, 2]))).toThrow('at least two rows that count to train with, got 1')
    expect(() => layer.forward(zeros([2, 2, 2]), { lengths: Int32Array.of(0, 1) })).toThrow(
      'got 1 of x [2,2,2]',
    )
  })
})

describe('a model with batch normalisation', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-norm-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const model = () =>
    new Sequential([
      new Linear({ inputSize: 3, outputSize: 4, seed: 1 }),
      new BatchNorm({ size: 4 }),
      new Linear({ inputSize: 4, outputSize: 1, seed: 2 }),
    ])
  const x = randomTensor32([16, 3])
  const data = dataSet({
    x,
    y: tensor(
      x.array.filter((_, i) => i % 3 === 0),
      { shape: [16, 1] },
    ),
  })
  const options = { loss: meanSquaredError, batchSize: 4, seed: 7 }
  const bitsOf = (of: object) =>
    [...parametersOf(of), ...buffersOf(of)].map(([name, { data }]) => [name, [...data]])

  async function train(of: Sequential, more: object) {
    for await (const _ of fit(of, data, { ...options, ...more } as never));
    return of
  }

  it('is saved and loaded with its running statistics', async () => {
    const path = join(folder, 'model.safetensors')
    const trained = await train(model(), { epochs: 2 })
    expect(trained.layers[1]).toHaveProperty('running_mean.data.0', expect.not.closeTo(0, 6))
    await save(trained, path)
    const loaded = await load(path)
    expect(bitsOf(loaded)).toEqual(bitsOf(trained))
    expect([...(loaded.forward(x) as Tensor).data]).toEqual([...trained.forward(x).data])
    const file = await openSafetensors(path)
    await file.close()
    expect([...file.tensors.keys()]).toContain('1.running_var')
  })

  it('goes on from a checkpoint with the same bits', async () => {
    const path = join(folder, 'run.safetensors')
    await train(model(), { epochs: 1, checkpoint: { path, every: 1, unit: 'epoch' } })
    const resumed = await train(model(), { epochs: 3, resume: path })
    expect(bitsOf(resumed)).toEqual(bitsOf(await train(model(), { epochs: 3 })))
  })

  it('has the running statistics of its best epoch after early stopping', async () => {
    let kept: unknown
    const of = model()
    const monitor = ({ number }: { number: number }) => {
      if (number === 2) kept = bitsOf(of)
      return number === 2 ? 0 : 1
    }
    await train(of, { epochs: 5, earlyStopping: { patience: 2, monitor } })
    expect(bitsOf(of)).toEqual(kept)
  })
})

function randomTensor32(shape: readonly number[]): Tensor {
  return new Tensor(shape, Float32Array.from(randomTensor(shape, { seed: 9 }).array))
}
