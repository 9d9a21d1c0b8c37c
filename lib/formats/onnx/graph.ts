/** From messages to a graph that can run: names checked, nodes in order, operators known, attributes read. */
import { clampedInteger, type Fail, safeInteger } from './fail.ts'
import { type BoundNode, inlineFunctions, opsetsOf } from './functions.ts'
import { newestOpset, operators } from './operators/index.ts'
import type { AttributeKind, AttributeValue, Operator } from './operators/operator.ts'
import {
  type AttributeProto,
  attributeTypes,
  type ModelProto,
  type TensorProto,
  type ValueInfoProto,
} from './schema.ts'
import { elementType } from './tensors.ts'
import type { ElementType, Value } from './values.ts'

export interface GraphValue {
  readonly name: string
  readonly dataType: ElementType
  /** Sizes, names of sizes that the caller chooses, null for any; undefined where even the rank is left open. */
  readonly shape: readonly (number | string | null)[] | undefined
}

export interface GraphNode {
  readonly name: string
  readonly opType: string
  readonly opset: number
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, AttributeValue>
  readonly operator: Operator
}

export interface Graph {
  readonly opset: number
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  /** What the outputs need, each after what it reads. */
  readonly nodes: readonly GraphNode[]
  readonly constants: ReadonlyMap<string, Value>
  /** Of inputs that may be left out. */
  readonly defaults: ReadonlyMap<string, Value>
}

/** Initializers are constants unless they are inputs too, which before IR version 4 all of them had to be. */
const inputsMayHaveDefaults = 4

/** @param decode a tensor of the file to its value */
export function buildGraph(model: ModelProto, decode: (tensor: TensorProto) => Value, fail: Fail): Graph {
  const proto = model.graph
  if (!proto) return fail('InvalidGraph', 'it holds no graph')
  if (proto.sparseInitializer.length > 0) fail('UnsupportedType', 'sparse initializers are not supported')
  const nodes = inlineFunctions(model, fail)

  const defined = new Map<string, BoundNode | undefined>()
  const define = (name: string, by?: BoundNode): void => {
    if (defined.has(name)) fail('DuplicateName', `${JSON.stringify(name)} is defined twice`)
    defined.set(name, by)
  }
  const initializers = new Map<string, Value>()
  for (const tensor of proto.initializer) {
    define(tensor.name)
    initializers.set(tensor.name, decode(tensor))
  }
  const inputs: GraphValue[] = []
  const defaults = new Map<string, Value>()
  const isOld = safeInteger(model.irVersion, 'ir_version', fail) < inputsMayHaveDefaults
  const named = new Set<string>()
  for (const info of proto.input) {
    if (named.has(info.name)) fail('DuplicateName', `the input ${JSON.stringify(info.name)} is defined twice`)
    named.add(info.name)
    const initializer = initializers.get(info.name)
    if (initializer && isOld) continue
    if (initializer) {
      defaults.set(info.name, initializer)
      initializers.delete(info.name)
    } else define(info.name)
    inputs.push(readValueInfo(info, 'input', fail))
  }
  for (const node of nodes) for (const name of node.proto.output) if (name !== '') define(name, node)

  const outputs = proto.output
    .filter(({ name }) => name !== '')
    .map((info) => readValueInfo(info, 'output', fail))
  if (outputs.length === 0) fail('InvalidGraph', 'the graph has no outputs')
  const ordered = inOrder(
    outputs.map(({ name }) => name),
    defined,
    fail,
  )
  return {
    opset: opsetsOf(model.opsetImport, fail).get('') ?? 1,
    inputs,
    outputs,
    nodes: ordered.map((node) => bind(node, decode, fail)),
    constants: initializers,
    defaults,
  }
}

/** A node as errors name it: `node "/lstm/LSTM" (LSTM, opset 17)`. */
export function placeOf({
  name,
  outputs,
  opType,
  opset,
}: Omit<GraphNode, 'operator' | 'attributes' | 'inputs'>): string {
  return `node ${JSON.stringify(name || outputs.find((output) => output !== '') || '')} (${opType}, opset ${opset})`
}

/** The nodes that the outputs need, each after those that it reads. */
function inOrder(
  outputs: readonly string[],
  defined: ReadonlyMap<string, BoundNode | undefined>,
  fail: Fail,
): BoundNode[] {
  const ordered: BoundNode[] = []
  const state = new Map<BoundNode, 'open' | 'done'>()
  const producerOf = (name: string, reader: string) => {
    if (!defined.has(name))
      fail('InvalidGraph', `${reader} reads ${JSON.stringify(name)}, which nothing defines`)
    return defined.get(name)
  }
  const isOpen: { node: BoundNode; next: number }[] = []
  const enter = (node: BoundNode | undefined): void => {
    if (!node || state.get(node) === 'done') return
    if (state.get(node) === 'open')
      fail('Cycle', `${JSON.stringify(node.proto.name)} depends on its own output`)
    state.set(node, 'open')
    isOpen.push({ node, next: 0 })
  }
  for (const output of outputs) {
    enter(producerOf(output, 'the graph'))
    for (let top = isOpen.at(-1); top; top = isOpen.at(-1)) {
      const { input, name, opType } = top.node.proto
      if (top.next < input.length) {
        const read = input[top.next++]
        if (read !== '') enter(producerOf(read, `node ${JSON.stringify(name)} (${opType})`))
      } else {
        ordered.push(top.node)
        state.set(top.node, 'done')
        isOpen.pop()
      }
    }
  }
  return ordered
}

function bind({ proto, opsets }: BoundNode, decode: (tensor: TensorProto) => Value, fail: Fail): GraphNode {
  const { name, opType, input: inputs, output: outputs } = proto
  const domain = proto.domain === 'ai.onnx' ? '' : proto.domain
  const opset = opsets.get(domain) ?? 1
  const place = placeOf({ name, outputs, opType, opset })
  if (opset < 1 || opset > newestOpset) {
    fail('UnsupportedOpset', `${place}: expected an opset from 1 to ${newestOpset}; export with an older one`)
  }
  const operator = domain === '' ? operators.get(opType) : undefined
  if (!operator) {
    const known = [...operators.keys()].sort()
    const from = domain === '' ? '' : ` of the domain ${JSON.stringify(domain)}`
    return fail(
      'UnsupportedOperator',
      `${place}: the operator ${opType}${from} is not supported; supported, of the default domain: ${known.join(', ')}`,
    )
  }
  const [least, most] = operator.inputs
  if (inputs.length < least || inputs.length > most) {
    fail('InvalidNode', `${place}: expected from ${least} to ${most} inputs, got ${inputs.length}`)
  }
  const attributes = new Map<string, AttributeValue>()
  for (const attribute of proto.attribute) {
    const where = `${place}, attribute ${JSON.stringify(attribute.name)}`
    const kind = operator.attributes?.[attribute.name]
    if (!kind || !Object.hasOwn(operator.attributes!, attribute.name)) {
      const known = Object.keys(operator.attributes ?? {}).join(', ') || 'none'
      return fail('UnsupportedAttribute', `${where} is not supported; supported: ${known}`)
    }
    if (attributes.has(attribute.name)) fail('DuplicateName', `${where} is given twice`)
    attributes.set(attribute.name, attributeValue(attribute, kind, { where, decode, fail }))
  }
  return { name, opType, opset, inputs, outputs, attributes, operator }
}

function attributeValue(
  attribute: AttributeProto,
  kind: AttributeKind,
  { where, decode, fail }: { where: string; decode: (tensor: TensorProto) => Value; fail: Fail },
): AttributeValue {
  // Type 0 is an attribute of a file older than the field.
  if (attribute.refAttrName || (attribute.type !== 0 && attribute.type !== attributeTypes[kind])) {
    return fail('InvalidNode', `${where}: expected the type ${kind}, got type ${attribute.type}`)
  }
  switch (kind) {
    case 'float':
      return attribute.f
    case 'int':
      return safeInteger(attribute.i, where, fail)
    case 'string':
      return Buffer.from(attribute.s).toString('utf8')
    case 'floats':
      return attribute.floats
    case 'ints':
      return attribute.ints.map(clampedInteger)
    case 'strings':
      return attribute.strings.map((each) => Buffer.from(each).toString('utf8'))
    case 'tensor':
      return attribute.t ? decode(attribute.t) : fail('InvalidNode', `${where}: the tensor is missing`)
  }
}

function readValueInfo(info: ValueInfoProto, role: string, fail: Fail): GraphValue {
  const where = `${role} ${JSON.stringify(info.name)}`
  const type = info.type?.tensorType
  if (!type)
    return fail(
      'UnsupportedType',
      `${where}: expected a tensor; sequences, maps and optionals are not supported`,
    )
  const shape = type.shape?.dim.map((dim) => {
    if (dim.dimParam !== '') return dim.dimParam
    if (!Object.hasOwn(dim, 'dimValue')) return null
    const n = safeInteger(dim.dimValue, where, fail)
    return n < 0 ? null : n
  })
  return { name: info.name, dataType: elementType(type.elemType, where, fail), shape }
}
