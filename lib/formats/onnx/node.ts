/** From a message to a node that can run: its operator known, its attributes read. */
import { clampedInteger, type Fail, safeInteger } from './fail.ts'
import type { BoundNode } from './functions.ts'
import type { BodyGraph } from './graph.ts'
import { newestOpset, operators } from './operators/index.ts'
import type { AttributeKind, AttributeValue, Operator } from './operators/operator.ts'
import { type AttributeProto, attributeTypes, type TensorProto } from './schema.ts'
import type { Value } from './values.ts'

export interface GraphNode {
  readonly name: string
  readonly opType: string
  readonly opset: number
  /** Its own, and after them what its bodies read of the graph around them. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, AttributeValue>
  readonly bodies: ReadonlyMap<string, BodyGraph>
  readonly operator: Operator
}

/** Operators whose first input is the sequence, with lengths and states behind the weights. */
export function isRecurrent({ opType }: { opType: string }): boolean {
  return opType === 'LSTM' || opType === 'RNN'
}

type Decode = (tensor: TensorProto) => Value

/** A node as errors name it: `node "/lstm/LSTM" (LSTM, opset 17)`. */
export function placeOf({
  name,
  outputs,
  opType,
  opset,
}: Pick<GraphNode, 'name' | 'outputs' | 'opType' | 'opset'>): string {
  return `node ${JSON.stringify(name || outputs.find((output) => output !== '') || '')} (${opType}, opset ${opset})`
}

/** @throws {FileFormatError} if there is none such */
export function operatorOf(
  { proto, opsets }: BoundNode,
  fail: Fail,
): { operator: Operator; opset: number; place: string } {
  const { name, opType, output: outputs } = proto
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
  const { since = 1 } = operator
  if (opset < since)
    fail('UnsupportedOpset', `${place}: expected an opset from ${since} on; export with a newer one`)
  return { operator, opset, place }
}

/** @param bodies those of its attributes that its operator runs */
export function bindNode(
  node: BoundNode,
  { bodies, decode, fail }: { bodies: ReadonlyMap<string, BodyGraph>; decode: Decode; fail: Fail },
): GraphNode {
  const { name, opType, input, output: outputs } = node.proto
  const { operator, opset, place } = operatorOf(node, fail)
  const [least, most] = operator.inputs
  if (input.length < least || input.length > most) {
    fail('InvalidNode', `${place}: expected from ${least} to ${most} inputs, got ${input.length}`)
  }
  const attributes = new Map<string, AttributeValue>()
  const given = new Set<string>()
  for (const attribute of node.proto.attribute) {
    const where = `${place}, attribute ${JSON.stringify(attribute.name)}`
    const kind = operator.attributes?.[attribute.name]
    if (!kind || !Object.hasOwn(operator.attributes!, attribute.name)) {
      const known = Object.keys(operator.attributes ?? {}).join(', ') || 'none'
      return fail('UnsupportedAttribute', `${where} is not supported; supported: ${known}`)
    }
    if (given.has(attribute.name)) fail('DuplicateName', `${where} is given twice`)
    given.add(attribute.name)
    const value = attributeValue(attribute, kind, { where, decode, fail })
    if (value !== undefined) attributes.set(attribute.name, value)
  }
  try {
    operator.check?.({ inputs: input.length, outputs: outputs.length, attributes, bodies })
  } catch (cause) {
    fail('InvalidNode', `${place}: ${(cause as Error).message}`, { cause })
  }
  const inputs = [...input, ...[...bodies.values()].flatMap(({ captures }) => captures)]
  return { name, opType, opset, inputs, outputs, attributes, bodies, operator }
}

/** @returns undefined for a graph, which is one of the bodies */
function attributeValue(
  attribute: AttributeProto,
  kind: AttributeKind,
  { where, decode, fail }: { where: string; decode: Decode; fail: Fail },
): AttributeValue | undefined {
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
    case 'graph':
      return attribute.g ? undefined : fail('InvalidNode', `${where}: the graph is missing`)
  }
}
