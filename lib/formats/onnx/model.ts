/** OnnxModel: a graph of a file, ready to run on tensors. */
import { describe, FileFormatError } from '../../errors.ts'
import type { Sequential } from '../../layers/sequential.ts'
import { Tensor } from '../../tensor.ts'
import { readWhole } from '../files.ts'
import { Evaluator, foldConstants } from './evaluate.ts'
import { cutExternal, externalLocations, readExternal } from './external.ts'
import { type Fail, failIn } from './fail.ts'
import { buildGraph, type Graph, type GraphValue } from './graph.ts'
import type { Extent } from './probe.ts'
import { restoreModel } from './restore.ts'
import type { ModelProto, TensorProto } from './schema.ts'
import { toSequential } from './stack.ts'
import { decodeTensor } from './tensors.ts'
import { isFloat, Memory, type Value } from './values.ts'
import { decodeModelProto } from './wire.ts'

export interface OnnxInput extends GraphValue {
  /** It has a default in the file and may be left out. */
  readonly optional: boolean
}

/** Copies and conversions while decoding may take this beside the file itself and twice its length. */
const decodingBytes = 2 ** 24

/**
 * A network in ONNX's form. It runs any graph of the supported operators; what is a plain stack of layers also becomes a
 * model of the package (`toModel`), which trains on, saves and compiles.
 */
export class OnnxModel {
  readonly inputs: readonly OnnxInput[]
  readonly outputs: readonly GraphValue[]
  /** The file's metadata_props. */
  readonly metadata: ReadonlyMap<string, string>
  /** The version of the default operator set. */
  readonly opset: number
  readonly producer: string
  /** Weights and other constants under their names, as types and shapes. */
  readonly initializers: ReadonlyMap<string, Pick<Value, 'type' | 'shape'>>
  /** What the outputs need, in an order in which it can run; a node without a name goes by that of its output. */
  readonly nodes: readonly { readonly name: string; readonly opType: string }[]
  readonly #graph: Graph
  readonly #evaluator: Evaluator
  readonly #fail: Fail
  readonly #proto: ModelProto
  readonly #extent: Extent

  /** @internal Use `loadOnnx` or `decodeOnnx`. */
  constructor(proto: ModelProto, graph: Graph, { extent, fail }: { extent: Extent; fail: Fail }) {
    this.#fail = fail
    this.#extent = extent
    this.#proto = proto
    this.#graph = foldConstants(graph, fail)
    this.#evaluator = new Evaluator(this.#graph, fail)
    this.inputs = graph.inputs.map((input) => ({ ...input, optional: graph.defaults.has(input.name) }))
    this.outputs = graph.outputs
    this.metadata = new Map(proto.metadataProps.map(({ key, value }) => [key, value]))
    this.opset = graph.opset
    this.producer = [proto.producerName, proto.producerVersion].filter((part) => part !== '').join(' ')
    this.nodes = graph.nodes.map(({ name, outputs, opType }) => ({
      name: name || (outputs.find((output) => output !== '') ?? ''),
      opType,
    }))
    this.initializers = new Map(
      [...graph.constants].map(([name, { type, shape }]) => [name, { type, shape }]),
    )
  }

  /**
   * The outputs for these inputs. Integer and boolean inputs and outputs are int32 tensors; float16 and bfloat16 are
   * float32. Float32 runs on the back end in use, float64 on the reference.
   *
   * @param feeds a tensor for each input that is not optional
   * @throws {TypeError | RangeError} if an input is missing, unknown, or of a wrong type or shape
   * @throws {FileFormatError} with `code` NodeFailed if the graph does not fit the inputs
   */
  run(feeds: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>): Map<string, Tensor> {
    const given = feeds instanceof Map ? feeds : new Map(Object.entries(feeds as Record<string, Tensor>))
    const names = this.inputs.map(({ name }) => name)
    for (const name of given.keys()) {
      if (!names.includes(name)) {
        throw new TypeError(
          `OnnxModel.run: unknown input ${JSON.stringify(name)}; inputs: ${names.join(', ')}`,
        )
      }
    }
    const values = new Map<string, Value>()
    for (const input of this.inputs) {
      const tensor: unknown = given.get(input.name)
      if (tensor !== undefined) values.set(input.name, toValue(input, tensor))
      else if (!input.optional)
        throw new TypeError(`OnnxModel.run: the input ${JSON.stringify(input.name)} is missing`)
    }
    const outputs = this.#evaluator.run(values)
    const borrowed = new Set(
      [...values.values(), ...this.#graph.constants.values()].map(({ data }) => data.buffer),
    )
    return new Map([...outputs].map(([name, value]) => [name, this.#toTensor(name, value, borrowed)]))
  }

  /**
   * The graph as a model of the package, where it is a plain stack of layers from one input to its first output: LSTMs with
   * the Transpose, Reshape, Squeeze and picks of a step around them, RNN, Gather as Embedding, MatMul and Gemm as Linear, Conv and
   * pools over steps or images, BatchNormalization, LayerNormalization, activations. It takes sequences [B, T, ...] and gives them,
   * also where the graph has time first, and images [B, H, W, C], also where it has channels first, alone or at every step;
   * inputs for states and lengths become the options of `forward`. A probe run makes sure that both compute the same.
   * A file of `saveOnnx` gives the model that was saved; one that was a single layer is a Sequential of it.
   *
   * @throws {FileFormatError} with `code` NoStack, naming the node that no layer stands for; TooLarge where the probe run, or
   *   the model, would take more than a file of this length accounts for
   */
  toModel(): Sequential {
    return (
      restoreModel(this.#proto, this.#graph.constants, { extent: this.#extent, fail: this.#fail }) ??
      toSequential(this.#graph, this.#extent, this.#fail)
    )
  }

  /** Outputs own their memory: those that are an input or a constant are copied. */
  #toTensor(name: string, { type, shape, data }: Value, borrowed: ReadonlySet<ArrayBufferLike>): Tensor {
    if (type === 'float32' || type === 'float64') {
      return new Tensor(
        shape,
        (borrowed.has(data.buffer) ? data.slice() : data) as Float32Array | Float64Array,
      )
    }
    const array = Int32Array.from(data)
    const wrong = array.findIndex((n, i) => n !== data[i])
    if (wrong >= 0) {
      this.#fail(
        'IntegerOverflow',
        `output ${JSON.stringify(name)}: ${data[wrong]} does not fit an int32 tensor`,
      )
    }
    return new Tensor(shape, array)
  }
}

/** What a graph calls a tensor. */
function toValue({ name, dataType, shape }: GraphValue, tensor: unknown): Value {
  const place = `OnnxModel.run: expected ${JSON.stringify(name)}`
  if (!(tensor instanceof Tensor)) throw new TypeError(`${place} to be a Tensor, got ${describe(tensor)}`)
  const expected = dataType === 'float32' || dataType === 'float64' ? dataType : 'int32'
  if (tensor.dataType !== expected) {
    const note = expected === dataType ? '' : ` (for ${dataType})`
    throw new TypeError(`${place} of type ${expected}${note}, got ${tensor.dataType}`)
  }
  const fits =
    !shape ||
    (shape.length === tensor.shape.length &&
      shape.every((n, axis) => typeof n !== 'number' || n === tensor.shape[axis]))
  if (!fits) {
    const wanted = shape.map((n) => n ?? '?').join(', ')
    throw new RangeError(`${place} of shape [${wanted}], got [${tensor.shape.join(', ')}]`)
  }
  const data = tensor.array
  if (dataType === 'int64') return { type: dataType, shape: tensor.shape, data: Float64Array.from(data) }
  if (dataType === 'bool')
    return { type: dataType, shape: tensor.shape, data: Uint8Array.from(data, (n) => (n ? 1 : 0)) }
  return { type: dataType, shape: tensor.shape, data }
}

/**
 * The model in a file's bytes. Arrays of the model may be views of them.
 *
 * @param options.external the files that the model keeps weights in, by the location that it names
 * @param options.path named in errors
 * @throws {FileFormatError} with `code`, and `tensor` where one is at fault, if anything at all is wrong
 */
export function decodeOnnx(
  bytes: Uint8Array,
  { external = new Map(), path }: { external?: ReadonlyMap<string, Uint8Array>; path?: string } = {},
): OnnxModel {
  const fail = failIn(path)
  return build(decodeModelProto(bytes, fail), { length: bytes.length, external, fail })
}

/**
 * Reads an ONNX file, and the files beside it that it keeps weights in: these must lie in the model's own folder.
 *
 * @throws {FileFormatError} with `code`, and `tensor` where one is at fault, if anything at all is wrong
 */
export async function loadOnnx(path: string): Promise<OnnxModel> {
  const fail = failIn(path)
  const bytes = await readWhole(path)
  const proto = decodeModelProto(bytes, fail)
  const external = await readExternal(path, externalLocations(proto, fail), fail)
  return build(proto, { length: bytes.length, external, fail })
}

function build(
  proto: ModelProto,
  { length, external, fail }: { length: number; external: ReadonlyMap<string, Uint8Array>; fail: Fail },
): OnnxModel {
  const total = [...external.values()].reduce((sum, file) => sum + file.length, length)
  const memory = new Memory({ bytes: 2 * total + decodingBytes })
  const cut = cutExternal(external, fail)
  const decoded = new Map<TensorProto, Value>()
  const decode = (tensor: TensorProto): Value => {
    try {
      const value = decoded.get(tensor) ?? decodeTensor(tensor, { fail, memory, external: cut })
      decoded.set(tensor, value)
      return value
    } catch (cause) {
      if (cause instanceof FileFormatError) throw cause
      const { name } = tensor
      return fail('TooLarge', `tensor ${JSON.stringify(name)}: ${(cause as Error).message}`, {
        tensor: name,
        cause,
      })
    }
  }
  const graph = buildGraph(proto, decode, fail)
  const numbers = [...decoded.values()].reduce(
    (sum, value) => sum + (isFloat(value) ? value.data.length : 0),
    0,
  )
  return new OnnxModel(proto, graph, { extent: { bytes: total, numbers }, fail })
}
