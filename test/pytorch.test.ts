/** Models of PyTorch: files written there give the outputs computed there, and files written here are like them. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activation,
  Embedding,
  GlobalAveragePool2d,
  type Layer,
  LayerNorm,
  Linear,
  LSTM,
  LSTMCell,
  lastStep,
  MaxPool2d,
  noGrad,
  type Output,
  parametersOf,
  Sequential,
  type Tensor,
  tensor,
  transpose,
  useBackend,
} from 'lstm-native'
import {
  encodeSafetensors,
  type LayerSpecification,
  loadPyTorch,
  loadPyTorchWeights,
  openSafetensors,
  proposeSpecification,
  readSafetensors,
  type StoredTensor,
  savePyTorch,
} from 'lstm-native/formats'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { FileFormatError } from '../lib/errors.ts'
import { weightsOf } from './support/small-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-pytorch-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => useBackend('native'))
const at = (name: string) => join(folder, name)
const fixture = (name: string) => `test/fixtures/interop/${name}.pytorch.safetensors`

/** Inputs and outputs that PyTorch computed, as tensors; 64-bit indices become int32. */
async function readCase(name: string): Promise<(tensor: string) => Tensor> {
  const { tensors } = await readSafetensors(`test/fixtures/interop/${name}.io.safetensors`)
  return (each) => toTensor(tensors.get(each)!)
}

function toTensor({ shape, data }: StoredTensor): Tensor {
  const array = data instanceof BigInt64Array ? Int32Array.from(data, Number) : (data as Float32Array)
  return tensor(array, { shape })
}

function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape)
  return Math.max(...a.data.map((value, i) => Math.abs(value - b.data[i])))
}

function run(model: Layer, x: Tensor): Tensor {
  return noGrad(() => {
    const result = model.forward(x)
    return 'output' in result ? result.output : result
  })
}

const stacks: [name: string, specification: LayerSpecification[], input: string, output: string][] = [
  ['forecaster', ['lstm', lastStep(), 'head'], 'x', 'forecast'],
  ['tagger', ['embedding', 'lstm', 'head'], 'tokens', 'logits'],
  ['projected', ['model.encoder'], 'x', 'y'],
  ['cell', ['cell', { prefix: 'norm', eps: 1e-3 }, 'out'], 'x', 'y'],
  ['sequential', ['0', { type: 'Activation', kind: 'relu' }, '2'], 'x', 'y'],
  ['double', ['0', '1'], 'x', 'y'],
  ['half', ['0', '1'], 'x', 'y'],
  [
    'convolved',
    [{ prefix: 'conv', padding: 2, dilation: 2, groups: 2 }, activation('relu'), 'lstm', lastStep(), 'head'],
    'x',
    'y',
  ],
  ['elman', [{ prefix: 'rnn', nonlinearity: 'relu' }, lastStep(), 'head'], 'x', 'y'],
  [
    'imaged',
    [
      { prefix: 'conv', stride: [2, 1], padding: [1, 0], groups: 2 },
      { prefix: 'norm', eps: 1e-3 },
      activation('relu'),
      new MaxPool2d({ size: 2 }),
      new GlobalAveragePool2d(),
      'head',
    ],
    'x',
    'y',
  ],
  ['attended', [{ prefix: 'attention', heads: 2 }, 'norm', 'head'], 'x', 'y'],
]

describe.each(['reference', 'native'] as const)('on the %s back end, loadPyTorch', (backend) => {
  it.each(stacks)('gives what PyTorch computed: %s', async (name, specification, input, output) => {
    useBackend(backend)
    const io = await readCase(name)
    const model = await loadPyTorch(fixture(name), { specification })
    expect(difference(run(model, io(input)), io(output))).toBeLessThan(1e-5)
  })

  it('gives what PyTorch computed: states in and out, steps before sequences', async () => {
    useBackend(backend)
    const io = await readCase('stateful')
    const model = await loadPyTorch(fixture('stateful'), { specification: ['lstm'] })
    const batchFirst = transpose(io('x'), { axes: [0, 1] })
    const { output, state } = noGrad(
      () => model.forward(batchFirst, { state: [{ h: io('h0'), c: io('c0') }] }) as Output,
    )
    const [{ h, c }] = state as { h: Tensor; c: Tensor }[]
    expect(difference(transpose(output, { axes: [0, 1] }), io('y'))).toBeLessThan(1e-5)
    expect(difference(h, io('hn'))).toBeLessThan(1e-5)
    expect(difference(c, io('cn'))).toBeLessThan(1e-5)
  })
})

describe('of what PyTorch writes,', () => {
  async function load(name: string, specification: LayerSpecification[]) {
    const { tensors } = await readSafetensors(fixture(name))
    return { tensors, parameters: parametersOf(await loadPyTorch(fixture(name), { specification })) }
  }

  it('the gate order i, f, g, o needs no permutation: every parameter has the bits of its tensor', async () => {
    const { tensors, parameters } = await load('forecaster', ['lstm', lastStep(), 'head'])
    expect(parameters.size).toBe(10)
    for (const [name, { data }] of parameters) {
      expect(data).toEqual(tensors.get(name.replace('0.', 'lstm.').replace('2.', 'head.'))!.data)
    }
  })

  it('the two biases are kept apart', async () => {
    const { tensors, parameters } = await load('tagger', ['embedding', 'lstm', 'head'])
    const [ih, hh] = ['ih', 'hh'].map((each) => parameters.get(`1.bias_${each}_l0`)!.data)
    expect(ih).toEqual(tensors.get('lstm.bias_ih_l0')!.data)
    expect(hh).toEqual(tensors.get('lstm.bias_hh_l0')!.data)
    expect(ih).not.toEqual(hh)
  })

  it('the second direction has the suffix _reverse', async () => {
    const { tensors, parameters } = await load('tagger', ['embedding', 'lstm', 'head'])
    expect(parameters.get('1.weight_hh_l0_reverse')!.data).toEqual(
      tensors.get('lstm.weight_hh_l0_reverse')!.data,
    )
  })

  it('weight_hr is there with a projection only, and biases are absent with bias=False', async () => {
    const projected = await load('projected', ['model.encoder'])
    expect(projected.parameters.get('0.weight_hr_l1_reverse')!.shape).toEqual([2, 5])
    expect(projected.parameters.get('0.weight_ih_l1')!.shape).toEqual([20, 4])
    expect([...projected.parameters.keys()].filter((name) => name.includes('bias'))).toEqual([])
    const plain = await load('stateful', ['lstm'])
    expect([...plain.parameters.keys()].filter((name) => name.includes('weight_hr'))).toEqual([])
  })

  it('a module saved alone has no prefix', async () => {
    const { tensors } = await readSafetensors(fixture('stateful'))
    const alone = [...tensors].map(([name, each]) => [name.replace('lstm.', ''), each] as const)
    writeFileSync(at('alone.safetensors'), encodeSafetensors(alone))
    const model = await loadPyTorch(at('alone.safetensors'))
    expect(Object.values(weightsOf(model)).flat()).toEqual(
      Object.values(weightsOf(await loadPyTorch(fixture('stateful')))).flat(),
    )
  })

  it('doubles make float64 layers, half floats float32 ones', async () => {
    const types = async (name: string) =>
      [...(await load(name, ['0', '1'])).parameters.values()].map(({ dataType }) => dataType)
    expect(new Set(await types('double'))).toEqual(new Set(['float64']))
    expect(new Set(await types('half'))).toEqual(new Set(['float32']))
  })

  it("LayerNorm's eps is not in the file", async () => {
    const io = await readCase('cell')
    const model = await loadPyTorch(fixture('cell'), { specification: ['cell', 'norm', 'out'] })
    expect(difference(run(model, io('x')), io('y'))).toBeGreaterThan(1e-5)
  })

  it('a matrix without bias that comes first is an Embedding if that fits what follows, else a Linear', async () => {
    const [first] = (await loadPyTorch(fixture('tagger'), { specification: ['embedding', 'lstm', 'head'] }))
      .layers
    expect(first).toBeInstanceOf(Embedding)
    await savePyTorch(
      new Sequential([
        new Linear({ inputSize: 2, outputSize: 3, bias: false }),
        new Linear({ inputSize: 3, outputSize: 3, bias: false }),
      ]),
      at('matrices.safetensors'),
    )
    const matrices = (await loadPyTorch(at('matrices.safetensors'), { specification: ['0', '1'] })).layers
    expect(matrices.every((layer) => layer instanceof Linear)).toBe(true)
    await expect(loadPyTorch(at('matrices.safetensors'), { specification: ['1', '0'] })).rejects.toThrow(
      /"1" may be an Embedding or a Linear without bias; expected { prefix: "1", type: 'Embedding' }/,
    )
    const typed: LayerSpecification[] = [{ prefix: '1', type: 'Embedding' }, '0']
    const [embedding] = (await loadPyTorch(at('matrices.safetensors'), { specification: typed })).layers
    expect(embedding).toBeInstanceOf(Embedding)
  })

  it.each([
    'model.pt',
    'model.pth',
    'pytorch_model.bin',
    'model.ckpt',
  ])('pickles are refused with a way out: %s', async (name) => {
    writeFileSync(at(name), Uint8Array.of(0x80, 2, 0x8a, 10))
    await expect(loadPyTorch(at(name))).rejects.toMatchObject({
      name: 'FileFormatError',
      code: 'Pickle',
      path: at(name),
      message: expect.stringContaining(
        'safetensors.torch.save_file(model.state_dict(), "model.safetensors")',
      ),
    })
  })

  it('pickles and zips of pickles are refused whatever they are called', async () => {
    for (const start of [
      [0x50, 0x4b, 3, 4, 0, 0],
      [0x80, 4, 0x95],
    ]) {
      writeFileSync(at('renamed.safetensors'), Uint8Array.from(start))
      await expect(loadPyTorch(at('renamed.safetensors'))).rejects.toMatchObject({ code: 'Pickle' })
    }
  })
})

/** The forecaster's file with its tensors changed. */
async function changed(change: (tensors: Map<string, StoredTensor>) => void): Promise<string> {
  const { tensors } = await readSafetensors(fixture('forecaster'))
  change(tensors)
  writeFileSync(at('changed.safetensors'), encodeSafetensors(tensors))
  return at('changed.safetensors')
}

describe('loadPyTorch refuses', () => {
  const specification = ['lstm', 'head']
  const floats = (...shape: number[]): StoredTensor => ({
    shape,
    dataType: 'F32',
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })

  async function refusal(path: string, options: Parameters<typeof loadPyTorch>[1]): Promise<FileFormatError> {
    const error = await loadPyTorch(path, options).then(
      () => undefined,
      (reason) => reason,
    )
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error.path).toBe(path)
    return error
  }

  it.each<[what: string, change: (t: Map<string, StoredTensor>) => void, expected: object, message: RegExp]>([
    [
      'a missing tensor, with the nearest name',
      (t) => {
        t.set('lstm.weight_hh_1', t.get('lstm.weight_hh_l1')!)
        t.delete('lstm.weight_hh_l1')
      },
      { code: 'MissingTensor', tensor: 'lstm.weight_hh_l1' },
      /is missing in the file; the nearest is "lstm.weight_hh_1"/,
    ],
    [
      'an unexpected tensor, with the nearest name',
      (t) => t.set('lstm.weight_hr_l01', floats(1)),
      { code: 'UnexpectedTensor', tensor: 'lstm.weight_hr_l01' },
      /is no parameter of the model; the nearest is "lstm.weight_/,
    ],
    [
      'a misshapen tensor',
      (t) => t.set('lstm.bias_hh_l1', floats(63)),
      { code: 'ShapeMismatch', tensor: 'lstm.bias_hh_l1' },
      /has shape \[63\], the model's parameter \[64\]/,
    ],
    [
      'a tensor of integers',
      (t) => t.set('head.bias', { shape: [2], dataType: 'I32', data: Int32Array.of(1, 2) }),
      { code: 'UnsupportedDataType', tensor: 'head.bias' },
      /has elements of type I32/,
    ],
    [
      'a module that the specification leaves out',
      (t) => t.set('other.weight', floats(2, 2)).set('other.bias', floats(2)),
      { code: 'UnexpectedTensor', tensor: 'other.bias' },
      /is no parameter of the model.*put "other" into the specification, or into ignore/,
    ],
    [
      'a module of another kind, saying what it looks like',
      (t) => t.set('norm.running_mean', floats(2)),
      { code: 'UnexpectedTensor', tensor: 'norm.running_mean' },
      /it looks like batch normalisation, but has no weight/,
    ],
  ])('%s', async (_, change, expected, message) => {
    const error = await refusal(await changed(change), { specification })
    expect(error).toMatchObject(expected)
    expect(error.message).toMatch(message)
  })

  it.each<[what: string, tensors: [string, StoredTensor][], reason: RegExp]>([
    [
      'a GRU',
      [
        ['m.weight_ih_l0', floats(6, 3)],
        ['m.weight_hh_l0', floats(6, 2)],
      ],
      /three gates make it a GRU/,
    ],
    [
      'a plain recurrent cell',
      [
        ['m.weight_ih', floats(2, 3)],
        ['m.weight_hh', floats(2, 2)],
      ],
      /plain recurrent/,
    ],
    ['attention without its last projection', [['m.in_proj_weight', floats(6, 2)]], /has no out_proj.weight/],
    [
      'attention with more keys than it was given',
      [
        ['m.in_proj_weight', floats(6, 2)],
        ['m.bias_k', floats(1, 1, 2)],
      ],
      /add_bias_kv/,
    ],
    ['a convolution of volumes', [['m.weight', floats(1, 1, 2, 2, 2)]], /a weight of shape \[1,1,2,2,2\]/],
    [
      'batch normalisation of nothing',
      ['weight', 'bias', 'running_mean', 'running_var'].map((name) => [`m.${name}`, floats()]),
      /running_mean is a scalar/,
    ],
    [
      'a normalised weight',
      [
        ['m.weight_g', floats(1)],
        ['m.weight_v', floats(1)],
      ],
      /remove_weight_norm/,
    ],
    ['normalisation without a shift', [['m.weight', floats(3)]], /root-mean-square/],
    [
      'normalisation over two axes',
      [
        ['m.weight', floats(3, 2)],
        ['m.bias', floats(3, 2)],
      ],
      /more than the last axis/,
    ],
    [
      'a layer of no elements',
      [['m.weight', floats(0, 1_000_000)]],
      /m.weight \[0,1000000\] has no elements|weight \[0/,
    ],
    ['a parameter that belongs to nothing', [['m.scale', floats(3)]], /neither weight nor weight_ih_l0/],
  ])('%s, with the reason', async (_, tensors, reason) => {
    writeFileSync(at('stranger.safetensors'), encodeSafetensors(tensors))
    const error = await refusal(at('stranger.safetensors'), { specification: ['m'] })
    expect(error.code).toBe('MissingModule')
    expect(error.message).toMatch(reason)
    expect((await refusal(at('stranger.safetensors'), {})).code).toBe('AmbiguousModel')
  })

  it('a prefix that is not in the file, with the nearest one', async () => {
    const error = await refusal(fixture('forecaster'), { specification: ['ltsm', 'head'] })
    expect(error.code).toBe('MissingModule')
    expect(error.message).toMatch(/has no module "ltsm" that is known: the nearest is "lstm"/)
  })

  it('sizes and counts that the file has no tensors for, before anything is built', async () => {
    const path = await changed((t) => t.set('lstm.weight_ih_l99999999', floats(1)))
    expect(await refusal(path, { specification })).toMatchObject({ code: 'UnexpectedTensor' })
    const layered = await changed((t) => t.set('lstm.weight_ih_l7', floats(1)))
    expect(await refusal(layered, { specification })).toMatchObject({ code: 'MissingTensor' })
  })

  it('options that contradict the tensors', async () => {
    const smaller = [{ prefix: 'lstm', hiddenSize: 8 }, 'head']
    expect(await refusal(fixture('forecaster'), { specification: smaller })).toMatchObject({
      code: 'ShapeMismatch',
      tensor: 'lstm.weight_ih_l0',
    })
  })

  it('a specification that makes no sense', async () => {
    const refuse = (given: unknown, message: RegExp) =>
      expect(loadPyTorch(fixture('forecaster'), { specification: given as never })).rejects.toThrow(message)
    await refuse('lstm', /expected the specification in an array, got "lstm"/)
    await refuse(['lstm', 'lstm'], /a layer for each prefix, got "lstm" twice/)
    await refuse(['lstm', 3], /expected a prefix, a layer or { prefix, ...options }, got 3/)
    await refuse([new Linear({ inputSize: 1, outputSize: 1 })], /layer 0 \(Linear\) has parameters/)
    await refuse(
      [{ prefix: 'lstm', type: 'Linear' }],
      /tensors of "lstm" are those of LSTM, got type "Linear"/,
    )
    await refuse(
      [{ prefix: 'lstm', droput: 0.1 }, 'head'],
      /"lstm" cannot be built: .*did you mean "dropout"/,
    )
    await refuse([{ type: 'LastStpe' }], /did you mean "LastStep"/)
    await expect(loadPyTorch(fixture('forecaster'), { specifcation: [] } as never)).rejects.toThrow(
      /did you mean "specification"/,
    )
    const ignore = ['haed.']
    await expect(loadPyTorch(fixture('forecaster'), { specification: ['lstm'], ignore })).rejects.toThrow(
      /no tensor begins with "haed."/,
    )
  })

  it('nothing that is to be ignored', async () => {
    const model = await loadPyTorch(fixture('forecaster'), { specification: ['lstm'], ignore: ['head.'] })
    expect(model.layers).toHaveLength(1)
  })
})

describe('without a specification,', () => {
  const propose = async (name: string) => {
    await using file = await openSafetensors(fixture(name))
    return proposeSpecification(file.tensors)
  }

  it('the order of the layers is that in which their sizes fit, not that of the file', async () => {
    expect(await propose('tagger')).toMatchObject({
      specification: [{ prefix: 'embedding', type: 'Embedding' }, 'lstm', 'head'],
      questions: [],
    })
    const { specification, questions, notes } = await propose('forecaster')
    expect([specification, questions]).toEqual([['lstm', 'head'], []])
    expect(notes.join()).toMatch(/"head" is applied to every step; put { "type": "LastStep" } before it/)
    const io = await readCase('forecaster')
    const everyStep = run(await loadPyTorch(fixture('forecaster')), io('x'))
    const last = lastStep().forward(everyStep)
    expect(difference(last, io('forecast'))).toBeLessThan(1e-5)
  })

  it('what names and shapes leave open is asked, with a specification to start from', async () => {
    const error = await loadPyTorch(fixture('sequential')).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'AmbiguousModel', path: fixture('sequential') })
    expect(error.message).toMatch(
      /what stands between "0" and "2"\?.*Give { specification }, perhaps \["0","2"\]/,
    )
    expect((await propose('double')).questions).toEqual([
      'is there an activation between "0" and "1"? It would have no tensors',
    ])
    expect((await propose('convolved')).questions.join()).toMatch(
      /which stride, padding, dilation and groups/,
    )
    expect((await propose('cell')).specification).toEqual(['cell', 'norm', { prefix: 'out', type: 'Linear' }])
  })

  it('several orders, or none, are a question', async () => {
    const layers = (...sizes: [number, number][]) =>
      new Map(
        sizes.flatMap(([inputs, outputs], i) => [
          [`${'abcdefghijklmn'[i]}.weight`, { shape: [outputs, inputs], dataType: 'F32' }],
          [`${'abcdefghijklmn'[i]}.bias`, { shape: [outputs], dataType: 'F32' }],
        ]),
      )
    expect(proposeSpecification(layers([3, 3], [3, 3])).questions[0]).toMatch(/sizes allow several/)
    expect(proposeSpecification(layers([3, 4], [5, 6])).questions[0]).toMatch(/make no chain/)
    expect(proposeSpecification(layers([4, 5], [3, 4])).specification).toEqual(['b', 'a'])
    // Many layers that fit each other, and one that fits none: every order is wrong, and few are tried.
    const many = layers(...Array.from({ length: 13 }, (): [number, number] => [3, 3]), [9, 9])
    expect(proposeSpecification(many).questions[0]).toMatch(/make no chain/)
  })
})

describe('loadPyTorchWeights', () => {
  const make = () => [
    new LSTM({ inputSize: 3, hiddenSize: 16, numLayers: 2 }),
    new Linear({ inputSize: 16, outputSize: 2 }),
  ]

  it('fills a model whose fields have the names of the module in PyTorch', async () => {
    const [lstm, head] = make()
    const model = {
      lstm,
      head,
      forward: (x: Tensor) => head.forward(lastStep().forward((lstm.forward(x) as Output).output)),
    }
    await loadPyTorchWeights(model, fixture('forecaster'))
    const io = await readCase('forecaster')
    expect(
      difference(
        noGrad(() => model.forward(io('x')) as Tensor),
        io('forecast'),
      ),
    ).toBeLessThan(1e-5)
  })

  it('fills a Sequential, told where its layers stand in PyTorch', async () => {
    const model = new Sequential([...make().slice(0, 1), lastStep(), ...make().slice(1)])
    await loadPyTorchWeights(model, fixture('forecaster'), { prefixes: { 0: 'lstm', 2: 'head' } })
    const io = await readCase('forecaster')
    expect(difference(run(model, io('x')), io('forecast'))).toBeLessThan(1e-5)
  })

  it('leaves the model untouched when the file does not fit it', async () => {
    const model = new Sequential(make())
    const before = weightsOf(model)
    const prefixes = { 0: 'lstm', 1: 'head' }
    const path = await changed((t) => t.delete('head.bias'))
    await expect(loadPyTorchWeights(model, path, { prefixes })).rejects.toMatchObject({
      code: 'MissingTensor',
      tensor: 'head.bias',
    })
    await expect(loadPyTorchWeights(model, path, { prefixes: { 0: 'lstm', 3: 'head' } })).rejects.toThrow(
      /no parameters under "3"/,
    )
    await expect(loadPyTorchWeights(model, path, { prefixes: { 0: 'a', '': 'a' } })).rejects.toMatchObject({
      code: 'MissingTensor',
    })
    expect(weightsOf(model)).toEqual(before)
  })
})

describe('savePyTorch', () => {
  it('writes what PyTorch wrote: the same names, order and bits', async () => {
    const model = await loadPyTorch(fixture('forecaster'), { specification: ['lstm', lastStep(), 'head'] })
    await savePyTorch(model, at('again.safetensors'), { prefixes: { 0: 'lstm', 2: 'head' } })
    const [theirs, ours] = [
      await readSafetensors(fixture('forecaster')),
      await readSafetensors(at('again.safetensors')),
    ]
    expect([...ours.tensors]).toEqual([...theirs.tensors])
    expect(ours.metadata).toEqual(new Map([['format', 'pt']]))
  })

  it('names parameters as a torch.nn.Sequential with the same layers', async () => {
    const model = new Sequential([
      new Embedding({ vocabularySize: 3, embeddingSize: 2 }),
      new LSTM({ inputSize: 2, hiddenSize: 2, bidirectional: true, projectionSize: 1, dropout: 0.5 }),
      new LayerNorm({ size: 2 }),
      new Linear({ inputSize: 2, outputSize: 1 }),
    ])
    await savePyTorch(model, at('names.safetensors'))
    const names = ['0.weight', '2.bias', '2.weight', '3.bias', '3.weight']
    for (const suffix of ['', '_reverse']) {
      for (const each of ['bias_hh', 'bias_ih', 'weight_hh', 'weight_hr', 'weight_ih'])
        names.push(`1.${each}_l0${suffix}`)
    }
    expect([...(await readSafetensors(at('names.safetensors'))).tensors.keys()]).toEqual(names.sort())
  })

  it('stores half floats if asked to', async () => {
    const model = await loadPyTorch(fixture('half'), { specification: ['0', '1'] })
    await savePyTorch(model, at('half.safetensors'), { dataType: 'F16' })
    expect((await readSafetensors(at('half.safetensors'))).tensors).toEqual(
      (await readSafetensors(fixture('half'))).tensors,
    )
  })

  it.each<[option: string, layer: Layer]>([
    ['peepholes', new LSTM({ inputSize: 1, hiddenSize: 1, peepholes: true })],
    ['layerNorm', new LSTM({ inputSize: 1, hiddenSize: 1, layerNorm: true })],
    ['zoneoutHidden', new LSTM({ inputSize: 1, hiddenSize: 1, zoneoutHidden: 0.1 })],
    ['zoneoutCell', new LSTMCell({ inputSize: 1, hiddenSize: 1, zoneoutCell: 0.1 })],
    ['projectionSize', new LSTMCell({ inputSize: 1, hiddenSize: 2, projectionSize: 1 })],
  ])('refuses what PyTorch has not: %s', async (option, layer) => {
    const before = readdirSync(folder).length
    const error = await savePyTorch(new Sequential([layer]), at('own.safetensors')).catch((reason) => reason)
    expect(error).toMatchObject({
      name: 'FileFormatError',
      code: 'UnsupportedLayer',
      path: at('own.safetensors'),
    })
    expect(error.message).toMatch(
      `layer "0" (${layer.constructor.name}): torch.nn.${layer.constructor.name} has no ${option}`,
    )
    expect(readdirSync(folder).length).toBe(before)
  })

  it('refuses prefixes that name nothing or give one name twice, and models without parameters', async () => {
    const model = new Sequential([
      new Linear({ inputSize: 1, outputSize: 1 }),
      new Linear({ inputSize: 1, outputSize: 1 }),
    ])
    const save = (prefixes: Record<string, string>) =>
      savePyTorch(model, at('refused.safetensors'), { prefixes })
    await expect(save({ 2: 'head' })).rejects.toThrow(/no parameters under "2"/)
    await expect(save({ 0: 'head', 1: 'head' })).rejects.toThrow(/two parameters the name head.weight/)
    await expect(savePyTorch(lastStep(), at('refused.safetensors'))).rejects.toThrow(/has no parameters/)
  })
})

describe('the files beside', () => {
  it('are read through the index of a model in several', async () => {
    copyFileSync(fixture('forecaster'), at('model-00001-of-00001.safetensors'))
    const names = [...(await readSafetensors(fixture('forecaster'))).tensors.keys()]
    const map = Object.fromEntries(names.map((name) => [name, 'model-00001-of-00001.safetensors']))
    writeFileSync(at('model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
    const [whole, parts] = [
      await loadPyTorch(fixture('forecaster')),
      await loadPyTorch(at('model.safetensors.index.json')),
    ]
    expect(weightsOf(parts)).toEqual(weightsOf(whole))
    expect(readFileSync(fixture('forecaster')).length).toBeGreaterThan(0)
  })
})
