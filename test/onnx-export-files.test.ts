/** ONNX files that are written: what they say of themselves, where weights lie, what is refused, and what comes back of changed ones. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeOnnx, encodeOnnx, loadOnnx, saveOnnx } from '../lib/formats/onnx/index.ts'
import { type ModelProto, modelType } from '../lib/formats/onnx/schema.ts'
import {
  Dropout,
  LastStep,
  Layer,
  type LayerConfig,
  Linear,
  LSTM,
  MultiHeadAttention,
  parametersOf,
  Reverse,
  Sequential,
  type Tensor,
  TimeDistributed,
  tensor,
} from '../lib/index.ts'
import { withoutInitialValues } from '../lib/layers/initialisation.ts'

const folder = mkdtempSync(join(tmpdir(), 'onnx-export-'))
afterAll(() => rmSync(folder, { recursive: true }))

const lstm = () => new LSTM({ inputSize: 3, hiddenSize: 4, seed: 1 })
const forecaster = () =>
  new Sequential([
    lstm(),
    new LastStep(),
    new Dropout(),
    new Linear({ inputSize: 4, outputSize: 2, seed: 2 }),
  ])
const x = tensor(
  Float32Array.from({ length: 2 * 5 * 3 }, (_, i) => Math.sin(i)),
  { shape: [2, 5, 3] },
)

class Own extends Layer {
  override forward(each: Tensor): Tensor {
    return each
  }
  override config(): LayerConfig {
    return { type: 'Own' }
  }
}

function change(bytes: Uint8Array, edit: (proto: ModelProto) => void): Uint8Array {
  const proto = modelType.decode(bytes)
  edit(proto as unknown as ModelProto)
  return modelType.encode(proto).finish()
}

describe('the file', () => {
  const graph = decodeOnnx(encodeOnnx(forecaster()))

  it('has operator set 17, the package as producer, and the configuration', () => {
    const proto = modelType.decode(encodeOnnx(forecaster())) as unknown as ModelProto
    expect(Number(proto.irVersion)).toBe(8)
    expect(graph.opset).toBe(17)
    expect(graph.producer).toMatch(/^lstm-native \d+[.]\d+[.]\d+/)
    expect(JSON.parse(graph.metadata.get('lstm_native.config')!).model.layers).toHaveLength(4)
  })

  it('has symbolic B and T, and lengths and states that may be left out', () => {
    expect(
      graph.inputs.map(({ name, dataType, shape, optional }) => [name, dataType, shape, optional]),
    ).toEqual([
      ['x', 'float32', ['B', 'T', 3], false],
      ['0.h0', 'float32', [1, 'B', 4], true],
      ['0.c0', 'float32', [1, 'B', 4], true],
      ['lengths', 'int32', ['B'], true],
    ])
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['y', ['B', 2]],
      ['0.hn', [1, 'B', 4]],
      ['0.cn', [1, 'B', 4]],
    ])
  })

  it('names the states of a single LSTM without a path', () => {
    const { inputs, outputs } = decodeOnnx(encodeOnnx(lstm()))
    expect(inputs.map(({ name }) => name)).toEqual(['x', 'h0', 'c0', 'lengths'])
    expect(outputs.map(({ name }) => name)).toEqual(['y', 'hn', 'cn'])
  })

  it('requires every input with optionalInputs: false, and takes for them what they default to', () => {
    const strict = decodeOnnx(encodeOnnx(forecaster(), { optionalInputs: false }))
    expect(strict.inputs.some(({ optional }) => optional)).toBe(false)
    const state = tensor(new Float32Array(8), { shape: [1, 2, 4] })
    const outputs = strict.run({ x, '0.h0': state, '0.c0': state, lengths: tensor(Int32Array.of(-1, -1)) })
    expect(outputs.get('y')!.toArray()).toEqual(graph.run({ x }).get('y')!.toArray())
  })

  it('takes a negative length for all steps', () => {
    const mixed = graph.run({ x, lengths: tensor(Int32Array.of(-1, 2)) }).get('y')!
    const explicit = graph.run({ x, lengths: tensor(Int32Array.of(5, 2)) }).get('y')!
    expect(mixed.toArray()).toEqual(explicit.toArray())
  })

  it('has no inputs for what no layer reads', () => {
    const { inputs } = decodeOnnx(encodeOnnx(new Sequential([new Linear({ inputSize: 3, outputSize: 2 })])))
    expect(inputs.map(({ name, shape }) => [name, shape])).toEqual([['x', ['B', 3]]])
    const inner = decodeOnnx(encodeOnnx(new TimeDistributed(new Sequential([lstm(), new LastStep()]))))
    expect(inner.inputs.map(({ name, shape }) => [name, shape])).toEqual([['x', ['B', 'T', 'N1', 3]]])
  })
})

describe('saveOnnx', () => {
  it('writes a file that loadOnnx reads', async () => {
    const path = join(folder, 'model.onnx')
    await saveOnnx(forecaster(), path)
    const bytes = encodeOnnx(forecaster())
    expect(bytes.constructor).toBe(Uint8Array)
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes)
    expect(((await loadOnnx(path)).toModel().forward(x) as Tensor).toArray()).toEqual(
      forecaster().forward(x).toArray(),
    )
  })

  it('writes the weights into a file beside the model, aligned, if asked to', async () => {
    const path = join(folder, 'external.onnx')
    await saveOnnx(forecaster(), path, { external: true })
    const proto = modelType.decode(readFileSync(path)) as unknown as ModelProto
    const offsets = proto.graph!.initializer.flatMap(({ externalData }) =>
      externalData.filter(({ key }) => key === 'offset').map(({ value }) => Number(value)),
    )
    expect(offsets.length).toBe(5)
    expect(offsets.every((offset) => offset % 64 === 0)).toBe(true)
    expect(statSync(`${path}.data`).size).toBeGreaterThanOrEqual(4 * (4 * 16 + 3 * 16 + 32 + 8 + 2))
    const back = (await loadOnnx(path)).toModel()
    const expected = parametersOf(forecaster())
    for (const [name, { array }] of parametersOf(back)) expect(array).toEqual(expected.get(name)!.array)
    expect(back.config()).toEqual(forecaster().config())
  })

  it('refuses more than protocol buffers hold, naming the fix', async () => {
    const large = withoutInitialValues(() => new Linear({ inputSize: 2 ** 15, outputSize: 2 ** 14 }))
    const path = join(folder, 'large.onnx')
    const error = expect.objectContaining({ name: 'FileFormatError', code: 'TooLarge' })
    expect(() => encodeOnnx(large)).toThrow(error)
    await expect(saveOnnx(large, path, { external: false })).rejects.toThrow(
      /large[.]onnx: expected weights of at most 2130706432 bytes, got 2147549184; saveOnnx[(]model, path, [{] external: true [}][)]/,
    )
    expect(existsSync(path)).toBe(false)
  })

  it('leaves nothing behind where it fails', async () => {
    const before = readdirSync(folder)
    await expect(saveOnnx(forecaster(), join(folder, 'none', 'a.onnx'))).rejects.toThrow(
      expect.objectContaining({ name: 'FileFormatError', code: 'ENOENT' }),
    )
    await expect(saveOnnx(new Own(), join(folder, 'b.onnx'))).rejects.toThrow(/writes no operators for it/)
    expect(readdirSync(folder)).toEqual(before)
  })

  it('refuses unknown options and models', async () => {
    const path = join(folder, 'c.onnx')
    await expect(saveOnnx(forecaster(), path, { extern: true } as object)).rejects.toThrow(
      'saveOnnx: unknown option "extern"; did you mean "external"?',
    )
    const foreign = { forward: (each: Tensor) => each }
    expect(() => encodeOnnx(new Sequential([lstm(), foreign]))).toThrow(
      'saveOnnx: expected layers of the package, got Object at "1"',
    )
    const mixed = new Sequential([lstm(), new Linear({ inputSize: 4, outputSize: 1, dataType: 'float64' })])
    expect(() => encodeOnnx(mixed)).toThrow('parameters of one data type')
  })
})

describe('a layer of another kind', () => {
  it('is refused with its place and a way out', () => {
    const model = new Sequential([new Reverse(), new Sequential([new Own()])])
    expect(() => encodeOnnx(model)).toThrow(
      expect.objectContaining({ name: 'FileFormatError', code: 'UnsupportedLayer', tensor: '1.0' }),
    )
    expect(() => encodeOnnx(model)).toThrow(
      /^ONNX cannot have layer "1[.]0" [(]Own[)]: this package writes no operators for it; save[(]model, path[)] keeps it/,
    )
  })

  it('is refused where it reads keys and values of another sequence', () => {
    const attention = new MultiHeadAttention({ embedSize: 4, heads: 2, keySize: 3 })
    expect(() => encodeOnnx(new Sequential([attention]))).toThrow(
      /^ONNX cannot have layer "0" [(]MultiHeadAttention[)]: its keys and values come from another sequence/,
    )
  })
})

describe('toModel of a file that was changed', () => {
  const bytes = encodeOnnx(forecaster())

  it('reads the graph where that is no longer what the metadata say', () => {
    const changed = change(bytes, ({ graph }) => {
      const gemm = graph!.node.find(({ opType }) => opType === 'Gemm')!
      gemm.input.pop()
    })
    expect(() => decodeOnnx(changed).toModel()).toThrow(
      expect.objectContaining({ name: 'FileFormatError', code: 'NoStack' }),
    )
    const renamed = change(encodeOnnx(new Linear({ inputSize: 3, outputSize: 2, seed: 3 })), ({ graph }) => {
      graph!.initializer[0].name = 'W'
      graph!.node[0].input[1] = 'W'
    })
    const { weight } = decodeOnnx(renamed).toModel().layers[0] as Linear
    expect(weight.array).toEqual(new Linear({ inputSize: 3, outputSize: 2, seed: 3 }).weight.array)
  })

  it('takes a changed weight', () => {
    const changed = change(bytes, ({ graph }) => {
      const bias = graph!.initializer.find(({ name }) => name === '3.bias')!
      bias.rawData = new Uint8Array(Float32Array.of(5, 6).buffer)
    })
    expect([...parametersOf(decodeOnnx(changed).toModel()).get('3.bias')!.array]).toEqual([5, 6])
  })

  it.each([
    [
      'more parameters than the file',
      { type: 'LSTM', inputSize: 1e6, hiddenSize: 1e6 },
      'InvalidConfig',
      /more parameters/,
    ],
    [
      'layers without end',
      { type: 'LSTM', inputSize: 1, hiddenSize: 1, numLayers: 1e9 },
      'InvalidConfig',
      /more parameters/,
    ],
    [
      'more nodes than the file',
      { type: 'LSTM', inputSize: 1, hiddenSize: 1, numLayers: 8 },
      'InvalidConfig',
      /more nodes/,
    ],
    ['an unknown layer', { type: 'GRU' }, 'InvalidConfig', /unknown layer type "GRU"/],
    ['nothing', null, 'InvalidConfig', /cannot be built/],
  ])('refuses metadata that ask for %s', (_, model, code, message) => {
    const changed = change(bytes, ({ metadataProps }) => {
      metadataProps[0].value = JSON.stringify({ version: 1, model })
    })
    expect(() => decodeOnnx(changed).toModel()).toThrow(
      expect.objectContaining({ name: 'FileFormatError', code }),
    )
    expect(() => decodeOnnx(changed).toModel()).toThrow(message)
  })

  it('refuses metadata of another version, or that are no JSON', () => {
    const told = (value: string) => () =>
      decodeOnnx(
        change(bytes, ({ metadataProps }) => {
          metadataProps[0].value = value
        }),
      ).toModel()
    expect(told('{"version":2}')).toThrow(expect.objectContaining({ code: 'UnsupportedVersion' }))
    expect(told('null')).toThrow(expect.objectContaining({ code: 'UnsupportedVersion' }))
    expect(told('{')).toThrow(expect.objectContaining({ code: 'InvalidConfig' }))
  })
})
