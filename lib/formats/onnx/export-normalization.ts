/** Normalisation in a graph: of features, of a layer and inside an LSTM, and of batches by their running statistics. */
import type { FloatArray } from '../../kernels/contract.ts'
import { type Layer, tensorsOf } from '../../layers/layer.ts'
import type { Flow, GraphWriter, Place } from './export-graph.ts'
import { channelsFirst } from './export-windows.ts'
import { dataTypes } from './schema.ts'

/** Of x over its last axis, in the graph's own type: without being told, runtimes may take the mean in float32. */
export function emitNormalization(
  graph: GraphWriter,
  inputs: readonly [x: string, ...gainAndShift: string[]],
  eps: number,
): string {
  const attributes = { axis: -1, epsilon: { float: eps } }
  const isFloat64 = graph.dataType === 'float64'
  return graph.add(
    'LayerNormalization',
    inputs,
    isFloat64 ? { ...attributes, stash_type: dataTypes.float64 } : attributes,
  )
}

/** The operator has the channels after the batch. Its momentum counts in training: the part of what was that stays. */
export function emitBatchNorm(layer: Layer, flow: Flow, { graph, path }: Place): Flow {
  const { eps, momentum } = layer.config() as unknown as { eps: number; momentum: number }
  // Gain, shift, mean and variance: the operator's order.
  const statistics = [...tensorsOf(layer)].map(([name, { shape, array }]) =>
    graph.weight(path === '' ? name : `${path}.${name}`, { shape, parts: [array as FloatArray] }),
  )
  const attributes = { epsilon: { float: eps }, momentum: { float: 1 - momentum } }
  const run = (x: string) => graph.add('BatchNormalization', [x, ...statistics], attributes)
  return { ...flow, name: flow.shape.length > 2 ? channelsFirst(graph, flow, run) : run(flow.name) }
}
