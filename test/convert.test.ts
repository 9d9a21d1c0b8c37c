/** `convert` and `inspect`: from every format to every other, and never half a file. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activation,
  Conv1d,
  Embedding,
  Flatten,
  type Layer,
  Linear,
  LSTM,
  lastStep,
  load,
  MaxPool1d,
  noGrad,
  parametersOf,
  readMetadata,
  Sequential,
  save,
  type Tensor,
  TimeDistributed,
  tensor,
  zeros,
} from 'lstm-native'
import { convert, inspect, type LayerSpecification } from 'lstm-native/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { node, onnxFile, value } from './support/onnx.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-convert-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

interface Stack {
  layers: readonly Layer[]
  x: Tensor
}

const features = (...shape: [number, number, number]) =>
  tensor(
    Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => Math.sin(i)),
    { shape },
  )

const stacks: Record<string, Stack> = {
  forecaster: {
    layers: [
      new LSTM({ inputSize: 3, hiddenSize: 6, numLayers: 2, seed: 1 }),
      lastStep(),
      new Linear({ inputSize: 6, outputSize: 2, seed: 2 }),
    ],
    x: features(2, 9, 3),
  },
  tagger: {
    layers: [
      new Embedding({ vocabularySize: 11, embeddingSize: 5, seed: 1 }),
      new LSTM({ inputSize: 5, hiddenSize: 4, bidirectional: true, seed: 2 }),
      new Linear({ inputSize: 8, outputSize: 3, seed: 3 }),
      activation('softmax'),
    ],
    x: tensor(
      [
        [1, 10, 3, 0],
        [4, 4, 7, 9],
      ],
      { dataType: 'int32' },
    ),
  },
  convolved: {
    layers: [
      new Conv1d({ inputChannels: 3, outputChannels: 5, kernelSize: 3, padding: 'same', seed: 1 }),
      activation('relu'),
      new MaxPool1d({ size: 2 }),
      new LSTM({ inputSize: 5, hiddenSize: 4, seed: 2 }),
      lastStep(),
      new Linear({ inputSize: 4, outputSize: 1, seed: 3 }),
      activation('sigmoid'),
    ],
    x: features(2, 8, 3),
  },
}

const names = Object.keys(stacks)
const endings = ['safetensors', 'pytorch.safetensors', 'keras', 'onnx', 'tfjs']

beforeAll(async () => {
  for (const [name, { layers }] of Object.entries(stacks))
    await save(new Sequential(layers), at(`${name}.own.safetensors`), { metadata: { note: 'kept' } })
})

/** Options for reading what `convert` wrote of a model: a file for PyTorch tells no layers. */
function telling(path: string, model: Sequential) {
  if (!path.endsWith('.pytorch.safetensors')) return {}
  const specification = model.layers.map((layer, i): LayerSpecification => {
    const config = (layer as Layer).config()
    return parametersOf(layer).size > 0 ? ({ prefix: String(i), ...config } as LayerSpecification) : config
  })
  return { specification }
}

function difference(model: Sequential, { layers, x }: Stack): number {
  const [got, expected] = noGrad(() => [model.forward(x), new Sequential(layers).forward(x)])
  expect(got.shape).toEqual(expected.shape)
  return Math.max(...got.data.map((n, i) => Math.abs(n - expected.data[i])))
}

describe.each(names)('the %s', (name) => {
  const stack = stacks[name]

  it.each(endings)('goes to .%s and on to each of the others', async (ending) => {
    const there = at(`${name}.${ending}`)
    await convert(at(`${name}.own.safetensors`), there)
    // Formats may have other layers for the same: an option in place of a LastStep, layers one by one.
    const first = await readBack(there, new Sequential(stack.layers))
    for (const other of endings) {
      const next = at(`${name}.${ending}.to.${other}`)
      await convert(there, next, telling(there, new Sequential(stack.layers)))
      // One rounding where two biases become one, and sums in another order behind it.
      expect(difference(await readBack(next, first), stack), `${ending} to ${other}`).toBeLessThan(1e-6)
    }
  })
})

/** A file of any format as a model, by way of one of this package. @param written what was written there */
async function readBack(path: string, written: Sequential): Promise<Sequential> {
  await convert(path, `${path}.back.safetensors`, telling(path, written))
  return (await load(`${path}.back.safetensors`)) as Sequential
}

describe('convert', () => {
  it('keeps every bit and the texts between files of this package', async () => {
    await convert(at('tagger.own.safetensors'), at('copy.safetensors'))
    expect(readFileSync(at('copy.safetensors'))).toEqual(readFileSync(at('tagger.own.safetensors')))
    expect((await readMetadata(at('copy.safetensors'))).get('note')).toBe('kept')
  })

  it.each(['there.onnx', 'there.tfjs'])('replaces %s with force only', async (name) => {
    await convert(at('forecaster.own.safetensors'), at(name))
    const again = () => convert(at('tagger.own.safetensors'), at(name))
    await expect(again()).rejects.toMatchObject({ code: 'FileExists', path: at(name) })
    await convert(at('tagger.own.safetensors'), at(name), { force: true })
    const { tagger } = stacks
    const model = await readBack(at(name), new Sequential(tagger.layers))
    expect(difference(model, tagger)).toBeLessThan(1e-6)
  })

  it('writes nothing for a model that the other format has nothing for, and leaves what is there', async () => {
    const model = new Sequential([new LSTM({ inputSize: 2, hiddenSize: 3, layerNorm: true })])
    await save(model, at('odd.safetensors'))
    for (const ending of ['pytorch.safetensors', 'keras', 'weights.h5', 'tfjs']) {
      const path = at(`kept.${ending}`)
      const before = readdirSync(folder)
      await expect(convert(at('odd.safetensors'), path)).rejects.toMatchObject({ name: 'FileFormatError' })
      expect(readdirSync(folder)).toEqual(before)
      if (ending === 'tfjs') continue
      writeFileSync(path, 'as it was')
      await expect(convert(at('odd.safetensors'), path, { force: true })).rejects.toThrow()
      expect(readFileSync(path, 'utf8')).toBe('as it was')
      rmSync(path)
    }
  })

  it('writes what only ONNX has among the other formats, and has it back', async () => {
    const layers = [new LSTM({ inputSize: 2, hiddenSize: 3, layerNorm: true, projectionSize: 2, seed: 3 })]
    await save(new Sequential(layers), at('scanned.own.safetensors'))
    await convert(at('scanned.own.safetensors'), at('scanned.onnx'))
    await convert(at('scanned.onnx'), at('scanned.safetensors'))
    const back = (await load(at('scanned.safetensors'))) as Sequential
    expect(difference(back, { layers, x: features(3, 4, 2) })).toBe(0)
  })

  it('fills .weights.h5 into the layers of a specification', async () => {
    const { layers, x } = stacks.forecaster
    const path = at('forecaster.weights.h5')
    await convert(at('forecaster.own.safetensors'), path)
    await expect(convert(path, at('filled.safetensors'))).rejects.toMatchObject({ code: 'NoConfig' })
    const specification = layers.map((layer) => layer.config())
    await convert(path, at('filled.safetensors'), { specification })
    const model = (await load(at('filled.safetensors'))) as Sequential
    expect(difference(model, { layers, x })).toBeLessThan(1e-6)
  })

  it('tells Keras and TensorFlow.js the steps that Flatten needs', async () => {
    const layers = [new Flatten(), new Linear({ inputSize: 12, outputSize: 2, seed: 1 })]
    const first = new Conv1d({ inputChannels: 2, outputChannels: 4, kernelSize: 2, seed: 2 })
    const stack = { layers: [first, ...layers], x: features(3, 4, 2) }
    const own = at('flattened.own.safetensors')
    await save(new Sequential(stack.layers), own)
    for (const ending of ['keras', 'tfjs']) {
      const path = at(`flattened.${ending}`)
      await expect(convert(own, path)).rejects.toMatchObject({ code: 'UnsupportedLayer' })
      await convert(own, path, { steps: 4 })
      expect(difference(await readBack(path, new Sequential(stack.layers)), stack)).toBeLessThan(1e-6)
    }
    await expect(convert(own, at('flattened.onnx'), { steps: 4 })).rejects.toThrow('got them for')
  })

  it('refuses what it cannot read or write, with a type and the fix', async () => {
    const own = at('forecaster.own.safetensors')
    const codes: [from: string, to: string, code: string, options?: object][] = [
      [own, at('model.h5'), 'UnknownFormat'],
      [own, at('model'), 'UnknownFormat'],
      [own, at('no/model.onnx'), 'ENOENT'],
      [at('none.onnx'), at('a.keras'), 'ENOENT'],
      [own, at('b.keras'), 'NeedlessSpecification', { specification: [] }],
    ]
    writeFileSync(at('model.pt'), Uint8Array.of(0x80, 2, 0x7d))
    writeFileSync(at('text.txt'), 'no model')
    codes.push([at('model.pt'), at('c.keras'), 'Pickle'], [at('text.txt'), at('d.keras'), 'UnknownFormat'])
    for (const [from, to, code, options] of codes) {
      const source = code === 'NeedlessSpecification' ? at('forecaster.onnx') : from
      await expect(convert(source, to, options), `${from} to ${to}`).rejects.toMatchObject({ code })
      expect(existsSync(to)).toBe(false)
    }
    const misspelt = convert(own, at('e.keras'), { fource: true } as object)
    await expect(misspelt).rejects.toThrow('did you mean "force"')
  })

  it('tells of an ONNX graph that is no stack which node is in the way', async () => {
    const nodes = [node('Tanh', ['x'], ['a']), node('Add', ['a', 'x'], ['y'])]
    writeFileSync(
      at('branched.onnx'),
      onnxFile({ nodes, inputs: [value('x', ['B', 'T', 3])], outputs: [value('y', ['B', 'T', 3])] }),
    )
    await expect(convert(at('branched.onnx'), at('f.keras'))).rejects.toMatchObject({ code: 'NoStack' })
    const { layers, problem } = await inspect(at('branched.onnx'))
    expect(layers.map(({ kind }) => kind)).toEqual(['Tanh', 'Add'])
    expect(problem).toContain('Add')
  })
})

describe('inspect', () => {
  it.each(endings)('shows the layers of .%s with their numbers', async (ending) => {
    const { layers, parameters, tensors, inputs, outputs, format } = await inspect(at(`forecaster.${ending}`))
    expect(layers[0].kind).toMatch(/^LSTM 3 → 6/)
    expect(layers.at(-1)!.kind).toMatch(/^Linear 6 → 2/)
    expect(layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters)
    const isKeras = ending === 'keras' || ending === 'tfjs'
    // 4·6·(3 + 6) and 4·6·(6 + 6) weights, two biases of 24 (Keras: one), and the head.
    expect(parameters).toBe(216 + 288 + (isKeras ? 2 : 4) * 24 + 14)
    expect(tensors.reduce((sum, each) => sum + each.bytes, 0)).toBeGreaterThanOrEqual(4 * parameters)
    expect(format).not.toBe('')
    if (ending === 'pytorch.safetensors') return
    expect([inputs[0].dataType, inputs[0].shape?.at(-1)]).toEqual(['float32', 3])
    expect(outputs[0].shape?.at(-1)).toBe(2)
  })

  it('proposes the layers of a state_dict', async () => {
    const { proposal } = await inspect(at('tagger.pytorch.safetensors'))
    expect(proposal!.specification).toEqual([{ prefix: '0', type: 'Embedding' }, '1', '2'])
  })

  it('lists the tensors of .weights.h5, and says that the layers are missing', async () => {
    const { tensors, problem } = await inspect(at('forecaster.weights.h5'))
    expect(tensors.map(({ shape }) => shape)).toContainEqual([3, 24])
    expect(problem).toContain('without the model')
  })

  const wide = { inputSize: 3, hiddenSize: 4, bidirectional: true } as const
  it.each<[name: string, layers: readonly Layer[], untold?: string]>([
    ['two directions', [new LSTM(wide)]],
    ['their sum at the end', [new LSTM({ ...wide, merge: 'sum', returnSequences: false })]],
    ['a projection', [new LSTM({ ...wide, projectionSize: 2 })]],
    ['a layer at every step', [new TimeDistributed(new Linear({ inputSize: 3, outputSize: 5 }))]],
    ['no steps at all', [new Linear({ inputSize: 3, outputSize: 5 }), activation('relu')]],
    ['fewer steps', [new Conv1d({ inputChannels: 3, outputChannels: 4, kernelSize: 3 })], "T'"],
    ['steps joined', [new LSTM({ inputSize: 3, hiddenSize: 4 }), new Flatten()], 'T·4'],
    ...names.map((name): [string, readonly Layer[]] => [name, stacks[name].layers]),
  ])('tells the shapes that go in and come out: %s', async (_, layers, untold) => {
    const model = new Sequential(layers)
    await save(model, at('ports.safetensors'))
    const { inputs, outputs } = await inspect(at('ports.safetensors'))
    const sized = (n: number | string | null) => (n === 'B' ? 2 : n === 'T' ? 8 : n)
    const dataType = inputs[0].dataType as 'int32' | 'float32'
    const y = noGrad(() => model.forward(zeros(inputs[0].shape!.map(sized) as number[], { dataType })))
    const told = outputs[0].shape!.map(sized)
    expect(told.find((n) => typeof n === 'string')).toBe(untold)
    expect(told).toEqual(y.shape.map((n, axis) => (told[axis] === untold ? untold : n)))
  })
})
