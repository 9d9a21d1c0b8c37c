/** Convolution and pooling over any number of spatial axes: exporters write a 1-D convolution as a 2-D one, too. */
import type { FloatArray } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import { stridesOf } from '../../../operations/shape.ts'
import { sizeOf } from '../../../tensor.ts'
import type { Value } from '../values.ts'
import type { AttributeKind, Call, Operator } from './operator.ts'
import { largest, sum } from './reductions.ts'

const windowAttributes = {
  auto_pad: 'string',
  dilations: 'ints',
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
} satisfies Record<string, AttributeKind>

const poolAttributes = { ...windowAttributes, ceil_mode: 'int' } satisfies Record<string, AttributeKind>

export const convolutionOperators: Record<string, Operator> = {
  /** X [N, C, ...], W [M, C/group, ...], B [M] to [N, M, ...]: a matrix product with the windows laid out as columns. */
  Conv: {
    inputs: [2, 3],
    attributes: { ...windowAttributes, group: 'int' },
    foldable: false,
    run(call) {
      const [x, w] = [call.floats(0), call.floats(1)]
      const b = call.inputs[2] && call.floats(2)
      const [N, C] = x.shape
      const [M, perGroup] = w.shape
      const G = call.integer('group', 1)
      const windows = windowsOf(call, x, w.shape.slice(2))
      if (w.shape.length !== x.shape.length || perGroup * G !== C || M % G !== 0 || w.type !== x.type) {
        throw new RangeError(`X [${x.shape}] and W [${w.shape}] do not fit for group ${G}`)
      }
      if (b && (b.data.length !== M || b.type !== x.type))
        throw new RangeError(`expected B [${M}], got [${b.shape}]`)
      const [positions, taps, area] = [sizeOf(windows.output), sizeOf(windows.kernel), sizeOf(windows.input)]
      const K = perGroup * taps
      call.memory.step(N * positions * (G * taps * stepsOfTap + C * taps + M * K))
      const columns = call.memory.array(x.type, [K, positions]) as FloatArray
      return call.make(x.type, [N, M, ...windows.output], (data) => {
        const y = data as FloatArray
        for (let n = 0; n < N; n++) {
          for (let g = 0; g < G; g++) {
            const first = (n * C + g * perGroup) * area
            columns.fill(0)
            eachTap(windows, ({ position, tap, source }) => {
              for (let c = 0; c < perGroup; c++) {
                columns[(c * taps + tap) * positions + position] = x.data[first + c * area + source]
              }
            })
            const rows = M / G
            kernelsFor(x.data).gemm({
              M: rows,
              N: positions,
              K,
              A: w.data.subarray(g * rows * K, (g + 1) * rows * K),
              B: columns,
              C: y.subarray((n * M + g * rows) * positions, (n * M + (g + 1) * rows) * positions),
            })
          }
        }
        if (b) for (let i = 0; i < y.length; i++) y[i] += b.data[Math.floor(i / positions) % M]
      })
    },
  },

  MaxPool: {
    inputs: [1, 1],
    attributes: { ...poolAttributes, storage_order: 'int' },
    run(call) {
      if (call.wanted[1]) throw new TypeError('the output Indices is not supported')
      return pool(
        call,
        (y, i, x) => {
          if (!(x <= y[i])) y[i] = x
        },
        Number.NEGATIVE_INFINITY,
      )
    },
  },

  AveragePool: {
    inputs: [1, 1],
    attributes: { ...poolAttributes, count_include_pad: 'int' },
    run(call) {
      const windows = poolWindows(call)
      const counts = call.memory.array('float64', [sizeOf(windows.output)]) as Float64Array
      call.memory.step(counts.length * sizeOf(windows.kernel) * stepsOfTap)
      if (call.integer('count_include_pad', 0)) countPadded(windows, counts)
      else eachTap(windows, ({ position }) => counts[position]++)
      const sums = pool(call, (y, i, x) => (y[i] += x), 0)
      for (let i = 0; i < sums.data.length; i++) sums.data[i] /= counts[i % counts.length]
      return sums
    },
  },

  GlobalAveragePool: overall((row) => sum(row) / row.length),
  GlobalMaxPool: overall(largest),
}

/** Visiting one costs more than what is done with it. */
const stepsOfTap = 8

function overall(f: typeof sum): Operator {
  return {
    inputs: [1, 1],
    run(call) {
      const x = call.floats(0)
      const area = sizeOf(x.shape.slice(2))
      const shape = x.shape.map((n, axis) => (axis < 2 ? n : 1))
      return call.make(x.type, shape, (y) => {
        for (let i = 0; i < y.length; i++) y[i] = f(x.data.subarray(i * area, (i + 1) * area))
      })
    },
  }
}

function pool(call: Call, gather: (y: Value['data'], i: number, x: number) => void, start: number): Value {
  const x = call.floats(0)
  const windows = poolWindows(call)
  const [positions, area] = [sizeOf(windows.output), sizeOf(windows.input)]
  const channels = x.shape[0] * x.shape[1]
  call.memory.step(positions * sizeOf(windows.kernel) * (stepsOfTap + channels))
  return call.make(x.type, [x.shape[0], x.shape[1], ...windows.output], (y) => {
    y.fill(start)
    eachTap(windows, ({ position, source }) => {
      for (let c = 0; c < channels; c++) gather(y, c * positions + position, x.data[c * area + source])
    })
  })
}

function poolWindows(call: Call): Windows {
  const kernel = call.integers('kernel_shape')
  if (!kernel) throw new TypeError('kernel_shape is missing')
  return windowsOf(call, call.floats(0), kernel)
}

/** Along each spatial axis: output position p reads input p·stride - before + tap·dilation. */
interface Windows {
  input: readonly number[]
  kernel: readonly number[]
  output: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  before: readonly number[]
  after: readonly number[]
}

function windowsOf(call: Call, x: Value, kernel: readonly number[]): Windows {
  const input = x.shape.slice(2)
  const axes = input.length
  const listOf = (name: string, length: number, otherwise: number) => {
    const list = call.integers(name) ?? Array.from({ length }, () => otherwise)
    const least = name === 'pads' ? 0 : 1
    if (list.length === length && list.every((n) => n >= least)) return list
    throw new RangeError(`expected ${name} of ${length} numbers of at least ${least}, got [${list}]`)
  }
  const asked = call.integers('kernel_shape') ?? kernel
  if (axes < 1 || kernel.length !== axes || String(asked) !== String(kernel) || kernel.some((n) => n < 1)) {
    throw new RangeError(`a kernel of [${asked}] does not fit X [${x.shape}]`)
  }
  const [strides, dilations, pads] = [
    listOf('strides', axes, 1),
    listOf('dilations', axes, 1),
    listOf('pads', 2 * axes, 0),
  ]
  const auto = call.text('auto_pad', 'NOTSET')
  const windows = { input, kernel, strides, dilations }
  const sizes = input.map((n, axis) => {
    const width = (kernel[axis] - 1) * dilations[axis] + 1
    const stride = strides[axis]
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const output = Math.ceil(n / stride)
      const total = Math.max(0, (output - 1) * stride + width - n)
      const before = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)
      return { output, before, after: total - before }
    }
    if (auto !== 'NOTSET' && auto !== 'VALID') throw new TypeError(`auto_pad ${auto} is not known`)
    const [before, after] = auto === 'VALID' ? [0, 0] : [pads[axis], pads[axes + axis]]
    const room = n + before + after - width
    let output = Math.floor(room / stride) + 1
    // A last window that begins within the input, if partial ones count.
    if (call.integer('ceil_mode', 0) && room % stride !== 0 && output * stride < n + before) output++
    if (room < 0) throw new RangeError(`a window of ${width} does not fit into ${n} steps`)
    return { output, before, after }
  })
  return {
    ...windows,
    output: sizes.map(({ output }) => output),
    before: sizes.map(({ before }) => before),
    after: sizes.map(({ after }) => after),
  }
}

/** Visits every element that a window reads, padding left out. */
function eachTap(
  { input, kernel, output, strides, dilations, before }: Windows,
  visit: (tap: { position: number; tap: number; source: number }) => void,
): void {
  const steps = stridesOf(input)
  const recurse = (axis: number, position: number, tap: number, source: number): void => {
    if (axis === input.length) {
      visit({ position, tap, source })
      return
    }
    for (let p = 0; p < output[axis]; p++) {
      for (let k = 0; k < kernel[axis]; k++) {
        const at = p * strides[axis] - before[axis] + k * dilations[axis]
        if (at < 0 || at >= input[axis]) continue
        recurse(axis + 1, position * output[axis] + p, tap * kernel[axis] + k, source + at * steps[axis])
      }
    }
  }
  recurse(0, 0, 0, 0)
}

/** The taps of each window within the input and its padding: all, but for a last partial window. */
function countPadded(
  { input, kernel, output, strides, dilations, before, after }: Windows,
  counts: Float64Array,
): void {
  counts.fill(1)
  const places = stridesOf(output)
  for (let i = 0; i < counts.length; i++) {
    for (const axis of input.keys()) {
      const p = Math.floor(i / places[axis]) % output[axis]
      const room = input[axis] + before[axis] + after[axis] - p * strides[axis]
      counts[i] *= Math.min(kernel[axis], Math.ceil(room / dilations[axis]))
    }
  }
}
