/** A layer of an LSTM that the operator has not: a Scan for each direction, whose body is a step. */
import type { Dim, GraphWriter } from './export-graph.ts'
import { type CellWeights, cellWeights, emitCell } from './export-lstm-cell.ts'
import { type LSTMLayer, suffixesOf } from './export-lstm-layer.ts'
import { countUp, lengthOf } from './export-steps.ts'

/** x [T, B, I] to y [T, D, B, R], h [D, B, R] and c [D, B, H]. */
export function emitScan(call: LSTMLayer): { y: string; h: string; c: string } {
  const { graph, options, k } = call
  const isValid = call.lengths && validSteps(call, call.lengths)
  const directions = suffixesOf(options, k).map((suffix, d) =>
    emitDirection(call, cellWeights(call, suffix), {
      isValid,
      initial: initialStates(call, d),
      reverse: d === 1 || options.reverse === true,
    }),
  )
  return {
    y: stack(
      graph,
      directions.map(({ y }) => y),
      1,
    ),
    h: stack(
      graph,
      directions.map(({ h }) => h),
      0,
    ),
    c: stack(
      graph,
      directions.map(({ c }) => c),
      0,
    ),
  }
}

/** What an LSTMCell is: x [B, I], h [B, R] and c [B, H] to the next h and c. */
export function emitStep(call: LSTMLayer, initial?: readonly string[]): { h: string; c: string } {
  const weights = cellWeights(call, '')
  const [h, c] = initial ?? zeros(call, lengthOf(call.graph, call.x, 0))
  return emitCell(call.graph, weights, { gates: weights.fromInput(call.x), h, c })
}

function emitDirection(
  { graph, x, batch }: LSTMLayer,
  weights: CellWeights,
  { isValid, initial, reverse }: { isValid?: string; initial: readonly string[]; reverse: boolean },
): { y: string; h: string; c: string } {
  const { hiddenSize: H, projectionSize } = weights.options
  const R = projectionSize || H
  const gates = weights.fromInput(x)
  const states: readonly Dim[][] = [
    [batch, R],
    [batch, H],
  ]
  const body = graph.body(
    [
      { name: 'h', shape: states[0] },
      { name: 'c', shape: states[1] },
      { name: 'gates', shape: [batch, 4 * H] },
      ...(isValid ? [{ name: 'is_valid', type: 'bool', shape: [batch, 1] } as const] : []),
    ],
    (h, c, gates, isValid) => {
      const next = emitCell(graph, weights, { gates, h, c })
      // Past its end a sequence keeps its state, which backwards is where it begins.
      const kept = (after: string, before: string) =>
        isValid ? graph.add('Where', [isValid, after, before]) : after
      const y = isValid ? kept(next.h, graph.scalar('float', 0)) : graph.add('Identity', [next.h])
      return [
        { name: kept(next.h, h), shape: states[0] },
        { name: kept(next.c, c), shape: states[1] },
        { name: y, shape: states[0] },
      ]
    },
  )
  const scanned = isValid ? [gates, isValid] : [gates]
  const direction = Number(reverse)
  const attributes = {
    body,
    num_scan_inputs: scanned.length,
    scan_input_directions: scanned.map(() => direction),
    scan_output_directions: [direction],
  }
  const [h, c, y] = graph.addMany('Scan', [...initial, ...scanned], attributes, 3)
  return { y, h, c }
}

/** bool [T, B, 1] */
function validSteps({ graph, x }: LSTMLayer, lengths: string): string {
  const t = graph.add('Unsqueeze', [countUp(graph, lengthOf(graph, x, 0)), graph.integers(1)])
  return graph.add('Unsqueeze', [graph.add('Less', [t, lengths]), graph.integers(2)])
}

/** h [B, R] and c [B, H] of one direction. */
function initialStates(call: LSTMLayer, d: number): string[] {
  const { graph, x, initial } = call
  return initial
    ? initial.map((all) => graph.add('Gather', [all, graph.scalar('int64', d)]))
    : zeros(call, lengthOf(graph, x, 1))
}

/** @param B the batch [1] */
function zeros({ graph, options: { hiddenSize: H, projectionSize } }: LSTMLayer, B: string): string[] {
  return [projectionSize || H, H].map((size) => {
    const shape = graph.add('Concat', [B, graph.integers(size)], { axis: 0 })
    return graph.add('Expand', [graph.scalar('float', 0), shape])
  })
}

function stack(graph: GraphWriter, parts: readonly string[], axis: number): string {
  const each = parts.map((part) => graph.add('Unsqueeze', [part, graph.integers(axis)]))
  return each.length === 1 ? each[0] : graph.add('Concat', each, { axis })
}
