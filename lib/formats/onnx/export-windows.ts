/** Convolution and pooling: ONNX has the channels before the steps. */

import type { FloatArray } from '../../kernels/contract.ts'
import type { WindowOptions } from '../../kernels/windows.ts'
import type { Conv1dLayerOptions } from '../../layers/convolution.ts'
import type { Layer } from '../../layers/layer.ts'
import type { Attribute, Dim, Flow, GraphWriter, Place } from './export-graph.ts'
import { keptSteps } from './export-steps.ts'

export function emitConv1d(layer: Layer, flow: Flow, { graph, path }: Place): Flow {
  const options = layer.config() as unknown as Required<Conv1dLayerOptions>
  const { outputChannels: O, kernelSize: size, stride, dilation, groups, padding } = options
  const inputs = [...layer.parameters()].map(([name, { shape, array }]) =>
    graph.weight(path === '' ? name : `${path}.${name}`, { shape, parts: [array as FloatArray] }),
  )
  const windows = { size, stride, dilation, padding }
  const isPadded = dilation > 1 && !paddingOf(windows)
  const attributes = windowAttributes(isPadded ? { ...windows, padding: 'valid' } : windows)
  return overSteps(graph, flow, { windows, channels: O }, (x) =>
    graph.add('Conv', [isPadded ? padSame(graph, x, windows) : x, ...inputs], {
      group: groups,
      dilations: [dilation],
      ...attributes,
    }),
  )
}

export function emitPool1d(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const { type, countPadding, ...options } = layer.config() as unknown as Pool
  const windows: WindowOptions = { ...options, dilation: 1 }
  const counting: Record<string, number> =
    type === 'AveragePool1d' ? { count_include_pad: Number(countPadding) } : {}
  return overSteps(graph, flow, { windows, channels: flow.shape[2] }, (x) =>
    graph.add(type === 'AveragePool1d' ? 'AveragePool' : 'MaxPool', [x], {
      ...counting,
      ...windowAttributes(windows),
    }),
  )
}

type Pool = Omit<WindowOptions, 'dilation'> & { type: string; countPadding?: boolean }

/** [B, T, C] to [B, C], 0 where no step counts. Only the average heeds a mask. */
export function emitGlobalPool1d(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const isAverage = layer.config().type === 'GlobalAveragePool1d'
  const [B, , C] = flow.shape
  const result = { ...flow, shape: [B, C], mask: undefined }
  const isKept = keptSteps(graph, isAverage ? flow : { ...flow, mask: undefined })
  const largest = (x: string) => graph.add('ReduceMax', [x], { axes: [1], keepdims: 0 })
  if (!isKept) {
    const mean = () => graph.add('ReduceMean', [flow.name], { axes: [1], keepdims: 0 })
    return { ...result, name: isAverage ? mean() : largest(flow.name) }
  }
  const zero = graph.scalar('float', 0)
  const otherwise = isAverage ? zero : graph.scalar('float', Number.NEGATIVE_INFINITY)
  const isCounted = graph.add('Unsqueeze', [isKept, graph.integers(2)])
  const x = graph.add('Where', [isCounted, flow.name, otherwise])
  const kept = graph.add('Cast', [isKept], { to: 7 })
  const count = graph.add('ReduceSum', [kept, graph.integers(1)], { keepdims: 1 })
  if (isAverage) {
    const sum = graph.add('ReduceSum', [x, graph.integers(1)], { keepdims: 0 })
    const divisor = graph.add('CastLike', [graph.add('Max', [count, graph.integers(1)]), sum])
    return { ...result, name: graph.add('Div', [sum, divisor]) }
  }
  const isThere = graph.add('Greater', [count, graph.integers(0)])
  return { ...result, name: graph.add('Where', [isThere, largest(x), zero]) }
}

function overSteps(
  graph: GraphWriter,
  flow: Flow,
  { windows, channels }: { windows: WindowOptions; channels: Dim },
  run: (x: string) => string,
): Flow {
  const y = run(graph.add('Transpose', [flow.name], { perm: [0, 2, 1] }))
  const { padding, stride } = windows
  const keepsSteps = stride === 1 && (padding === 'same' || padding === 'causal')
  let known: string | undefined
  return {
    name: graph.add('Transpose', [y], { perm: [0, 2, 1] }),
    shape: [flow.shape[0], keepsSteps ? flow.shape[1] : null, channels],
    lengths: flow.lengths && (() => (known ??= shortened(graph, flow.lengths!(), windows))),
    mask: undefined,
  }
}

/** With SAME_UPPER the padding depends on T, of which a stride of 1 knows nothing. */
function windowAttributes(windows: WindowOptions): Record<string, Attribute> {
  const pads = paddingOf(windows)
  const shared = { kernel_shape: [windows.size], strides: [windows.stride] }
  return pads ? { ...shared, pads } : { ...shared, auto_pad: 'SAME_UPPER' }
}

function spanOf({ size, dilation }: WindowOptions): number {
  return (size - 1) * dilation + 1
}

/** Zeros before and after, where they are the same for every T. */
function paddingOf(windows: WindowOptions): [before: number, after: number] | undefined {
  const { padding, stride } = windows
  const missing = spanOf(windows) - 1
  if (typeof padding === 'number') return [padding, padding]
  if (padding === 'valid') return [0, 0]
  if (padding === 'causal') return [missing, 0]
  return stride === 1 ? [Math.floor(missing / 2), Math.ceil(missing / 2)] : undefined
}

/** x [B, C, T] with the zeros of 'same', which ONNX Runtime does not add to dilated windows. */
function padSame(graph: GraphWriter, x: string, windows: WindowOptions): string {
  const { stride } = windows
  const T = graph.add('Shape', [x], { start: 2 })
  const [one, two, step] = [1, 2, stride].map((n) => graph.integers(n))
  const last = graph.add('Mul', [graph.add('Div', [graph.add('Sub', [T, one]), step]), step])
  const end = graph.add('Add', [last, graph.integers(spanOf(windows))])
  const missing = graph.add('Max', [graph.add('Sub', [end, T]), graph.integers(0)])
  const before = graph.add('Div', [missing, two])
  const none = graph.integers(0, 0)
  const pads = [none, before, none, graph.add('Sub', [missing, before])]
  return graph.add('Pad', [x, graph.add('Concat', pads, { axis: 0 })])
}

/** The windows that sequences of these lengths fill: ⌈n / stride⌉, or ⌊(n + padding - span) / stride⌋ + 1; 0 for 0. */
function shortened(graph: GraphWriter, lengths: string, windows: WindowOptions): string {
  const { stride } = windows
  const pads = paddingOf(windows)
  const more = pads ? pads[0] + pads[1] - spanOf(windows) + stride : stride - 1
  const room = graph.add('Add', [lengths, graph.integers(more)])
  const count = graph.add('Div', [graph.add('Max', [room, graph.integers(0)]), graph.integers(stride)])
  const isThere = graph.add('Greater', [lengths, graph.integers(0)])
  return graph.add('Where', [isThere, count, graph.integers(0)])
}
