/** The graph that an export writes: nodes in order, weights, constants, inputs and outputs. */
import { FileFormatError } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import type { FloatDataType } from '../../layers/initialisation.ts'
import type { Layer } from '../../layers/layer.ts'
import { sizeOf } from '../../tensor.ts'
import { attributeTypes, dataTypes } from './schema.ts'

/** A length; the name of one that the caller chooses; null where the graph computes it. */
export type Dim = number | string | null

/** What goes from layer to layer. */
export interface Flow {
  readonly name: string
  readonly shape: readonly Dim[]
  /** Makes int64 [B], the valid steps of each sequence; undefined inside a TimeDistributed, where all are valid. */
  readonly lengths?: () => string
  /** bool [B, T]: whether a step counts. */
  readonly mask?: string
}

/** Where a layer stands. */
export interface Place {
  readonly graph: GraphWriter
  /** As in the names of its parameters; '' for a model that is one layer. */
  readonly path: string
  /** Whether its state is an input of the graph: not inside a TimeDistributed, whose layers start from none. */
  readonly carriesState: boolean
}

export type Attribute =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | Strings
  | Body
type Strings = { strings: readonly string[] }
type Type = 'float' | 'int32' | 'int64' | 'bool'

/** A graph inside a graph, which a node runs. */
export interface Body {
  readonly graph: object
}

/** A value that goes into a body or comes out of it. */
export interface BodyValue {
  readonly name: string
  readonly type?: Type
  readonly shape: readonly Dim[]
}

/** A tensor as the parts of parameters that lie in it one after the other. */
export interface Weight {
  readonly shape: readonly number[]
  readonly parts: readonly FloatArray[]
}

export class GraphWriter {
  readonly dataType: FloatDataType
  /** Whether inputs beside x have defaults. */
  readonly optionalInputs: boolean
  readonly weights = new Map<string, Weight>()
  readonly inputs: { readonly name: string }[] = []
  readonly outputs: object[] = []
  readonly #constants = new Map<string, object>()
  readonly #mostNodes: number
  #nodes: object[] = []
  #count = 0
  #scope = ''

  constructor(
    dataType: FloatDataType,
    { optionalInputs, mostNodes = Number.POSITIVE_INFINITY }: { optionalInputs: boolean; mostNodes?: number },
  ) {
    this.dataType = dataType
    this.optionalInputs = optionalInputs
    this.#mostNodes = mostNodes
  }

  /** Those of bodies not among them. */
  get nodes(): readonly object[] {
    return this.#nodes
  }

  /** What is not a weight. */
  get constants(): Iterable<object> {
    return this.#constants.values()
  }

  /** Nodes from here on are named after this layer. */
  enter(path: string): void {
    this.#scope = path
  }

  /** @returns the name of the node's only output */
  add(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.addMany(opType, inputs, attributes, 1)[0]
  }

  /** A node of several outputs. An input that is left out is ''. */
  addMany(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    count: number,
  ): string[] {
    const name = `${this.#scope}/${opType}_${this.#nodes.length}`
    const output = Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}:${i}`))
    const attribute = Object.entries(attributes).map(([key, value]) => ({ name: key, ...attributeOf(value) }))
    if (this.#count >= this.#mostNodes)
      throw new RangeError(`the graph has more nodes than ${this.#mostNodes}`)
    this.#count++
    this.#nodes.push({ name, opType, input: inputs, output, attribute })
    return output
  }

  /**
   * A graph for the attribute of the node that is added next. Its nodes may read all that is in this graph; their weights and
   * constants are this graph's.
   *
   * @param build adds the nodes; given the names of the inputs, returns the outputs, which must be made by these nodes
   */
  body(inputs: readonly BodyValue[], build: (...names: string[]) => readonly BodyValue[]): Body {
    const [outer, scope] = [this.#nodes, this.#scope]
    this.#scope = `${scope}/body_${outer.length}`
    this.#nodes = []
    const info = ({ name, type = 'float', shape }: BodyValue) =>
      valueInfo(name, this.#elementType(type), shape)
    const given = inputs.map((each) => ({ ...each, name: `${this.#scope}/${each.name}` }))
    const output = build(...given.map(({ name }) => name)).map(info)
    const graph = { node: this.#nodes, name: this.#scope, input: given.map(info), output }
    this.#nodes = outer
    this.#scope = scope
    return { graph }
  }

  weight(name: string, weight: Weight): string {
    this.weights.set(name, weight)
    return name
  }

  /** A vector of int64, as shapes and axes are. */
  integers(...values: readonly number[]): string {
    return this.#constant('int64', [values.length], values)
  }

  scalar(type: Type, value: number): string {
    return this.#constant(type, [], [value])
  }

  /** @param otherwise the number that the default is filled with, whose axes of a name have the length 1 */
  input(name: string, type: Type, shape: readonly Dim[], otherwise?: number): string {
    this.inputs.push(valueInfo(name, this.#elementType(type), shape))
    if (otherwise !== undefined && this.optionalInputs) {
      const sizes = shape.map((n) => (typeof n === 'number' ? n : 1))
      this.#store(name, type, sizes, new Array<number>(sizeOf(sizes)).fill(otherwise))
    }
    return name
  }

  /** Gives a value its name outside. */
  output(name: string, from: string, shape: readonly Dim[]): void {
    this.#count++
    this.#nodes.push({ name: `${name}/Identity`, opType: 'Identity', input: [from], output: [name] })
    this.outputs.push(valueInfo(name, this.#elementType('float'), shape))
  }

  #constant(type: Type, shape: readonly number[], values: readonly number[]): string {
    const name = `${type}:${shape.length === 0 ? String(values[0]) : `[${values}]`}`
    if (!this.#constants.has(name)) this.#store(name, type, shape, values)
    return name
  }

  #store(name: string, type: Type, shape: readonly number[], values: readonly number[]): void {
    const dataType = this.#elementType(type)
    this.#constants.set(name, { name, dims: shape, dataType, rawData: bytesOf(dataType, values) })
  }

  #elementType(type: Type): number {
    return dataTypes[type === 'float' ? this.dataType : type]
  }
}

/** A layer, or an option of one, that ONNX has nothing for. */
export function cannotExport({ path }: Pick<Place, 'path'>, layer: Layer, message: string): never {
  const where =
    path === '' ? layer.constructor.name : `layer ${JSON.stringify(path)} (${layer.constructor.name})`
  throw new FileFormatError(
    `ONNX cannot have ${where}: ${message}; save(model, path) keeps it, and compile(model) runs it`,
    { code: 'UnsupportedLayer', tensor: path },
  )
}

function attributeOf(value: Attribute): object {
  if (typeof value === 'number') return { type: attributeTypes.int, i: value }
  if (typeof value === 'string') return { type: attributeTypes.string, s: Buffer.from(value) }
  if ('float' in value) return { type: attributeTypes.float, f: value.float }
  if ('floats' in value) return { type: attributeTypes.floats, floats: value.floats }
  if ('strings' in value)
    return { type: attributeTypes.strings, strings: value.strings.map((s) => Buffer.from(s)) }
  if ('graph' in value) return { type: attributeTypes.graph, g: value.graph }
  return { type: attributeTypes.ints, ints: value }
}

function valueInfo(name: string, elemType: number, shape: readonly Dim[]): { name: string; type: object } {
  const dim = shape.map((n) => (n === null ? {} : typeof n === 'number' ? { dimValue: n } : { dimParam: n }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

function bytesOf(dataType: number, values: readonly number[]): Uint8Array {
  if (dataType === dataTypes.int64) return new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  if (dataType === dataTypes.int32) return new Uint8Array(Int32Array.from(values).buffer)
  return new Uint8Array((dataType === dataTypes.float64 ? Float64Array : Float32Array).from(values).buffer)
}
