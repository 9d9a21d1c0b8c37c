/** Which steps of sequences count, in a graph: lengths, masks, and rows picked by number. */
import type { Flow, GraphWriter } from './export-graph.ts'

/** [1]: the length of one of the first axes. */
export function lengthOf(graph: GraphWriter, name: string, axis: number): string {
  return graph.add('Shape', [name], { start: axis, end: axis + 1 })
}

/** [n]: 0, 1, 2, ... */
export function countUp(graph: GraphWriter, n: string): string {
  const limit = graph.add('Squeeze', [n])
  return graph.add('Range', [graph.scalar('int64', 0), limit, graph.scalar('int64', 1)])
}

/** The input `lengths` as int64 [B]: T where it is negative, as its default is. */
export function givenLengths(graph: GraphWriter, x: string): string {
  const given = graph.input('lengths', 'int32', ['B'], -1)
  const T = graph.add('Cast', [lengthOf(graph, x, 1)], { to: 6 })
  const isOpen = graph.add('Less', [given, graph.scalar('int32', 0)])
  const lengths = graph.add('Where', [isOpen, T, given])
  return graph.add('Cast', [graph.add('Expand', [lengths, lengthOf(graph, x, 0)])], { to: 7 })
}

/** bool [B, T]: the steps within the lengths that the mask lets count; undefined where all do. */
export function keptSteps(graph: GraphWriter, { name, lengths, mask }: Flow): string | undefined {
  if (!lengths) return mask
  const t = countUp(graph, lengthOf(graph, name, 1))
  const isValid = graph.add('Less', [t, graph.add('Unsqueeze', [lengths(), graph.integers(1)])])
  return mask ? graph.add('And', [mask, isValid]) : isValid
}

/** Rows of values [B, N, ...] by their numbers [B, M]: [B, M, ...]. */
export function takeRows(graph: GraphWriter, values: string, rows: string): string {
  const N = lengthOf(graph, values, 1)
  const first = graph.add('Mul', [countUp(graph, lengthOf(graph, values, 0)), N])
  const all = graph.add('Add', [rows, graph.add('Unsqueeze', [first, graph.integers(1)])])
  const rest = graph.add('Shape', [values], { start: 2 })
  const flat = graph.add('Concat', [graph.integers(-1), rest], { axis: 0 })
  return graph.add('Gather', [graph.add('Reshape', [values, flat]), all], { axis: 0 })
}

/** [B, F] of x [B, T, F]: the step before the end [B], zeros where that is 0. */
export function stepBefore(graph: GraphWriter, x: string, end: string): string {
  const ends = graph.add('Unsqueeze', [end, graph.integers(1)])
  const row = graph.add('Max', [graph.add('Sub', [ends, graph.integers(1)]), graph.integers(0)])
  const step = graph.add('Squeeze', [takeRows(graph, x, row), graph.integers(1)])
  const isThere = graph.add('Greater', [ends, graph.integers(0)])
  return graph.add('Where', [isThere, step, graph.scalar('float', 0)])
}

/** Steps that a mask lets count, moved together as an LSTM needs them, and the way back. */
export interface MovedSteps {
  /** int64 [B]: how many there are */
  readonly counts: string
  /** Of x [B, T, F], in the same shape; what follows the counts is not to be read. */
  take(x: string): string
  /**
   * Of one direction's output [B, T, H], zero past the counts: at a step that does not count that of the step read before
   * it, zeros where there is none, in padding, or with `zeroMasked`.
   */
  restore(y: string, options: { reverse: boolean; zeroMasked: boolean }): string
}

export function movedSteps(graph: GraphWriter, flow: Flow): MovedSteps {
  const isKept = keptSteps(graph, flow)!
  const kept = graph.add('Cast', [isKept], { to: 7 })
  const axis = graph.scalar('int64', 1)
  const soFar = graph.add('CumSum', [kept, axis])
  return {
    counts: graph.add('ReduceSum', [kept, graph.integers(1)], { keepdims: 0 }),
    take(x) {
      // The largest keys first: T + T - t where the step counts, T - t where not.
      const T = lengthOf(graph, x, 1)
      const fromEnd = graph.add('Sub', [T, countUp(graph, T)])
      const keys = graph.add('Add', [graph.add('Mul', [kept, T]), fromEnd])
      const [, order] = graph.addMany('TopK', [keys, T], { axis: 1 }, 2)
      return takeRows(graph, x, order)
    },
    restore(y, { reverse, zeroMasked }) {
      // Row 0 is zeros. Read backwards, the step read before is the one after.
      const rows = graph.add('Pad', [y, graph.integers(0, 1, 0, 0, 0, 0)])
      const skipped = graph.add('Sub', [graph.scalar('int64', 1), kept])
      const row = reverse ? graph.add('Add', [soFar, skipped]) : soFar
      const isShown = zeroMasked ? isKept : keptSteps(graph, { ...flow, mask: undefined })
      return takeRows(
        graph,
        rows,
        isShown ? graph.add('Where', [isShown, row, graph.scalar('int64', 0)]) : row,
      )
    },
  }
}
