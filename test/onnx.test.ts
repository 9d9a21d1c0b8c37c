/** ONNX models of PyTorch's exporters and of hand-written graphs give what ONNX Runtime gives for them, on both back ends. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { decodeOnnx, loadOnnx, type OnnxModel } from '../lib/formats/onnx/index.ts'
import { load, type Sequential, save, type Tensor, tensor, useBackend } from '../lib/index.ts'
import { integers, node, onnxFile, readTensors, value, weights } from './support/onnx.ts'

const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url))
const files = ['interop', 'onnx'].flatMap((folder) =>
  readdirSync(join(fixtures, folder))
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => join(folder, name)),
)

/** What both sides may differ by: float32 sums of the same terms in another order, of numbers below 10. */
const tolerance = 1e-5

afterEach(() => useBackend('native'))

async function open(
  name: string,
): Promise<{ model: OnnxModel; feeds: Map<string, Tensor>; expected: Map<string, Tensor> }> {
  const model = await loadOnnx(join(fixtures, name))
  const tensors = await readTensors(join(fixtures, name.replace(/onnx$/, 'io.safetensors')))
  const names = model.inputs.map((input) => input.name)
  const feeds = new Map([...tensors].filter(([each]) => names.includes(each)))
  const expected = new Map([...tensors].filter(([each]) => !names.includes(each)))
  return { model, feeds, expected }
}

function difference(got: Tensor, expected: Tensor): number {
  expect(got.shape).toEqual(expected.shape)
  let most = 0
  for (const [i, n] of got.data.entries()) {
    const distance = Math.abs(n - expected.data[i])
    if (!(distance <= most)) most = distance
  }
  return most
}

describe('a file', () => {
  it('is there', () => expect(files.length).toBeGreaterThan(45))

  it.each(files)('%s gives what it gave', async (name) => {
    const { model, feeds, expected } = await open(name)
    for (const backend of ['native', 'reference'] as const) {
      useBackend(backend)
      const outputs = model.run(feeds)
      const known = [...expected].filter(([each]) => outputs.has(each))
      expect(known.length).toBeGreaterThan(0)
      for (const [each, tensor] of known)
        expect(difference(outputs.get(each)!, tensor)).toBeLessThan(tolerance)
    }
  })

  it('runs with other sizes of batch and time than it was exported with', async () => {
    const { model } = await open('interop/forecaster.onnx')
    const x = Float32Array.from({ length: 4 * 11 * 3 }, (_, i) => Math.sin(i))
    const whole = model.run({ x: tensor(x, { shape: [4, 11, 3] }) }).get('forecast')!
    const alone = model.run({ x: tensor(x.slice(33, 66), { shape: [1, 11, 3] }) }).get('forecast')!
    expect(whole.shape).toEqual([4, 2])
    expect([...alone.data]).toEqual([...whole.data.slice(2, 4)])
  })
})

describe('OnnxModel', () => {
  it('tells inputs, outputs, metadata and weights', async () => {
    const { model } = await open('interop/forecaster.onnx')
    expect(model.inputs).toEqual([{ name: 'x', dataType: 'float32', shape: ['B', 'T', 3], optional: false }])
    expect(model.outputs).toEqual([{ name: 'forecast', dataType: 'float32', shape: ['B', 2] }])
    expect(model.opset).toBe(17)
    expect(model.producer).toMatch(/^pytorch 2/)
    expect(model.initializers.get('head.weight')).toEqual({ type: 'float32', shape: [2, 16] })
    const other = await open('onnx/functions.onnx')
    expect([...other.model.metadata]).toEqual([['made by', 'make_onnx.py']])
  })

  it('says which input is missing, unknown, or of a wrong type or shape', async () => {
    const { model } = await open('interop/forecaster.onnx')
    const x = (shape: readonly number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), { shape })
    expect(() => model.run({})).toThrow('the input "x" is missing')
    expect(() => model.run({ x: x([2, 4, 3]), z: x([1]) })).toThrow('unknown input "z"; inputs: x')
    expect(() => model.run({ x: x([2, 4, 5]) })).toThrow('expected "x" of shape [B, T, 3], got [2, 4, 5]')
    expect(() => model.run({ x: x([4, 3]) })).toThrow('expected "x" of shape [B, T, 3], got [4, 3]')
    expect(() => model.run({ x: tensor(new Float64Array(6), { shape: [1, 2, 3] }) })).toThrow(
      'expected "x" of type float32, got float64',
    )
    expect(() => model.run({ x: [1] as unknown as Tensor })).toThrow('to be a Tensor, got an array')
  })

  it('takes the default of an input that is an initializer too, and another tensor in its place', () => {
    const bytes = onnxFile({
      nodes: [node('Add', ['x', 'shift'], ['y'])],
      inputs: [value('x', [2]), value('shift', [1])],
      initializers: [weights('shift', [1], [10])],
    })
    const model = decodeOnnx(bytes)
    expect(model.inputs.map(({ name, optional }) => [name, optional])).toEqual([
      ['x', false],
      ['shift', true],
    ])
    const x = tensor([1, 2])
    expect(model.run({ x }).get('y')!.toArray()).toEqual([11, 12])
    expect(
      model
        .run({ x, shift: tensor([5]) })
        .get('y')!
        .toArray(),
    ).toEqual([6, 7])
  })

  it('takes what must be an input before IR version 4 for the constant that it is', () => {
    const bytes = onnxFile({
      nodes: [node('Add', ['x', 'shift'], ['y'])],
      inputs: [value('x', [1]), value('shift', [1])],
      initializers: [weights('shift', [1], [10])],
      irVersion: 3,
    })
    expect(decodeOnnx(bytes).inputs.map(({ name }) => name)).toEqual(['x'])
  })

  it('gives outputs memory of their own, whatever they are', () => {
    const bytes = onnxFile({
      nodes: [node('Identity', ['x'], ['y']), node('Identity', ['w'], ['z'])],
      inputs: [value('x', [1])],
      outputs: ['y', 'z'],
      initializers: [weights('w', [1], [3])],
    })
    const model = decodeOnnx(bytes)
    const x = tensor([1])
    const outputs = model.run({ x })
    outputs.get('y')!.data[0] = 7
    outputs.get('z')!.data[0] = 7
    expect(x.data[0]).toBe(1)
    expect(model.run({ x }).get('z')!.item()).toBe(3)
  })

  it('sees new weights where these are inputs, and keeps those that are constants', () => {
    const lstm = (initializers: readonly object[], inputs: readonly object[]) =>
      decodeOnnx(
        onnxFile({
          nodes: [node('LSTM', ['x', 'w', 'r'], ['', 'y'], { hidden_size: 1 })],
          inputs: [value('x', [1, 1, 1]), ...inputs],
          initializers,
        }),
      )
    const [r, w] = [tensor([[[0], [0], [0], [0]]]), tensor([[[1], [1], [1], [1]]])]
    const model = lstm([], [value('w', [1, 4, 1]), value('r', [1, 4, 1])])
    const x = tensor([[[1]]])
    const before = model.run({ x, w, r }).get('y')!.item()
    w.data.fill(2)
    expect(model.run({ x, w, r }).get('y')!.item()).toBeGreaterThan(before + 0.1)
  })

  it('names the node whose inputs do not fit', () => {
    const bytes = onnxFile({
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      inputs: [value('x', ['B', 'I'])],
      initializers: [weights('w', [2, 1], [1, 1])],
    })
    expect(() => decodeOnnx(bytes, { path: 'a.onnx' }).run({ x: tensor([[1, 2, 3]]) })).toThrow(
      'a.onnx: node "the MatMul" (MatMul, opset 17): float32 [1,3] and float32 [2,1] do not multiply',
    )
  })

  it('refuses an integer output that no int32 tensor holds', () => {
    const bytes = onnxFile({
      nodes: [node('Identity', ['n'], ['y'])],
      initializers: [integers('n', [2 ** 40])],
      outputs: [value('y', [1], 'int64')],
    })
    expect(() => decodeOnnx(bytes).run({})).toThrow('1099511627776 does not fit an int32 tensor')
  })
})

describe('toModel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const typesOf = ({ layers }: Sequential) => layers.map((layer) => layer.constructor.name).join(' ')

  it.each([
    ['interop/forecaster.onnx', 'LSTM LSTM LastStep Linear'],
    ['interop/tagger.onnx', 'Embedding LSTM Linear'],
    ['interop/tagger_dynamo.onnx', 'Embedding LSTM Linear'],
    ['onnx/torchscript_opset11.onnx', 'LSTM LSTM LastStep Linear Activation'],
    ['onnx/dynamo_opset22.onnx', 'LSTM LSTM LastStep LayerNorm Linear'],
    ['onnx/torchscript_final_state.onnx', 'LSTM LSTM LastStep Linear'],
    ['onnx/torchscript_float64.onnx', 'LSTM Linear'],
  ])('of %s is %s, which gives the same and is saved and loaded', async (name, types) => {
    const { model, feeds, expected } = await open(name)
    const stack = model.toModel()
    expect(typesOf(stack)).toBe(types)
    const path = join(folder, 'model.safetensors')
    await save(stack, path)
    const [x] = feeds.values()
    const [y] = expected.values()
    for (const each of [stack, (await load(path)) as Sequential]) {
      expect(difference(each.forward(x) as Tensor, y)).toBeLessThan(tolerance)
    }
  })

  it('puts the batch first where the graph has time first', async () => {
    const { model, feeds, expected } = await open('onnx/torchscript_time_first.onnx')
    const x = feeds.get('x')!
    const [T, B, I] = x.shape
    const turned = new Float32Array(x.size)
    for (let i = 0; i < x.size; i++) {
      const [t, b] = [Math.floor(i / (B * I)), Math.floor(i / I) % B]
      turned[(b * T + t) * I + (i % I)] = x.data[i]
    }
    const y = model.toModel().forward(tensor(turned, { shape: [B, T, I] })) as Tensor
    expect(difference(y, expected.get('y')!)).toBeLessThan(tolerance)
  })

  it('takes states and lengths as options of forward', async () => {
    const states = await open('onnx/torchscript_states.onnx')
    const [x, h0, c0] = ['x', 'h0', 'c0'].map((name) => states.feeds.get(name)!)
    const part = (whole: Tensor, k: number) => {
      const size = whole.size / 2
      return tensor(whole.data.slice(k * size, (k + 1) * size), { shape: [2, 2, 4] })
    }
    const state = [0, 1].map((k) => ({ h: part(h0, k), c: part(c0, k) }))
    const { output } = states.model.toModel().forward(x, { state })
    expect(difference(output, states.expected.get('y')!)).toBeLessThan(tolerance)

    const packed = await open('onnx/torchscript_packed.onnx')
    const lengths = packed.feeds.get('lengths')!.data as Int32Array
    const y = packed.model.toModel().forward(packed.feeds.get('x')!, { lengths }) as Tensor
    expect(difference(y, packed.expected.get('y')!)).toBeLessThan(tolerance)
  })

  it('is refused where the layers would compute something else: a mean over padding', () => {
    const bytes = onnxFile({
      nodes: [
        node('LSTM', ['x', 'w', 'r', '', 'lengths'], ['sequence'], { hidden_size: 1 }),
        node('Squeeze', ['sequence', 'one'], ['steps']),
        node('ReduceMean', ['steps'], ['y'], { axes: [0], keepdims: 0 }),
      ],
      inputs: [value('x', ['T', 'B', 1]), value('lengths', ['B'], 'int32')],
      initializers: [
        weights('w', [1, 4, 1], [1, 2, 3, 4]),
        weights('r', [1, 4, 1], [5, 6, 7, 8]),
        integers('one', [1]),
      ],
    })
    expect(() => decodeOnnx(bytes).toModel()).toThrow('the layers found do not compute what the graph does')
  })

  it.each([
    ['onnx/dynamo_attention.onnx', /it joins "softmax" and "getitem", so the graph is no stack of layers/],
    ['onnx/torchscript_argmax.onnx', /\(ArgMax, opset 17\): no layer computes this/],
    ['interop/op_bidirectional_lengths.onnx', /its lengths are fixed/],
    ['interop/conformance_test_lstm_defaults.onnx', /expected "W" to be a constant of floats/],
  ])('of %s is refused with the node and the reason', async (name, message) => {
    const { model } = await open(name)
    expect(() => model.toModel()).toThrow(message)
    expect(() => model.toModel()).toThrow(
      expect.objectContaining({ name: 'FileFormatError', code: 'NoStack' }),
    )
  })
})
