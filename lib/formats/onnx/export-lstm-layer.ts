/** One layer of an LSTM on its way into a graph, as both of its forms take it. */
import type { Parameter } from '../../tensor.ts'
import type { Dim, GraphWriter } from './export-graph.ts'
import type { LSTMConfig } from './export-lstm-options.ts'

export interface LSTMLayer {
  readonly graph: GraphWriter
  readonly path: string
  readonly options: LSTMConfig
  /** Of all layers, under their names. */
  readonly parameters: ReadonlyMap<string, Parameter>
  /** Which of the layers; undefined for a cell. */
  readonly k?: number
  /** [T, B, I] */
  readonly x: string
  /** B as the graph's values say it. */
  readonly batch: Dim
  /** int64 [B]: the valid steps; undefined where all are. */
  readonly lengths?: string
  /** h [D, B, R] and c [D, B, H]; undefined for zeros. */
  readonly initial?: readonly string[]
}

/** What the names of a layer's parameters end in, a direction each. */
export function suffixesOf({ bidirectional }: LSTMConfig, k: number | undefined): string[] {
  if (k === undefined) return ['']
  return bidirectional ? [`_l${k}`, `_l${k}_reverse`] : [`_l${k}`]
}

export function parameterName(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
