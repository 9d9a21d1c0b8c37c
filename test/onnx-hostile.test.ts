/** ONNX files from strangers: every fault is a FileFormatError that names it, at once and without much memory. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeOnnx, loadOnnx } from '../lib/formats/onnx/index.ts'
import { FileFormatError, tensor } from '../lib/index.ts'
import { cpuMilliseconds } from './support/cpu.ts'
import { type GraphOptions, integers, node, onnxFile, value, weights } from './support/onnx.ts'

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url))

/** The error that reading a model gives: anything but a FileFormatError fails the test. */
function refusal(bytes: Uint8Array): FileFormatError {
  const begin = process.cpuUsage()
  try {
    decodeOnnx(bytes, { path: 'a.onnx' })
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError)
    expect((error as FileFormatError).message).toMatch(/^a\.onnx: /)
    expect(cpuMilliseconds(begin)).toBeLessThan(1000)
    return error as FileFormatError
  }
  throw new Error('the file was accepted')
}

function graph(options: Partial<GraphOptions>): Uint8Array {
  return onnxFile({ nodes: [node('Relu', ['x'], ['y'])], inputs: [value('x', [2])], ...options })
}

/** A field of bytes on the wire. */
function field(number: number, body: Uint8Array): Buffer {
  const head = [(number << 3) | 2]
  let n = body.length
  for (; n > 127; n = Math.floor(n / 128)) head.push((n & 127) | 128)
  return Buffer.concat([Buffer.from([...head, n]), body])
}

describe('bytes', () => {
  const whole = fixture('interop/op_forward.onnx')

  /** Whatever a damaged file is: an error of ours, or a model that runs or fails with one. */
  function survive(bytes: Uint8Array): void {
    try {
      const model = decodeOnnx(bytes)
      const feeds = model.inputs.map(({ name, shape }) => {
        const sizes = (shape ?? []).map((n) => (typeof n === 'number' ? n : 2))
        const length = sizes.reduce((a, b) => a * b, 1)
        return [
          name,
          tensor(new Float32Array(length > 1e6 ? 0 : length), { shape: length > 1e6 ? [0] : sizes }),
        ] as const
      })
      model.run(new Map(feeds))
    } catch (error) {
      const isMisuse = error instanceof Error && error.message.startsWith('OnnxModel.run')
      if (!(error instanceof FileFormatError) && !isMisuse) throw error
    }
  }

  it('that end too early are refused, wherever they end', () => {
    for (let end = 0; end < whole.length; end++) survive(whole.subarray(0, end))
    expect(refusal(whole.subarray(0, 700)).code).toBe('InvalidProtobuf')
    expect(refusal(new Uint8Array()).code).toBe('InvalidGraph')
    expect(refusal(Buffer.from('not a model at all')).code).toBe('InvalidProtobuf')
  })

  it('of which one is wrong give a typed error or another model', () => {
    for (let i = 0; i < whole.length; i++) {
      for (const flip of [1, 128, 255]) {
        const bytes = Uint8Array.from(whole)
        bytes[i] ^= flip
        survive(bytes)
      }
    }
  })

  it('that stand for millions of nodes, names or sizes are refused before these are made', () => {
    const many = (body: Uint8Array, times: number) => Buffer.alloc(body.length * times, body)
    const before = process.memoryUsage.rss()
    const empty = field(1, new Uint8Array())
    expect(refusal(field(7, many(empty, 5_000_000))).code).toBe('TooManyFields')
    expect(refusal(field(7, field(1, many(field(1, Buffer.from('a')), 3_000_000)))).code).toBe(
      'TooManyFields',
    )
    expect(refusal(field(7, field(5, field(1, Buffer.alloc(10_000_000, 1))))).code).toBe('TooManyFields')
    expect(process.memoryUsage.rss() - before).toBeLessThan(3 * 10e6 + 64e6)
  })

  it('that nest without end are refused', () => {
    let type: Uint8Array = new Uint8Array()
    for (let i = 0; i < 40; i++) type = field(7, field(5, type))
    expect(() => decodeOnnx(type)).toThrow(FileFormatError)
    const groups = Buffer.alloc(100_000, 0xfb)
    expect(refusal(groups).code).toBe('InvalidProtobuf')
  })
})

describe('a graph', () => {
  it.each([
    ['without outputs', graph({ outputs: [] }), 'InvalidGraph', 'the graph has no outputs'],
    [
      'whose output nothing makes',
      graph({ outputs: ['z'] }),
      'InvalidGraph',
      'the graph reads "z", which nothing defines',
    ],
    [
      'that reads what nothing makes',
      graph({ nodes: [node('Relu', ['q'], ['y'])] }),
      'InvalidGraph',
      'reads "q"',
    ],
    [
      'that runs in a circle',
      graph({
        nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])],
      }),
      'Cycle',
      'depends on its own output',
    ],
    [
      'that feeds on itself',
      graph({ nodes: [node('Add', ['x', 'y'], ['y'])] }),
      'Cycle',
      'depends on its own output',
    ],
    [
      'that makes a value twice',
      graph({ nodes: [node('Relu', ['x'], ['y']), node('Tanh', ['x'], ['y'])] }),
      'DuplicateName',
      '"y" is defined twice',
    ],
    [
      'that makes its own input',
      graph({ nodes: [node('Relu', ['x'], ['x'])], outputs: ['x'] }),
      'DuplicateName',
      '"x" is defined twice',
    ],
    [
      'with an input twice',
      graph({ inputs: [value('x', [2]), value('x', [2])] }),
      'DuplicateName',
      'the input "x" is defined twice',
    ],
    [
      'with an unknown operator',
      graph({ nodes: [node('GRU', ['x'], ['y'])] }),
      'UnsupportedOperator',
      'node "the GRU" (GRU, opset 17): the operator GRU is not supported; supported, of the default domain: Abs, Add',
    ],
    [
      'with an operator of another domain',
      graph({ nodes: [{ ...node('Relu', ['x'], ['y']), domain: 'com.microsoft' }] }),
      'UnsupportedOperator',
      'the operator Relu of the domain "com.microsoft" is not supported',
    ],
    [
      'with an unknown attribute',
      graph({ nodes: [node('Relu', ['x'], ['y'], { alpha: 1 })] }),
      'UnsupportedAttribute',
      'attribute "alpha" is not supported; supported: none',
    ],
    [
      'with an attribute named as what objects have',
      graph({ nodes: [node('LSTM', ['x', 'x', 'x'], ['y'], { constructor: 1 })] }),
      'UnsupportedAttribute',
      'attribute "constructor" is not supported',
    ],
    [
      'with an attribute of a wrong type',
      graph({ nodes: [node('Transpose', ['x'], ['y'], { perm: 'x' })] }),
      'InvalidNode',
      'attribute "perm": expected the type ints',
    ],
    [
      'with too few inputs of a node',
      graph({ nodes: [node('Add', ['x'], ['y'])] }),
      'InvalidNode',
      'expected from 2 to 2 inputs, got 1',
    ],
    ['of an opset to come', graph({ opset: 99 }), 'UnsupportedOpset', 'expected an opset from 1 to 28'],
    [
      'with a subgraph',
      graph({ nodes: [node('If', ['x'], ['y'])] }),
      'UnsupportedOperator',
      'the operator If is not supported',
    ],
    [
      'with an input that is no tensor',
      graph({ inputs: [{ name: 'x' }] }),
      'UnsupportedType',
      'input "x": expected a tensor',
    ],
    [
      'with texts',
      graph({ inputs: [{ name: 'x', type: { tensorType: { elemType: 8 } } }] }),
      'UnsupportedType',
      'data type 8 is not supported; supported: float32 (1)',
    ],
    [
      'with sparse weights',
      Buffer.concat([graph({}), field(7, field(15, Buffer.alloc(2)))]),
      'UnsupportedType',
      'sparse initializers are not supported',
    ],
  ] as const)('%s is refused', (_, bytes, code, message) => {
    const error = refusal(bytes)
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)])
  })

  it('takes names that objects have for names', () => {
    const names = ['__proto__', 'constructor', 'toString']
    const bytes = onnxFile({
      nodes: [node('Relu', ['__proto__'], ['constructor']), node('Neg', ['constructor'], ['toString'])],
      inputs: [value('__proto__', [1])],
      outputs: ['toString'],
    })
    const model = decodeOnnx(bytes)
    expect(model.inputs.map(({ name }) => name)).toEqual(names.slice(0, 1))
    expect(
      model
        .run(new Map([['__proto__', tensor([3])]]))
        .get('toString')!
        .item(),
    ).toBe(-3)
  })

  it('of many nodes, in no order, is read at once', () => {
    const nodes = Array.from({ length: 10_000 }, (_, i) =>
      node('Relu', [i === 0 ? 'x' : `v${i}`], [`v${i + 1}`]),
    )
    const model = decodeOnnx(graph({ nodes: nodes.reverse(), outputs: ['v10000'] }))
    expect(
      model
        .run({ x: tensor([-1, 2]) })
        .get('v10000')!
        .toArray(),
    ).toEqual([0, 2])
  })
})

describe('a tensor', () => {
  const withTensor = (initializer: object) =>
    graph({ nodes: [node('Identity', ['w'], ['y'])], initializers: [initializer] })
  const huge = { name: 'w', dataType: 1, rawData: new Uint8Array(4) }

  it.each([
    [
      'shorter than its shape',
      { ...huge, dims: [3] },
      'InvalidTensor',
      'expected 12 bytes for float32 [3], got 4',
    ],
    [
      'longer than its shape',
      { ...huge, dims: [], rawData: new Uint8Array(8) },
      'InvalidTensor',
      'expected 4 bytes',
    ],
    [
      'of 2^80 elements',
      { ...huge, dims: [2 ** 40, 2 ** 40] },
      'InvalidTensor',
      'expected dimensions whose product is a length',
    ],
    ['of a negative size', { ...huge, dims: [-1] }, 'InvalidTensor', 'expected dimensions'],
    [
      'with sizes that wrap around to its length',
      { ...huge, dims: [2 ** 32 + 1, 2 ** 32] },
      'InvalidTensor',
      'expected dimensions',
    ],
    [
      'of a billion axes',
      { ...huge, dims: Array(100).fill(1) },
      'TooLarge',
      'expected at most 64 axes, got 100',
    ],
    ['of strings', { ...huge, dataType: 8, dims: [1] }, 'UnsupportedType', 'data type 8 is not supported'],
    [
      'of numbers that are not there',
      { name: 'w', dataType: 7, dims: [1e12], int64Data: [Buffer.from([1])] },
      'InvalidTensor',
      'expected 1000000000000 numbers, got at most 1',
    ],
    [
      'of more numbers than it says',
      { name: 'w', dataType: 7, dims: [1], int64Data: [Buffer.from([1, 2])] },
      'InvalidTensor',
      'expected 1 numbers, got more',
    ],
    [
      'that ends within a number',
      { name: 'w', dataType: 7, dims: [1], int64Data: [Buffer.from([0x80])] },
      'InvalidTensor',
      'end in the middle of one',
    ],
    [
      'of small numbers in many bytes',
      { name: 'w', dataType: 7, dims: [2e7], int64Data: [Buffer.alloc(2e7)] },
      'TooLarge',
      'more than the limit',
    ],
  ] as const)('%s is refused', (_, initializer, code, message) => {
    const error = refusal(withTensor(initializer))
    expect([error.code, error.tensor, error.message]).toEqual([
      code,
      code === 'UnsupportedType' ? undefined : 'w',
      expect.stringContaining(message),
    ])
  })

  it('is not made while loading if it is huge, nor while running', () => {
    const bombs: [string, object[], object[]][] = [
      ['ConstantOfShape', [node('ConstantOfShape', ['n'], ['y'])], [integers('n', [1e6, 1e6])]],
      ['Expand', [node('Expand', ['w', 'n'], ['y'])], [integers('n', [1e12]), weights('w', [1], [1])]],
      ['Tile', [node('Tile', ['w', 'n'], ['y'])], [integers('n', [1e12]), weights('w', [1], [1])]],
      [
        'Range',
        [node('Range', ['a', 'n', 'b'], ['y'])],
        [integers('a', [0], []), integers('n', [1e12], []), integers('b', [1], [])],
      ],
      ['Pad', [node('Pad', ['w', 'n'], ['y'])], [integers('n', [0, 1e12]), weights('w', [1], [1])]],
    ]
    for (const [name, nodes, initializers] of bombs) {
      const model = decodeOnnx(graph({ nodes, initializers, inputs: [] }))
      expect(() => model.run({}), name).toThrow(
        expect.objectContaining({ name: 'FileFormatError', code: 'TooLarge' }),
      )
    }
  })

  it('that is read over and over while constants are folded is not', () => {
    const begin = process.cpuUsage()
    const nodes = Array.from({ length: 5000 }, (_, i) => node('ReduceMax', ['w'], [`v${i}`], { keepdims: 0 }))
    const sum = node(
      'Sum',
      Array.from(nodes, (_, i) => `v${i}`),
      ['y'],
    )
    const w = weights('w', [1e6], new Array(1e6).fill(0))
    expect(decodeOnnx(graph({ nodes: [...nodes, sum], initializers: [w], inputs: [] })).nodes.length).toBe(
      5001,
    )
    expect(cpuMilliseconds(begin)).toBeLessThan(1000)
  })

  it('that grows step by step while constants are folded stops growing', () => {
    const begin = process.cpuUsage()
    const nodes = Array.from({ length: 60 }, (_, i) =>
      node('Concat', [`v${i}`, `v${i}`], [`v${i + 1}`], { axis: 0 }),
    )
    const model = decodeOnnx(
      graph({ nodes, initializers: [weights('v0', [1], [1])], outputs: ['v60'], inputs: [] }),
    )
    expect(cpuMilliseconds(begin)).toBeLessThan(1000)
    expect(() => model.run({})).toThrow(/more than the limit/)
  })
})

describe('a function', () => {
  const call = (opType: string, input: string, output: string) => ({
    ...node(opType, [input], [output]),
    domain: 'own',
  })
  const define = (name: string, nodes: readonly object[]) => ({
    name,
    domain: 'own',
    input: ['a'],
    output: ['b'],
    node: nodes,
    opsetImport: [{ domain: '', version: 17 }],
  })

  it('that calls itself is refused', () => {
    const bytes = graph({ nodes: [call('F', 'x', 'y')], functions: [define('F', [call('F', 'a', 'b')])] })
    expect(refusal(bytes).code).toBe('TooDeep')
  })

  it('that doubles what it calls, level by level, is refused', () => {
    const levels = Array.from({ length: 15 }, (_, i) =>
      define(
        `F${i}`,
        Array.from({ length: 10 }, (_, k) =>
          call(`F${i + 1}`, k ? `v${k - 1}` : 'a', k === 9 ? 'b' : `v${k}`),
        ),
      ),
    )
    const bytes = graph({
      nodes: [call('F0', 'x', 'y')],
      functions: [...levels, define('F15', [node('Relu', ['a'], ['b'])])],
    })
    expect(refusal(bytes).code).toBe('TooManyNodes')
  })
})

describe('external data', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
  const models = join(folder, 'models')
  mkdirSync(join(models, 'weights'), { recursive: true })
  afterAll(() => rmSync(folder, { recursive: true }))
  const numbers = Float32Array.of(1, 2)
  for (const path of ['secret', 'models/beside', 'models/weights/inside'])
    writeFileSync(join(folder, path), numbers)
  symlinkSync(join(folder, 'secret'), join(models, 'link'))
  symlinkSync(folder, join(models, 'up'))
  symlinkSync(join(models, 'beside'), join(models, 'alias'))

  const tensorAt = (name: string, entries: Record<string, string | number>, dims = [2]) => ({
    name,
    dims,
    dataType: 1,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, each]) => ({ key, value: String(each) })),
  })
  const file = (...initializers: object[]) => graph({ nodes: [node('Add', ['x', 'w'], ['y'])], initializers })

  async function open(entries: Record<string, string | number>, dims?: number[]) {
    const path = join(models, 'model.onnx')
    writeFileSync(path, file(tensorAt('w', entries, dims)))
    return (await loadOnnx(path))
      .run({ x: tensor([0, 0]) })
      .get('y')!
      .toArray()
  }

  it.each([
    'beside',
    'weights/inside',
    './beside',
    'alias',
  ])('in the own folder is read: %s', async (location) => {
    expect(await open({ location })).toEqual([1, 2])
    expect(await open({ location, offset: 4, length: 4 }, [1])).toEqual([2, 2])
  })

  it.each([
    ['../secret'],
    ['weights/../../secret'],
    ['..\\secret'],
    ['/etc/passwd'],
    ['C:\\secret'],
    ['C:secret'],
    ['\\\\server\\share'],
    ['link'],
    ['up/secret'],
    [''],
    ['.'],
    ['beside\0'],
    ['nowhere'],
    ['weights'],
  ])('elsewhere is not read: %j', async (location) => {
    const reading = open({ location, offset: 0, length: 8 })
    await expect(reading).rejects.toMatchObject({ name: 'FileFormatError', code: 'ExternalData' })
  })

  it.each([
    ['past the end', { offset: 4, length: 8 }, 'its data end at byte 12 of beside, which has 8'],
    ['of another length', { offset: 0, length: 4 }, 'expected 8 bytes, got length 4'],
    ['at a negative offset', { offset: -8 }, 'expected offset to be a number, got "-8"'],
    ['at no number', { offset: '1e1' }, 'expected offset to be a number'],
    ['beyond all numbers', { offset: '9'.repeat(40) }, 'expected offset to be a number'],
  ])('%s is refused', async (_, entries, message) => {
    await expect(open({ location: 'beside', ...entries })).rejects.toThrow(message)
  })

  it('may not serve as more weights than it holds, but may be shared whole', () => {
    const external = new Map([['data', new Uint8Array(16)]])
    const at = (name: string, offset: number, length: number) =>
      tensorAt(name, { location: 'data', offset, length }, [length / 4])
    const decode = (...tensors: object[]) => decodeOnnx(file(...tensors), { external })
    expect(() => decode(at('w', 0, 16), at('v', 4, 8))).toThrow(
      'its data overlap those of another tensor in data',
    )
    expect(decode(at('w', 0, 16), at('v', 0, 16)).initializers.size).toBe(2)
    expect(() => decodeOnnx(file(at('w', 0, 8)))).toThrow('"data", which was not given')
    const outside = new Map([['../data', new Uint8Array(8)]])
    expect(() => decodeOnnx(file(tensorAt('w', { location: '../data' })), { external: outside })).toThrow(
      'expected its data in the model\'s own folder, got "../data"',
    )
  })
})
