/** Modules of PyTorch beside LSTMs: what names and shapes tell of them, what they leave open, and the files written of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BatchNorm,
  Conv2d,
  type Layer,
  Linear,
  MultiHeadAttention,
  RNN,
  Sequential,
  TimeDistributed,
} from 'lstm-native'
import {
  encodeSafetensors,
  loadPyTorch,
  loadPyTorchWeights,
  proposeSpecification,
  readSafetensors,
  savePyTorch,
} from 'lstm-native/formats'
import { afterAll, describe, expect, it } from 'vitest'
import { inspect } from '../lib/formats/inspect/index.ts'
import { tensorsOf } from '../lib/layers/layer.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-modules-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
const fixture = (name: string) => `test/fixtures/interop/${name}.pytorch.safetensors`

type Shapes = Record<string, number[]>

const headers = (shapes: Shapes) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, dataType: 'F32' }]))

function write(name: string, shapes: Shapes): string {
  const tensors = Object.entries(shapes).map(([each, shape]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
    return [each, { shape, data }] as const
  })
  writeFileSync(at(name), encodeSafetensors(tensors))
  return at(name)
}

const norm = (prefix: string, size: number): Shapes =>
  Object.fromEntries(
    ['weight', 'bias', 'running_mean', 'running_var'].map((name) => [`${prefix}.${name}`, [size]]),
  )
const linear = (prefix: string, inputs: number, outputs: number): Shapes => ({
  [`${prefix}.weight`]: [outputs, inputs],
  [`${prefix}.bias`]: [outputs],
})

describe('proposeSpecification', () => {
  it('knows an RNN with all its layers and directions, and says that it is taken for one of tanh', async () => {
    const { specification, questions, notes } = await proposed('elman')
    expect([specification, questions]).toEqual([['rnn', 'head'], []])
    expect(notes).toContain('"rnn" is taken to have the nonlinearity tanh')
    expect(notes.join()).toMatch(/"head" is applied to every step/)
    const [rnn] = (await loadPyTorch(fixture('elman'))).layers
    expect((rnn as Layer).config()).toMatchObject({
      type: 'RNN',
      inputSize: 3,
      hiddenSize: 4,
      numLayers: 2,
      bidirectional: true,
      bias: true,
      nonlinearity: 'tanh',
    })
  })

  it('puts batch normalisation where its size fits, and needs no more than its tensors', async () => {
    const shapes = { ...norm('a', 4), ...linear('b', 3, 4), 'a.num_batches_tracked': [] }
    const { specification, questions, notes } = proposeSpecification(headers(shapes))
    expect([specification, questions]).toEqual([['b', 'a'], []])
    expect(notes).toContain('"a" is taken to have eps 1e-5')
    const model = await loadPyTorch(write('normalised.safetensors', shapes))
    expect(model.layers[1]).toBeInstanceOf(BatchNorm)
    expect([...tensorsOf(model).keys()]).toContain('1.running_var')
  })

  it('asks for the heads of attention, and for the windows of a convolution', async () => {
    expect((await proposed('attended')).questions).toEqual([
      'in which order do they stand? Their sizes allow several',
      'which number of heads has "attention"? Shapes do not tell',
      'is there an activation between "norm" and "head"? It would have no tensors',
    ])
    expect((await proposed('imaged')).questions).toContain(
      'which stride, padding, dilation and groups has "conv"? Shapes do not tell',
    )
    await expect(loadPyTorch(fixture('attended'))).rejects.toMatchObject({ code: 'AmbiguousModel' })
    await expect(
      loadPyTorch(fixture('attended'), { specification: ['attention', 'norm', 'head'] }),
    ).rejects.toThrow(/"attention" cannot be built: MultiHeadAttention: expected heads/)
  })

  it('takes the last projection of attention for a part of it, under any prefix', () => {
    const attention = (prefix: string): Shapes => ({
      [`${prefix}in_proj_weight`]: [18, 6],
      [`${prefix}out_proj.weight`]: [6, 6],
    })
    expect(proposeSpecification(headers(attention(''))).specification).toEqual([''])
    expect(proposeSpecification(headers(attention('a.b.'))).specification).toEqual(['a.b'])
  })

  async function proposed(name: string) {
    return proposeSpecification((await readSafetensors(fixture(name))).tensors)
  }
})

describe('loadPyTorch', () => {
  it('reads attention whose keys and values have sizes of their own', async () => {
    const path = write('cross.safetensors', {
      q_proj_weight: [6, 6],
      k_proj_weight: [6, 4],
      v_proj_weight: [6, 3],
      'out_proj.weight': [6, 6],
    })
    const [layer] = (await loadPyTorch(path, { specification: [{ prefix: '', heads: 3 }] })).layers
    expect((layer as Layer).config()).toMatchObject({ embedSize: 6, keySize: 4, valueSize: 3, bias: false })
  })

  it.each<[what: string, change: Shapes, tensor: string]>([
    ['attention of three sizes', { 'm.in_proj_weight': [17, 6] }, 'm.in_proj_weight'],
    ['running statistics of another size', { 'm.running_var': [5] }, 'm.running_var'],
  ])('refuses %s', async (_, change, tensor) => {
    const isNorm = tensor.includes('running')
    const shapes: Shapes = isNorm ? norm('m', 6) : { 'm.out_proj.weight': [6, 6] }
    const path = write('misshapen.safetensors', { ...shapes, ...change })
    const specification = [isNorm ? 'm' : { prefix: 'm', heads: 1 }]
    await expect(loadPyTorch(path, { specification })).rejects.toMatchObject({
      code: 'ShapeMismatch',
      tensor,
    })
  })

  it('refuses a count of batches beside no running mean', async () => {
    const path = write('stray.safetensors', { ...linear('m', 2, 2), 'm.num_batches_tracked': [] })
    await expect(loadPyTorch(path, { specification: ['m'] })).rejects.toMatchObject({
      code: 'UnexpectedTensor',
      tensor: 'm.num_batches_tracked',
    })
  })
})

describe('savePyTorch', () => {
  it('writes what PyTorch wrote, but for the count of batches, which is 0', async () => {
    const specifications = {
      imaged: [{ prefix: 'conv', groups: 2 }, 'norm', 'head'],
      attended: [{ prefix: 'attention', heads: 2 }, 'norm', 'head'],
      elman: ['rnn', 'head'],
    }
    for (const [name, specification] of Object.entries(specifications)) {
      const model = await loadPyTorch(fixture(name), { specification })
      const names = specification.map((each) => (typeof each === 'string' ? each : each.prefix))
      await savePyTorch(model, at('again.safetensors'), { prefixes: Object.fromEntries(names.entries()) })
      const [theirs, ours] = [
        (await readSafetensors(fixture(name))).tensors,
        (await readSafetensors(at('again.safetensors'))).tensors,
      ]
      const count = theirs.get('norm.num_batches_tracked')
      if (count) theirs.set('norm.num_batches_tracked', { ...count, data: BigInt64Array.of(0n) })
      expect([...ours], name).toEqual([...theirs])
    }
  })

  it('writes and reads layers inside TimeDistributed', async () => {
    const make = (seed: number) =>
      new Sequential([
        new TimeDistributed(
          new Sequential([
            new Conv2d({ inputChannels: 1, outputChannels: 2, kernelSize: 3, seed }),
            new BatchNorm({ size: 2 }),
          ]),
        ),
        new RNN({ inputSize: 2, hiddenSize: 3, seed }),
        new MultiHeadAttention({ embedSize: 3, heads: 1, seed }),
        new Linear({ inputSize: 3, outputSize: 1, seed }),
      ])
    const [model, again] = [make(1), make(2)]
    const running = tensorsOf(model).get('0.layer.1.running_var')!
    running.array.fill(3)
    const prefixes = { '0.layer.0': 'conv', '0.layer.1': 'norm', 1: 'rnn' }
    await savePyTorch(model, at('nested.safetensors'), { prefixes })
    expect([...(await readSafetensors(at('nested.safetensors'))).tensors.keys()]).toContain(
      'norm.num_batches_tracked',
    )
    await loadPyTorchWeights(again, at('nested.safetensors'), { prefixes })
    const arrays = (each: Layer) => [...tensorsOf(each)].map(([name, { array }]) => [name, array])
    expect(arrays(again)).toEqual(arrays(model))
  })
})

describe('inspect', () => {
  it('tells the layers, their numbers and what is assumed', async () => {
    const kinds = async (name: string) =>
      (await inspect(fixture(name))).layers.map(({ kind, parameters }) => [kind, parameters])
    expect(await kinds('elman')).toEqual([
      ['RNN 3 → 4, 2 layers, bidirectional', 2 * 4 * (3 + 4 + 2) + 2 * 4 * (8 + 4 + 2)],
      ['Linear 8 → 2', 18],
    ])
    expect(await kinds('imaged')).toEqual([
      ['Conv2d 1 → 4, kernel 3 × 2', 28],
      ['BatchNorm 4', 17],
      ['Linear 4 → 3', 15],
    ])
    expect(await kinds('attended')).toEqual([
      ['MultiHeadAttention 6, heads not told', 4 * 42],
      ['BatchNorm 6', 25],
      ['Linear 6 → 2', 14],
    ])
  })
})
