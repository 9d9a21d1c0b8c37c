/** LSTM and LSTMCell as LSTM operators, one a layer. */

import type { FloatArray } from '../../kernels/contract.ts'
import type { Layer } from '../../layers/layer.ts'
import type { Flow, GraphWriter, Place } from './export-graph.ts'
import { type LSTMConfig as Config, requireOperator, variantOf } from './export-lstm-options.ts'
import { lengthOf, type MovedSteps, movedSteps } from './export-steps.ts'

/** Where ONNX's blocks i, o, f, c stand among our i, f, g, o. */
const gates = [0, 3, 1, 2]
/** Where ONNX's peepholes i, o, f stand among our i, f, o. */
const peepholes = [0, 2, 1]

/** [B, T, I] to [B, T, D·H], with new states as outputs of the graph. */
export function emitLSTM(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  requireOperator(layer, options, place)
  const { hiddenSize: H, numLayers = 1, reverse, zeroMasked = false, returnSequences = true } = options
  const D = options.bidirectional ? 2 : 1
  const states = place.carriesState ? initialStates(place, flow, [numLayers * D, 'B', H]) : undefined
  const steps = flow.mask ? movedSteps(graph, flow) : undefined
  const lengths = steps?.counts ?? flow.lengths?.()

  let x = steps ? steps.take(flow.name) : flow.name
  const [hs, cs]: [string[], string[]] = [[], []]
  const parts = states?.map((state) => split(graph, state, numLayers))
  for (let k = 0; k < numLayers; k++) {
    const timeFirst = graph.add('Transpose', [x], { perm: [1, 0, 2] })
    const initial = parts?.map((each) => each[k])
    const { y, h, c } = operator(place, layer, { options, k, x: timeFirst, lengths, initial })
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
    for (const [name, all] of [['hn', hs] as const, ['cn', cs] as const]) {
      const whole = all.length === 1 ? all[0] : graph.add('Concat', all, { axis: 0 })
      graph.output(stateName(path, name), whole, [numLayers * D, 'B', H])
    }
  }
  const features = H * (options.merge === undefined || options.merge === 'concat' ? D : 1)
  const [B, T] = flow.shape
  return returnSequences
    ? { ...flow, name: x, shape: [B, T, features] }
    : { ...flow, name: x, shape: [B, features], mask: undefined }
}

/** [B, I] to [B, H]: a sequence of one step. */
export function emitLSTMCell(layer: Layer, flow: Flow, place: Place): Flow {
  const { graph, path } = place
  const options = layer.config() as Config
  requireOperator(layer, options, place)
  const H = options.hiddenSize
  const first = graph.integers(0)
  const lift = (name: string) => graph.add('Unsqueeze', [name, first])
  const initial = place.carriesState ? initialStates(place, flow, ['B', H]).map(lift) : undefined
  const { h, c } = operator(place, layer, { options, x: lift(flow.name), initial })
  const [name, cn] = [h, c].map((each) => graph.add('Squeeze', [each, first]))
  if (place.carriesState) {
    graph.output(stateName(path, 'hn'), name, ['B', H])
    graph.output(stateName(path, 'cn'), cn, ['B', H])
  }
  return { ...flow, name, shape: [flow.shape[0], H], mask: undefined }
}

function reversed(D: number, reverse = false): boolean[] {
  return D === 2 ? [false, true] : [reverse]
}

function stateName(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** The inputs h0 and c0 with the batch of x: their defaults are zeros for a batch of 1. */
function initialStates({ graph, path }: Place, { name }: Flow, shape: readonly (number | 'B')[]): string[] {
  return ['h0', 'c0'].map((each) => {
    const state = graph.input(stateName(path, each), 'float', shape, 0)
    const B = lengthOf(graph, name, 0)
    const target = shape.map((n) => (n === 'B' ? B : graph.integers(n)))
    return graph.add('Expand', [state, graph.add('Concat', target, { axis: 0 })])
  })
}

function split(graph: GraphWriter, name: string, count: number): string[] {
  return count === 1 ? [name] : graph.addMany('Split', [name], { axis: 0 }, count)
}

/** One layer: x [T, B, I] to y [T, D, B, H], h and c [D, B, H]. */
function operator(
  { graph, path }: Place,
  layer: Layer,
  call: { options: Config; k?: number; x: string; lengths?: string; initial?: readonly string[] },
): { y: string; h: string; c: string } {
  const { options, x, lengths, initial = ['', ''] } = call
  const H = options.hiddenSize
  const direction = options.bidirectional ? 'bidirectional' : options.reverse ? 'reverse' : 'forward'
  const [W, R, B, P] = weights(graph, path, layer, { options, k: call.k })
  const counts = lengths ? graph.add('Cast', [lengths], { to: 6 }) : ''
  const attributes = { direction, hidden_size: H, ...variantOf(options) }
  const [y, h, c] = graph.addMany('LSTM', [x, W, R, B, counts, ...initial, P], attributes, 3)
  if (!lengths || !initial[0]) return { y, h, c }
  // Where there is no step ONNX leaves open what the states are, and ONNX Runtime forgets them.
  const isEmpty = graph.add('Unsqueeze', [
    graph.add('Equal', [lengths, graph.scalar('int64', 0)]),
    graph.integers(1),
  ])
  const [hn, cn] = [h, c].map((after, i) => graph.add('Where', [isEmpty, initial[i], after]))
  return { y, h: hn, c: cn }
}

/** W, R, B and P of one layer; '' for those it has not. */
function weights(
  graph: GraphWriter,
  path: string,
  layer: Layer,
  { options, k }: { options: Config; k?: number },
): string[] {
  const parameters = new Map(layer.parameters())
  const suffixes = k === undefined ? [''] : [`_l${k}`, ...(options.bidirectional ? [`_l${k}_reverse`] : [])]
  const stack = (name: string, sources: readonly string[], blocks: readonly number[], columns: number[]) => {
    if (!parameters.has(sources[0] + suffixes[0])) return ''
    const parts = suffixes.flatMap((suffix) =>
      sources.flatMap((source) => {
        const array = parameters.get(source + suffix)!.array as FloatArray
        const size = array.length / blocks.length
        return blocks.map((block) => array.subarray(block * size, (block + 1) * size))
      }),
    )
    const shape = [suffixes.length, sources.length * blocks.length * options.hiddenSize, ...columns]
    return graph.weight(`${path === '' ? '' : `${path}.`}${name}${suffixes[0]}`, { shape, parts })
  }
  const I = parameters.get(`weight_ih${suffixes[0]}`)!.shape[1]
  return [
    stack('W', ['weight_ih'], gates, [I]),
    stack('R', ['weight_hh'], gates, [options.hiddenSize]),
    stack('B', ['bias_ih', 'bias_hh'], gates, []),
    stack('P', ['peephole'], peepholes, []),
  ]
}

/** [...kept, D, H] with the last axes made one. */
function merge(
  graph: GraphWriter,
  y: string,
  kept: readonly string[],
  { merge = 'concat', bidirectional, hiddenSize: H }: Config,
): string {
  if (merge === 'sum') return graph.add('ReduceSum', [y, graph.integers(-2)], { keepdims: 0 })
  if (merge === 'mul') return graph.add('ReduceProd', [y], { axes: [-2], keepdims: 0 })
  if (merge === 'average') return graph.add('ReduceMean', [y], { axes: [-2], keepdims: 0 })
  return graph.add('Reshape', [y, graph.integers(...kept.map(() => 0), bidirectional ? 2 * H : H)])
}

/** [B, T, D, H] with the steps of each direction where they belong. */
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
