/** ONNX files of a few bytes that stand for gigabytes or hours: loading them, and making layers of them, takes neither. */
import { describe, expect, it } from 'vitest'
import { decodeOnnx, encodeOnnx } from '../lib/formats/onnx/index.ts'
import { FileFormatError, LSTM, noGrad, tensor } from '../lib/index.ts'
import { measure } from '../scripts/fuzz/measure.ts'
import { integers, node, onnxFile, value, weights } from './support/onnx.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(i))
const lstmWeights = [weights('W', [1, 16, 3], numbers(48)), weights('R', [1, 16, 4], numbers(64))]
const zeros = (shape: string, output: string) => node('ConstantOfShape', [shape], [output])
const lstm = node('LSTM', ['x', 'W', 'R', '', '', 'h', 'h'], ['y', '', ''], { hidden_size: 4 })

/** A graph whose nodes all know what they compute. */
const constant = (nodes: readonly object[], initializers: readonly object[]) =>
  onnxFile({ nodes, initializers, inputs: [] })

describe('a graph decided while it is loaded', () => {
  it.each([
    [
      'a pool of windows beyond counting',
      constant(
        [zeros('s', 'a'), node('MaxPool', ['a'], ['y'], { kernel_shape: [2 ** 20] })],
        [integers('s', [1, 1, 2 ** 21])],
      ),
    ],
    [
      'a pool that is all padding',
      constant(
        [zeros('s', 'a'), node('AveragePool', ['a'], ['y'], { kernel_shape: [1], pads: [2 ** 30, 2 ** 30] })],
        [integers('s', [1, 1, 1])],
      ),
    ],
    [
      'thousands of empty parts joined row by row',
      constant(
        [
          zeros('s', 'a'),
          zeros('e', 'b'),
          node('Concat', ['a', ...new Array<string>(1000).fill('b')], ['y'], { axis: 1 }),
        ],
        [integers('s', [2 ** 20, 1]), integers('e', [2 ** 20, 0])],
      ),
    ],
    [
      'millions of lines to sort',
      constant(
        [zeros('s', 'a'), node('TopK', ['a', 'k'], ['y', ''])],
        [integers('s', [2 ** 20, 1]), integers('k', [1])],
      ),
    ],
    [
      'places of a padding',
      constant(
        [zeros('s', 'a'), node('Cast', ['a'], ['b'], { to: 9 }), node('Pad', ['b', 'p'], ['y'])],
        [integers('s', [1]), integers('p', [0, 12e6])],
      ),
    ],
  ])('%s is left for later, and is no stack of layers', async (_, bytes) => {
    const loaded = await measure(bytes.length, () => decodeOnnx(bytes))
    expect(loaded).toMatchObject({ code: 'accepted' })
    const made = await measure(bytes.length, () => decodeOnnx(bytes).toModel())
    expect(made).toMatchObject({ code: 'TooLarge' })
  })
})

describe('toModel', () => {
  it.each([
    [
      'an initial state that is generated',
      onnxFile({
        inputs: [value('x', ['T', 'B', 3])],
        nodes: [zeros('s', 'h'), lstm],
        initializers: [integers('s', [1, 17, 8454148]), ...lstmWeights],
      }),
      'TooLarge',
    ],
    [
      'an input that the file says is long',
      onnxFile({ inputs: [value('x', [1, 2 ** 28])], nodes: [node('Relu', ['x'], ['y'])] }),
      'TooLarge',
    ],
    [
      'more steps than weights account for',
      onnxFile({
        inputs: [value('x', [100_000, 1, 3])],
        nodes: [
          node('LSTM', ['x', 'W', 'R'], ['y', '', ''], { hidden_size: 4 }),
          ...Array.from({ length: 8 }, (_, i) => node('Softplus', [i ? `v${i}` : 'y'], [`v${i + 1}`])),
        ],
        initializers: lstmWeights,
        outputs: ['v8'],
      }),
      'TooLarge',
    ],
    [
      'a product of constants that are generated',
      onnxFile({
        inputs: [value('x', ['B', 1])],
        nodes: [zeros('s', 'a'), node('MatMul', ['a', 'a'], ['b']), node('Add', ['x', 'b'], ['y'])],
        initializers: [integers('s', [1500, 1500])],
      }),
      'TooLarge',
    ],
    [
      'windows beyond counting',
      onnxFile({
        inputs: [value('x', ['B', 3, 'T'])],
        nodes: [node('MaxPool', ['x'], ['y'], { kernel_shape: [2 ** 30], pads: [2 ** 29, 2 ** 29] })],
      }),
      'TooLarge',
    ],
    [
      'axes beyond counting',
      onnxFile({ inputs: [value('x', new Array(1000).fill(1))], nodes: [node('Relu', ['x'], ['y'])] }),
      'NoStack',
    ],
    [
      'weights that are generated',
      onnxFile({
        inputs: [value('x', ['B', 'T', 1000])],
        nodes: [node('Expand', ['w', 's'], ['k']), node('MatMul', ['x', 'k'], ['y'])],
        initializers: [weights('w', [1], [1]), integers('s', [1000, 1000])],
      }),
      'NoStack',
    ],
    [
      'thousands of inputs joined, and handed on thousands of times',
      onnxFile({
        inputs: Array.from({ length: 2500 }, (_, i) => value(`i${i}`, [1])),
        nodes: [
          node(
            'Concat',
            Array.from({ length: 2500 }, (_, i) => `i${i}`),
            ['r0'],
            { axis: 0 },
          ),
          ...Array.from({ length: 2500 }, (_, i) => node('Neg', [`r${i}`], [`r${i + 1}`])),
        ],
        outputs: ['r2500'],
      }),
      'TooLarge',
    ],
  ])('refuses %s', async (_, bytes, code) => {
    const { code: got, broken } = await measure(bytes.length, () => decodeOnnx(bytes).toModel())
    expect(broken).toBe(undefined)
    expect(got).toBe(code)
  })

  it('says how many parameters a file may become', () => {
    const bytes = onnxFile({
      inputs: [value('x', ['B', 'T', 1000])],
      nodes: [node('Expand', ['w', 's'], ['k']), node('MatMul', ['x', 'k'], ['y'])],
      initializers: [weights('w', [1], [1]), integers('s', [1000, 1000])],
    })
    expect(() => decodeOnnx(bytes).toModel()).toThrow(/more parameters than its file has numbers/)
  })

  it('takes a weight that two layers share', () => {
    const bytes = onnxFile({
      inputs: [value('x', ['B', 'T', 40])],
      nodes: [node('MatMul', ['x', 'w'], ['a']), node('MatMul', ['a', 'w'], ['y'])],
      initializers: [weights('w', [40, 40], numbers(1600))],
    })
    expect(decodeOnnx(bytes).toModel().layers).toHaveLength(2)
  })

  it('tries fewer steps where the usual ones take too much', () => {
    const [H, V] = [8, 20_000]
    const bytes = onnxFile({
      inputs: [value('x', ['B', 'T', H])],
      nodes: [node('MatMul', ['x', 'w'], ['a']), node('Tanh', ['a'], ['y'])],
      initializers: [weights('w', [H, V], numbers(H * V))],
    })
    const model = decodeOnnx(bytes)
    const x = tensor(Float32Array.from(numbers(2 * H)), { shape: [1, 2, H] })
    const expected = model.run({ x }).get('y')!
    const got = noGrad(() => model.toModel().forward(x))
    expect(got.toArray()).toEqual(expected.toArray())
  })

  it('has no limits of its own for run', () => {
    const bytes = onnxFile({
      inputs: [value('x', ['T', 'B', 3])],
      nodes: [node('LSTM', ['x', 'W', 'R'], ['y', '', ''], { hidden_size: 4 })],
      initializers: lstmWeights,
    })
    const x = tensor(new Float32Array(3 * 500_000), { shape: [500_000, 1, 3] })
    expect(decodeOnnx(bytes).run({ x }).get('y')!.shape).toEqual([500_000, 1, 1, 4])
  })

  it('refuses a configuration in the metadata of more parameters than the file has', () => {
    const bytes = encodeOnnx(new LSTM({ inputSize: 2, hiddenSize: 3 }))
    const text = Buffer.from(bytes).toString('latin1').replace('"hiddenSize":3', '"hiddenSize":9')
    const changed = Buffer.from(text, 'latin1')
    expect(() => decodeOnnx(changed).toModel()).toThrow(FileFormatError)
    expect(() => decodeOnnx(changed).toModel()).toThrow(/more parameters than its file has numbers/)
  })
})
