/** The modules of PyTorch that the names and shapes of a state_dict tell of. */

export const moduleTypes = ['LSTM', 'LSTMCell', 'Linear', 'Embedding', 'LayerNorm', 'Conv1d'] as const
export type ModuleType = (typeof moduleTypes)[number]

type Shape = readonly number[]
type Shapes = ReadonlyMap<string, Shape>

/** A module, its layer's options as far as they can be told, and the tensors that it then has. */
export interface Module {
  prefix: string
  /** Two where a matrix without a bias may be the one or the other. */
  types: readonly ModuleType[]
  options: Readonly<Record<string, number | boolean | string>>
  /** Under their names in the file. */
  shapes: Shapes
}

/** The modules of a file by their prefixes; `strangers` are prefixes of tensors that make none of them, and why. */
export interface Found {
  modules: Map<string, Module>
  strangers: Map<string, string>
}

/** What stands before the last dot of a tensor's name is a module's prefix; `''` that of a module saved alone. */
export function findModules(tensors: ReadonlyMap<string, { shape: Shape; dataType: string }>): Found {
  const groups = new Map<string, Map<string, Shape>>()
  const doubles = new Set<string>()
  for (const [name, { shape, dataType }] of tensors) {
    const prefix = prefixOf(name)
    const local = prefix === '' ? name : name.slice(prefix.length + 1)
    let group = groups.get(prefix)
    if (!group) groups.set(prefix, (group = new Map()))
    group.set(local, shape)
    if (dataType === 'F64') doubles.add(prefix)
  }
  const modules = new Map<string, Module>()
  const strangers = new Map<string, string>()
  for (const [prefix, group] of groups) {
    const found = recognise(group)
    if (typeof found === 'string') {
      strangers.set(prefix, found)
      continue
    }
    const dataType = doubles.has(prefix) ? 'float64' : 'float32'
    const shapes = new Map([...found.shapes].map(([local, shape]) => [fullName(prefix, local), shape]))
    modules.set(prefix, { prefix, ...found, options: { ...found.options, dataType }, shapes })
  }
  return { modules, strangers }
}

export function prefixOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')))
}

/** A tensor's name in the file. */
export function fullName(prefix: string, local: string): string {
  return prefix === '' ? local : `${prefix}.${local}`
}

type Recognised = Omit<Module, 'prefix'>

/** What the tensors of one prefix are, or a sentence that says why they are nothing known. */
function recognise(shapes: Shapes): Recognised | string {
  for (const [name, shape] of shapes) {
    // A file can have a tensor of 0 by 10⁹ elements; a layer of that size would not be as small.
    if (shape.includes(0)) return `${name} [${shape}] has no elements`
  }
  if (shapes.has('weight_ih_l0')) return recogniseRecurrent(shapes, 'LSTM')
  if (shapes.has('weight_ih')) return recogniseRecurrent(shapes, 'LSTMCell')
  for (const [name, what] of foreign) {
    if (shapes.has(name)) return what
  }
  const weight = shapes.get('weight')
  if (!weight) return 'it has neither weight nor weight_ih_l0'
  return recogniseWeight(weight, shapes.get('bias'))
}

const foreign = [
  [
    'running_mean',
    'it looks like batch normalisation, whose module the file does not tell; build the model and use loadPyTorchWeights',
  ],
  ['in_proj_weight', 'it looks like attention, which this package has not'],
  ['weight_g', 'its weight is normalised; call torch.nn.utils.remove_weight_norm(module) before saving'],
  [
    'original0',
    'its weight is parametrised; call torch.nn.utils.parametrize.remove_parametrizations before saving',
  ],
] as const

function recogniseWeight(weight: Shape, bias: Shape | undefined): Recognised | string {
  const shapes = new Map([['weight', weight]])
  const [first, second, third] = weight
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
  if (weight.length !== 3) return `a weight of shape [${weight}]`
  const options = { inputChannels: second, outputChannels: first, kernelSize: third, bias: hasBias }
  return { types: ['Conv1d'], options, shapes }
}

/** The options that make a matrix [rows, columns] the weight of a layer of this type. */
export function matrixOptions(type: 'Linear' | 'Embedding', [rows, columns]: Shape) {
  if (type === 'Linear') return { inputSize: columns, outputSize: rows, bias: false }
  return { vocabularySize: rows, embeddingSize: columns }
}

/** The last axis that a module reads, where its shapes tell. */
export function inputSizeOf({ types, options, shapes }: Module): number | undefined {
  if (types.length > 1) return matrixOf(shapes)[1]
  return (options.inputSize ?? options.size ?? options.inputChannels) as number | undefined
}

/** What a matrix that comes first is, where the input of the next module shows it. */
export function matrixType({ shapes }: Module, next: Module | undefined): 'Linear' | 'Embedding' | undefined {
  const [rows, columns] = matrixOf(shapes)
  const expected = next && inputSizeOf(next)
  if (rows === columns || expected === undefined) return undefined
  if (expected === columns) return 'Embedding'
  return expected === rows ? 'Linear' : undefined
}

export function matrixOf(shapes: Shapes): Shape {
  return shapes.values().next().value!
}

function recogniseRecurrent(shapes: Shapes, type: 'LSTM' | 'LSTMCell'): Recognised | string {
  const suffix = type === 'LSTM' ? '_l0' : ''
  const [rows, inputSize] = shapes.get(`weight_ih${suffix}`)!
  const projection = shapes.get(`weight_hr${suffix}`)
  const hiddenSize = projection?.[1] ?? shapes.get(`weight_hh${suffix}`)?.[1] ?? rows / 4
  const gates = rows / hiddenSize
  if (gates === 3) return 'its three gates make it a GRU, which this package has not'
  if (gates === 1) return 'it is a plain recurrent layer, without gates, which this package has not'
  if (!Number.isInteger(hiddenSize) || !(inputSize > 0))
    return `weight_ih${suffix} is no LSTM's: [${[rows, inputSize]}]`
  const cell = {
    inputSize,
    hiddenSize,
    projectionSize: projection?.[0] ?? 0,
    bias: shapes.has(`bias_ih${suffix}`),
  }
  if (type === 'LSTMCell') return { types: [type], options: cell, shapes: cellShapes(inputSize, cell, '') }
  const options = {
    ...cell,
    numLayers: countLayers(shapes),
    bidirectional: shapes.has('weight_ih_l0_reverse'),
  }
  return { types: [type], options, shapes: lstmShapes(options) }
}

/** One more than the highest number of a layer, unless that is absurd for so few tensors. */
function countLayers(shapes: Shapes): number {
  const numbers = [...shapes.keys()].map((name) => Number(/^weight_ih_l(\d+)$/.exec(name)?.[1] ?? 0))
  return 1 + Math.max(...numbers.filter((k) => k < shapes.size))
}

interface CellSizes {
  hiddenSize: number
  projectionSize: number
  bias: boolean
}

function lstmShapes(
  options: CellSizes & { inputSize: number; numLayers: number; bidirectional: boolean },
): Shapes {
  const suffixes = options.bidirectional ? ['', '_reverse'] : ['']
  const inner = suffixes.length * (options.projectionSize || options.hiddenSize)
  const layers = Array.from({ length: options.numLayers }, (_, k) =>
    suffixes.flatMap((suffix) => [
      ...cellShapes(k === 0 ? options.inputSize : inner, options, `_l${k}${suffix}`),
    ]),
  )
  return new Map(layers.flat())
}

function cellShapes(
  inputSize: number,
  { hiddenSize: H, projectionSize: P, bias }: CellSizes,
  suffix: string,
): Shapes {
  const shapes = new Map<string, Shape>([
    [`weight_ih${suffix}`, [4 * H, inputSize]],
    [`weight_hh${suffix}`, [4 * H, P || H]],
  ])
  if (bias) shapes.set(`bias_ih${suffix}`, [4 * H]).set(`bias_hh${suffix}`, [4 * H])
  if (P) shapes.set(`weight_hr${suffix}`, [P, H])
  return shapes
}
