/** From a graph that is a plain stack of layers to a model of the package, checked against the graph itself. */
import { FileFormatError } from '../../errors.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import type { Layer } from '../../layers/layer.ts'
import { Sequential } from '../../layers/sequential.ts'
import { noGrad } from '../../tape.ts'
import { Tensor } from '../../tensor.ts'
import type { Axis } from './axes.ts'
import { type Chain, findChain } from './chain.ts'
import type { Fail } from './fail.ts'
import type { Graph } from './graph.ts'
import { buildLayers } from './layers.ts'
import { isRecurrent, placeOf } from './node.ts'
import { type Extent, type Probe, probe } from './probe.ts'
import type { Progress } from './step.ts'
import { isFloat, LimitError, type Memory, permuted, type Value } from './values.ts'

/** Relative beyond 1: float32 sums of the same terms in another order. */
const tolerance = 1e-4

/**
 * @returns layers that compute the graph's first output, batch first whatever the order of axes in the graph
 * @throws {FileFormatError} with `code` NoStack and the node that is in the way, TooLarge for a graph that takes more memory or
 *   work, or would become more parameters, than its file accounts for
 */
export function toSequential(graph: Graph, extent: Extent, fail: Fail): Sequential {
  const probed = probe(graph, extent, fail)
  try {
    return build(graph, probed, { mostNumbers: mostParameters(extent), fail })
  } catch (cause) {
    if (cause instanceof FileFormatError) throw cause
    const code = cause instanceof LimitError ? 'TooLarge' : 'NoStack'
    return fail(code, `its numbers make no layers: ${(cause as Error).message}`, { cause })
  }
}

/** A weight may serve two layers; that many external ones may share their bytes must not count. */
export function mostParameters({ bytes, numbers }: Extent): number {
  return Math.min(2 * numbers, bytes / 2)
}

/** What the axes of an input may be, by their number. */
const orders: Readonly<Record<number, readonly (readonly Axis[])[]>> = {
  2: [
    ['b', 't'],
    ['t', 'b'],
    ['b', 'f'],
  ],
  3: [
    ['b', 't', 'f'],
    ['t', 'b', 'f'],
    ['b', 'f', 't'],
  ],
  4: [
    ['b', 'f', 'h', 'w'],
    ['b', 'h', 'w', 'f'],
  ],
  5: [
    ['b', 't', 'f', 'h', 'w'],
    ['t', 'b', 'f', 'h', 'w'],
    ['b', 't', 'h', 'w', 'f'],
  ],
}

function build(
  graph: Graph,
  { valueOf: probed, memory }: Probe,
  { mostNumbers, fail }: { mostNumbers: number; fail: Fail },
): Sequential {
  const chain = findChain(graph, probed, fail)
  const rank = probed(chain.input)!.shape.length

  // Which axis comes first shows when an LSTM or a convolution is reached: all are tried, and what came further is told.
  let failure: { error: unknown; reached: number } | undefined
  const isTokens = !isFloat(probed(chain.input)!)
  const declared = graph.inputs.find(({ name }) => name === chain.input)?.shape
  for (const axes of orders[rank] ?? []) {
    if (isTokens && rank === 2 && axes.includes('f')) continue
    const layers: Layer[] = []
    const size = (['h', 'w'] as const).map((axis) => {
      const n = declared?.[axes.indexOf(axis)]
      return typeof n === 'number' ? n : undefined
    })
    const progress: Progress = { checks: 0, size }
    try {
      const context = { layers, progress, probed, memory, constants: graph.constants, fail }
      const last = withoutInitialValues(() => buildLayers(chain, axes, context), mostNumbers)
      const model = new Sequential(layers)
      requireEqual(model, { chain, axes, last, probed, memory, output: graph.outputs[0].name, fail })
      return model
    } catch (error) {
      if (!failure || progress.checks > failure.reached) failure = { error, reached: progress.checks }
    }
  }
  if (!failure)
    return fail('NoStack', `the input ${JSON.stringify(chain.input)} has ${rank} axes, expected from 2 to 5`)
  throw failure.error
}

/** Throws unless the model gives on the probe what the graph gave. */
function requireEqual(
  model: Sequential,
  {
    chain,
    axes,
    last,
    probed,
    memory,
    output,
    fail,
  }: {
    chain: Chain
    axes: readonly Axis[]
    last: readonly Axis[]
    probed: Probe['valueOf']
    memory: Memory
    output: string
    fail: Fail
  },
): void {
  const x = batchFirst(probed(chain.input)!, axes, memory)
  const expected = batchFirst(probed(output)!, last, memory)
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
    isRecurrent(node) && node.inputs[4] ? [node.inputs[4]] : [],
  )
  return names.length > 0 ? Int32Array.from(probed(names[0])!.data) : undefined
}

function batchFirst(value: Value, axes: readonly Axis[], memory: Memory): Value {
  const rank = ['b', 't', 'bt', 'd', '1', 'h', 'w', 'f']
  const order = axes.map((_, i) => i).sort((i, j) => rank.indexOf(axes[i]) - rank.indexOf(axes[j]) || i - j)
  return permuted(value, order, memory)
}
