/** ONNX files for tests: small graphs written out, and the files of the fixtures with their inputs and outputs. */
import { attributeTypes, dataTypes, modelType } from '../../lib/formats/onnx/schema.ts'
import { readSafetensors } from '../../lib/formats/safetensors/index.ts'
import { Tensor } from '../../lib/tensor.ts'

export type Attribute =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | { strings: readonly string[] }
  | { tensor: object }
  | { graph: object }

export interface GraphOptions {
  nodes: readonly object[]
  inputs?: readonly object[]
  outputs?: readonly (string | object)[]
  initializers?: readonly object[]
  functions?: readonly object[]
  metadata?: Record<string, string>
  opset?: number
  irVersion?: number
}

/** The bytes of a model. */
export function onnxFile({
  nodes,
  inputs = [],
  outputs = ['y'],
  initializers = [],
  functions = [],
  metadata = {},
  opset = 17,
  irVersion = 8,
}: GraphOptions): Uint8Array {
  const model = {
    irVersion,
    producerName: 'test',
    opsetImport: [{ domain: '', version: opset }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    functions,
    graph: {
      name: 'graph',
      node: nodes,
      input: inputs,
      output: outputs.map((output) => (typeof output === 'string' ? value(output) : output)),
      initializer: initializers,
    },
  }
  return modelType.encode(modelType.create(model)).finish()
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Record<string, Attribute> = {},
): object {
  const attribute = Object.entries(attributes).map(([name, given]) => ({ name, ...attributeOf(given) }))
  return { opType, input, output, name: `the ${opType}`, domain: '', overload: '', attribute }
}

function attributeOf(given: Attribute): object {
  const text = (string: string) => new TextEncoder().encode(string)
  if (typeof given === 'number') return { type: attributeTypes.int, i: given }
  if (typeof given === 'string') return { type: attributeTypes.string, s: text(given) }
  if (Array.isArray(given)) return { type: attributeTypes.ints, ints: given }
  if ('float' in given) return { type: attributeTypes.float, f: given.float }
  if ('floats' in given) return { type: attributeTypes.floats, floats: given.floats }
  if ('strings' in given) return { type: attributeTypes.strings, strings: given.strings.map(text) }
  if ('graph' in given) return { type: attributeTypes.graph, g: given.graph }
  return { type: attributeTypes.tensor, t: (given as { tensor: object }).tensor }
}

/** A graph for an attribute, of inputs and outputs whose types are left open, or of those given. */
export function body(
  inputs: readonly (string | object)[],
  nodes: readonly object[],
  outputs: readonly (string | object)[],
): { graph: object } {
  const named = (each: string | object) => (typeof each === 'string' ? { name: each } : each)
  return { graph: { name: 'body', node: nodes, input: inputs.map(named), output: outputs.map(named) } }
}

/** An input or output; a size may be a name. */
export function value(
  name: string,
  shape?: readonly (number | string)[],
  type: keyof typeof dataTypes = 'float32',
): object {
  const dim = shape?.map((n) => (typeof n === 'number' ? { dimValue: n } : { dimParam: n }))
  return { name, type: { tensorType: { elemType: dataTypes[type], shape: dim && { dim } } } }
}

/** An initializer with raw data. */
export function weights(name: string, shape: readonly number[], numbers: readonly number[]): object {
  return {
    name,
    dims: shape,
    dataType: dataTypes.float32,
    rawData: new Uint8Array(Float32Array.from(numbers).buffer),
  }
}

export function integers(
  name: string,
  numbers: readonly (number | bigint)[],
  shape = [numbers.length],
): object {
  const rawData = new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer)
  return { name, dims: shape, dataType: dataTypes.int64, rawData }
}

/** The tensors of a NAME.io.safetensors; integers of any width as int32. */
export async function readTensors(path: string): Promise<Map<string, Tensor>> {
  const { tensors } = await readSafetensors(path)
  return new Map(
    [...tensors].map(([name, { shape, data }]) => {
      const isFloat = data instanceof Float32Array || data instanceof Float64Array
      return [name, new Tensor(shape, isFloat ? data : Int32Array.from(data as ArrayLike<number>, Number))]
    }),
  )
}
