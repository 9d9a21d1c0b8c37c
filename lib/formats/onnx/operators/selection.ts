/** Operators that pick, repeat and join elements. */

import { stridesOf } from '../../../operations/shape.ts'
import { sizeOf } from '../../../tensor.ts'
import { broadcastShape, copyView, expanded, type Value } from '../values.ts'
import { axisOf, type Call, type Operator } from './operator.ts'

/** What copying a run of elements costs, however short. */
const stepsOfPiece = 16

export const selectionOperators: Record<string, Operator> = {
  Gather: {
    inputs: [2, 2],
    attributes: { axis: 'int' },
    run(call) {
      const [data, indices] = [call.input(0), call.input(1)]
      const axis = axisOf(call.integer('axis', 0), data.shape.length)
      const n = data.shape[axis]
      const inner = sizeOf(data.shape.slice(axis + 1))
      const outer = sizeOf(data.shape.slice(0, axis))
      const rows = indicesOf(call, indices, n)
      call.memory.step(outer * rows.length * stepsOfPiece)
      const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)]
      return call.make(data.type, shape, (y) => {
        let position = 0
        for (let o = 0; o < outer; o++) {
          for (const row of rows) {
            const start = (o * n + row) * inner
            if (inner === 1) y[position] = data.data[start]
            else y.set(data.data.subarray(start, start + inner), position)
            position += inner
          }
        }
      })
    },
  },

  GatherElements: {
    inputs: [2, 2],
    attributes: { axis: 'int' },
    run(call) {
      const [data, indices] = [call.input(0), call.input(1)]
      const axis = axisOf(call.integer('axis', 0), data.shape.length)
      const fits =
        indices.shape.length === data.shape.length &&
        indices.shape.every((n, other) => other === axis || n <= data.shape[other])
      if (!fits) throw new RangeError(`indices [${indices.shape}] do not fit data [${data.shape}]`)
      const strides = stridesOf(data.shape)
      const rows = indicesOf(call, indices, data.shape[axis])
      return call.make(data.type, indices.shape, (y) => {
        for (let i = 0; i < y.length; i++) {
          let start = rows[i] * strides[axis]
          let rest = i
          for (let other = indices.shape.length - 1; other >= 0; other--) {
            const n = indices.shape[other]
            if (other !== axis) start += (rest % n) * strides[other]
            rest = Math.floor(rest / n)
          }
          y[i] = data.data[start]
        }
      })
    },
  },

  GatherND: {
    inputs: [2, 2],
    attributes: { batch_dims: 'int' },
    run(call) {
      const [data, indices] = [call.input(0), call.input(1)]
      const width = indices.shape.at(-1) ?? 0
      if (call.integer('batch_dims', 0) !== 0)
        throw new RangeError('batch_dims other than 0 are not supported')
      if (width < 1 || width > data.shape.length || indices.type !== 'int64') {
        throw new RangeError(`indices ${indices.type} [${indices.shape}] do not fit data [${data.shape}]`)
      }
      const strides = stridesOf(data.shape)
      const inner = sizeOf(data.shape.slice(width))
      const shape = [...indices.shape.slice(0, -1), ...data.shape.slice(width)]
      return call.make(data.type, shape, (y) => {
        for (let row = 0; row * width < indices.data.length; row++) {
          let start = 0
          for (let k = 0; k < width; k++) {
            start += indexIn(indices.data[row * width + k], data.shape[k]) * strides[k]
          }
          y.set(data.data.subarray(start, start + inner), row * inner)
        }
      })
    },
  },

  Slice: {
    inputs: [1, 5],
    attributes: { starts: 'ints', ends: 'ints', axes: 'ints' },
    run(call) {
      const x = call.input(0)
      const starts = call.integersOf(1) ?? call.integers('starts')
      const ends = call.integersOf(2) ?? call.integers('ends')
      if (!starts || !ends) throw new TypeError('starts or ends are missing')
      const axes = (call.integersOf(3) ?? call.integers('axes') ?? starts.map((_, i) => i)).map((axis) =>
        axisOf(axis, x.shape.length),
      )
      const steps = call.integersOf(4) ?? starts.map(() => 1)
      if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
        throw new RangeError('starts, ends, axes and steps differ in length')
      }
      const shape = [...x.shape]
      const strides = stridesOf(x.shape)
      let offset = 0
      for (const [i, axis] of axes.entries()) {
        const n = x.shape[axis]
        const step = steps[i]
        if (step === 0) throw new RangeError('a step is 0')
        const [low, high] = step > 0 ? [0, n] : [-1, n - 1]
        const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + n : at, low), high)
        const start = clamp(starts[i])
        shape[axis] = Math.max(0, Math.ceil((clamp(ends[i]) - start) / step))
        offset += start * strides[axis]
        strides[axis] *= step
      }
      return copyView(x, { shape, strides, offset }, call.memory)
    },
  },

  Split: {
    inputs: [1, 2],
    attributes: { axis: 'int', split: 'ints', num_outputs: 'int' },
    run(call) {
      const x = call.input(0)
      const axis = axisOf(call.integer('axis', 0), x.shape.length)
      const n = x.shape[axis]
      const count = call.wanted.length
      const size = Math.ceil(n / count)
      const equal = Array.from({ length: count }, (_, i) => Math.min(size, n - i * size))
      const sizes = call.integersOf(1) ?? call.integers('split') ?? equal
      if (sizes.reduce((sum, each) => sum + each, 0) !== n || sizes.some((each) => each < 0)) {
        throw new RangeError(`axis ${axis} of [${x.shape}] does not split into [${sizes}]`)
      }
      const strides = stridesOf(x.shape)
      let start = 0
      return sizes.map((each) => {
        const view = { shape: x.shape.with(axis, each), strides, offset: start * strides[axis] }
        start += each
        return copyView(x, view, call.memory)
      })
    },
  },

  Concat: {
    inputs: [1, Number.POSITIVE_INFINITY],
    attributes: { axis: 'int' },
    run(call) {
      const parts = call.inputs.map((_, i) => call.input(i))
      const [first] = parts
      const axis = axisOf(call.integer('axis', 1), first.shape.length)
      const same = (value: Value) =>
        value.type === first.type &&
        value.shape.length === first.shape.length &&
        value.shape.every((n, other) => other === axis || n === first.shape[other])
      if (!parts.every(same)) {
        const got = parts.map(({ type, shape }) => `${type} [${shape}]`).join(' and ')
        throw new RangeError(`expected inputs that differ along axis ${axis} only, got ${got}`)
      }
      const shape = first.shape.with(
        axis,
        parts.reduce((n, each) => n + each.shape[axis], 0),
      )
      const outer = sizeOf(shape.slice(0, axis))
      const width = sizeOf(shape.slice(axis))
      call.memory.step(outer * parts.length * stepsOfPiece)
      return call.make(first.type, shape, (y) => {
        let offset = 0
        for (const { shape: own, data } of parts) {
          const size = sizeOf(own.slice(axis))
          for (let o = 0; o < outer; o++) y.set(data.subarray(o * size, (o + 1) * size), o * width + offset)
          offset += size
        }
      })
    },
  },

  Expand: {
    inputs: [2, 2],
    run(call) {
      const x = call.input(0)
      return expanded(x, broadcastShape(x.shape, sizesOf(call, 1)), call.memory)
    },
  },

  Tile: {
    inputs: [2, 2],
    run(call) {
      const x = call.input(0)
      const repeats = sizesOf(call, 1)
      if (repeats.length !== x.shape.length)
        throw new RangeError(`[${repeats}] are no repeats of [${x.shape}]`)
      const strides = stridesOf(x.shape)
      const view = {
        shape: x.shape.flatMap((n, axis) => [repeats[axis], n]),
        strides: strides.flatMap((stride) => [0, stride]),
        offset: 0,
      }
      return { ...copyView(x, view, call.memory), shape: x.shape.map((n, axis) => n * repeats[axis]) }
    },
  },

  ConstantOfShape: {
    inputs: [1, 1],
    attributes: { value: 'tensor' },
    run(call) {
      const value = call.tensor('value')
      return call.make(value?.type ?? 'float32', sizesOf(call, 0), (y) => y.fill(value?.data[0] ?? 0))
    },
  },

  Range: {
    inputs: [3, 3],
    run(call) {
      const [start, limit, delta] = [0, 1, 2].map((i) => call.input(i).data[0])
      const length = Math.max(0, Math.ceil((limit - start) / delta))
      if (!Number.isSafeInteger(length))
        throw new RangeError(`no range from ${start} to ${limit} by ${delta}`)
      return call.make(call.input(0).type, [length], (y) => {
        for (let i = 0; i < length; i++) y[i] = start + i * delta
      })
    },
  },

  Where: {
    inputs: [3, 3],
    run(call) {
      const [condition, a, b] = [call.input(0), call.input(1), call.input(2)]
      if (condition.type !== 'bool' || a.type !== b.type) {
        throw new TypeError(`expected bool and two of one type, got ${condition.type}, ${a.type}, ${b.type}`)
      }
      const shape = broadcastShape(condition.shape, a.shape, b.shape)
      const [cs, as, bs] = [condition, a, b].map((each) => expanded(each, shape, call.memory).data)
      return call.make(a.type, shape, (y) => {
        for (let i = 0; i < y.length; i++) y[i] = cs[i] ? as[i] : bs[i]
      })
    },
  },

  /** A row of `depth` numbers for each index, on at its place and off elsewhere; the indices count from the end if negative. */
  OneHot: {
    inputs: [3, 3],
    attributes: { axis: 'int' },
    run(call) {
      const [indices, { data: depths }, values] = [call.input(0), call.input(1), call.input(2)]
      const [depth] = depths
      if (depths.length !== 1 || !Number.isSafeInteger(depth) || depth < 1)
        throw new RangeError(`expected a depth of at least 1, got [${[...depths.subarray(0, 8)]}]`)
      if (values.data.length !== 2)
        throw new RangeError(`expected values [off, on], got ${values.data.length} numbers`)
      const axis = axisOf(call.integer('axis', -1), indices.shape.length + 1)
      const shape = indices.shape.toSpliced(axis, 0, depth)
      const inner = sizeOf(indices.shape.slice(axis))
      return call.make(values.type, shape, (y) => {
        const [off, on] = values.data
        y.fill(off)
        for (const [i, index] of indices.data.entries()) {
          const place = index < 0 ? index + depth : index
          const [before, after] = [Math.floor(i / inner), i % inner]
          // Beyond the depth all are off.
          if (place >= 0 && place < depth) y[(before * depth + place) * inner + after] = on
        }
      })
    },
  },

  /** The first lengths[b] steps of each sequence backwards, the others as they are. */
  ReverseSequence: {
    inputs: [2, 2],
    attributes: { batch_axis: 'int', time_axis: 'int' },
    run(call) {
      const x = call.input(0)
      const lengths = call.integersOf(1)!
      const [batchAxis, timeAxis] = [call.integer('batch_axis', 1), call.integer('time_axis', 0)]
      if (batchAxis + timeAxis !== 1 || batchAxis * timeAxis !== 0 || x.shape.length < 2) {
        throw new RangeError(`expected batch and time on axes 0 and 1, got ${batchAxis} and ${timeAxis}`)
      }
      const [B, T] = [x.shape[batchAxis], x.shape[timeAxis]]
      if (lengths.length !== B || lengths.some((n) => n < 0 || n > T)) {
        throw new RangeError(`expected ${B} lengths from 0 to ${T}, got [${lengths}]`)
      }
      const F = sizeOf(x.shape.slice(2))
      const at = (b: number, t: number) => (batchAxis === 0 ? b * T + t : t * B + b) * F
      return call.make(x.type, x.shape, (y) => {
        for (let b = 0; b < B; b++) {
          for (let t = 0; t < T; t++) {
            const from = at(b, t < lengths[b] ? lengths[b] - 1 - t : t)
            y.set(x.data.subarray(from, from + F), at(b, t))
          }
        }
      })
    },
  },
}

/** An input that holds a shape or repeats. */
function sizesOf(call: Call, i: number): number[] {
  const sizes = call.integersOf(i)!
  if (sizes.every((n) => Number.isSafeInteger(n) && n >= 0)) return sizes
  throw new RangeError(`expected sizes of at least 0, got [${sizes}]`)
}

function indicesOf(call: Call, indices: Value, n: number): Int32Array | Float64Array {
  if (indices.type !== 'int64' && indices.type !== 'int32') {
    throw new TypeError(`expected indices of type int64 or int32, got ${indices.type}`)
  }
  call.memory.spend(indices.data.byteLength, indices.shape)
  return (indices.data as Int32Array | Float64Array).map((index) => indexIn(index, n))
}

function indexIn(index: number, n: number): number {
  const fromFront = index < 0 ? index + n : index
  if (fromFront >= 0 && fromFront < n) return fromFront
  throw new RangeError(`expected indices from ${-n} to ${n - 1}, got ${index}`)
}
