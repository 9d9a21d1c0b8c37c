/** Operators that sum up axes, and those that normalise along them. */
import type { FloatArray } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import { sizeOf } from '../../../tensor.ts'
import { expanded, permuted, requireExact, reshaped, type Value } from '../values.ts'
import { axesOf, axisOf, type Call, type Operator } from './operator.ts'

type Rows = (row: Value['data']) => number

/** What a view of one costs. */
const stepsOfRow = 32

export const sum: Rows = (row) => {
  let total = 0
  for (let i = 0; i < row.length; i++) total += row[i]
  return total
}

export const largest: Rows = (row) => {
  let best = row[0]
  for (let i = 1; i < row.length; i++) if (!(row[i] <= best)) best = row[i]
  return best
}

const smallest: Rows = (row) => {
  let best = row[0]
  for (let i = 1; i < row.length; i++) if (!(row[i] >= best)) best = row[i]
  return best
}

const sumOfSquares: Rows = (row) => {
  let total = 0
  for (let i = 0; i < row.length; i++) total += row[i] * row[i]
  return total
}

const reductions: Record<string, Rows> = {
  ReduceL1: (row) => sum(row.map(Math.abs)),
  ReduceL2: (row) => Math.sqrt(sumOfSquares(row)),
  ReduceLogSumExp(row) {
    const top = largest(row)
    return top + Math.log(sum(row.map((n) => Math.exp(n - top))))
  },
  ReduceMax: largest,
  ReduceMean: (row) => sum(row) / row.length,
  ReduceMin: smallest,
  ReduceProd: (row) => {
    let product = 1
    for (let i = 0; i < row.length; i++) product *= row[i]
    return product
  },
  ReduceSum: sum,
  ReduceSumSquare: sumOfSquares,
}

export const reductionOperators: Record<string, Operator> = {
  ...Object.fromEntries(Object.entries(reductions).map(([name, f]) => [name, reduction(f)])),
  ArgMax: search((n, best) => n > best),
  ArgMin: search((n, best) => n < best),
  Softmax: { inputs: [1, 1], attributes: { axis: 'int' }, run: (call) => softmax(call, false) },
  LogSoftmax: { inputs: [1, 1], attributes: { axis: 'int' }, run: (call) => softmax(call, true) },

  LayerNormalization: {
    inputs: [2, 3],
    attributes: { axis: 'int', epsilon: 'float', stash_type: 'int' },
    run(call) {
      const x = call.floats(0)
      const axis = axisOf(call.integer('axis', -1), x.shape.length)
      const normalised = x.shape.slice(axis)
      const F = sizeOf(normalised)
      const N = x.data.length / F || 0
      if (call.wanted[1] || call.wanted[2])
        throw new TypeError('the outputs Mean and InvStdDev are not supported')
      const full = (i: number) => expanded(call.floats(i), normalised, call.memory).data as FloatArray
      const [gain, shift] = [full(1), call.inputs[2] && full(2)]
      const statistics = () => call.memory.array(x.type, [N]) as FloatArray
      return call.make(x.type, x.shape, (y) =>
        kernelsFor(x.data).layerNormForward({
          N,
          F,
          x: x.data,
          gain,
          shift,
          eps: call.number('epsilon', 1e-5),
          y: y as FloatArray,
          mean: statistics(),
          rstd: statistics(),
        }),
      )
    },
  },

  /** With the statistics of the training. */
  BatchNormalization: {
    inputs: [5, 5],
    attributes: {
      epsilon: 'float',
      momentum: 'float',
      training_mode: 'int',
      spatial: 'int',
      is_test: 'int',
    },
    run(call) {
      const x = call.floats(0)
      if (
        call.integer('training_mode', 0) ||
        !call.integer('spatial', 1) ||
        call.wanted.slice(1).includes(true)
      ) {
        throw new TypeError('only the inference form of one value a channel is supported')
      }
      const C = x.shape[1]
      const [scale, shift, mean, variance] = [1, 2, 3, 4].map((i) => {
        const value = call.floats(i)
        if (value.data.length !== C)
          throw new RangeError(`expected input ${i} of shape [${C}], got [${value.shape}]`)
        return value.data
      })
      const eps = call.number('epsilon', 1e-5)
      const inner = sizeOf(x.shape.slice(2))
      return call.make(x.type, x.shape, (y) => {
        for (let row = 0; row * inner < y.length; row++) {
          const c = row % C
          const factor = scale[c] / Math.sqrt(variance[c] + eps)
          for (let i = row * inner; i < (row + 1) * inner; i++)
            y[i] = (x.data[i] - mean[c]) * factor + shift[c]
        }
      })
    },
  },
}

function reduction(f: Rows): Operator {
  return {
    inputs: [1, 2],
    attributes: { axes: 'ints', keepdims: 'int', noop_with_empty_axes: 'int' },
    run(call) {
      const x = call.input(0)
      const rank = x.shape.length
      const given = call.integersOf(1) ?? call.integers('axes') ?? []
      if (given.length === 0 && call.integer('noop_with_empty_axes', 0)) return x
      const axes = given.length === 0 ? x.shape.map((_, axis) => axis) : axesOf(given, rank)
      const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
      const rows = permuted(x, [...kept, ...axes], call.memory).data
      const width = sizeOf(axes.map((axis) => x.shape[axis]))
      const keepDimensions = call.integer('keepdims', 1) !== 0
      const shape = keepDimensions
        ? x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n))
        : kept.map((axis) => x.shape[axis])
      call.memory.step(sizeOf(shape) * stepsOfRow)
      return call.make(x.type, shape, (y) => {
        for (let i = 0; i < y.length; i++) y[i] = f(rows.subarray(i * width, (i + 1) * width))
        if (x.type === 'int64') requireExact(y)
      })
    },
  }
}

/** The place of the first element along an axis that none is better than, or the last of several. */
function search(isBetter: (n: number, best: number) => boolean): Operator {
  return {
    inputs: [1, 1],
    attributes: { axis: 'int', keepdims: 'int', select_last_index: 'int' },
    run(call) {
      const x = call.input(0)
      const axis = axisOf(call.integer('axis', 0), x.shape.length)
      const takeLast = call.integer('select_last_index', 0) !== 0
      const n = x.shape[axis]
      if (n === 0) throw new RangeError(`axis ${axis} of [${x.shape}] is empty`)
      const inner = sizeOf(x.shape.slice(axis + 1))
      const keepDimensions = call.integer('keepdims', 1) !== 0
      const shape = keepDimensions ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1)
      return call.make('int64', shape, (y) => {
        for (let i = 0; i < y.length; i++) {
          const start = Math.floor(i / inner) * n * inner + (i % inner)
          let best = 0
          for (let k = 1; k < n; k++) {
            const [candidate, held] = [x.data[start + k * inner], x.data[start + best * inner]]
            if (isBetter(candidate, held) || (takeLast && candidate === held)) best = k
          }
          y[i] = best
        }
      })
    },
  }
}

/** Along one axis; before opset 13 over all axes from `axis` on at once. */
function softmax(call: Call, log: boolean): Value {
  const x = call.floats(0)
  const rank = x.shape.length
  const isOld = call.opset < 13
  const axis = axisOf(call.integer('axis', isOld ? 1 : -1), rank)
  const order = x.shape.map((_, each) => each)
  if (!isOld) order.push(...order.splice(axis, 1))
  const rows = permuted(x, order, call.memory)
  const C = isOld ? sizeOf(x.shape.slice(axis)) : x.shape[axis]
  const y = call.make(x.type, rows.shape, (data) =>
    kernelsFor(x.data).softmaxForward({
      N: x.data.length / C,
      C,
      log,
      x: rows.data as FloatArray,
      y: data as FloatArray,
    }),
  )
  return isOld
    ? reshaped(y, x.shape)
    : permuted(
        y,
        order.map((_, each) => order.indexOf(each)),
        call.memory,
      )
}
