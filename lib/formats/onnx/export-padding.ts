/** The padding of windows in a graph, and the windows that sequences of some length fill. */
import type { WindowOptions } from '../../kernels/windows.ts'
import type { Attribute, GraphWriter } from './export-graph.ts'

/** Of windows along each axis. Where the zeros of 'same' depend on x, they do so on all axes. */
export function windowAttributes(windows: readonly WindowOptions[]): Record<string, Attribute> {
  const shared = {
    kernel_shape: windows.map(({ size }) => size),
    strides: windows.map(({ stride }) => stride),
  }
  const pads = windows.map(windowPads)
  if (pads.some((each) => each === undefined)) return { ...shared, auto_pad: 'SAME_UPPER' }
  return { ...shared, pads: [0, 1].flatMap((side) => pads.map((each) => each![side])) }
}

function spanOf({ size, dilation }: WindowOptions): number {
  return (size - 1) * dilation + 1
}

/** Zeros before and after, where they are the same for every T. */
export function windowPads(windows: WindowOptions): [before: number, after: number] | undefined {
  const { padding, stride } = windows
  const missing = spanOf(windows) - 1
  if (typeof padding === 'number') return [padding, padding]
  if (padding === 'valid') return [0, 0]
  if (padding === 'causal') return [missing, 0]
  return stride === 1 ? [Math.floor(missing / 2), Math.ceil(missing / 2)] : undefined
}

/** x [B, C, ...] with the zeros of 'same' along the axes where they depend on x. */
export function padSame(graph: GraphWriter, x: string, windows: readonly WindowOptions[]): string {
  const added = windows.map((each, axis) => {
    if (windowPads(each)) return undefined
    const range: Record<string, number> =
      windows.length === 1 ? { start: 2 } : { start: 2 + axis, end: 3 + axis }
    return zerosAround(graph, graph.add('Shape', [x], range), each)
  })
  const none = graph.integers(0, 0)
  const zero = () => graph.integers(0)
  const sides = [0, 1].flatMap((side) => [none, ...added.map((each) => each?.[side] ?? zero())])
  return graph.add('Pad', [x, graph.add('Concat', sides, { axis: 0 })])
}

/** How many stand before and after T steps: T is no number before the graph runs. */
function zerosAround(graph: GraphWriter, T: string, windows: WindowOptions): [before: string, after: string] {
  const [one, two, step] = [1, 2, windows.stride].map((n) => graph.integers(n))
  const last = graph.add('Mul', [graph.add('Div', [graph.add('Sub', [T, one]), step]), step])
  const end = graph.add('Add', [last, graph.integers(spanOf(windows))])
  const missing = graph.add('Max', [graph.add('Sub', [end, T]), graph.integers(0)])
  const before = graph.add('Div', [missing, two])
  return [before, graph.add('Sub', [missing, before])]
}

/** The windows that sequences of these lengths fill: ⌈n / stride⌉, or ⌊(n + padding - span) / stride⌋ + 1; 0 for 0. */
export function shortened(graph: GraphWriter, lengths: string, windows: WindowOptions): string {
  const { stride } = windows
  const pads = windowPads(windows)
  const more = pads ? pads[0] + pads[1] - spanOf(windows) + stride : stride - 1
  const room = graph.add('Add', [lengths, graph.integers(more)])
  const count = graph.add('Div', [graph.add('Max', [room, graph.integers(0)]), graph.integers(stride)])
  const isThere = graph.add('Greater', [lengths, graph.integers(0)])
  return graph.add('Where', [isThere, count, graph.integers(0)])
}
