/** Operators that go along an axis: running sums and the largest elements. */
import { stridesOf } from '../../../operations/shape.ts'
import type { Value } from '../values.ts'
import { axisOf, type Call, type Operator } from './operator.ts'

export const runningOperators: Record<string, Operator> = {
  /** y[i] = x[0] + ... + x[i] along the axis; without x[i] if `exclusive`, from the end if `reverse`. */
  CumSum: {
    inputs: [2, 2],
    attributes: { exclusive: 'int', reverse: 'int' },
    run(call) {
      const x = call.input(0)
      const [isExclusive, isReverse] = [call.integer('exclusive', 0) === 1, call.integer('reverse', 0) === 1]
      const lines = linesOf(call, x, call.integersOf(1)![0])
      return call.make(x.type, x.shape, (y) => {
        for (const { start, stride, n } of lines) {
          let sum = 0
          for (let i = 0; i < n; i++) {
            const at = start + (isReverse ? n - 1 - i : i) * stride
            const before = sum
            sum += x.data[at]
            y[at] = isExclusive ? before : sum
          }
        }
      })
    },
  },

  /** The K largest or smallest elements along an axis and their places, in order; of equal ones the first comes first. */
  TopK: {
    inputs: [2, 2],
    attributes: { axis: 'int', largest: 'int', sorted: 'int' },
    run: topK,
  },
}

const stepsOfComparison = 8
const bytesOfLine = 64

function topK(call: Call): Value[] {
  const x = call.input(0)
  const axis = axisOf(call.integer('axis', -1), x.shape.length)
  const [k] = call.integersOf(1)!
  const n = x.shape[axis]
  if (!(k >= 0 && k <= n)) throw new RangeError(`expected K from 0 to ${n}, got ${k}`)
  const shape = x.shape.with(axis, k)
  const sign = call.integer('largest', 1) === 1 ? -1 : 1
  call.memory.spend(n * 16, [n])
  call.memory.step(x.data.length * Math.log2(n + 1) * stepsOfComparison)
  const indices = call.make('int64', shape, () => {})
  const values = call.make(x.type, shape, (y) => {
    const targets = linesOf(call, { shape }, axis)
    for (const [line, { start, stride }] of linesOf(call, x, axis).entries()) {
      const at = (i: number) => x.data[start + i * stride]
      const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => sign * (at(i) - at(j)) || i - j)
      for (let i = 0; i < k; i++) {
        const target = targets[line].start + i * targets[line].stride
        y[target] = at(order[i])
        indices.data[target] = order[i]
      }
    }
  })
  return [values, indices]
}

/** Every line of elements along an axis. */
function linesOf(
  call: Call,
  { shape }: Pick<Value, 'shape'>,
  given: number,
): { start: number; stride: number; n: number }[] {
  const axis = axisOf(given, shape.length)
  const n = shape[axis]
  const stride = stridesOf(shape)[axis]
  const count = shape.reduce((product, each, i) => (i === axis ? product : product * each), 1)
  call.memory.spend(count * bytesOfLine, shape)
  return Array.from({ length: n === 0 ? 0 : count }, (_, line) => ({
    start: Math.floor(line / stride) * stride * n + (line % stride),
    stride,
    n,
  }))
}
