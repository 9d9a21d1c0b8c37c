/** Runs graphs: what constants decide once while loading, the rest for each run. */
import { FileFormatError } from '../../errors.ts'
import type { Fail } from './fail.ts'
import { type Graph, type GraphNode, placeOf } from './graph.ts'
import { Call, type Memo } from './operators/operator.ts'
import { LimitError, Memory, type Value } from './values.ts'

/** What folding may cost, so that no file makes loading slow. */
const foldingLimits = { bytes: 2 ** 24, steps: 2 ** 26 }

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

/** A graph with what it needs to know to run again and again. */
export class Evaluator {
  readonly #graph: Graph
  readonly #fail: Fail
  readonly #memos: readonly Memo[]
  /** For each node the values that nobody reads after it. */
  readonly #spent: readonly (readonly string[])[]

  constructor(graph: Graph, fail: Fail) {
    this.#graph = graph
    this.#fail = fail
    this.#memos = graph.nodes.map(({ inputs }) => ({ isConstant: (i) => graph.constants.has(inputs[i]) }))
    const last = new Map<string, number>()
    for (const [i, { inputs }] of graph.nodes.entries()) for (const name of inputs) last.set(name, i)
    for (const { name } of graph.outputs) last.delete(name)
    const spent: string[][] = graph.nodes.map(() => [])
    for (const [name, i] of last) spent[i].push(name)
    this.#spent = spent
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
    const { nodes, constants, defaults, outputs } = this.#graph
    const values = new Map([...defaults, ...feeds])
    const read = (name: string) => values.get(name) ?? constants.get(name)
    for (const [i, node] of nodes.entries()) {
      const inputs = node.inputs.map((name) => (name === '' ? undefined : read(name)))
      try {
        const results = runNode(node, { inputs, memory, memo: this.#memos[i], fail: this.#fail })
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
    return new Map(outputs.map(({ name }) => [name, read(name)!]))
  }
}

/** The outputs of a node under their names. */
function runNode(
  node: GraphNode,
  call: { inputs: readonly (Value | undefined)[]; memory: Memory; memo?: Memo; fail: Fail },
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
