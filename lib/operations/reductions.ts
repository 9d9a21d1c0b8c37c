/** Sums and means, over everything or along one axis. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { floats, requireAxis } from './common.ts'

/** Σx, a scalar of shape []; with `axis`, the sum along it, which disappears from the shape. */
export function sum(x: Tensor, { axis }: { axis?: number } = {}): Tensor {
  return axis === undefined ? sumAll('sum', x, 1) : sumAxis('sum', x, { axis, divisor: 1 })
}

/** Σx / n, a scalar of shape []; with `axis`, the mean along it, which disappears from the shape. */
export function mean(x: Tensor, { axis }: { axis?: number } = {}): Tensor {
  if (axis === undefined) return sumAll('mean', x, x.size)
  return sumAxis('mean', x, { axis, divisor: x.shape[requireAxis('mean', x.shape, axis)] })
}

function sumAll(name: string, x: Tensor, divisor: number): Tensor {
  const [xs] = floats(name, x)
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, 1)
  y[0] = kernels.reduce('sum', xs) / divisor
  return recordOne(name, [x], [], y, ([dy], gradientOf) => {
    const spread = takeBuffer(xs, xs.length).fill(dy / divisor)
    kernels.axpy(1, spread, gradientOf(x)!)
    giveBuffer(spread)
  })
}

/** y = x [outer, n, inner] · 1/divisor summed over n: a matrix product with a constant vector on either side. */
function sumAxis(name: string, x: Tensor, { axis, divisor }: { axis: number; divisor: number }): Tensor {
  const at = requireAxis(name, x.shape, axis)
  const [xs] = floats(name, x)
  const kernels = kernelsFor(xs)
  const n = x.shape[at]
  const outer = sizeOf(x.shape.slice(0, at))
  const inner = sizeOf(x.shape.slice(at + 1))
  const y = outputBuffer(xs, outer * inner)
  const weights = () => takeBuffer(xs, n).fill(1 / divisor)

  const B = weights()
  if (inner === 1) kernels.gemm({ M: outer, N: 1, K: n, A: xs, B, C: y })
  else {
    for (let o = 0; o < outer; o++) {
      const part = xs.subarray(o * n * inner, (o + 1) * n * inner)
      kernels.gemm({ M: 1, N: inner, K: n, A: B, B: part, C: y.subarray(o * inner, (o + 1) * inner) })
    }
  }
  giveBuffer(B)
  return recordOne(name, [x], x.shape.toSpliced(at, 1), y, (dy, gradientOf) => {
    const dx = gradientOf(x)!
    const A = weights()
    if (inner === 1) kernels.gemm({ M: outer, N: n, K: 1, A: dy, B: A, C: dx, accumulate: true })
    else {
      for (let o = 0; o < outer; o++) {
        const part = dx.subarray(o * n * inner, (o + 1) * n * inner)
        const row = dy.subarray(o * inner, (o + 1) * inner)
        kernels.gemm({ M: n, N: inner, K: 1, A, B: row, C: part, accumulate: true })
      }
    }
    giveBuffer(A)
  })
}
