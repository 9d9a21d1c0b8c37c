/** From a graph that is a plain stack of layers to a model of the package, checked against the graph itself. */
import { FileFormatError } from '../../errors.ts'
import type { Layer } from '../../layers/layer.ts'
import { Sequential } from '../../layers/sequential.ts'
import { Random } from '../../random.ts'
import { noGrad } from '../../tape.ts'
import { Tensor } from '../../tensor.ts'
import type { Axis } from './axes.ts'
import { type Chain, findChain } from './chain.ts'
import type { Evaluator } from './evaluate.ts'
import type { Fail } from './fail.ts'
import type { Graph, GraphValue } from './graph.ts'
import { buildLayers } from './layers.ts'
import { placeOf } from './node.ts'
import { type ElementType, isFloat, Memory, permuted, type Value, type ValueArray } from './values.ts'

/** Sizes for those that the caller chooses: different, so that each axis is known by its length. */
const probeSizes = [17, 19, 23, 29, 31]

/** Relative beyond 1: float32 sums of the same terms in another order. */
const tolerance = 1e-4

/**
 * @returns layers that compute the graph's first output, batch first whatever the order of axes in the graph
 * @throws {FileFormatError} with `code` NoStack and the node that is in the way
 */
export function toSequential(graph: Graph, evaluator: Evaluator, fail: Fail): Sequential {
  const feeds = probeFeeds(graph, fail)
  const seen = new Map<string, Value>(feeds)
  try {
    evaluator.run(feeds, (name, value) => seen.set(name, value))
  } catch (cause) {
    fail('NoStack', `a probe run fails: ${(cause as Error).message}`, { cause })
  }
  const probed = (name: string) => seen.get(name) ?? graph.constants.get(name) ?? graph.defaults.get(name)
  const chain = findChain(graph, probed, fail)
  const rank = probed(chain.input)!.shape.length

  // Whether time or batch comes first shows when an LSTM is reached: both are tried, and what came further is told.
  let failure: { error: unknown; reached: number } | undefined
  for (const order of [
    ['b', 't', 'f'],
    ['t', 'b', 'f'],
    ['b', 'f'],
  ] satisfies Axis[][]) {
    const axes: readonly Axis[] = order.slice(0, rank)
    if (axes.length !== rank || (order.length === 2 && !isFloat(probed(chain.input)!))) continue
    const layers: Layer[] = []
    const progress = { checks: 0 }
    try {
      const last = buildLayers(chain, axes, {
        layers,
        progress,
        probed,
        constants: graph.constants,
        fail,
      })
      const model = new Sequential(layers)
      requireEqual(model, { chain, axes, last, probed, output: graph.outputs[0].name, fail })
      return model
    } catch (error) {
      if (!failure || progress.checks > failure.reached) failure = { error, reached: progress.checks }
    }
  }
  if (!failure)
    return fail('NoStack', `the input ${JSON.stringify(chain.input)} has ${rank} axes, expected 2 or 3`)
  if (failure.error instanceof FileFormatError) throw failure.error
  const cause = failure.error as Error
  return fail('NoStack', `its numbers make no layers: ${cause.message}`, { cause })
}

/** Inputs of every kind: numbers for sequences, small indices, zeros for states, lengths up to T. */
function probeFeeds(graph: Graph, fail: Fail): Map<string, Value> {
  const sizes = new Map<string, number>()
  const random = new Random(1)
  const sizeOfAxis = (input: GraphValue, axis: number): number => {
    const n = input.shape![axis]
    if (typeof n === 'number') return n
    const key = n ?? `${input.name}#${axis}`
    if (!sizes.has(key)) sizes.set(key, probeSizes[sizes.size % probeSizes.length])
    return sizes.get(key)!
  }
  const states = new Set(
    graph.nodes.flatMap(({ opType, inputs }) => (opType === 'LSTM' ? inputs.slice(4, 7) : [])),
  )
  const required = graph.inputs.filter(({ name }) => !graph.defaults.has(name))
  return new Map(
    required.map((input): [string, Value] => {
      if (!input.shape) return fail('NoStack', `the input ${JSON.stringify(input.name)} has no shape`)
      const shape = input.shape.map((_, axis) => sizeOfAxis(input, axis))
      const data = new Memory().array(input.dataType, shape)
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

/** Throws unless the model gives on the probe what the graph gave. */
function requireEqual(
  model: Sequential,
  {
    chain,
    axes,
    last,
    probed,
    output,
    fail,
  }: {
    chain: Chain
    axes: readonly Axis[]
    last: readonly Axis[]
    probed: (name: string) => Value | undefined
    output: string
    fail: Fail
  },
): void {
  const x = batchFirst(probed(chain.input)!, axes)
  const expected = batchFirst(probed(output)!, last)
  const data = isFloat(x) ? x.data : Int32Array.from(x.data)
  const lengths = probeLengths(chain, probed)
  const y = noGrad(() => model.forward(new Tensor(x.shape, data), lengths ? { lengths } : {}))
  const far = expected.data.findIndex((n, i) => {
    const distance = Math.abs(n - y.array[i])
    return !(distance <= tolerance * Math.max(1, Math.abs(n)))
  })
  if (y.size === expected.data.length && far < 0) return
  fail('NoStack', `${placeOf(chain.links.at(-1)!.node)}: the layers found do not compute what the graph does`)
}

function probeLengths(chain: Chain, probed: (name: string) => Value | undefined): Int32Array | undefined {
  const names = chain.links.flatMap(({ node }) =>
    node.opType === 'LSTM' && node.inputs[4] ? [node.inputs[4]] : [],
  )
  return names.length > 0 ? Int32Array.from(probed(names[0])!.data) : undefined
}

function batchFirst(value: Value, axes: readonly Axis[]): Value {
  const rank = ['b', 't', 'bt', 'd', '1', 'f']
  const order = axes.map((_, i) => i).sort((i, j) => rank.indexOf(axes[i]) - rank.indexOf(axes[j]) || i - j)
  return permuted(value, order, new Memory())
}
