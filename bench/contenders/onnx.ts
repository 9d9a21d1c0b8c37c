/** Writes an ONNX model file: the few messages of onnx.proto3 that a graph of LSTM nodes needs. */
import { createRequire } from 'node:module'

export interface OnnxTensor {
  type: 'float32' | 'int64'
  shape: readonly number[]
  data: Float32Array | BigInt64Array
}

export interface OnnxNode {
  type: string
  /** Names of values; '' leaves an optional input out. */
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: Record<string, number | string | readonly number[]>
}

interface ValueType {
  type: 'float32' | 'int32'
  shape: readonly number[]
}

export interface ModelParts {
  nodes: readonly OnnxNode[]
  weights: Record<string, OnnxTensor>
  inputs: Record<string, ValueType>
  outputs: Record<string, ValueType>
}

/** The part of protobufjs that is used. */
interface Protobuf {
  Root: { fromJSON(schema: object): { lookupType(name: string): MessageType } }
}

interface MessageType {
  create(properties: object): object
  encode(message: object): { finish(): Uint8Array }
}

// TensorProto.DataType and AttributeProto.AttributeType.
const elementTypes = { float32: 1, int32: 6, int64: 7 }
const attributeTypes = { int: 2, string: 3, ints: 7 }

/** Opset 14 is the newest whose LSTM every runtime of the last years knows; it belongs to IR version 7. */
const opset = 14
const irVersion = 7

/** The bytes of the model, in little-endian order as ONNX demands of raw data. */
export function encodeModel({ nodes, weights, inputs, outputs }: ModelParts): Uint8Array {
  const protobuf = createRequire(import.meta.url)('protobufjs') as Protobuf
  const type = protobuf.Root.fromJSON(schema).lookupType('ModelProto')
  const model = {
    irVersion,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'lstm',
      node: nodes.map((node) => ({
        opType: node.type,
        input: node.inputs,
        output: node.outputs,
        attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...attribute(value) })),
      })),
      initializer: Object.entries(weights).map(([name, { type, shape, data }]) => ({
        name,
        dims: shape,
        dataType: elementTypes[type],
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: Object.entries(inputs).map(valueInfo),
      output: Object.entries(outputs).map(valueInfo),
    },
  }
  return type.encode(type.create(model)).finish()
}

function attribute(value: number | string | readonly number[]): object {
  if (typeof value === 'number') return { type: attributeTypes.int, i: value }
  if (typeof value === 'string') return { type: attributeTypes.string, s: Buffer.from(value) }
  return { type: attributeTypes.ints, ints: value }
}

function valueInfo([name, { type, shape }]: [string, ValueType]): object {
  const dimensions = { dim: shape.map((n) => ({ dimValue: n })) }
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: dimensions } } }
}

function message(fields: Record<string, [id: number, type: string, rule?: 'repeated']>): object {
  const entries = Object.entries(fields).map(([name, [id, type, rule]]) => [name, { id, type, rule }])
  return { fields: Object.fromEntries(entries) }
}

/** Field numbers from onnx.proto3 of the ONNX project. */
const schema = {
  nested: {
    ModelProto: message({
      irVersion: [1, 'int64'],
      graph: [7, 'GraphProto'],
      opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
    }),
    OperatorSetIdProto: message({ domain: [1, 'string'], version: [2, 'int64'] }),
    GraphProto: message({
      node: [1, 'NodeProto', 'repeated'],
      name: [2, 'string'],
      initializer: [5, 'TensorProto', 'repeated'],
      input: [11, 'ValueInfoProto', 'repeated'],
      output: [12, 'ValueInfoProto', 'repeated'],
    }),
    NodeProto: message({
      input: [1, 'string', 'repeated'],
      output: [2, 'string', 'repeated'],
      opType: [4, 'string'],
      attribute: [5, 'AttributeProto', 'repeated'],
    }),
    AttributeProto: message({
      name: [1, 'string'],
      i: [3, 'int64'],
      s: [4, 'bytes'],
      ints: [8, 'int64', 'repeated'],
      type: [20, 'int32'],
    }),
    TensorProto: message({
      dims: [1, 'int64', 'repeated'],
      dataType: [2, 'int32'],
      name: [8, 'string'],
      rawData: [9, 'bytes'],
    }),
    ValueInfoProto: message({ name: [1, 'string'], type: [2, 'TypeProto'] }),
    TypeProto: message({ tensorType: [1, 'TensorTypeProto'] }),
    TensorTypeProto: message({ elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] }),
    TensorShapeProto: message({ dim: [1, 'DimensionProto', 'repeated'] }),
    DimensionProto: message({ dimValue: [1, 'int64'] }),
  },
}
