/** What an operator of a graph is, and what it is given when a node runs. */

import type { FloatArray } from '../../../kernels/contract.ts'
import type { BodyGraph } from '../graph.ts'
import { type ElementType, isFloat, type Memory, requireRank, type Value } from '../values.ts'

export type AttributeKind = 'float' | 'int' | 'string' | 'tensor' | 'graph' | 'floats' | 'ints' | 'strings'
export type AttributeValue = number | string | Value | readonly number[] | readonly string[]

export interface Operator {
  /** The fewest and most inputs. */
  readonly inputs: readonly [least: number, most: number]
  /** Every attribute that it understands; others are refused when the model is loaded. */
  readonly attributes?: Readonly<Record<string, AttributeKind>>
  /** Worth doing once while loading, where the inputs are constants. Default true. */
  readonly foldable?: boolean
  /** The first opset in which it is what it is here; default 1. */
  readonly since?: number
  /** What can be told when the model is loaded. @throws {RangeError | TypeError} if the node is wrong */
  check?(node: Shell): void
  /** The outputs, as many as are wanted or more. @throws {RangeError | TypeError} if the inputs do not fit */
  run(call: Call): Value | readonly (Value | undefined)[]
}

/** A node without values. */
export interface Shell {
  /** Without what its bodies read of the graph around them. */
  readonly inputs: number
  readonly outputs: number
  readonly attributes: ReadonlyMap<string, AttributeValue>
  readonly bodies: ReadonlyMap<string, BodyGraph>
}

/** A graph among a node's attributes, at the moment the node runs. */
export interface Body {
  readonly graph: BodyGraph
  /** Before the first of so many runs. @throws {FileFormatError} TooLarge if they are more than a graph may have in all */
  reserve(times: number): void
  /** @returns the outputs for these inputs */
  run(inputs: readonly Value[]): Value[]
}

/** A node at the moment it runs. */
export class Call {
  readonly inputs: readonly (Value | undefined)[]
  readonly opset: number
  /** Which outputs somebody reads. */
  readonly wanted: readonly boolean[]
  readonly memory: Memory
  readonly #attributes: ReadonlyMap<string, AttributeValue>
  readonly #bodies: ReadonlyMap<string, Body>
  readonly #memo: Memo | undefined

  constructor(call: {
    inputs: readonly (Value | undefined)[]
    opset: number
    wanted: readonly boolean[]
    memory: Memory
    attributes: ReadonlyMap<string, AttributeValue>
    bodies?: ReadonlyMap<string, Body>
    memo?: Memo
  }) {
    this.inputs = call.inputs
    this.opset = call.opset
    this.wanted = call.wanted
    this.memory = call.memory
    this.#attributes = call.attributes
    this.#bodies = call.bodies ?? new Map()
    this.#memo = call.memo
  }

  /** An input that must be there. */
  input(i: number): Value {
    const value = this.inputs[i]
    if (value) return value
    throw new TypeError(`input ${i} is missing`)
  }

  /** An input of floats that must be there. */
  floats(i: number): Value & { readonly data: FloatArray } {
    const value = this.input(i)
    if (isFloat(value)) return value
    throw new TypeError(`expected input ${i} of type float32 or float64, got ${value.type}`)
  }

  /** The numbers of an integer input of at most one axis, as shapes and axes are; undefined where it is left out. */
  integersOf(i: number): number[] | undefined {
    const value = this.inputs[i]
    if (!value) return undefined
    if ((value.type === 'int64' || value.type === 'int32') && value.shape.length <= 1) {
      this.memory.spend(value.data.length * 8, value.shape)
      return [...value.data]
    }
    throw new TypeError(`expected input ${i} to be a vector of int64, got ${value.type} [${value.shape}]`)
  }

  integer(name: string, otherwise: number): number {
    return (this.#attributes.get(name) as number | undefined) ?? otherwise
  }

  number(name: string, otherwise: number): number {
    return (this.#attributes.get(name) as number | undefined) ?? otherwise
  }

  text(name: string, otherwise: string): string {
    return (this.#attributes.get(name) as string | undefined) ?? otherwise
  }

  integers(name: string): readonly number[] | undefined {
    return this.#attributes.get(name) as readonly number[] | undefined
  }

  numbers(name: string): readonly number[] | undefined {
    return this.#attributes.get(name) as readonly number[] | undefined
  }

  texts(name: string): readonly string[] | undefined {
    return this.#attributes.get(name) as readonly string[] | undefined
  }

  tensor(name: string): Value | undefined {
    return this.#attributes.get(name) as Value | undefined
  }

  /** A graph that must be there. */
  body(name: string): Body {
    const body = this.#bodies.get(name)
    if (body) return body
    throw new TypeError(`the graph ${name} is missing`)
  }

  /** A new value filled by `fill`. */
  make(type: ElementType, shape: readonly number[], fill: (data: Value['data']) => void): Value {
    const data = this.memory.array(type, shape)
    if (data.length > 0) fill(data)
    return { type, shape, data }
  }

  /** What `make` makes of the given inputs, kept for the next run where these are constants. */
  once<T>(inputs: readonly number[], make: () => T): T {
    if (!this.#memo || inputs.some((i) => this.inputs[i] && !this.#memo!.isConstant(i))) return make()
    return (this.#memo.kept ??= make()) as T
  }
}

/** A node's memory between runs. */
export interface Memo {
  isConstant(input: number): boolean
  kept?: unknown
}

/** An axis counted from the front. @throws {RangeError} if there is none such */
export function axisOf(axis: number, rank: number): number {
  requireRank(rank)
  const fromFront = axis < 0 ? axis + rank : axis
  if (Number.isInteger(fromFront) && fromFront >= 0 && fromFront < rank) return fromFront
  throw new RangeError(`expected an axis from ${-rank} to ${rank - 1}, got ${axis}`)
}

/** Axes that may not repeat, counted from the front and sorted. */
export function axesOf(axes: readonly number[], rank: number): number[] {
  requireRank(rank)
  const sorted = axes.map((axis) => axisOf(axis, rank)).sort((a, b) => a - b)
  if (new Set(sorted).size !== sorted.length) throw new RangeError(`expected different axes, got [${axes}]`)
  return sorted
}
