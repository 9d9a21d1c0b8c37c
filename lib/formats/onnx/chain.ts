/** The chain of nodes from an input to the first output, where a graph is one; what feeds states and lengths is not on it. */
import type { Fail } from './fail.ts'
import type { Graph } from './graph.ts'
import { type GraphNode, isRecurrent, placeOf } from './node.ts'
import type { Value } from './values.ts'

export interface Link {
  readonly node: GraphNode
  /** The name of the value that comes in along the chain, and which of the node's inputs it is. */
  readonly from: string
  readonly input: number
  /** The name of the value that goes on, and which of the node's outputs it is. */
  readonly to: string
  readonly output: number
  /** Of a Gather, what it picks along its axis: corrected where it picks from one part of a Concat. */
  readonly index?: number
}

export interface Chain {
  readonly input: string
  readonly links: readonly Link[]
}

/**
 * Follows the first output back to an input.
 *
 * @param probed the value of a name in a probe run
 * @throws {FileFormatError} where a node joins several values that depend on data
 */
export function findChain(graph: Graph, probed: (name: string) => Value | undefined, fail: Fail): Chain {
  const fed = fedValues(graph)
  const producers = new Map<string, GraphNode>()
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== '') producers.set(name, node)

  const links: Link[] = []
  /** What is known to come from an input as it is. */
  const given = new Set<string>()
  let to = graph.outputs[0].name
  for (let node = producers.get(to); node; node = producers.get(to)) {
    const place = placeOf(node)
    const flowing = node.inputs.flatMap((name, i) => (fed.has(name) ? [i] : []))
    const input = isRecurrent(node) ? 0 : flowing[0]
    if (input === undefined || !fed.has(node.inputs[input]))
      return fail('NoStack', `${place}: its output depends on no input`)
    const previous = links.at(-1)
    if (flowing.length > 1 && node.opType === 'Concat' && previous?.index !== undefined) {
      // A pick from several parts: go on with the part that it comes from.
      const axis = node.attributes.get('axis')
      let index = previous.index
      const part = node.inputs.findIndex((name) => {
        const n = probed(name)?.shape[axis as number] ?? 0
        if (index < n) return true
        index -= n
        return false
      })
      if (part >= 0 && axis === (previous.node.attributes.get('axis') ?? 0)) {
        links[links.length - 1] = { ...previous, from: node.inputs[part], index }
        to = node.inputs[part]
        continue
      }
    }
    if (!isRecurrent(node) && flowing.length > 1) {
      const joined = flowing.map((i) => JSON.stringify(node.inputs[i])).join(' and ')
      fail('NoStack', `${place}: it joins ${joined}, so the graph is no stack of layers`)
    }
    const from = node.inputs[input]
    const picked = node.opType === 'Gather' && input === 0 ? probed(node.inputs[1]) : undefined
    const axis = (node.attributes.get('axis') as number | undefined) ?? 0
    const n = probed(from)?.shape.at(axis) ?? 0
    const index = picked?.data.length === 1 ? (picked.data[0] + n) % n : undefined
    links.push({ node, from, input, to, output: node.outputs.indexOf(to), index })
    to = from
  }
  for (const { node } of links) if (isRecurrent(node)) requireGivenStates(node)
  return { input: to, links: links.reverse() }

  /** Lengths and states that are not constant come from other inputs, as they are. */
  function requireGivenStates(node: GraphNode): void {
    for (const i of [4, 5, 6]) {
      let name = node.inputs[i]
      for (
        let maker = producers.get(name ?? '');
        maker && fed.has(name) && !given.has(name);
        maker = producers.get(name)
      ) {
        given.add(name)
        if (!moves.includes(maker.opType)) {
          fail('NoStack', `${placeOf(node)}: its input ${i} is computed, by ${placeOf(maker)}`)
        }
        name = maker.inputs[0]
      }
      if (name === to) fail('NoStack', `${placeOf(node)}: its input ${i} is the sequence itself`)
    }
  }
}

/** Operators that change no numbers. */
const moves = ['Cast', 'Gather', 'Identity', 'Reshape', 'Slice', 'Split', 'Squeeze', 'Transpose', 'Unsqueeze']

/** The values whose numbers, not only whose shapes, depend on inputs that have to be given. */
function fedValues(graph: Graph): ReadonlySet<string> {
  const fed = new Set<string>()
  for (const { name } of graph.inputs) if (!graph.defaults.has(name)) fed.add(name)
  for (const { opType, inputs, outputs } of graph.nodes) {
    if (opType === 'Shape' || opType === 'Size' || !inputs.some((name) => fed.has(name))) continue
    for (const name of outputs) fed.add(name)
  }
  return fed
}
