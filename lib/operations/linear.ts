/** Matrix products: `linear` for layers, `matmul` for whoever composes by hand. */

import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { floats } from './common.ts'

/**
 * y = x·Wᵀ + b over the last axis, as torch.nn.functional.linear.
 *
 * @param x [..., I]
 * @param weight [O, I]
 * @param bias [O]
 * @returns [..., O]
 * @throws {RangeError} if the last axis of x is not I, or bias is not [O]
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [O, I] = weight.shape
  if (x.shape.at(-1) !== I) {
    throw new RangeError(
      `linear: expected x of shape [..., ${I}] for weight [${weight.shape}], got [${x.shape}]`,
    )
  }
  if (bias && sizeOf(bias.shape) !== O) {
    throw new RangeError(`linear: expected bias of shape [${O}], got [${bias.shape}]`)
  }
  const [xs, ws] = floats('linear', x, weight)
  const bs = bias && floats('linear', x, bias)[1]
  const N = xs.length / I
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, N * O)
  kernels.linearForward({ N, I, O, x: xs, weight: ws, bias: bs, y })
  return recordOne('linear', [x, weight, bias], [...x.shape.slice(0, -1), O], y, (dy, gradientOf) => {
    const dx = gradientOf(x)
    const dweight = gradientOf(weight)
    const dbias: FloatArray | undefined = bias && gradientOf(bias)
    kernels.linearBackward({ N, I, O, x: xs, weight: ws, dy, dx, dweight, dbias })
  })
}

/**
 * C = A·B for two matrices, either of them transposed first where the options say so.
 *
 * @param a [M, K], or [K, M] with `transposeA`
 * @param b [K, N], or [N, K] with `transposeB`
 * @returns [M, N]
 * @throws {RangeError} if the inner sizes differ
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const [M, inner] = transposeA ? a.shape.toReversed() : a.shape
  const [K, N] = transposeB ? b.shape.toReversed() : b.shape
  if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== K) {
    const note = (transposed: boolean) => (transposed ? ' transposed' : '')
    throw new RangeError(
      `matmul: expected [M, K] and [K, N], got [${a.shape}]${note(transposeA)} and [${b.shape}]${note(transposeB)}`,
    )
  }
  const [A, B] = floats('matmul', a, b)
  const kernels = kernelsFor(A)
  const C = outputBuffer(A, M * N)
  kernels.gemm({ M, N, K, A, B, C, transposeA, transposeB })
  return recordOne('matmul', [a, b], [M, N], C, (dC, gradientOf) => {
    const dA = gradientOf(a)
    const dB = gradientOf(b)
    if (dA && transposeA) {
      kernels.gemm({
        M: K,
        N: M,
        K: N,
        A: B,
        transposeA: transposeB,
        B: dC,
        transposeB: true,
        C: dA,
        accumulate: true,
      })
    } else if (dA) {
      kernels.gemm({ M, N: K, K: N, A: dC, B, transposeB: !transposeB, C: dA, accumulate: true })
    }
    if (dB && transposeB) {
      kernels.gemm({
        M: N,
        N: K,
        K: M,
        A: dC,
        transposeA: true,
        B: A,
        transposeB: transposeA,
        C: dB,
        accumulate: true,
      })
    } else if (dB) {
      kernels.gemm({ M: K, N, K: M, A, transposeA: !transposeA, B: dC, C: dB, accumulate: true })
    }
  })
}
