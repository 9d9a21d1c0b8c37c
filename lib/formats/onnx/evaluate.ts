/** Runs graphs: what constants decide once while loading, the rest for each run. */
import { FileFormatError } from '../../errors.ts'
import type { Fail } from './fail.ts'
import type { Graph } from './graph.ts'
import { type GraphNode, placeOf } from './node.ts'
import { type Body, Call, type Memo } from './operators/operator.ts'
import { LimitError, Memory, type Value } from './values.ts'

/** What folding may cost, so that no file makes loading slow. */
const foldingLimits = { bytes: 2 ** 24, steps: 2 ** 26 }

/**
 * What bodies may take in a run of the graph: their nodes, inputs and outputs, each time that they run. Steps of no elements and
 * bodies in bodies could run for ever; so many, some seconds, may run for any input, and so many more for each element of it.
 */
const mostInBodies = 2 ** 22
const mostForElement = 2 ** 10
/** What one of them counts for where a run's steps are limited. */
const stepsInBody = 2 ** 8

/** The graph with every node replaced by its value whose inputs are constants. */
export function foldConstants(graph: Graph, fail: Fail): Graph {
  const constants = new Map(graph.constants)
  const nodes: GraphNode[] = []
  const memory = new Memory(foldingLimits)
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : constants.get(name)))
    const isConstant = node.inputs.every((name, i) => name === '' || inputs[i])
    if (!isConstant || node.operator.foldable === false) {
      nodes.push(node)
      continue
    }
    try {
      const results = runNode(node, { inputs, memory, fail })
      for (const [name, value] of results) constants.set(name, value)
    } catch (error) {
      if (!(error instanceof LimitError)) throw error
      nodes.push(node)
    }
  }
  return { ...graph, nodes, constants }
}

type Runnable = Pick<Graph, 'nodes' | 'constants' | 'defaults'> & {
  readonly inputs: readonly { name: string }[]
  readonly outputs: readonly { name: string }[]
}

/** What one run of a graph may still take. */
interface Allowance {
  readonly memory: Memory
  inBodies: number
}

/** A graph with what it needs to know to run again and again. */
export class Evaluator {
  readonly #graph: Runnable
  readonly #fail: Fail
  readonly #memos: readonly Memo[]
  /** For each node the values that nobody reads after it. */
  readonly #spent: readonly (readonly string[])[]
  /** Of each node those for its bodies. */
  readonly #bodies: readonly (readonly Evaluator[])[]

  constructor(graph: Runnable, fail: Fail) {
    this.#graph = graph
    this.#fail = fail
    this.#memos = graph.nodes.map(({ inputs }) => ({ isConstant: (i) => graph.constants.has(inputs[i]) }))
    const last = new Map<string, number>()
    for (const [i, { inputs }] of graph.nodes.entries()) for (const name of inputs) last.set(name, i)
    for (const { name } of graph.outputs) last.delete(name)
    const spent: string[][] = graph.nodes.map(() => [])
    for (const [name, i] of last) spent[i].push(name)
    this.#spent = spent
    this.#bodies = graph.nodes.map(({ bodies }) =>
      [...bodies.values()].map((body) => new Evaluator(body, fail)),
    )
  }

  /**
   * @param feeds values of all inputs without a default
   * @param options.observe told every value that a node makes
   * @param options.memory with the limits of the run
   * @returns the values of the outputs
   * @throws {FileFormatError} NodeFailed if the graph does not fit the inputs, TooLarge beyond a limit
   */
  run(
    feeds: ReadonlyMap<string, Value>,
    {
      observe,
      memory = new Memory(),
    }: { observe?: (name: string, value: Value) => void; memory?: Memory } = {},
  ): Map<string, Value> {
    const elements = [...feeds.values()].reduce((sum, { data }) => sum + data.length, 0)
    const allowance = { memory, inBodies: mostInBodies + mostForElement * elements }
    const read = this.#run(feeds, allowance, observe)
    return new Map(this.#graph.outputs.map(({ name }) => [name, read(name)]))
  }

  /** @returns what reads the outputs */
  #run(
    feeds: Iterable<readonly [name: string, value: Value]>,
    allowance: Allowance,
    observe?: (name: string, value: Value) => void,
  ): (output: string) => Value {
    const { nodes, constants, defaults } = this.#graph
    const values = new Map([...defaults, ...feeds])
    const { memory } = allowance
    const read = (name: string) => values.get(name) ?? constants.get(name)
    for (const [i, node] of nodes.entries()) {
      const inputs = node.inputs.map((name) => (name === '' ? undefined : read(name)))
      try {
        const bodies = this.#bodiesOf(i, inputs, allowance)
        const results = runNode(node, { inputs, memory, bodies, memo: this.#memos[i], fail: this.#fail })
        for (const [name, value] of results) {
          values.set(name, value)
          observe?.(name, value)
        }
      } catch (error) {
        if (error instanceof LimitError) this.#fail('TooLarge', `${placeOf(node)}: ${error.message}`)
        throw error
      }
      for (const name of this.#spent[i]) values.delete(name)
    }
    return (output) => read(output)!
  }

  /** @param inputs of the node, the last of which are what its bodies read of this graph */
  #bodiesOf(
    i: number,
    inputs: readonly (Value | undefined)[],
    allowance: Allowance,
  ): ReadonlyMap<string, Body> | undefined {
    if (this.#bodies[i].length === 0) return undefined
    const node = this.#graph.nodes[i]
    const all = [...node.bodies]
    let at = inputs.length - all.reduce((sum, [, { captures }]) => sum + captures.length, 0)
    return new Map(
      all.map(([name, graph], k): [string, Body] => {
        const captured = graph.captures.map((each) => [each, inputs[at++]!] as const)
        const cost = Math.max(1, graph.nodes.length + graph.inputs.length + graph.outputs.length)
        return [
          name,
          {
            graph,
            reserve: (times) => {
              allowance.inBodies -= times * cost
              allowance.memory.step(times * cost * stepsInBody)
              if (allowance.inBodies >= 0) return
              this.#fail(
                'TooLarge',
                `${placeOf(node)}: ${times} steps of a body of ${graph.nodes.length} nodes are more than inputs of this size may take`,
              )
            },
            run: (given) => {
              const own = graph.inputs.map((input, j) => [input.name, given[j]] as const)
              const read = this.#bodies[i][k].#run([...captured, ...own], allowance)
              return graph.outputs.map((output) => read(output.name))
            },
          },
        ]
      }),
    )
  }
}

/** The outputs of a node under their names. */
function runNode(
  node: GraphNode,
  call: {
    inputs: readonly (Value | undefined)[]
    memory: Memory
    bodies?: ReadonlyMap<string, Body>
    memo?: Memo
    fail: Fail
  },
): [name: string, value: Value][] {
  const { opset, attributes, outputs } = node
  const wanted = outputs.map((name) => name !== '')
  try {
    call.memory.step(call.inputs.reduce((sum, value) => sum + (value?.data.length ?? 0), 1))
    const result = node.operator.run(new Call({ ...call, opset, attributes, wanted }))
    const results = 'shape' in result ? [result] : result
    return outputs.flatMap((name, i): [string, Value][] => {
      const value = results[i]
      if (name !== '' && !value) throw new RangeError(`it has no output ${i}`)
      return name !== '' && value ? [[name, value]] : []
    })
  } catch (cause) {
    if (cause instanceof FileFormatError || cause instanceof LimitError) throw cause
    return call.fail('NodeFailed', `${placeOf(node)}: ${(cause as Error).message}`, { cause })
  }
}
