/** Layers models of TensorFlow.js give what tfjs gave for them, with its own defaults; ours go there and back; lies are refused. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { FileFormatError } from '../lib/errors.ts'
import { decodeTfjs, encodeTfjs, loadTfjs, saveTfjs } from '../lib/formats/tfjs/index.ts'
import {
  activation,
  Conv1d,
  Embedding,
  GlobalAveragePool1d,
  type Layer,
  Linear,
  LSTM,
  lastStep,
  Masking,
  parametersOf,
  Reverse,
  Sequential,
  tensor,
  useBackend,
} from '../lib/index.ts'
import { expectRecorded, fixturePath, run } from './support/keras.ts'
import { refusal } from './support/refusal.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-tfjs-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => useBackend('native'))

const models = ['interop', 'tfjs'].flatMap((each) =>
  readdirSync(fixturePath(each))
    .filter((name) => name.endsWith('.tfjs'))
    .map((name) => `${each}/${name}`),
)

interface Topology {
  config: { layers: { config: Record<string, unknown> }[] }
}

interface Json {
  modelTopology: Topology | { model_config: Topology; keras_version: string }
  weightsManifest: { paths: unknown[]; weights: Record<string, unknown>[] }[]
}

/** The files of a model of ours, changed. */
function files(
  layers: Layer[],
  change: (json: Json) => unknown = () => {},
): [Uint8Array, Map<string, Uint8Array>] {
  const all = encodeTfjs(new Sequential(layers))
  const json = JSON.parse(new TextDecoder().decode(all.get('model.json')))
  change(json)
  return [new TextEncoder().encode(JSON.stringify(json)), all]
}

function layersOf({ modelTopology }: Json) {
  const { config } = 'model_config' in modelTopology ? modelTopology.model_config : modelTopology
  return config.layers
}
const gates02 = { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 } as const
const small = () => [
  new LSTM({ inputSize: 2, hiddenSize: 3, returnSequences: false, seed: 1 }),
  new Linear({ inputSize: 3, outputSize: 1, seed: 2 }),
]
const firstLSTM = (model: Layer) => (model as Sequential).layers[0] as LSTM

describe('a model of TensorFlow.js', () => {
  it('is there', () => expect(models.length).toBe(9))

  it.each(models)('%s gives what it gave', async (name) => {
    expectRecorded(name, await loadTfjs(fixturePath(name)))
    expectRecorded(name, await loadTfjs(fixturePath(`${name}/model.json`)))
  })

  it('has the hard sigmoid of slope 0.2 and no forget bias where its LSTM says nothing', () => {
    const [json, shards] = files(small(), (each) => {
      const { config } = layersOf(each)[1]
      for (const option of ['recurrent_activation', 'unit_forget_bias']) delete config[option]
    })
    expect(firstLSTM(decodeTfjs(json, shards)).config()).toMatchObject({
      gateActivation: gates02,
      forgetBias: 0,
    })
  })

  it('repeats the output at masked steps of a Bidirectional, where Keras gives zeros', async () => {
    const model = (await loadTfjs(fixturePath('tfjs/tfjs_masks.tfjs'))) as Sequential
    expect(model.layers.at(-1)).toMatchObject({ constructor: LSTM })
    expect((model.layers.at(-1) as LSTM).config()).toMatchObject({ bidirectional: true, zeroMasked: false })
  })

  it('may say what it is one level deeper, as the converter does, and null for what is not said', () => {
    const [json, shards] = files(small(), (each) => {
      layersOf(each)[1].config.unit_forget_bias = null
      each.modelTopology = { model_config: each.modelTopology as Topology, keras_version: '2.15.0' }
    })
    expect(firstLSTM(decodeTfjs(json, shards)).config()).toMatchObject({ forgetBias: 0 })
  })

  it('has shards that are cut anywhere, and groups of shards', () => {
    const [json, shards] = files(small(), (each) => {
      const [{ paths, weights }] = each.weightsManifest
      each.weightsManifest = [
        { paths: ['a', 'b'], weights: weights.slice(0, 2) },
        { paths, weights: weights.slice(2) },
      ]
    })
    const [name, bytes] = [...shards][0]
    const end = 4 * (2 * 12 + 3 * 12)
    const cut = new Map([
      ['a', bytes.slice(0, 13)],
      ['b', bytes.slice(13, end)],
      [name, bytes.slice(end)],
    ])
    const [whole] = files(small())
    expect(decodeTfjs(json, cut).config()).toEqual(decodeTfjs(whole, shards).config())
    expect([...parametersOf(decodeTfjs(json, cut)).values()].map(({ data }) => data)).toEqual(
      [...parametersOf(decodeTfjs(whole, shards)).values()].map(({ data }) => data),
    )
  })

  it('has tensors in any order, which their names tell', () => {
    const model = [
      new LSTM({ inputSize: 2, hiddenSize: 3, bidirectional: true, returnSequences: false }),
      new Linear({ inputSize: 6, outputSize: 1 }),
    ]
    const [json, shards] = files(model)
    const [[name, bytes]] = shards
    const cut = new Map<string, Uint8Array>()
    let end = 0
    const { weightsManifest, ...rest } = JSON.parse(new TextDecoder().decode(json))
    const groups = weightsManifest[0].weights.map((weight: { name: string; shape: number[] }) => {
      const start = end
      end += 4 * weight.shape.reduce((product, n) => product * n)
      cut.set(weight.name, bytes.slice(start, end))
      return { paths: [weight.name], weights: [weight] }
    })
    const turned = new TextEncoder().encode(JSON.stringify({ ...rest, weightsManifest: groups.reverse() }))
    expect([name, cut.size]).toEqual([expect.stringMatching(/^group1-shard1of1-[0-9a-f]{16}\.bin$/), 8])
    expect([...parametersOf(decodeTfjs(turned, cut)).values()].map(({ data }) => data)).toEqual(
      [...parametersOf(decodeTfjs(json, shards)).values()].map(({ data }) => data),
    )
  })

  it('takes means over masked steps too, which nothing here does', () => {
    const layers = [new Masking(), new LSTM({ inputSize: 2, hiddenSize: 3 }), new GlobalAveragePool1d()]
    expect(refusal(() => encodeTfjs(new Sequential(layers))).message).toContain('leave the mask out')
    const [json, shards] = files(layers.slice(1), (each) => {
      layersOf(each).splice(1, 0, { class_name: 'Masking', config: { name: 'masking' } } as never)
    })
    expect(refusal(() => decodeTfjs(json, shards)).message).toContain('expected no mask')
    expect(() => decodeTfjs(...files(layers.slice(1)))).not.toThrow()
  })

  it('may be coded in float16', () => {
    const [json, shards] = files([new Linear({ inputSize: 1, outputSize: 2, bias: false })], (each) => {
      each.weightsManifest[0].weights[0].quantization = { dtype: 'float16', original_dtype: 'float32' }
    })
    const [name] = [...shards.keys()]
    shards.set(name, new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer))
    expect([...parametersOf(decodeTfjs(json, shards)).values()].map(({ data }) => [...data])).toEqual([
      [1, -2],
    ])
  })
})

describe('a model of ours', () => {
  const made: Record<string, () => Layer> = {
    'of all that tfjs has': () =>
      new Sequential([
        new Conv1d({ inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 'same' }),
        activation('silu'),
        new Sequential([
          new LSTM({
            inputSize: 4,
            hiddenSize: 3,
            numLayers: 2,
            bidirectional: true,
            gateActivation: gates02,
          }),
        ]),
        new Linear({ inputSize: 6, outputSize: 3 }),
        activation('leakyRelu', { alpha: 0.1 }),
        new LSTM({ inputSize: 3, hiddenSize: 2, reverse: true }),
        new Reverse(),
        lastStepless(),
      ]),
    'of symbols and masks': () =>
      new Sequential([
        new Embedding({ vocabularySize: 10, embeddingSize: 3, maskZero: true }),
        new LSTM({ inputSize: 3, hiddenSize: 2, bidirectional: true, merge: 'sum' }),
        new LSTM({ inputSize: 2, hiddenSize: 3 }),
        lastStep(),
      ]),
  }

  function lastStepless(): LSTM {
    return new LSTM({ inputSize: 2, hiddenSize: 2, returnSequences: false, bias: false })
  }

  it.each(Object.keys(made))('%s comes back from a folder with the same bits', async (name) => {
    const model = made[name]()
    for (const [parameter, { data }] of parametersOf(model)) if (parameter.includes('bias_hh')) data.fill(0)
    const path = join(folder, `${name.replaceAll(' ', '-')}.tfjs`)
    await saveTfjs(model, path)
    expect(readdirSync(path).sort()).toEqual([...encodeTfjs(model).keys()])
    const again = await loadTfjs(path)
    const x = name.includes('symbols')
      ? tensor(Int32Array.of(3, 0, 1, 0, 5, 5, 2, 0), { shape: [2, 4] })
      : tensor(
          Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
          { shape: [2, 4, 3] },
        )
    expect(run(again, x).data).toEqual(run(model, x).data)
    await saveTfjs(again, path)
    expect(run(await loadTfjs(path), x).data).toEqual(run(model, x).data)
  })

  it('names its tensors as tfjs names its variables', () => {
    const [json] = files([
      new LSTM({ inputSize: 2, hiddenSize: 3, bidirectional: true }),
      ...small()
        .slice(1)
        .map(() => new Linear({ inputSize: 6, outputSize: 1 })),
    ])
    const { weightsManifest } = JSON.parse(new TextDecoder().decode(json))
    expect(weightsManifest[0].weights.map(({ name }: { name: string }) => name)).toEqual([
      ...['kernel', 'recurrent_kernel', 'bias'].map((name) => `bidirectional/forward_lstm/${name}`),
      ...['kernel', 'recurrent_kernel', 'bias'].map((name) => `bidirectional/backward_lstm/${name}`),
      ...['dense/kernel', 'dense/bias'],
    ])
  })

  it.each([
    [
      'a causal convolution',
      new Conv1d({ inputChannels: 2, outputChannels: 2, kernelSize: 2, padding: 'causal' }),
      /TensorFlow.js/,
    ],
    [
      'the hard sigmoid of Keras 3',
      new LSTM({ inputSize: 2, hiddenSize: 2, gateActivation: { kind: 'hardSigmoid', alpha: 1 / 6 } }),
      /alpha 0.16.*TensorFlow.js/,
    ],
    [
      'the exponential',
      new LSTM({
        inputSize: 2,
        hiddenSize: 2,
        cellActivation: 'exponential',
        outputActivation: 'exponential',
      }),
      /no exponential/,
    ],
  ])('with %s is refused', (_, layer, message) => {
    expect(refusal(() => encodeTfjs(new Sequential([layer]))).message).toMatch(message)
  })

  it('whose masked steps are zero is refused', () => {
    const lstm = new LSTM({ inputSize: 2, hiddenSize: 2, bidirectional: true, zeroMasked: true })
    expect(refusal(() => encodeTfjs(new Sequential([new Masking(), lstm]))).message).toContain(
      'expected zeroMasked: false',
    )
  })
})

describe('a hostile folder', () => {
  it.each([
    ['has no format', (json: Json) => Object.assign(json, { modelTopology: undefined }), 'InvalidConfig'],
    ['is a graph', (json: Json) => Object.assign(json, { format: 'graph-model' }), 'UnsupportedModel'],
    ['has no manifest', (json: Json) => Object.assign(json, { weightsManifest: {} }), 'InvalidConfig'],
    [
      'names a shard that is not there',
      (json: Json) => Object.assign(json.weightsManifest[0], { paths: ['no'] }),
      'InvalidConfig',
    ],
    [
      'has paths that are no texts',
      (json: Json) => Object.assign(json.weightsManifest[0], { paths: [7] }),
      'InvalidConfig',
    ],
    [
      'has too few bytes',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { shape: [3, 12] }),
      'Truncated',
    ],
    [
      'has a shape that overflows',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { shape: [2 ** 40, 2 ** 40] }),
      'Truncated',
    ],
    [
      'has a shape of fractions',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { shape: [0.5, 48] }),
      'InvalidConfig',
    ],
    [
      'has texts for numbers',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { dtype: 'string' }),
      'UnsupportedDataType',
    ],
    [
      'has numbers coded otherwise',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { quantization: { dtype: 'int4' } }),
      'UnsupportedDataType',
    ],
    [
      'codes numbers by nothing',
      (json: Json) =>
        Object.assign(json.weightsManifest[0].weights[0], { quantization: { dtype: 'uint8', scale: '1' } }),
      'InvalidConfig',
    ],
    [
      'has tensors of another layer',
      (json: Json) => Object.assign(json.weightsManifest[0].weights[0], { name: 'other/kernel' }),
      'MissingTensor',
    ],
    [
      'has layers that are not lists',
      (json: Json) => Object.assign(json.modelTopology, { config: { layers: { length: 1e9 } } }),
      'InvalidConfig',
    ],
  ])('that %s is refused', (_, change, code) => {
    const [json, shards] = files(small(), change)
    expect(refusal(() => decodeTfjs(json, shards)).code).toBe(code)
  })

  it('with tensors that no layer takes is refused', () => {
    const [json, shards] = files(small(), (each) => {
      layersOf(each).pop()
    })
    expect(refusal(() => decodeTfjs(json, shards)).code).toBe('UnexpectedTensor')
  })

  const original = fixturePath('interop/tfjs_forecaster.tfjs')

  /** A copy whose manifest names another shard. */
  function copyWith(name: string, shard: string): string {
    const path = join(folder, name)
    cpSync(original, path, { recursive: true })
    const json = JSON.parse(readFileSync(join(path, 'model.json'), 'utf8'))
    json.weightsManifest[0].paths = [shard]
    writeFileSync(join(path, 'model.json'), JSON.stringify(json))
    return path
  }

  it.each([
    '../secret.bin',
    'a/../../secret.bin',
    '/etc/passwd',
    '..\\secret.bin',
    'C:\\secret.bin',
    '',
    'a\0b',
  ])('that names the shard %j reads nothing outside', async (shard) => {
    writeFileSync(join(folder, 'secret.bin'), new Uint8Array(3408))
    const path = copyWith(`names-${shard.replace(/\W/g, '_')}`, shard)
    const error = await loadTfjs(path).catch((reason) => reason)
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error.code).toBe('OutsideFolder')
  })

  it('with a link that leads out reads nothing outside, and one that stays inside is followed', async () => {
    writeFileSync(join(folder, 'secret.bin'), new Uint8Array(3408))
    const out = copyWith('link-out', 'shard')
    symlinkSync(join(folder, 'secret.bin'), join(out, 'shard'))
    await expect(loadTfjs(out)).rejects.toMatchObject({ code: 'OutsideFolder' })
    const within = copyWith('link-in', 'shard')
    symlinkSync(join(within, 'group1-shard1of1.bin'), join(within, 'shard'))
    expect((await loadTfjs(within)).config()).toMatchObject({ type: 'Sequential' })
  })

  it('that is no folder, empty, or one whose shard is a folder is refused', async () => {
    await expect(loadTfjs(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
    mkdirSync(join(folder, 'empty'))
    await expect(loadTfjs(join(folder, 'empty'))).rejects.toMatchObject({ code: 'ENOENT' })
    const path = copyWith('shard-is-folder', 'shard')
    mkdirSync(join(path, 'shard'))
    await expect(loadTfjs(path)).rejects.toBeInstanceOf(FileFormatError)
  })
})
