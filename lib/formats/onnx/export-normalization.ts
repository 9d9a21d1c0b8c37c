/** Layer normalisation in a graph, of a layer and inside an LSTM. */
import type { GraphWriter } from './export-graph.ts'
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
