/** From a model's configuration to its layers in the order they run, if they stand in one line. */
import { describe } from '../../errors.ts'
import {
  invalid,
  type KerasLayer,
  layerOf,
  maskCarriers,
  record,
  type Source,
  type Values,
} from './layer-config.ts'

const linear =
  'supported are Sequential models and functional ones whose layers follow each other in one line'

/** Beyond any model in one line, and few enough to compare each with each. */
const mostLayers = 5000

/** Whether a layer is itself a model. */
export function isModel({ className }: { className: string }): boolean {
  return ['Sequential', 'Functional', 'Model'].includes(className)
}

/** The layers of a model in order. @throws {FileFormatError} if it branches or is of a class of its own */
export function layersOf(model: KerasLayer): KerasLayer[] {
  if (!isModel(model)) model.fail('UnsupportedModel', `is no model that can be read; ${linear}`)
  const { source } = model
  const layers = model.value('layers')
  if (!Array.isArray(layers)) return invalid(source, `expected layers in a list, got ${describe(layers)}`)
  if (layers.length > mostLayers)
    return invalid(source, `expected at most ${mostLayers} layers, got ${layers.length}`)
  const ordered = model.className === 'Sequential' ? layers : inLine(model, layers)
  return ordered.map((layer) => layerOf(source, layer))
}

/** A layer of a functional model: how it is called, by the names of the layers whose outputs it reads. */
interface Node {
  name: string
  layer: Values
  inputs: string[]
  mask: string | undefined
  /** Numbers among the arguments. */
  constants: number[]
}

/** The operations that make a mask, which Keras 3 writes down like layers; here the layers make their masks themselves. */
const maskOperations = ['NotEqual', 'Any']

/** The layers from the input to the output of a functional model. */
function inLine(model: KerasLayer, layers: readonly unknown[]): unknown[] {
  const { source } = model
  const nodes = new Map<string, Node>()
  for (const layer of layers) {
    const node = nodeOf(model, record(source, layer, 'a layer'))
    if (nodes.has(node.name)) return invalid(source, `it has two layers ${JSON.stringify(node.name)}`)
    nodes.set(node.name, node)
  }
  const [last, ...others] = endsOf(source, model.value('output_layers'))
  if (others.length > 0) return branches(model, `it has ${others.length + 1} outputs`)
  const line: Node[] = []
  for (let name: string | undefined = last; name !== undefined; ) {
    const node = nodes.get(name)
    if (!node || line.length >= nodes.size)
      return invalid(source, `layer ${JSON.stringify(name)} does not stand in the model's line of layers`)
    line.push(node)
    if (node.inputs.length > 1) return branches(model, `layer ${name} has ${node.inputs.length} inputs`)
    name = node.inputs[0]
  }
  line.reverse()
  for (const i of line.keys()) requireOwnMask(model, nodes, line, i)
  for (const node of nodes.values()) {
    const isUsed = line.includes(node) || maskOperations.includes(String(node.layer.class_name))
    if (!isUsed) return branches(model, `layer ${node.name} does not lead to the output`)
  }
  return line.map(({ layer }) => layer)
}

/** A layer may be given the mask that reaches it anyway, and no other: made by a layer before, handed on by all between. */
function requireOwnMask(
  model: KerasLayer,
  nodes: ReadonlyMap<string, Node>,
  line: readonly Node[],
  reader: number,
): void {
  const { name, mask } = line[reader]
  if (mask === undefined) return
  const chain: Node[] = []
  let node = nodes.get(mask)
  while (node && maskOperations.includes(String(node.layer.class_name)) && chain.length < 3) {
    chain.unshift(node)
    node = nodes.get(node.inputs[0])
  }
  const operations = chain.map(({ layer }) => layer.class_name).join()
  const maker = line.findIndex(({ layer, inputs }, i) => {
    const { mask_zero: maskZero, mask_value: maskValue } = record(model.source, layer.config, 'a config')
    const makes =
      layer.class_name === 'Masking'
        ? operations === 'NotEqual,Any' && chain[0].constants[0] === maskValue
        : operations === 'NotEqual' && maskZero === true && chain[0].constants[0] === 0
    return makes && i < reader && inputs[0] === node?.name
  })
  const between = maker < 0 ? [] : line.slice(maker, reader)
  const isCarried = between.every(({ layer }) => maskCarriers.includes(String(layer.class_name)))
  if (maker < 0 || !isCarried) branches(model, `layer ${name} is given a mask of its own, ${mask}`)
}

function branches(model: KerasLayer, what: string): never {
  return model.fail('UnsupportedModel', `${what}; ${linear}`)
}

/** Names of layers in `input_layers` or `output_layers`: ["a", 0, 0] or [["a", 0, 0], ...]. */
function endsOf(source: Source, ends: unknown): string[] {
  if (!Array.isArray(ends) || ends.length === 0) return invalid(source, 'expected output_layers in a list')
  const list = typeof ends[0] === 'string' ? [ends] : ends
  return list.map((end) => {
    const name = Array.isArray(end) ? end[0] : undefined
    return typeof name === 'string' ? name : invalid(source, 'an output layer has no name')
  })
}

function nodeOf(model: KerasLayer, layer: Values): Node {
  const { source } = model
  const { name, inbound_nodes: calls } = layer
  if (typeof name !== 'string') return invalid(source, 'a layer of a functional model has no name')
  if (!Array.isArray(calls)) return invalid(source, `expected the inbound_nodes of ${name} in a list`)
  if (calls.length > 1) return branches(model, `layer ${name} is called ${calls.length} times`)
  const node: Node = { name, layer, inputs: [], mask: undefined, constants: [] }
  if (calls.length === 0) return node
  // Keras 3: { args: [tensor], kwargs: { mask: tensor } }; before: [[name, node, tensor, kwargs], ...].
  if (Array.isArray(calls[0])) {
    const inputs = calls[0].map((input: unknown) => oldInput(model, name, input))
    return { ...node, inputs }
  }
  const { args, kwargs } = record(source, calls[0], 'an inbound node')
  if (!Array.isArray(args)) return invalid(source, `expected the args of ${name} in a list`)
  const { mask, ...options } = record(source, kwargs ?? {}, 'the kwargs of an inbound node')
  const [other] = Object.keys(options).filter((option) => tensorsIn(options[option]).length > 0)
  if (other !== undefined) return branches(model, `layer ${name} is given a tensor as ${other}`)
  const constants = args.filter((value) => typeof value === 'number')
  return { ...node, inputs: tensorsIn(args), mask: tensorsIn(mask)[0], constants }
}

function oldInput(model: KerasLayer, name: string, input: unknown): string {
  const [from, , , kwargs] = Array.isArray(input) ? input : []
  if (typeof from !== 'string') return invalid(model.source, `the inbound node of ${name} names no layer`)
  const options = record(model.source, kwargs ?? {}, 'the kwargs of an inbound node')
  const [given] = Object.keys(options).filter((option) => Array.isArray(options[option]))
  return given === undefined ? from : branches(model, `layer ${name} is given a tensor as ${given}`)
}

/** The layers whose outputs stand in a value, at most two lists deep. */
function tensorsIn(value: unknown, depth = 0): string[] {
  if (Array.isArray(value)) return depth > 2 ? [] : value.flatMap((each) => tensorsIn(each, depth + 1))
  if (value === null || typeof value !== 'object') return []
  const tensor = value as { class_name?: unknown; config?: { keras_history?: unknown } }
  const history = tensor.config?.keras_history
  const isTensor =
    tensor.class_name === '__keras_tensor__' && Array.isArray(history) && typeof history[0] === 'string'
  return isTensor ? [(history as string[])[0]] : []
}
