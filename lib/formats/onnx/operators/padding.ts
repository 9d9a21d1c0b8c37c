/** Pad: steps and channels that are put around a value, or cut off. */
import { stridesOf } from '../../../operations/shape.ts'
import { axesOf, axisOf, type Call, type Operator } from './operator.ts'

/** The element of an axis of n that stands at place i, which may lie outside; -1 for the constant. */
const sources: Readonly<Record<string, (i: number, n: number) => number>> = {
  constant: (i, n) => (i >= 0 && i < n ? i : -1),
  edge: (i, n) => Math.min(Math.max(i, 0), n - 1),
  reflect: (i, n) => n - 1 - Math.abs(n - 1 - Math.abs(i)),
  wrap: (i, n) => ((i % n) + n) % n,
}

export const paddingOperators: Record<string, Operator> = {
  /** Negative pads cut elements off. */
  Pad: {
    inputs: [1, 4],
    attributes: { mode: 'string', pads: 'ints', value: 'float' },
    run(call) {
      const x = call.input(0)
      const mode = call.text('mode', 'constant')
      if (!Object.hasOwn(sources, mode))
        throw new TypeError(`mode ${mode} is not supported; supported: ${Object.keys(sources).join(', ')}`)
      const { before, shape } = padsOf(call, mode)
      const strides = stridesOf(x.shape)
      return call.make(x.type, shape, (y) => {
        const constant = call.inputs[2]?.data[0] ?? call.number('value', 0)
        const offsets = shape.map((size, axis) => {
          const places = call.memory.array('int64', [size])
          for (let i = 0; i < size; i++)
            places[i] = sources[mode](i - before[axis], x.shape[axis]) * strides[axis]
          return places
        })
        const last = offsets.pop() ?? Int32Array.of(0)
        for (let row = 0; row * last.length < y.length; row++) {
          let start = 0
          let rest = row
          for (let axis = offsets.length - 1; axis >= 0; axis--) {
            const offset = offsets[axis][rest % shape[axis]]
            start = offset < 0 || start < 0 ? -1 : start + offset
            rest = Math.floor(rest / shape[axis])
          }
          for (const [i, offset] of last.entries())
            y[row * last.length + i] = start < 0 || offset < 0 ? constant : x.data[start + offset]
        }
      })
    },
  },
}

/** What stands before each axis, and the shape with what stands behind. */
function padsOf(call: Call, mode: string): { before: number[]; shape: number[] } {
  const x = call.input(0)
  const rank = x.shape.length
  const pads = call.integersOf(1) ?? call.integers('pads') ?? []
  const axes = (call.integersOf(3) ?? x.shape.map((_, axis) => axis)).map((axis) => axisOf(axis, rank))
  if (pads.length !== 2 * axesOf(axes, rank).length)
    throw new RangeError(`[${pads}] are no pads of [${x.shape}]`)
  const before = x.shape.map(() => 0)
  const shape = [...x.shape]
  for (const [i, axis] of axes.entries()) {
    const [first, second] = [pads[i], pads[i + axes.length]]
    const n = x.shape[axis]
    const most = mode === 'reflect' ? n - 1 : Number.POSITIVE_INFINITY
    const isEmpty = n === 0 && mode !== 'constant' && first + second > 0
    if (Math.max(first, second) > Math.max(most, 0) || isEmpty || n + first + second < 0)
      throw new RangeError(`mode ${mode} cannot pad axis ${axis} of [${x.shape}] by ${first} and ${second}`)
    before[axis] = first
    shape[axis] = n + first + second
  }
  return { before, shape }
}
