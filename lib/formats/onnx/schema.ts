/**
 * The part of onnx.proto (github.com/onnx/onnx, IR version 14) that a model of tensors needs, for reading and writing.
 * Names are the fields' own in camel case. Fields left out are skipped by the reader: documentation, training
 * information, value types other than tensors.
 */
import protobuf from 'protobufjs/light.js'

/** Read as a Long or a number, written from a number. */
export type Int64 = number | { toNumber(): number }

export interface ModelProto {
  irVersion: Int64
  opsetImport: OperatorSetIdProto[]
  producerName: string
  producerVersion: string
  graph?: GraphProto | null
  metadataProps: StringStringEntryProto[]
  functions: FunctionProto[]
}

export interface OperatorSetIdProto {
  domain: string
  version: Int64
}

export interface StringStringEntryProto {
  key: string
  value: string
}

export interface GraphProto {
  name: string
  node: NodeProto[]
  initializer: TensorProto[]
  /** Only their presence matters: they are refused. */
  sparseInitializer: Uint8Array[]
  input: ValueInfoProto[]
  output: ValueInfoProto[]
}

export interface NodeProto {
  input: string[]
  output: string[]
  name: string
  opType: string
  domain: string
  overload: string
  attribute: AttributeProto[]
}

export interface AttributeProto {
  name: string
  refAttrName: string
  type: number
  f: number
  i: Int64
  s: Uint8Array
  t?: TensorProto | null
  g?: GraphProto | null
  floats: number[]
  ints: Int64[]
  strings: Uint8Array[]
}

export interface FunctionProto {
  name: string
  domain: string
  overload: string
  input: string[]
  output: string[]
  attribute: string[]
  attributeProto: AttributeProto[]
  node: NodeProto[]
  opsetImport: OperatorSetIdProto[]
}

export interface ValueInfoProto {
  name: string
  type?: TypeProto | null
}

export interface TypeProto {
  tensorType?: { elemType: number; shape?: TensorShapeProto | null } | null
}

export interface TensorShapeProto {
  /** Either a size, or the name of a size that the caller chooses; neither where nothing is known. */
  dim: { dimValue: Int64; dimParam: string }[]
}

export interface TensorProto {
  name: string
  dims: Int64[]
  dataType: number
  rawData: Uint8Array
  /** Packed fields, as their bytes on the wire: [4] floats, [5] and [7] varints, [10] doubles. Write `rawData` instead. */
  floatData: Uint8Array[]
  int32Data: Uint8Array[]
  int64Data: Uint8Array[]
  doubleData: Uint8Array[]
  /** location, offset and length of data in a file beside the model */
  externalData: StringStringEntryProto[]
  /** 0: in the model, 1: external */
  dataLocation: number
}

/** TensorProto.DataType, of what the package computes with. */
export const dataTypes = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const

/** AttributeProto.AttributeType */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const

type Field = readonly [id: number, type: string, rule?: 'repeated']

const messages: Record<string, Record<string, Field>> = {
  Model: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    docString: [6, 'string'],
    graph: [7, 'Graph'],
    opsetImport: [8, 'OperatorSetId', 'repeated'],
    metadataProps: [14, 'StringStringEntry', 'repeated'],
    functions: [25, 'Function', 'repeated'],
  },
  OperatorSetId: { domain: [1, 'string'], version: [2, 'int64'] },
  StringStringEntry: { key: [1, 'string'], value: [2, 'string'] },
  Graph: {
    node: [1, 'Node', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'Tensor', 'repeated'],
    input: [11, 'ValueInfo', 'repeated'],
    output: [12, 'ValueInfo', 'repeated'],
    sparseInitializer: [15, 'bytes', 'repeated'],
  },
  Node: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'Attribute', 'repeated'],
    domain: [7, 'string'],
    overload: [8, 'string'],
  },
  Attribute: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'Tensor'],
    g: [6, 'Graph'],
    floats: [7, 'float', 'repeated'],
    ints: [8, 'int64', 'repeated'],
    strings: [9, 'bytes', 'repeated'],
    type: [20, 'int32'],
    refAttrName: [21, 'string'],
  },
  Function: {
    name: [1, 'string'],
    input: [4, 'string', 'repeated'],
    output: [5, 'string', 'repeated'],
    attribute: [6, 'string', 'repeated'],
    node: [7, 'Node', 'repeated'],
    opsetImport: [9, 'OperatorSetId', 'repeated'],
    domain: [10, 'string'],
    attributeProto: [11, 'Attribute', 'repeated'],
    overload: [13, 'string'],
  },
  ValueInfo: { name: [1, 'string'], type: [2, 'Type'] },
  Type: { tensorType: [1, 'TensorType'] },
  TensorType: { elemType: [1, 'int32'], shape: [2, 'TensorShape'] },
  TensorShape: { dim: [1, 'Dimension', 'repeated'] },
  Dimension: { dimValue: [1, 'int64'], dimParam: [2, 'string'] },
  Tensor: {
    dims: [1, 'int64', 'repeated'],
    dataType: [2, 'int32'],
    floatData: [4, 'bytes', 'repeated'],
    int32Data: [5, 'bytes', 'repeated'],
    int64Data: [7, 'bytes', 'repeated'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'bytes', 'repeated'],
    externalData: [13, 'StringStringEntry', 'repeated'],
    dataLocation: [14, 'int32'],
  },
}

const nested = Object.fromEntries(
  Object.entries(messages).map(([name, fields]) => [
    name,
    {
      fields: Object.fromEntries(
        Object.entries(fields).map(([field, [id, type, rule]]) => [field, { id, type, rule }]),
      ),
    },
  ]),
)

/** The reflected message type: `decode`, `encode`, `create`. */
export const modelType: protobuf.Type = protobuf.Root.fromJSON({ nested }).resolveAll().lookupType('Model')
