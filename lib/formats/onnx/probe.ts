/** The trial run that tells what a graph's values are: inputs made for it, within limits that the file's length sets. */
import { FileFormatError } from '../../errors.ts'
import { Random } from '../../random.ts'
import { Evaluator } from './evaluate.ts'
import type { Fail } from './fail.ts'
import type { Graph, GraphValue } from './graph.ts'
import { isRecurrent } from './node.ts'
import { type ElementType, Memory, type Value, type ValueArray } from './values.ts'

/** What a model's file holds. */
export interface Extent {
  /** With the files beside it. */
  readonly bytes: number
  /** The floats of its tensors, each counted once. */
  readonly numbers: number
}

/** Sizes for those that the caller chooses: different, so that each axis is known by its length. */
const probeSizes = [17, 19, 23, 29, 31]
/** For a graph that takes too much with the others. */
const fewSizes = [3, 5, 7, 11, 13]

/** Beside what honest weights take: a copy in another order for each, and some hundred steps for each of their numbers. */
function limitsOf({ bytes, numbers }: Extent): { bytes: number; steps: number } {
  return { bytes: 2 ** 24 + bytes + 4 * Math.min(numbers, bytes / 2), steps: 2 ** 26 + 512 * bytes }
}

export interface Probe {
  /** The value of a name in the run. */
  readonly valueOf: (name: string) => Value | undefined
  /** What is left of the limits, for what is done with the values. */
  readonly memory: Memory
}

/** @throws {FileFormatError} NoStack if the run fails, TooLarge beyond the limits */
export function probe(graph: Graph, extent: Extent, fail: Fail): Probe {
  const isOpen = graph.inputs.some(({ shape }) => shape?.some((n) => typeof n !== 'number'))
  try {
    return run(graph, probeSizes, extent, fail)
  } catch (error) {
    if (!isOpen || !(error instanceof FileFormatError) || error.code !== 'TooLarge') throw error
    return run(graph, fewSizes, extent, fail)
  }
}

function run(graph: Graph, sizes: readonly number[], extent: Extent, fail: Fail): Probe {
  const memory = new Memory(limitsOf(extent))
  const seen = new Map<string, Value>()
  try {
    for (const [name, value] of feedsOf(graph, sizes, { memory, fail })) seen.set(name, value)
    // An evaluator of its own: what it keeps of the weights for further runs goes with it.
    new Evaluator(graph, fail).run(new Map(seen), { memory, observe: (name, value) => seen.set(name, value) })
  } catch (cause) {
    if (cause instanceof FileFormatError && cause.code !== 'NodeFailed') throw cause
    const code = cause instanceof RangeError && cause.name === 'LimitError' ? 'TooLarge' : 'NoStack'
    fail(code, `a probe run fails: ${(cause as Error).message}`, { cause })
  }
  return {
    valueOf: (name) => seen.get(name) ?? graph.constants.get(name) ?? graph.defaults.get(name),
    memory,
  }
}

/** Inputs of every kind: numbers for sequences, small indices, zeros for states, lengths up to T. */
function feedsOf(
  graph: Graph,
  choices: readonly number[],
  { memory, fail }: { memory: Memory; fail: Fail },
): Map<string, Value> {
  const sizes = new Map<string, number>()
  const random = new Random(1)
  const sizeOfAxis = (input: GraphValue, axis: number): number => {
    const n = input.shape![axis]
    if (typeof n === 'number') return n
    const key = n ?? `${input.name}#${axis}`
    if (!sizes.has(key)) sizes.set(key, choices[sizes.size % choices.length])
    return sizes.get(key)!
  }
  const states = new Set(graph.nodes.flatMap((node) => (isRecurrent(node) ? node.inputs.slice(4, 7) : [])))
  const required = graph.inputs.filter(({ name }) => !graph.defaults.has(name))
  return new Map(
    required.map((input): [string, Value] => {
      if (!input.shape) return fail('NoStack', `the input ${JSON.stringify(input.name)} has no shape`)
      const shape = input.shape.map((_, axis) => sizeOfAxis(input, axis))
      const data = memory.array(input.dataType, shape)
      const isSequence = input === required[0] && !states.has(input.name)
      if (isSequence) fillProbe(data, input.dataType, random)
      else if (input.shape.length === 1) fillLengths(data, Math.min(...feedLengths(required[0], sizeOfAxis)))
      return [input.name, { type: input.dataType, shape, data }]
    }),
  )
}

function feedLengths(
  sequence: GraphValue,
  sizeOfAxis: (input: GraphValue, axis: number) => number,
): number[] {
  return [0, 1]
    .filter((axis) => axis < (sequence.shape?.length ?? 0))
    .map((axis) => sizeOfAxis(sequence, axis))
}

/** Different ones, so that padding shows. */
function fillLengths(data: ValueArray, longest: number): void {
  for (let i = 0; i < data.length; i++) data[i] = longest - ((5 * i) % longest)
}

function fillProbe(data: ValueArray, type: ElementType, random: Random): void {
  const isIndex = type !== 'float32' && type !== 'float64'
  for (let i = 0; i < data.length; i++) data[i] = isIndex ? i % 2 : random.uniform(-1, 1)
}
