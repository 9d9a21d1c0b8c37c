/** From messages to a graph that can run: names checked, nodes in order, bodies of nodes likewise. */
import { type Fail, safeInteger } from './fail.ts'
import { type BoundGraph, type BoundNode, inlineFunctions, opsetsOf } from './functions.ts'
import { bindNode, type GraphNode, operatorOf } from './node.ts'
import type { ModelProto, TensorProto, TypeProto, ValueInfoProto } from './schema.ts'
import { elementType } from './tensors.ts'
import type { ElementType, Value } from './values.ts'

export interface GraphValue {
  readonly name: string
  readonly dataType: ElementType
  /** Sizes, names of sizes that the caller chooses, null for any; undefined where even the rank is left open. */
  readonly shape: readonly (number | string | null)[] | undefined
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

/** A value that goes into a body or comes out: of what type and shape it is may be left open. */
export type BodyValue = Pick<GraphValue, 'name' | 'shape'> & { readonly dataType?: ElementType }

/** A graph that a node runs. */
export interface BodyGraph extends Pick<Graph, 'nodes' | 'constants' | 'defaults'> {
  readonly inputs: readonly BodyValue[]
  readonly outputs: readonly BodyValue[]
  /** What it reads of the graph around it: the last inputs of its node. */
  readonly captures: readonly string[]
}

/** Initializers are constants unless they are inputs too, which before IR version 4 all of them had to be. */
const inputsMayHaveDefaults = 4

/** @param decode a tensor of the file to its value */
export function buildGraph(model: ModelProto, decode: (tensor: TensorProto) => Value, fail: Fail): Graph {
  if (!model.graph) return fail('InvalidGraph', 'it holds no graph')
  const isOld = safeInteger(model.irVersion, 'ir_version', fail) < inputsMayHaveDefaults
  const { node, initializer, sparseInitializer, input, name } = model.graph
  const output = model.graph.output.filter((each) => each.name !== '')
  const proto = { name, node, initializer, sparseInitializer, input, output }
  const whole = inlineFunctions(model, proto, fail)
  const { free, ...graph } = resolve(whole, readValueInfo, { isOld, decode, fail })
  for (const [name, reader] of free)
    fail('InvalidGraph', `${reader} reads ${JSON.stringify(name)}, which nothing defines`)
  return { opset: opsetsOf(model.opsetImport, fail).get('') ?? 1, ...graph }
}

interface Context {
  isOld: boolean
  decode: (tensor: TensorProto) => Value
  fail: Fail
}

/** A graph that may read names from outside: `free` holds these, and who reads each first. */
function resolve<Info extends { name: string }>(
  { proto, nodes }: BoundGraph,
  read: (info: ValueInfoProto, role: string, fail: Fail) => Info,
  context: Context,
): Pick<Graph, 'nodes' | 'constants' | 'defaults'> & {
  inputs: Info[]
  outputs: Info[]
  free: Map<string, string>
} {
  const { isOld, decode, fail } = context
  if (proto.sparseInitializer.length > 0) fail('UnsupportedType', 'sparse initializers are not supported')
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
  const inputs: Info[] = []
  const defaults = new Map<string, Value>()
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
    inputs.push(read(info, 'input', fail))
  }
  for (const node of nodes) for (const name of node.proto.output) if (name !== '') define(name, node)

  const outputs = proto.output.map((info) => read(info, 'output', fail))
  if (outputs.length === 0) fail('InvalidGraph', 'the graph has no outputs')
  const bodies = new Map<BoundNode, ReadonlyMap<string, BodyGraph>>()
  const bodiesOf = (node: BoundNode): ReadonlyMap<string, BodyGraph> => {
    if (!bodies.has(node)) bodies.set(node, resolveBodies(node, context))
    return bodies.get(node)!
  }
  const names = outputs.map(({ name }) => name)
  const { ordered, free } = inOrder(names, { defined, bodiesOf, fail })
  return {
    inputs,
    outputs,
    nodes: ordered.map((node) => bindNode(node, { bodies: bodiesOf(node), decode, fail })),
    constants: initializers,
    defaults,
    free,
  }
}

function resolveBodies(node: BoundNode, context: Context): ReadonlyMap<string, BodyGraph> {
  if (node.bodies.size === 0) return new Map()
  const { operator } = operatorOf(node, context.fail)
  const bodies = [...node.bodies].filter(
    ([name]) => Object.hasOwn(operator.attributes ?? {}, name) && operator.attributes![name] === 'graph',
  )
  return new Map(
    bodies.map(([name, bound]): [string, BodyGraph] => {
      const { free, ...body } = resolve(bound, readBodyValue, context)
      return [name, { ...body, captures: [...free.keys()] }]
    }),
  )
}

/** The nodes that the outputs need, each after those that it reads, and the names that nothing here defines. */
function inOrder(
  outputs: readonly string[],
  {
    defined,
    bodiesOf,
    fail,
  }: {
    defined: ReadonlyMap<string, BoundNode | undefined>
    bodiesOf: (node: BoundNode) => ReadonlyMap<string, BodyGraph>
    fail: Fail
  },
): { ordered: BoundNode[]; free: Map<string, string> } {
  const free = new Map<string, string>()
  const ordered: BoundNode[] = []
  const state = new Map<BoundNode, 'open' | 'done'>()
  const producerOf = (name: string, reader: string) => {
    if (!defined.has(name) && !free.has(name)) free.set(name, reader)
    return defined.get(name)
  }
  const isOpen: { node: BoundNode; reads: readonly string[]; next: number }[] = []
  const enter = (node: BoundNode | undefined): void => {
    if (!node || state.get(node) === 'done') return
    if (state.get(node) === 'open')
      fail('Cycle', `${JSON.stringify(node.proto.name)} depends on its own output`)
    state.set(node, 'open')
    const captures = [...bodiesOf(node).values()].flatMap((body) => body.captures)
    isOpen.push({ node, reads: [...node.proto.input, ...captures], next: 0 })
  }
  for (const output of outputs) {
    enter(producerOf(output, 'the graph'))
    for (let top = isOpen.at(-1); top; top = isOpen.at(-1)) {
      const { name, opType } = top.node.proto
      if (top.next < top.reads.length) {
        const read = top.reads[top.next++]
        if (read !== '') enter(producerOf(read, `node ${JSON.stringify(name)} (${opType})`))
      } else {
        ordered.push(top.node)
        state.set(top.node, 'done')
        isOpen.pop()
      }
    }
  }
  return { ordered, free }
}

function readValueInfo(info: ValueInfoProto, role: string, fail: Fail): GraphValue {
  const where = `${role} ${JSON.stringify(info.name)}`
  const type = info.type?.tensorType
  if (!type)
    return fail(
      'UnsupportedType',
      `${where}: expected a tensor; sequences, maps and optionals are not supported`,
    )
  return {
    name: info.name,
    dataType: elementType(type.elemType, where, fail),
    shape: shapeOf(type, where, fail),
  }
}

function readBodyValue(info: ValueInfoProto, role: string, fail: Fail): BodyValue {
  const where = `${role} ${JSON.stringify(info.name)} of a body`
  if (info.name === '') fail('InvalidGraph', `an ${role} of a body has no name`)
  const type = info.type?.tensorType
  const isTyped = type && type.elemType !== 0
  return {
    name: info.name,
    dataType: isTyped ? elementType(type.elemType, where, fail) : undefined,
    shape: type ? shapeOf(type, where, fail) : undefined,
  }
}

function shapeOf(
  { shape }: NonNullable<TypeProto['tensorType']>,
  where: string,
  fail: Fail,
): GraphValue['shape'] {
  return shape?.dim.map((dim) => {
    if (dim.dimParam !== '') return dim.dimParam
    if (!Object.hasOwn(dim, 'dimValue')) return null
    const n = safeInteger(dim.dimValue, where, fail)
    return n < 0 ? null : n
  })
}
