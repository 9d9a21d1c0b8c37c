/** What ONNX does unlike others, each in a test that says it. Expected numbers are written out or follow from the layout. */
import { describe, expect, it } from 'vitest'
import { decodeOnnx } from '../lib/formats/onnx/index.ts'
import { LSTM, type Tensor, tensor } from '../lib/index.ts'
import { type Attribute, integers, node, onnxFile, value, weights } from './support/onnx.ts'

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

function run(
  nodes: readonly object[],
  feeds: Record<string, Tensor>,
  initializers: readonly object[] = [],
  opset = 17,
) {
  const inputs = Object.entries(feeds).map(([name, { dataType }]) =>
    value(name, undefined, dataType === 'int32' ? 'int64' : 'float32'),
  )
  return decodeOnnx(onnxFile({ nodes, inputs, initializers, opset })).run(feeds).get('y')!
}

/** One LSTM of one unit: numbers for each gate in ONNX's order i, o, f, c. */
function cell(
  output: 'Y' | 'Y_h' | 'Y_c',
  {
    w = [0, 0, 0, 0],
    b,
    p,
    c0,
    attributes = {},
  }: { w?: number[]; b?: number[]; p?: number[]; c0?: number; attributes?: Record<string, Attribute> },
): number {
  const names = ['x', 'w', 'r', b ? 'b' : '', '', '', c0 === undefined ? '' : 'c0', p ? 'p' : '']
  const initializers = [weights('w', [1, 4, 1], w), weights('r', [1, 4, 1], [0, 0, 0, 0])]
  if (b) initializers.push(weights('b', [1, 8], b))
  if (p) initializers.push(weights('p', [1, 3], p))
  if (c0 !== undefined) initializers.push(weights('c0', [1, 1, 1], [c0]))
  const outputs = ['Y', 'Y_h', 'Y_c'].map((name) => (name === output ? 'y' : ''))
  const lstm = node('LSTM', names, outputs, { hidden_size: 1, ...attributes })
  return run([lstm], { x: tensor([[[1]]]) }, initializers).item()
}

describe('the LSTM operator', () => {
  it('has its gates in the order i, o, f, c in W, R and B', () => {
    const c = sigmoid(1) * Math.tanh(4)
    expect(cell('Y_c', { w: [1, 2, 3, 4] })).toBeCloseTo(c, 6)
    expect(cell('Y_h', { w: [1, 2, 3, 4] })).toBeCloseTo(sigmoid(2) * Math.tanh(c), 6)
    expect(cell('Y_c', { w: [1, 2, 3, 4], c0: 5 })).toBeCloseTo(sigmoid(3) * 5 + c, 6)
    expect(cell('Y_c', { b: [1, 2, 3, 4, 0, 0, 0, 0] })).toBeCloseTo(c, 6)
  })

  it('has both biases in B, that of the input before that of the recurrence', () => {
    expect(cell('Y_c', { b: [0, 0, 0, 0, 1, 2, 3, 4] })).toBeCloseTo(sigmoid(1) * Math.tanh(4), 6)
    expect(cell('Y_c', { b: [1, 0, 0, 4, 2, 0, 0, 5] })).toBeCloseTo(sigmoid(3) * Math.tanh(9), 6)
  })

  it('has its peepholes in the order i, o, f, the output gate seeing the new cell', () => {
    const c = sigmoid(0.3 * 2) * Math.tanh(4) + sigmoid(0.7 * 2) * 2
    const given = { w: [0, 0, 0, 4], p: [0.3, 0.5, 0.7], c0: 2 }
    expect(cell('Y_c', given)).toBeCloseTo(c, 6)
    expect(cell('Y_h', given)).toBeCloseTo(sigmoid(0.5 * c) * Math.tanh(c), 6)
  })

  it('couples the gates with input_forget: f is 1 - i, whatever the forget gate would be', () => {
    const i = sigmoid(1)
    const given = { w: [1, 2, 30, 4], c0: 5, attributes: { input_forget: 1 } }
    expect(cell('Y_c', given)).toBeCloseTo((1 - i) * 5 + i * Math.tanh(4), 6)
  })

  it('clips the sums before the activations, not what comes out of them', () => {
    const given = { w: [1, 2, 3, 4], c0: 5, attributes: { clip: { float: 0.5 } } }
    const c = sigmoid(0.5) * 5 + sigmoid(0.5) * Math.tanh(0.5)
    expect(cell('Y_c', given)).toBeCloseTo(c, 6)
    expect(cell('Y_h', given)).toBeCloseTo(sigmoid(0.5) * Math.tanh(c), 6)
  })

  it('has activations f for the gates, g for the candidate and h for the output', () => {
    const attributes = { activations: { strings: ['HardSigmoid', 'Relu', 'Softsign'] } }
    const c = 0.7 * 4
    expect(cell('Y_c', { w: [1, 2, 3, 4], attributes })).toBeCloseTo(c, 6)
    expect(cell('Y_h', { w: [1, 2, 3, 4], attributes })).toBeCloseTo((0.9 * c) / (1 + c), 6)
  })

  it('gives activation_alpha and activation_beta to those activations that have any, in order', () => {
    const attributes = {
      activations: { strings: ['sigmoid', 'AFFINE', 'HardSigmoid'] },
      activation_alpha: { floats: [2, 0.25] },
      activation_beta: { floats: [0.5] },
    }
    const c = sigmoid(1) * (2 * 4 + 0.5)
    expect(cell('Y_c', { w: [1, 2, 3, 4], attributes })).toBeCloseTo(c, 6)
    expect(cell('Y_h', { w: [1, 2, 3, 4], attributes })).toBeCloseTo(sigmoid(2) * 1, 6)
    const more = { ...attributes, activation_beta: { floats: [0.5, 0.25, 1] } }
    expect(() => cell('Y_h', { attributes: more })).toThrow(
      'have more numbers than [sigmoid,AFFINE,HardSigmoid] take',
    )
    const unknown = { activations: { strings: ['Sigmoid', 'Tanh', 'Sine'] } }
    expect(() => cell('Y_h', { attributes: unknown })).toThrow(
      'the activation Sine is not known; known: affine',
    )
    const few = { activations: { strings: ['Sigmoid', 'Tanh'] } }
    expect(() => cell('Y_h', { attributes: few })).toThrow('expected 3 activations, got [Sigmoid,Tanh]')
  })

  it('may lack B, sequence_lens, the states and P, as empty names or at the end', () => {
    expect(cell('Y_h', { w: [1, 2, 3, 4] })).toBeCloseTo(
      cell('Y_h', { w: [1, 2, 3, 4], b: Array(8).fill(0), c0: 0 }),
      6,
    )
  })

  const sequence = () =>
    tensor(
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      { shape: [3, 2, 2] },
    )
  const random = (n: number) => Array.from({ length: n }, (_, i) => Math.cos(3 * i) / 2)
  const both = [weights('w', [2, 12, 2], random(48)), weights('r', [2, 12, 3], random(72))]

  it('gives Y as [T, D, B, H], one direction after the other', () => {
    const lstm = node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: 3, direction: 'bidirectional' })
    expect(run([lstm], { x: sequence() }, both).shape).toEqual([3, 2, 2, 3])
  })

  it('gives the reverse direction in the order of the input, unlike go_backwards of Keras', () => {
    const half = [weights('w', [1, 12, 2], random(24)), weights('r', [1, 12, 3], random(36))]
    const backwards = { hidden_size: 3, direction: 'reverse' }
    const y = run([node('LSTM', ['x', 'w', 'r'], ['y'], backwards)], { x: sequence() }, half)
    const last = run([node('LSTM', ['x', 'w', 'r'], ['', 'y'], backwards)], { x: sequence() }, half)
    expect([...y.data.slice(0, 6)]).toEqual([...last.data])
  })

  it('gives zeros past sequence_lens and the states of the last valid step', () => {
    const lengths = {
      name: 'lengths',
      dims: [2],
      dataType: 6,
      rawData: new Uint8Array(Int32Array.of(2, 3).buffer),
    }
    const names = ['x', 'w', 'r', '', 'lengths']
    const attributes = { hidden_size: 3, direction: 'bidirectional' }
    const y = run([node('LSTM', names, ['y'], attributes)], { x: sequence() }, [...both, lengths])
    const h = run([node('LSTM', names, ['', 'y'], attributes)], { x: sequence() }, [...both, lengths])
    const at = (t: number, d: number, b: number) => [...y.data.slice(((t * 2 + d) * 2 + b) * 3).slice(0, 3)]
    expect([at(2, 0, 0), at(2, 1, 0)]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ])
    expect(at(1, 0, 0)).toEqual([...h.data.slice(0, 3)])
    expect(at(0, 1, 0)).toEqual([...h.data.slice(6, 9)])
  })

  it('has the batch first in X, Y and the states with layout 1', () => {
    const x = tensor(
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      { shape: [2, 3, 2] },
    )
    const attributes = { hidden_size: 3, direction: 'bidirectional', layout: 1 }
    expect(run([node('LSTM', ['x', 'w', 'r'], ['y'], attributes)], { x }, both).shape).toEqual([2, 3, 2, 3])
    expect(run([node('LSTM', ['x', 'w', 'r'], ['', 'y'], attributes)], { x }, both).shape).toEqual([2, 2, 3])
  })

  it('becomes the layer LSTM, whose gates are in the order i, f, g, o', () => {
    const lstm = node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: 1 })
    const bytes = onnxFile({
      nodes: [lstm],
      inputs: [value('x', ['T', 'B', 1])],
      initializers: [weights('w', [1, 4, 1], [1, 2, 3, 4]), weights('r', [1, 4, 1], [5, 6, 7, 8])],
    })
    const [layer] = decodeOnnx(bytes).toModel().layers as LSTM[]
    expect(layer).toBeInstanceOf(LSTM)
    expect([...layer.weights[0][0].weightIh.data]).toEqual([1, 3, 4, 2])
    expect([...layer.weights[0][0].weightHh.data]).toEqual([5, 7, 8, 6])
  })

  it('becomes a layer that reads backwards, or gives its final states alone, where the graph does', () => {
    const initializers = [weights('w', [2, 12, 2], random(48)), weights('r', [2, 12, 3], random(72))]
    const half = [weights('w', [1, 12, 2], random(24)), weights('r', [1, 12, 3], random(36))]
    const inputs = [value('x', ['T', 'B', 2])]
    const reverse = node('LSTM', ['x', 'w', 'r'], ['', 'y'], { hidden_size: 3, direction: 'reverse' })
    const options = (bytes: Uint8Array) => (decodeOnnx(bytes).toModel().layers[0] as LSTM).config()
    expect(options(onnxFile({ nodes: [reverse], inputs, initializers: half }))).toMatchObject({
      reverse: true,
      returnSequences: false,
    })
    const nodes = [
      node('LSTM', ['x', 'w', 'r'], ['', 'h'], { hidden_size: 3, direction: 'bidirectional' }),
      node('Transpose', ['h'], ['turned'], { perm: [1, 0, 2] }),
      node('Reshape', ['turned', 'shape'], ['y']),
    ]
    const shape = integers('shape', [0, -1])
    expect(options(onnxFile({ nodes, inputs, initializers: [...initializers, shape] }))).toMatchObject({
      bidirectional: true,
      returnSequences: false,
    })
  })
})

describe('other operators', () => {
  it('Softmax runs over all axes from `axis` on before opset 13, over one since', () => {
    const x = tensor([
      [
        [0, 0],
        [0, 0],
      ],
    ])
    expect(run([node('Softmax', ['x'], ['y'])], { x }, [], 11).toArray()).toEqual([
      [
        [0.25, 0.25],
        [0.25, 0.25],
      ],
    ])
    expect(run([node('Softmax', ['x'], ['y'])], { x }, [], 13).toArray()).toEqual([
      [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
    ])
  })

  it('HardSigmoid has the slope 0.2 unless alpha says otherwise', () => {
    const x = tensor([1])
    expect(run([node('HardSigmoid', ['x'], ['y'])], { x }).item()).toBeCloseTo(0.7, 6)
    expect(run([node('HardSigmoid', ['x'], ['y'], { alpha: { float: 1 / 6 } })], { x }).item()).toBeCloseTo(
      2 / 3,
      6,
    )
  })

  it('Reshape copies a size for 0 and computes the one for -1, but takes 0 for 0 with allowzero', () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ])
    const shape = (numbers: number[], attributes = {}) =>
      run([node('Reshape', ['x', 's'], ['y'], attributes)], { x }, [integers('s', numbers)]).shape
    expect(shape([0, -1, 1])).toEqual([2, 3, 1])
    expect(shape([-1])).toEqual([6])
    expect(() => shape([0, 6], { allowzero: 1 })).toThrow('[2,3] has 6 elements, which do not fill [0,6]')
  })

  it('Slice takes the largest int64 for the end, and counts negative places from it', () => {
    const x = tensor([1, 2, 3, 4])
    const slice = (starts: bigint, ends: bigint, steps = 1) =>
      run([node('Slice', ['x', 'a', 'b', '', 's'], ['y'])], { x }, [
        integers('a', [starts]),
        integers('b', [ends]),
        integers('s', [steps]),
      ]).toArray()
    expect(slice(-1n, 2n ** 63n - 1n)).toEqual([4])
    expect(slice(-3n, -1n)).toEqual([2, 3])
    expect(slice(-1n, -(2n ** 63n), -2)).toEqual([4, 2])
  })

  it('Gather counts negative indices from the end', () => {
    expect(
      run([node('Gather', ['x', 'i'], ['y'])], { x: tensor([1, 2, 3]) }, [integers('i', [-1, 0])]).toArray(),
    ).toEqual([3, 1])
  })

  it('axes are attributes of Squeeze and Unsqueeze before opset 13, inputs since', () => {
    const x = tensor([[1, 2]])
    expect(run([node('Squeeze', ['x'], ['y'], { axes: [0] })], { x }, [], 11).shape).toEqual([2])
    expect(run([node('Squeeze', ['x', 'a'], ['y'])], { x }, [integers('a', [-2])]).shape).toEqual([2])
    expect(run([node('Unsqueeze', ['x', 'a'], ['y'])], { x }, [integers('a', [3, 0])]).shape).toEqual([
      1, 1, 2, 1,
    ])
  })

  it('int64 division truncates, and what no double holds is an error', () => {
    const n = tensor(Int32Array.of(-7), { shape: [1] })
    const divide = node('Div', ['n', 'd'], ['y'])
    expect(run([divide], { n }, [integers('d', [2])]).item()).toBe(-3)
    expect(() => run([divide], { n }, [integers('d', [0])])).toThrow('an integer is divided by zero')
    expect(() => run([node('Mul', ['n', 'd'], ['y'])], { n }, [integers('d', [2 ** 52])])).toThrow(
      'an int64 beyond 2^53',
    )
  })

  it('int64 beyond 2^53 are not rounded in silence', () => {
    const subtract = node('Sub', ['a', 'b'], ['y'])
    const big = [integers('a', [2n ** 53n + 1n]), integers('b', [2n ** 53n - 1n])]
    expect(() => decodeOnnx(onnxFile({ nodes: [subtract], initializers: big }))).toThrow(
      'an int64 beyond 2^53',
    )
  })

  it('the domain ai.onnx is the default domain', () => {
    const relu = { ...node('Relu', ['x'], ['y']), domain: 'ai.onnx' }
    expect(run([relu], { x: tensor([-1, 2]) }).toArray()).toEqual([0, 2])
  })
})
