/** Matrix products. */
import type { FloatArray } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import { sizeOf } from '../../../tensor.ts'
import { broadcastShape, expanded, type Value } from '../values.ts'
import type { Call, Operator } from './operator.ts'

export const linearOperators: Record<string, Operator> = {
  MatMul: { inputs: [2, 2], foldable: false, run: matmul },

  /** Y = alpha·A·B + beta·C */
  Gemm: {
    inputs: [2, 3],
    attributes: { alpha: 'float', beta: 'float', transA: 'int', transB: 'int', broadcast: 'int' },
    foldable: false,
    run(call) {
      const [a, b] = [call.floats(0), call.floats(1)]
      const c = call.inputs[2] && call.floats(2)
      const [transposeA, transposeB] = [call.integer('transA', 0) !== 0, call.integer('transB', 0) !== 0]
      const [M, inner] = transposeA ? a.shape.toReversed() : a.shape
      const [K, N] = transposeB ? b.shape.toReversed() : b.shape
      if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== K || a.type !== b.type) misfit(a, b)
      const [alpha, beta] = [call.number('alpha', 1), call.number('beta', 1)]
      const kernels = kernelsFor(a.data)
      call.memory.step(M * N * K)
      return call.make(a.type, [M, N], (data) => {
        const y = data as FloatArray
        kernels.gemm({ M, N, K, A: a.data, B: b.data, C: y, transposeA, transposeB })
        if (alpha !== 1) for (let i = 0; i < y.length; i++) y[i] *= alpha
        if (c && beta !== 0) kernels.axpy(beta, expanded(c, [M, N], call.memory).data as FloatArray, y)
      })
    },
  },
}

/** As numpy.matmul: matrices in the last two axes, the others broadcast; vectors are one row or one column. */
function matmul(call: Call): Value {
  const [first, second] = [call.floats(0), call.floats(1)]
  if (first.shape.length === 0 || second.shape.length === 0 || first.type !== second.type)
    misfit(first, second)
  const a = first.shape.length === 1 ? { ...first, shape: [1, ...first.shape] } : first
  const b = second.shape.length === 1 ? { ...second, shape: [...second.shape, 1] } : second
  const [rows, K] = a.shape.slice(-2)
  const [inner, N] = b.shape.slice(-2)
  if (inner !== K) misfit(first, second)
  const kernels = kernelsFor(first.data)
  const outer = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  // One matrix for all: one product over all rows.
  const isShared = b.shape.length === 2
  const M = isShared ? sizeOf(outer) * rows : rows
  const whole = (value: Value) =>
    isShared ? value.data : expanded(value, [...outer, ...value.shape.slice(-2)], call.memory).data
  const [as, bs] = [whole(a) as FloatArray, whole(b) as FloatArray]
  const shape = [
    ...outer,
    ...(first.shape.length === 1 ? [] : [rows]),
    ...(second.shape.length === 1 ? [] : [N]),
  ]
  call.memory.step(sizeOf(shape) * K)
  return call.make(first.type, shape, (y) => {
    for (let i = 0; i * M * N < y.length; i++) {
      const A = as.subarray(i * M * K, (i + 1) * M * K)
      const B = isShared ? bs : bs.subarray(i * K * N, (i + 1) * K * N)
      kernels.gemm({ M, N, K, A, B, C: y.subarray(i * M * N, (i + 1) * M * N) as FloatArray })
    }
  })
}

function misfit(a: Value, b: Value): never {
  throw new RangeError(`${a.type} [${a.shape}] and ${b.type} [${b.shape}] do not multiply`)
}
