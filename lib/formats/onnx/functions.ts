/** Functions that a model brings along, written out where they are called. */
import type { Fail } from './fail.ts'
import { safeInteger } from './fail.ts'
import type { AttributeProto, FunctionProto, ModelProto, NodeProto, OperatorSetIdProto } from './schema.ts'

/** A node with the operator sets that its name is to be read in. */
export interface BoundNode {
  proto: Pick<NodeProto, 'name' | 'domain' | 'opType' | 'overload' | 'input' | 'output' | 'attribute'>
  opsets: ReadonlyMap<string, number>
}

/** Nested calls double what they write out at each level: names, nodes and attributes in all, and levels. */
const maximumSize = 150_000
const maximumDepth = 16

/** The nodes of a model's graph, without calls of functions. */
export function inlineFunctions(model: ModelProto, fail: Fail): BoundNode[] {
  const functions = new Map(
    model.functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]),
  )
  const inlined: BoundNode[] = []
  const sizes = new Map(model.functions.map((each) => [each, sizeOf(each)]))
  let calls = 0
  let left = maximumSize
  const visit = (nodes: readonly BoundNode[], depth: number): void => {
    if (depth > maximumDepth) fail('TooDeep', `functions call each other more than ${maximumDepth} deep`)
    for (const node of nodes) {
      const { domain, opType, overload } = node.proto
      const called = functions.get(keyOf(domain, opType, overload))
      if (!called) {
        inlined.push(node)
        continue
      }
      left -= sizes.get(called)!
      if (left < 0) fail('TooManyNodes', 'its functions, written out where they are called, are too long')
      visit(bodyOf(called, node, { prefix: `${called.name}#${calls++}`, fail }), depth + 1)
    }
  }
  const opsets = opsetsOf(model.opsetImport, fail)
  visit(
    (model.graph?.node ?? []).map((proto) => ({ proto, opsets })),
    0,
  )
  return inlined
}

/** What a call writes out. */
function sizeOf({ input, output, attributeProto, opsetImport, node }: FunctionProto): number {
  const own = 1 + input.length + output.length + attributeProto.length + opsetImport.length
  return node.reduce(
    (size, each) => size + 1 + each.input.length + each.output.length + each.attribute.length,
    own,
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

/** The function's nodes, with the call's names and attributes in place of its own. */
function bodyOf(
  called: FunctionProto,
  call: BoundNode,
  { prefix, fail }: { prefix: string; fail: Fail },
): BoundNode[] {
  const names = new Map<string, string>()
  for (const [i, name] of called.input.entries()) names.set(name, call.proto.input[i] ?? '')
  for (const [i, name] of called.output.entries())
    names.set(name, call.proto.output[i] || `${prefix}/${name}`)
  const rename = (name: string) => (name === '' ? '' : (names.get(name) ?? `${prefix}/${name}`))

  const given = new Map<string, AttributeProto>()
  for (const each of [...called.attributeProto, ...call.proto.attribute]) given.set(each.name, each)
  const resolve = (attribute: AttributeProto): AttributeProto[] => {
    if (!attribute.refAttrName) return [attribute]
    const actual = given.get(attribute.refAttrName)
    return actual ? [{ ...actual, name: attribute.name }] : []
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
      attribute: node.attribute.flatMap(resolve),
    },
  }))
}
