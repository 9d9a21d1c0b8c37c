/** Models of the package as ONNX files. */
import { createRequire } from 'node:module'
import { basename } from 'node:path'
import { FileFormatError, refuseUnknownOptions } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import { requireBoolean } from '../../layers/initialisation.ts'
import { type Layer, type Model, parametersOf } from '../../layers/layer.ts'
import { writeFileAtomically } from '../atomic.ts'
import { type Flow, GraphWriter, type Place, type Weight } from './export-graph.ts'
import { inputOf } from './export-input.ts'
import { emit } from './export-layers.ts'
import { givenLengths } from './export-steps.ts'
import { dataTypes, modelType } from './schema.ts'

/** LayerNormalization came with this one. */
const opset = 17
const irVersion = 8

/** The metadata that holds the model's configuration, as in files of `save`. */
export const configKey = 'lstm_native.config'
export const configVersion = 1

/** Protocol buffers end at 2 GiB; the rest is for what is no weight. */
const mostInOneFile = 2 ** 31 - 2 ** 24
const alignment = 64

export interface EncodeOnnxOptions {
  /**
   * Whether `lengths` and states may be left out (default true), as ONNX says with a default value beside the input.
   * The runtimes of JavaScript cannot be given such inputs: onnxruntime-node ignores what it is given without a word,
   * onnxruntime-web refuses it. With false all are required, in every runtime; [-1] for `lengths` and zeros of batch 1 for
   * states then stand for what is left out.
   */
  optionalInputs?: boolean
}

export interface SaveOnnxOptions extends EncodeOnnxOptions {
  /**
   * The weights in a file of their own beside the model, `NAME.onnx.data`. Default: where they are too large for one file,
   * which ends at 2 GiB. Two files cannot be replaced as one: only the model is written whole or not at all.
   */
  external?: boolean
}

/**
 * Writes a model for ONNX runtimes: operator set 17, batch B and time T of any size.
 *
 * The input `x` is [B, T, I], or int64 [B, T] for a model that begins with an Embedding, or [B, I] where no layer has
 * an axis of steps; for images it is [B, T, N1, C], T their rows, and for images at each step [B, T, N1, N2, C]. The output is
 * `y`. Optional inputs are `lengths`, int32 [B], in which a negative number stands for T, and for each LSTM the states
 * `PATH.h0` and `PATH.c0`, [L·D, B, H], where PATH is that of its parameters; its new states are the outputs `PATH.hn` and
 * `PATH.cn`, h of width R where a projection makes it R. An RNN has `h0` and `hn`. An LSTM is the operator of that name, or,
 * where this has not what the options ask for (projection, layer normalisation, zoneout, some functions), a Scan for each
 * layer and direction. What `forward` computes in evaluation mode with these is what the graph computes.
 *
 * The configuration of the model travels in the metadata, so that `loadOnnx(path).toModel()` has its layers, options and
 * weights, bit for bit.
 *
 * @throws {FileFormatError} UnsupportedLayer for a layer that is none of the package's; TooLarge with `external: false`; the
 *   system's code if the file cannot be written
 * @throws {TypeError} if the model is none of the package's layers, or an option is unknown
 */
export async function saveOnnx(model: Model, path: string, options: SaveOnnxOptions = {}): Promise<void> {
  refuseUnknownOptions('saveOnnx', options, ['optionalInputs', 'external'])
  const { external, optionalInputs } = options
  if (external !== undefined) requireBoolean('saveOnnx', 'external', external)
  const graph = exportGraph(model, { optionalInputs })
  if (external ?? bytesOfAll(graph) > mostInOneFile) {
    const { tensors, chunks } = layOut(graph, `${basename(path)}.data`)
    await writeFileAtomically(`${path}.data`, chunks())
    await writeFileAtomically(path, encode(model, graph, tensors))
  } else await writeFileAtomically(path, encode(model, graph, inside(graph, path)))
}

/** The inputs beside x: those that a file may leave out. */
export function inputsBesideX(model: Model): string[] {
  return exportGraph(model)
    .inputs.slice(1)
    .map(({ name }) => name)
}

/** The bytes of the file that `saveOnnx` writes. @throws as that, and TooLarge for weights beyond 2 GiB */
export function encodeOnnx(model: Model, options: EncodeOnnxOptions = {}): Uint8Array {
  refuseUnknownOptions('encodeOnnx', options, ['optionalInputs'])
  const graph = exportGraph(model, options)
  return encode(model, graph, inside(graph))
}

/**
 * The graph of a model, whose weights are views of the model's parameters.
 *
 * @throws {RangeError} if it has more nodes than `mostNodes`
 */
export function exportGraph(
  model: Model,
  { optionalInputs = true, mostNodes }: EncodeOnnxOptions & { mostNodes?: number } = {},
): GraphWriter {
  requireBoolean('saveOnnx', 'optionalInputs', optionalInputs)
  const types = new Set([...parametersOf(model).values()].map(({ dataType }) => dataType))
  if (types.size > 1)
    throw new TypeError('saveOnnx: expected parameters of one data type, got float32 and float64')
  const graph = new GraphWriter(types.has('float64') ? 'float64' : 'float32', { optionalInputs, mostNodes })
  const { isTokens, shape } = inputOf(model)
  const name = graph.input('x', isTokens ? 'int64' : 'float', shape)
  let known: string | undefined
  const lengths = shape[1] === 'T' ? () => (known ??= givenLengths(graph, name)) : undefined
  const flow: Flow = { name, shape, lengths }
  const place: Place = { graph, path: '', carriesState: true }
  const { name: y, shape: last } = emit(model, flow, place)
  graph.output('y', y, last)
  graph.outputs.unshift(graph.outputs.pop()!)
  return graph
}

function encode(model: Model, graph: GraphWriter, tensors: readonly object[]): Uint8Array {
  const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }
  const config = JSON.stringify({ version: configVersion, model: (model as Layer).config() })
  const bytes = modelType
    .encode({
      irVersion,
      opsetImport: [{ domain: '', version: opset }],
      producerName: 'lstm-native',
      producerVersion: version,
      docString: noteOn(graph),
      metadataProps: [{ key: configKey, value: config }],
      graph: {
        name: 'model',
        node: graph.nodes,
        initializer: [...tensors, ...graph.constants],
        input: graph.inputs,
        output: graph.outputs,
      },
    })
    .finish()
  // In Node.js these are a Buffer, whose slices share memory where those of a Uint8Array are copies.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** What shows beside the model in viewers and runtimes. */
function noteOn({ inputs, optionalInputs }: GraphWriter): string {
  const [, ...names] = inputs.map(({ name }) => name)
  if (names.length === 0) return ''
  return optionalInputs
    ? `${names.join(', ')} may be left out. The runtimes of JavaScript cannot be given them (onnxruntime-node ignores what it is given): for these the model is written with optionalInputs: false, or lstm convert --required-inputs.`
    : `${names.join(', ')} are required. What stands for leaving them out: lengths [-1]; states of zeros with batch 1.`
}

function bytesOfAll({ weights }: GraphWriter): number {
  return [...weights.values()].reduce((sum, weight) => sum + bytesOf(weight), 0)
}

function bytesOf({ parts }: Weight): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

function header(graph: GraphWriter, name: string, { shape }: Weight): object {
  return { name, dims: shape, dataType: dataTypes[graph.dataType] }
}

function view({ buffer, byteOffset, byteLength }: FloatArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function inside(graph: GraphWriter, path?: string): object[] {
  const bytes = bytesOfAll(graph)
  if (bytes > mostInOneFile) {
    throw new FileFormatError(
      `${path ?? 'encodeOnnx'}: expected weights of at most ${mostInOneFile} bytes, got ${bytes}; ` +
        'saveOnnx(model, path, { external: true }) writes them beside the model',
      { code: 'TooLarge', path },
    )
  }
  return [...graph.weights].map(([name, weight]) => ({
    ...header(graph, name, weight),
    rawData: Buffer.concat(weight.parts.map(view)),
  }))
}

/** Tensors that point into a file beside the model, and the chunks of that file. */
function layOut(
  graph: GraphWriter,
  location: string,
): { tensors: object[]; chunks: () => AsyncIterable<Uint8Array> } {
  let end = 0
  const tensors = [...graph.weights].map(([name, weight]) => {
    const offset = Math.ceil(end / alignment) * alignment
    const length = bytesOf(weight)
    end = offset + length
    const entries = Object.entries({ location, offset, length })
    const externalData = entries.map(([key, value]) => ({ key, value: String(value) }))
    return { ...header(graph, name, weight), dataLocation: 1, externalData }
  })
  return {
    tensors,
    async *chunks() {
      let position = 0
      for (const weight of graph.weights.values()) {
        const gap = -position & (alignment - 1)
        if (gap > 0) yield new Uint8Array(gap)
        for (const part of weight.parts) yield view(part)
        position += gap + bytesOf(weight)
      }
    },
  }
}
