/** LSTM and LSTMCell as LSTM operators, one a layer, or as Scans where the operator has not what their options ask for. */
import type { Layer } from '../../layers/layer.ts'
import type { Flow, GraphWriter, Place } from './export-graph.ts'
import { type LSTMLayer, parameterName } from './export-lstm-layer.ts'
import { emitOperator } from './export-lstm-operator.ts'
import { type LSTMConfig as Config, hasOperator } from './export-lstm-options.ts'
import { emitScan, emitStep } from './export-lstm-scan.ts'
import { lengthOf, type MovedSteps, movedSteps } from './export-steps.ts'

/** [B, T, I] to [B, T, D·R], with new states as outputs of the graph. */
export function emitLSTM(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  const { hiddenSize: H, numLayers = 1, reverse, zeroMasked = false, returnSequences = true } = options
  const D = options.bidirectional ? 2 : 1
  const R = options.projectionSize || H
  const shapes = [R, H].map((size) => [numLayers * D, 'B', size])
  const emitLayer = hasOperator(options) ? emitOperator : emitScan
  const parameters = new Map(layer.parameters())
  const states = place.carriesState ? initialStates(place, flow, shapes) : undefined
  const steps = flow.mask ? movedSteps(graph, flow) : undefined
  const lengths = steps?.counts ?? flow.lengths?.()

  let x = steps ? steps.take(flow.name) : flow.name
  const [hs, cs]: [string[], string[]] = [[], []]
  const parts = states?.map((state) => split(graph, state, numLayers))
  for (let k = 0; k < numLayers; k++) {
    const timeFirst = graph.add('Transpose', [x], { perm: [1, 0, 2] })
    const initial = parts?.map((each) => each[k])
    const batch = flow.shape[0]
    const { y, h, c } = emitLayer({
      graph,
      path,
      options,
      parameters,
      k,
      x: timeFirst,
      batch,
      lengths,
      initial,
    })
    hs.push(h)
    cs.push(c)
    const isLast = k === numLayers - 1
    if (isLast && !returnSequences) {
      x = merge(graph, graph.add('Transpose', [h], { perm: [1, 0, 2] }), ['B'], options)
      break
    }
    let output = graph.add('Transpose', [y], { perm: [2, 0, 1, 3] })
    if (isLast && steps) output = restore(graph, output, steps, { reverse: reversed(D, reverse), zeroMasked })
    x = merge(graph, output, ['B', 'T'], options)
  }
  if (place.carriesState) {
    for (const [i, all] of [hs, cs].entries()) {
      const whole = all.length === 1 ? all[0] : graph.add('Concat', all, { axis: 0 })
      graph.output(parameterName(path, ['hn', 'cn'][i]), whole, shapes[i])
    }
  }
  const features = R * (options.merge === undefined || options.merge === 'concat' ? D : 1)
  const [B, T] = flow.shape
  return returnSequences
    ? { ...flow, name: x, shape: [B, T, features] }
    : { ...flow, name: x, shape: [B, features], mask: undefined }
}

/** [B, I] to [B, H]: a sequence of one step. */
export function emitLSTMCell(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  const H = options.hiddenSize
  const R = options.projectionSize || H
  const shapes = [R, H].map((size) => ['B', size])
  const first = graph.integers(0)
  const lift = (name: string) => graph.add('Unsqueeze', [name, first])
  const initial = place.carriesState ? initialStates(place, flow, shapes) : undefined
  const parameters = new Map(layer.parameters())
  const batch = flow.shape[0]
  const call: LSTMLayer = { graph, path, options, parameters, x: flow.name, batch }
  let [name, cn]: string[] = []
  if (hasOperator(options)) {
    const { h, c } = emitOperator({ ...call, x: lift(flow.name), initial: initial?.map(lift) })
    ;[name, cn] = [h, c].map((each) => graph.add('Squeeze', [each, first]))
  } else ({ h: name, c: cn } = emitStep(call, initial))
  if (place.carriesState) {
    graph.output(parameterName(path, 'hn'), name, shapes[0])
    graph.output(parameterName(path, 'cn'), cn, shapes[1])
  }
  return { ...flow, name, shape: [batch, R], mask: undefined }
}

function reversed(D: number, reverse = false): boolean[] {
  return D === 2 ? [false, true] : [reverse]
}

/** The inputs h0 and c0 with the batch of x: their defaults are zeros for a batch of 1. */
function initialStates(
  { graph, path }: Place,
  { name }: Flow,
  shapes: readonly (readonly (number | string)[])[],
): string[] {
  return shapes.map((shape, i) => {
    const state = graph.input(parameterName(path, ['h0', 'c0'][i]), 'float', shape, 0)
    const B = lengthOf(graph, name, 0)
    const target = shape.map((n) => (typeof n === 'number' ? graph.integers(n) : B))
    return graph.add('Expand', [state, graph.add('Concat', target, { axis: 0 })])
  })
}

function split(graph: GraphWriter, name: string, count: number): string[] {
  return count === 1 ? [name] : graph.addMany('Split', [name], { axis: 0 }, count)
}

/** [...kept, D, R] with the last axes made one. */
function merge(
  graph: GraphWriter,
  y: string,
  kept: readonly string[],
  { merge = 'concat', bidirectional, hiddenSize, projectionSize }: Config,
): string {
  if (merge === 'sum') return graph.add('ReduceSum', [y, graph.integers(-2)], { keepdims: 0 })
  if (merge === 'mul') return graph.add('ReduceProd', [y], { axes: [-2], keepdims: 0 })
  if (merge === 'average') return graph.add('ReduceMean', [y], { axes: [-2], keepdims: 0 })
  return graph.add('Reshape', [
    y,
    graph.integers(...kept.map(() => 0), (bidirectional ? 2 : 1) * (projectionSize || hiddenSize)),
  ])
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
