/** Layers of a recurrent network one after the other, with their states as inputs and outputs of the graph. */
import type { Dim, Flow, GraphWriter, Place } from './export-graph.ts'
import { parameterName } from './export-lstm-layer.ts'
import { lengthOf, type MovedSteps, movedSteps } from './export-steps.ts'

/** One layer, as it is called. */
export interface RecurrentCall {
  /** Which of the layers. */
  readonly k: number
  /** [T, B, I] */
  readonly x: string
  /** B as the graph's values say it. */
  readonly batch: Dim
  /** int64 [B]: the valid steps; undefined where all are. */
  readonly lengths?: string
  /** Of each state [D, B, size]; undefined for zeros. */
  readonly initial?: readonly string[]
}

export interface Recurrent {
  readonly numLayers: number
  readonly bidirectional: boolean
  readonly reverse?: boolean
  readonly merge?: string
  readonly returnSequences?: boolean
  readonly zeroMasked?: boolean
  /** Of each state; the first is the output too. */
  readonly sizes: readonly number[]
  /** @returns y [T, D, B, R] and the new states [D, B, size] */
  emitLayer(call: RecurrentCall): { y: string; states: readonly string[] }
}

/** What the inputs and outputs for the states are called. */
const letters = ['h', 'c']

/** [B, T, I] to [B, T, D·R], or [B, D·R], with new states as outputs of the graph. */
export function emitRecurrent(recurrent: Recurrent, flow: Flow, place: Place): Flow {
  const { numLayers, sizes, reverse, zeroMasked = false, returnSequences = true } = recurrent
  const { graph, path } = place
  const D = recurrent.bidirectional ? 2 : 1
  const shapes = sizes.map((size) => [numLayers * D, 'B', size])
  const states = place.carriesState ? initialStates(place, flow, shapes) : undefined
  const steps = flow.mask ? movedSteps(graph, flow) : undefined
  const lengths = steps?.counts ?? flow.lengths?.()

  let x = steps ? steps.take(flow.name) : flow.name
  const after: string[][] = sizes.map(() => [])
  const parts = states?.map((state) => split(graph, state, numLayers))
  for (let k = 0; k < numLayers; k++) {
    const timeFirst = graph.add('Transpose', [x], { perm: [1, 0, 2] })
    const initial = parts?.map((each) => each[k])
    const call = { k, x: timeFirst, batch: flow.shape[0], lengths, initial }
    const { y, states: next } = recurrent.emitLayer(call)
    for (const [i, state] of next.entries()) after[i].push(state)
    const isLast = k === numLayers - 1
    if (isLast && !returnSequences) {
      x = merge(graph, graph.add('Transpose', [next[0]], { perm: [1, 0, 2] }), ['B'], recurrent)
      break
    }
    let output = graph.add('Transpose', [y], { perm: [2, 0, 1, 3] })
    if (isLast && steps)
      output = restore(graph, output, steps, {
        reverse: D === 2 ? [false, true] : [reverse === true],
        zeroMasked,
      })
    x = merge(graph, output, ['B', 'T'], recurrent)
  }
  if (place.carriesState) {
    for (const [i, all] of after.entries()) {
      const whole = all.length === 1 ? all[0] : graph.add('Concat', all, { axis: 0 })
      graph.output(parameterName(path, `${letters[i]}n`), whole, shapes[i])
    }
  }
  const features = sizes[0] * (recurrent.merge === undefined || recurrent.merge === 'concat' ? D : 1)
  const [B, T] = flow.shape
  return returnSequences
    ? { ...flow, name: x, shape: [B, T, features] }
    : { ...flow, name: x, shape: [B, features], mask: undefined }
}

/** The inputs h0 and c0 with the batch of x: their defaults are zeros for a batch of 1. */
export function initialStates(
  { graph, path }: Place,
  { name }: Flow,
  shapes: readonly (readonly (number | string)[])[],
): string[] {
  return shapes.map((shape, i) => {
    const state = graph.input(parameterName(path, `${letters[i]}0`), 'float', shape, 0)
    const B = lengthOf(graph, name, 0)
    const target = shape.map((n) => (typeof n === 'number' ? graph.integers(n) : B))
    return graph.add('Expand', [state, graph.add('Concat', target, { axis: 0 })])
  })
}

/**
 * The states behind a node, or those before it where there is no step: ONNX leaves open what the states are then, and ONNX
 * Runtime forgets them.
 */
export function keptWithoutSteps(
  graph: GraphWriter,
  states: readonly string[],
  { lengths, initial }: { lengths?: string; initial?: readonly string[] },
): readonly string[] {
  if (!lengths || !initial) return states
  const isEmpty = graph.add('Unsqueeze', [
    graph.add('Equal', [lengths, graph.scalar('int64', 0)]),
    graph.integers(1),
  ])
  return states.map((after, i) => graph.add('Where', [isEmpty, initial[i], after]))
}

function split(graph: GraphWriter, name: string, count: number): string[] {
  return count === 1 ? [name] : graph.addMany('Split', [name], { axis: 0 }, count)
}

/** [...kept, D, R] with the last axes made one. */
function merge(
  graph: GraphWriter,
  y: string,
  kept: readonly string[],
  { merge = 'concat', bidirectional, sizes: [R] }: Recurrent,
): string {
  if (merge === 'sum') return graph.add('ReduceSum', [y, graph.integers(-2)], { keepdims: 0 })
  if (merge === 'mul') return graph.add('ReduceProd', [y], { axes: [-2], keepdims: 0 })
  if (merge === 'average') return graph.add('ReduceMean', [y], { axes: [-2], keepdims: 0 })
  return graph.add('Reshape', [y, graph.integers(...kept.map(() => 0), (bidirectional ? 2 : 1) * R)])
}

/** [B, T, D, R] with the steps of each direction where they belong. */
function restore(
  graph: GraphWriter,
  y: string,
  steps: MovedSteps,
  { reverse, zeroMasked }: { reverse: readonly boolean[]; zeroMasked: boolean },
): string {
  const axis = graph.integers(2)
  const each = reverse.length === 1 ? [y] : graph.addMany('Split', [y], { axis: 2 }, 2)
  const restored = each.map((direction, d) => {
    const rows = graph.add('Squeeze', [direction, axis])
    return graph.add('Unsqueeze', [steps.restore(rows, { reverse: reverse[d], zeroMasked }), axis])
  })
  return restored.length === 1 ? restored[0] : graph.add('Concat', restored, { axis: 2 })
}
