/** Convolution and pooling, of sequences and of images: ONNX has the channels before the steps, or rows and columns. */
import type { FloatArray } from '../../kernels/contract.ts'
import type { WindowOptions } from '../../kernels/windows.ts'
import type { Layer } from '../../layers/layer.ts'
import type { Dim, Flow, GraphWriter, Place } from './export-graph.ts'
import { padSame, shortened, windowAttributes, windowPads } from './export-padding.ts'
import { keptSteps, lengthOf } from './export-steps.ts'

interface Convolution extends Along {
  outputChannels: number
  kernelSize: number | readonly number[]
  groups: number
}

/** Options of which each is one for all axes or one for each. */
interface Along {
  stride: Option<number>
  padding: Option<WindowOptions['padding']>
  dilation?: Option<number>
}
type Option<T> = T | readonly T[]

/** Windows along each of the axes. */
function windowsOf(
  { stride, padding, dilation = 1 }: Along,
  size: Option<number>,
  axes: number,
): WindowOptions[] {
  const one = <T>(option: Option<T>, axis: number) => (Array.isArray(option) ? option[axis] : option) as T
  return Array.from({ length: axes }, (_, axis) => ({
    size: one(size, axis),
    stride: one(stride, axis),
    dilation: one(dilation, axis),
    padding: one(padding, axis),
  }))
}

export function emitConvolution(layer: Layer, flow: Flow, { graph, path }: Place): Flow {
  const options = layer.config() as unknown as Convolution & { type: string }
  const windows = windowsOf(options, options.kernelSize, options.type === 'Conv2d' ? 2 : 1)
  const inputs = [...layer.parameters()].map(([name, { shape, array }]) =>
    graph.weight(path === '' ? name : `${path}.${name}`, { shape, parts: [array as FloatArray] }),
  )
  // ONNX Runtime adds no padding of its own to dilated windows, and what is given beside it holds for all axes.
  const isOwn = windows.every((each) => !windowPads(each) && each.dilation === 1)
  const padded = isOwn ? [] : windows.flatMap((each, axis) => (windowPads(each) ? [] : [axis]))
  const inner = windows.map((each, axis) =>
    padded.includes(axis) ? { ...each, padding: 'valid' as const } : each,
  )
  return overPlaces(graph, flow, { windows, channels: options.outputChannels }, (x) =>
    graph.add('Conv', [padded.length > 0 ? padSame(graph, x, windows) : x, ...inputs], {
      group: options.groups,
      dilations: windows.map(({ dilation }) => dilation),
      ...windowAttributes(inner),
    }),
  )
}

type Pool = Along & { type: string; size: Option<number>; countPadding?: boolean }

export function emitPool(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const { type, countPadding, size, ...options } = layer.config() as unknown as Pool
  const isAverage = type.startsWith('AveragePool')
  const windows = windowsOf(options, size, type.endsWith('2d') ? 2 : 1)
  const counting: Record<string, number> = isAverage ? { count_include_pad: Number(countPadding) } : {}
  const run = (x: string, each: readonly WindowOptions[]) =>
    graph.add(isAverage ? 'AveragePool' : 'MaxPool', [x], { ...counting, ...windowAttributes(each) })
  // Along one axis after the other where ONNX has no way to say the padding of both at once.
  const isSplit = new Set(windows.map((each) => windowPads(each) === undefined)).size > 1
  const still = { size: 1, stride: 1, dilation: 1, padding: 0 }
  return overPlaces(graph, flow, { windows, channels: flow.shape.at(-1)! }, (x) =>
    isSplit ? run(run(x, [windows[0], still]), [still, windows[1]]) : run(x, windows),
  )
}

/** [B, ..., C] to [B, C] over steps, or rows and columns, 0 where no step or row counts. Only the average heeds a mask. */
export function emitGlobalPool(layer: Layer, flow: Flow, { graph }: Place): Flow {
  const isAverage = layer.config().type.startsWith('GlobalAverage')
  const [B, ...rest] = flow.shape
  const axes = rest.slice(0, -1).map((_, i) => i + 1)
  const result = { ...flow, shape: [B, rest.at(-1)!], mask: undefined }
  const isKept = keptSteps(graph, isAverage ? flow : { ...flow, mask: undefined })
  const largest = (x: string) => graph.add('ReduceMax', [x], { axes, keepdims: 0 })
  if (!isKept) {
    const mean = () => graph.add('ReduceMean', [flow.name], { axes, keepdims: 0 })
    return { ...result, name: isAverage ? mean() : largest(flow.name) }
  }
  const zero = graph.scalar('float', 0)
  const otherwise = isAverage ? zero : graph.scalar('float', Number.NEGATIVE_INFINITY)
  const isCounted = graph.add('Unsqueeze', [isKept, graph.integers(...axes.map((axis) => axis + 1))])
  const x = graph.add('Where', [isCounted, flow.name, otherwise])
  const kept = graph.add('Cast', [isKept], { to: 7 })
  const count = graph.add('ReduceSum', [kept, graph.integers(1)], { keepdims: 1 })
  if (isAverage) {
    const sum = graph.add('ReduceSum', [x, graph.integers(...axes)], { keepdims: 0 })
    const places = axes.length > 1 ? graph.add('Mul', [count, lengthOf(graph, x, 2)]) : count
    const divisor = graph.add('CastLike', [graph.add('Max', [places, graph.integers(1)]), sum])
    return { ...result, name: graph.add('Div', [sum, divisor]) }
  }
  const isThere = graph.add('Greater', [count, graph.integers(0)])
  return { ...result, name: graph.add('Where', [isThere, largest(x), zero]) }
}

/** What `run` does to x [B, C, ...], of x [B, ..., C]. */
export function channelsFirst(
  graph: GraphWriter,
  { name, shape }: Pick<Flow, 'name' | 'shape'>,
  run: (x: string) => string,
): string {
  const places = shape.slice(2).map((_, i) => i + 1)
  const last = shape.length - 1
  const y = run(graph.add('Transpose', [name], { perm: [0, last, ...places] }))
  return graph.add('Transpose', [y], { perm: [0, ...places.map((axis) => axis + 1), 1] })
}

function overPlaces(
  graph: GraphWriter,
  flow: Flow,
  { windows, channels }: { windows: readonly WindowOptions[]; channels: Dim },
  run: (x: string) => string,
): Flow {
  const name = channelsFirst(graph, flow, run)
  const places = windows.map(({ padding, stride }, axis) =>
    stride === 1 && (padding === 'same' || padding === 'causal') ? flow.shape[axis + 1] : null,
  )
  let known: string | undefined
  return {
    name,
    shape: [flow.shape[0], ...places, channels],
    lengths: flow.lengths && (() => (known ??= shortened(graph, flow.lengths!(), windows[0]))),
    mask: undefined,
  }
}
