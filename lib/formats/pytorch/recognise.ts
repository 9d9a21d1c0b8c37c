/** Which module of PyTorch the tensors of one prefix are, by their names and shapes. */
import type { Module, Shape, Shapes } from './modules.ts'

export type Recognised = Omit<Module, 'prefix'>

/** What the tensors of one prefix are, or a sentence that says why they are nothing known. */
export function recognise(shapes: Shapes): Recognised | string {
  for (const [name, shape] of shapes) {
    // A file can have a tensor of 0 by 10⁹ elements; a layer of that size would not be as small.
    if (shape.includes(0)) return `${name} [${shape}] has no elements`
  }
  if (shapes.has('weight_ih_l0')) return recogniseRecurrent(shapes, '_l0')
  if (shapes.has('weight_ih')) return recogniseRecurrent(shapes, '')
  if (isAttention(shapes)) return recogniseAttention(shapes)
  for (const [name, what] of foreign) {
    if (shapes.has(name)) return what
  }
  if (shapes.has('running_mean') || shapes.has('running_var')) return recogniseBatchNorm(shapes)
  const weight = shapes.get('weight')
  if (!weight) return 'it has neither weight nor weight_ih_l0'
  return recogniseWeight(weight, shapes.get('bias'))
}

/** Its last projection is a module of its own, with the prefix `out_proj` after the others'. */
export function isAttention(shapes: Shapes): boolean {
  return shapes.has('in_proj_weight') || shapes.has('q_proj_weight')
}

const foreign = [
  ['weight_g', 'its weight is normalised; call torch.nn.utils.remove_weight_norm(module) before saving'],
  [
    'original0',
    'its weight is parametrised; call torch.nn.utils.parametrize.remove_parametrizations before saving',
  ],
] as const

function recogniseWeight(weight: Shape, bias: Shape | undefined): Recognised | string {
  const shapes = new Map([['weight', weight]])
  const [first, second, third, ...more] = weight
  if (bias) shapes.set('bias', [first])
  const hasBias = bias !== undefined
  if (weight.length === 1) {
    if (!hasBias) return 'a weight of one axis without a bias: root-mean-square normalisation, perhaps'
    return { types: ['LayerNorm'], options: { size: first }, shapes }
  }
  if (weight.length === 2) {
    if (bias && bias.length !== 1) return 'layer normalisation over more than the last axis'
    if (!hasBias) return { types: ['Linear', 'Embedding'], options: {}, shapes }
    return { types: ['Linear'], options: { inputSize: second, outputSize: first, bias: true }, shapes }
  }
  const channels = { inputChannels: second, outputChannels: first, bias: hasBias }
  if (weight.length === 3) return { types: ['Conv1d'], options: { ...channels, kernelSize: third }, shapes }
  if (weight.length !== 4) return `a weight of shape [${weight}]`
  return { types: ['Conv2d'], options: { ...channels, kernelSize: [third, ...more] }, shapes }
}

function recogniseBatchNorm(shapes: Shapes): Recognised | string {
  const names = ['weight', 'bias', 'running_mean', 'running_var']
  const missing = names.find((name) => !shapes.has(name))
  if (missing)
    return `it looks like batch normalisation, but has no ${missing}; save it with affine and track_running_stats`
  const [size] = shapes.get('running_mean')!
  if (size === undefined) return 'it looks like batch normalisation, but its running_mean is a scalar'
  return { types: ['BatchNorm'], options: { size }, shapes: new Map(names.map((name) => [name, [size]])) }
}

/** All but the heads, which the shapes do not tell. */
function recogniseAttention(shapes: Shapes): Recognised | string {
  if (shapes.has('bias_k') || shapes.has('bias_v'))
    return 'it looks like attention with add_bias_kv, which this package has not'
  const E = shapes.get('out_proj.weight')?.[0]
  if (E === undefined) return 'it looks like attention, but has no out_proj.weight'
  const bias = shapes.has('in_proj_bias')
  const [keySize, valueSize] = ['k', 'v'].map((part) => shapes.get(`${part}_proj_weight`)?.[1] ?? E)
  const isPacked = keySize === E && valueSize === E
  const expected: [string, Shape][] = isPacked
    ? [['in_proj_weight', [3 * E, E]]]
    : [
        ['q_proj_weight', [E, E]],
        ['k_proj_weight', [E, keySize]],
        ['v_proj_weight', [E, valueSize]],
      ]
  if (bias) expected.push(['in_proj_bias', [3 * E]], ['out_proj.bias', [E]])
  expected.push(['out_proj.weight', [E, E]])
  return {
    types: ['MultiHeadAttention'],
    options: { embedSize: E, keySize, valueSize, bias },
    shapes: new Map(expected),
  }
}

function recogniseRecurrent(shapes: Shapes, suffix: '_l0' | ''): Recognised | string {
  const [rows, inputSize] = shapes.get(`weight_ih${suffix}`)!
  const projection = shapes.get(`weight_hr${suffix}`)
  const hiddenSize = projection?.[1] ?? shapes.get(`weight_hh${suffix}`)?.[1] ?? rows / 4
  const gates = rows / hiddenSize
  if (gates === 3) return 'its three gates make it a GRU, which this package has not'
  if (gates === 1 && (suffix === '' || projection))
    return 'it is a plain recurrent cell, without gates, which this package has not; torch.nn.RNN it has'
  if (!Number.isInteger(hiddenSize) || !(inputSize > 0))
    return `weight_ih${suffix} is no LSTM's: [${[rows, inputSize]}]`
  const sizes = { inputSize, hiddenSize }
  const projectionSize = projection?.[0] ?? 0
  const bias = shapes.has(`bias_ih${suffix}`)
  const cell = { rows, H: hiddenSize, P: projectionSize, bias }
  if (suffix === '') {
    const options = { ...sizes, projectionSize, bias }
    return { types: ['LSTMCell'], options, shapes: cellShapes(inputSize, cell, '') }
  }
  const layers = { numLayers: countLayers(shapes), bidirectional: shapes.has('weight_ih_l0_reverse') }
  const all = layerShapes(inputSize, layers, cell)
  if (gates === 1) return { types: ['RNN'], options: { ...sizes, bias, ...layers }, shapes: all }
  return { types: ['LSTM'], options: { ...sizes, projectionSize, bias, ...layers }, shapes: all }
}

/** One more than the highest number of a layer, unless that is absurd for so few tensors. */
function countLayers(shapes: Shapes): number {
  const numbers = [...shapes.keys()].map((name) => Number(/^weight_ih_l(\d+)$/.exec(name)?.[1] ?? 0))
  return 1 + Math.max(...numbers.filter((k) => k < shapes.size))
}

interface CellSizes {
  /** Of the matrices: H for each gate, or once. */
  rows: number
  H: number
  /** Of the projection; 0 for none. */
  P: number
  bias: boolean
}

function layerShapes(
  inputSize: number,
  { numLayers, bidirectional }: { numLayers: number; bidirectional: boolean },
  cell: CellSizes,
): Shapes {
  const suffixes = bidirectional ? ['', '_reverse'] : ['']
  const inner = suffixes.length * (cell.P || cell.H)
  const layers = Array.from({ length: numLayers }, (_, k) =>
    suffixes.flatMap((suffix) => [...cellShapes(k === 0 ? inputSize : inner, cell, `_l${k}${suffix}`)]),
  )
  return new Map(layers.flat())
}

function cellShapes(inputSize: number, { rows, H, P, bias }: CellSizes, suffix: string): Shapes {
  const shapes = new Map<string, Shape>([
    [`weight_ih${suffix}`, [rows, inputSize]],
    [`weight_hh${suffix}`, [rows, P || H]],
  ])
  if (bias) shapes.set(`bias_ih${suffix}`, [rows]).set(`bias_hh${suffix}`, [rows])
  if (P) shapes.set(`weight_hr${suffix}`, [P, H])
  return shapes
}
