/** Images, batch normalisation and Elman networks of PyTorch's exporters become layers that give the same. */
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeOnnx, loadOnnx } from '../lib/formats/onnx/index.ts'
import {
  BatchNorm,
  compile,
  noGrad,
  type Output,
  type RNN,
  type Sequential,
  type Tensor,
  tensor,
  transpose,
  useBackend,
} from '../lib/index.ts'
import { type Attribute, node, onnxFile, readTensors, value, weights } from './support/onnx.ts'

/** float32 sums of the same terms in another order. */
const tolerance = 1e-5

afterEach(() => useBackend('native'))

async function open(name: string) {
  const path = (ending: string) => fileURLToPath(new URL(`fixtures/onnx/${name}.${ending}`, import.meta.url))
  return { model: await loadOnnx(path('onnx')), tensors: await readTensors(path('io.safetensors')) }
}

/** Channels from before rows and columns to behind them. */
function channelsLast(x: Tensor): Tensor {
  const C = x.shape.length - 3
  return transpose(transpose(x, { axes: [C, C + 1] }), { axes: [C + 1, C + 2] })
}

const typesOf = ({ layers }: Sequential) =>
  layers
    .map((layer) =>
      'layer' in layer ? `(${(layer.layer as object).constructor.name})` : layer.constructor.name,
    )
    .join(' ')

function expectClose(got: Tensor, expected: Tensor): void {
  expect(got.shape).toEqual(expected.shape)
  for (const [i, n] of expected.data.entries()) expect(Math.abs(got.data[i] - n)).toBeLessThan(tolerance)
}

describe('toModel', () => {
  it.each([
    ['torchscript_film', '(Conv2d) Activation (MaxPool2d) (BatchNorm) (Flatten) LSTM LastStep Linear'],
    ['dynamo_film', '(Conv2d) Activation (MaxPool2d) (BatchNorm) (Flatten) LSTM LastStep Linear'],
    ['torchscript_images', 'BatchNorm Conv2d Activation AveragePool2d GlobalAveragePool2d BatchNorm Linear'],
    ['torchscript_images_flat', 'BatchNorm Conv2d Activation AveragePool2d Flatten BatchNorm Linear'],
    ['dynamo_images_flat', 'BatchNorm Conv2d Activation AveragePool2d Flatten BatchNorm Linear'],
    ['torchscript_conv_norm', 'Conv1d Activation BatchNorm LSTM'],
    ['torchscript_rnn', 'RNN RNN LastStep Linear'],
    ['torchscript_rnn_final', 'RNN RNN LastStep Linear'],
    ['torchscript_rnn_states', 'RNN'],
    ['torchscript_rnn_packed', 'RNN'],
  ])('of %s is %s', async (name, types) => {
    const { model, tensors } = await open(name)
    const stack = model.toModel()
    expect(typesOf(stack)).toBe(types)
    const x = tensors.get('x')!
    const lengths = tensors.get('lengths')?.data as Int32Array | undefined
    const h = tensors.get('h0')
    const given = x.shape.length > 3 ? channelsLast(x) : x
    for (const backend of ['reference', 'native'] as const) {
      useBackend(backend)
      const state = h && [{ h }]
      const options = { ...(lengths ? { lengths } : {}), ...(state ? { state } : {}) }
      const result = noGrad(() => stack.forward(given, options) as Tensor | Output)
      expectClose('output' in result ? result.output : result, tensors.get('y')!)
    }
  })

  it('keeps the statistics of a BatchNormalization, and what its momentum means here', async () => {
    const { model } = await open('torchscript_images')
    const [first] = model.toModel().layers as [BatchNorm]
    expect(first).toBeInstanceOf(BatchNorm)
    expect(first.config()).toMatchObject({ size: 2, momentum: 0.1 })
    expect(first.running_mean.array).not.toEqual(new Float32Array(2))
  })

  it.each([
    'torchscript_rnn',
    'torchscript_film',
    'dynamo_film',
    'torchscript_images',
  ])('of %s has a frozen form', async (name) => {
    const { model, tensors } = await open(name)
    const x = tensors.get('x')!
    const plan = compile(model.toModel())
    expectClose(plan.predictSync(x.shape.length > 3 ? channelsLast(x) : x), tensors.get('y')!)
  })
})

describe('the operator RNN', () => {
  const W = weights('W', [2, 1, 1], [0.5, -1])
  const R = weights('R', [2, 1, 1], [0.25, 2])
  const file = (attributes: Record<string, Attribute>, inputs: readonly string[] = ['x', 'W', 'R']) =>
    onnxFile({
      nodes: [node('RNN', inputs, ['y', 'h'], { hidden_size: 1, direction: 'bidirectional', ...attributes })],
      inputs: [value('x', ['T', 'B', 1])],
      outputs: [value('y', ['T', 2, 'B', 1]), value('h', [2, 'B', 1])],
      initializers: [W, R, weights('B', [2, 2], [1, 2, 3, 4])],
    })

  it('has a function for each direction', () => {
    const x = tensor([1, 3], { shape: [2, 1, 1] })
    const outputs = decodeOnnx(file({ activations: { strings: ['Tanh', 'relu'] } })).run({ x })
    const first = Math.tanh(0.5)
    const second = Math.tanh(1.5 + 0.25 * first)
    expectClose(outputs.get('y')!, tensor([first, 0, second, 0], { shape: [2, 2, 1, 1] }))
    expectClose(outputs.get('h')!, tensor([second, 0], { shape: [2, 1, 1] }))
  })

  it('reads batches before steps with layout 1', () => {
    const x = tensor([1, 3, 2, -1], { shape: [2, 2, 1] })
    const timeFirst = decodeOnnx(file({}, ['x', 'W', 'R', 'B'])).run({ x: transpose(x, { axes: [0, 1] }) })
    const batchFirst = decodeOnnx(file({ layout: 1 }, ['x', 'W', 'R', 'B'])).run({ x })
    const [y, h] = ['y', 'h'].map((name) => timeFirst.get(name)!)
    // [T, D, B, H] to [B, T, D, H], and [D, B, H] to [B, D, H].
    const turned = transpose(transpose(y, { axes: [0, 2] }), { axes: [1, 2] })
    expect(batchFirst.get('y')!.toArray()).toEqual(turned.toArray())
    expect(batchFirst.get('h')!.toArray()).toEqual(transpose(h, { axes: [0, 1] }).toArray())
  })

  it.each<[what: string, attributes: Record<string, Attribute>, message: RegExp]>([
    [
      'functions that no RNN here has',
      { activations: { strings: ['Tanh', 'Sigmoid'] } },
      /the activation Sigmoid is not supported; supported: Tanh, Relu/,
    ],
    ['too few functions', { activations: { strings: ['Tanh'] } }, /expected 2 activations, got \[Tanh\]/],
    ['a clip', { clip: { float: 3.5 } }, /clip is not supported/],
    ['another size', { hidden_size: 2 }, /hidden_size is 2, but R has the shape \[2,1,1\]/],
  ])('refuses %s', (_, attributes, message) => {
    const x = tensor([1], { shape: [1, 1, 1] })
    expect(() => decodeOnnx(file(attributes)).run({ x })).toThrow(message)
    expect(() => decodeOnnx(file(attributes)).toModel()).toThrow(
      expect.objectContaining({ name: 'FileFormatError', code: 'NoStack' }),
    )
  })

  it('becomes a layer of both directions', () => {
    const [layer] = decodeOnnx(
      onnxFile({
        nodes: [
          node('RNN', ['x', 'W', 'R', 'B'], ['y', ''], {
            hidden_size: 1,
            direction: 'bidirectional',
            activations: { strings: ['Relu', 'Relu'] },
          }),
          node('Transpose', ['y'], ['z'], { perm: [2, 0, 1, 3] }),
        ],
        inputs: [value('x', ['T', 'B', 1])],
        outputs: [value('z', ['B', 'T', 2, 1])],
        initializers: [W, R, weights('B', [2, 2], [1, 2, 3, 4])],
      }),
    ).toModel().layers as [RNN]
    expect(layer.config()).toMatchObject({ type: 'RNN', nonlinearity: 'relu', bidirectional: true })
    const numbers = layer.weights[0].map(({ weightIh, weightHh, biasIh, biasHh }) =>
      [weightIh, weightHh, biasIh!, biasHh!].map(({ array }) => array[0]),
    )
    expect(numbers).toEqual([
      [0.5, 0.25, 1, 2],
      [-1, 2, 3, 4],
    ])
  })

  it.each<[what: string, attributes: Record<string, Attribute>, message: RegExp]>([
    ['backwards alone', { direction: 'reverse' }, /no RNN reads backwards alone/],
    [
      'with functions that differ',
      { activations: { strings: ['Tanh', 'Relu'] } },
      /its directions have different activations/,
    ],
  ])('is no layer %s', (_, attributes, message) => {
    const isOne = 'direction' in attributes
    const bytes = onnxFile({
      nodes: [
        node('RNN', ['x', 'W', 'R'], ['y', ''], {
          hidden_size: 1,
          direction: 'bidirectional',
          ...attributes,
        }),
      ],
      inputs: [value('x', ['T', 'B', 1])],
      outputs: [value('y', ['T', isOne ? 1 : 2, 'B', 1])],
      initializers: isOne ? [weights('W', [1, 1, 1], [1]), weights('R', [1, 1, 1], [1])] : [W, R],
    })
    expect(() => decodeOnnx(bytes).toModel()).toThrow(message)
  })
})
