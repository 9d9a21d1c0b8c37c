/** Functions that a model brings along, written out where they are called, in the graph and in the bodies of its nodes. */
import type { Fail } from './fail.ts'
import { safeInteger } from './fail.ts'
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetIdProto,
} from './schema.ts'

/** A node with the operator sets that its name is to be read in. */
export interface BoundNode {
  proto: Pick<NodeProto, 'name' | 'domain' | 'opType' | 'overload' | 'input' | 'output' | 'attribute'>
  opsets: ReadonlyMap<string, number>
  /** The graphs among its attributes, by the attribute's name. */
  bodies: ReadonlyMap<string, BoundGraph>
}

export interface BoundGraph {
  proto: GraphProto
  nodes: readonly BoundNode[]
}

/** Nested calls double what they write out at each level: names, nodes and attributes in all, and levels. */
const maximumSize = 150_000
const maximumDepth = 16

const noBodies: ReadonlyMap<string, BoundGraph> = new Map()

type Unbound = Omit<BoundNode, 'bodies'>

/** A model's graph without calls of functions. */
export function inlineFunctions(model: ModelProto, graph: GraphProto, fail: Fail): BoundGraph {
  const functions = new Map(
    model.functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]),
  )
  const sizes = new Map(model.functions.map((each) => [each, sizeOf(each)]))
  let calls = 0
  let left = maximumSize
  const visit = (nodes: readonly Unbound[], inlined: BoundNode[], depth: number): void => {
    if (depth > maximumDepth)
      fail('TooDeep', `functions and bodies of nodes are more than ${maximumDepth} deep in one another`)
    for (const node of nodes) {
      const { domain, opType, overload } = node.proto
      const called = functions.get(keyOf(domain, opType, overload))
      if (!called) {
        const bodies = graphsOf(node.proto).map(
          ([name, g]) => [name, bind(g, node.opsets, depth + 1)] as const,
        )
        inlined.push({ ...node, bodies: bodies.length > 0 ? new Map(bodies) : noBodies })
        continue
      }
      left -= sizes.get(called)!
      if (left < 0) fail('TooManyNodes', 'its functions, written out where they are called, are too long')
      visit(bodyOf(called, node, { prefix: `${called.name}#${calls++}`, fail }), inlined, depth + 1)
    }
  }
  const bind = (proto: GraphProto, opsets: ReadonlyMap<string, number>, depth: number): BoundGraph => {
    const nodes: BoundNode[] = []
    visit(
      proto.node.map((each) => ({ proto: each, opsets })),
      nodes,
      depth,
    )
    return { proto, nodes }
  }
  return bind(graph, opsetsOf(model.opsetImport, fail), 0)
}

function graphsOf({ attribute }: Pick<NodeProto, 'attribute'>): [name: string, graph: GraphProto][] {
  return attribute.flatMap(({ name, g }): [string, GraphProto][] => (g ? [[name, g]] : []))
}

/** What a call writes out. */
function sizeOf({ input, output, attributeProto, opsetImport, node }: FunctionProto): number {
  const own = 1 + input.length + output.length + attributeProto.length + opsetImport.length
  return own + sizeOfNodes(node)
}

function sizeOfNodes(nodes: readonly NodeProto[]): number {
  const sizeOfGraph = ({ node, input, output, initializer }: GraphProto): number =>
    sizeOfNodes(node) + input.length + output.length + initializer.length
  return nodes.reduce(
    (size, each) =>
      size +
      1 +
      each.input.length +
      each.output.length +
      each.attribute.length +
      graphsOf(each).reduce((sum, [, g]) => sum + sizeOfGraph(g), 0),
    0,
  )
}

function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts)
}

export function opsetsOf(imports: readonly OperatorSetIdProto[], fail: Fail): Map<string, number> {
  return new Map(
    imports.map(({ domain, version }) => [
      domain === 'ai.onnx' ? '' : domain,
      safeInteger(version, 'opset_import', fail),
    ]),
  )
}

type Rename = (name: string) => string

/** A message with other values in places. A copy would lose those left out in the file, which a message has of its type. */
function changed<Message extends object>(message: Message, values: Partial<Message>): Message {
  return Object.assign(Object.create(message), values)
}

/** The function's nodes, with the call's names and attributes in place of its own. */
function bodyOf(
  called: FunctionProto,
  call: Unbound,
  { prefix, fail }: { prefix: string; fail: Fail },
): Unbound[] {
  const names = new Map<string, string>()
  for (const [i, name] of called.input.entries()) names.set(name, call.proto.input[i] ?? '')
  for (const [i, name] of called.output.entries())
    names.set(name, call.proto.output[i] || `${prefix}/${name}`)
  const rename: Rename = (name) => (name === '' ? '' : (names.get(name) ?? `${prefix}/${name}`))

  const given = new Map<string, AttributeProto>()
  for (const each of [...called.attributeProto, ...call.proto.attribute]) given.set(each.name, each)
  const resolve = (attribute: AttributeProto, rename: Rename): AttributeProto[] => {
    if (attribute.g) return [changed(attribute, { g: renamed(attribute.g, rename) })]
    if (!attribute.refAttrName) return [attribute]
    const actual = given.get(attribute.refAttrName)
    return actual ? [changed(actual, { name: attribute.name })] : []
  }
  /** Names that a graph defines stay what they are in it. */
  const renamed = (graph: GraphProto, outer: Rename): GraphProto => {
    const own = new Set([...graph.input, ...graph.initializer].map(({ name }) => name))
    for (const { output } of graph.node) for (const name of output) own.add(name)
    const rename: Rename = (name) => (own.has(name) ? name : outer(name))
    const node = graph.node.map((each) =>
      changed(each, {
        input: each.input.map(rename),
        attribute: each.attribute.flatMap((attribute) => resolve(attribute, rename)),
      }),
    )
    const output = graph.output.map((each) => changed(each, { name: rename(each.name) }))
    return changed(graph, { node, output })
  }
  const opsets = opsetsOf(called.opsetImport, fail)
  return called.node.map((node) => ({
    opsets,
    proto: {
      name: `${call.proto.name || prefix}/${node.name || node.opType}`,
      domain: node.domain,
      opType: node.opType,
      overload: node.overload,
      input: node.input.map(rename),
      output: node.output.map(rename),
      attribute: node.attribute.flatMap((each) => resolve(each, rename)),
    },
  }))
}
