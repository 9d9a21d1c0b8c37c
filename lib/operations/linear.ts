/** Matrix products: `linear` for layers, `matmul` for whoever composes by hand. */

import type { FloatArray, GemmCall } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import { sizeOf, type Tensor } from '../tensor.ts'
import { floats, sameShape } from './common.ts'
import { Kept } from './kept.ts'

const kept = new Kept<FloatArray>()

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
  const versions = weight.version === undefined ? undefined : [weight.version]
  const packed = kept.get(weight, kernels.layout, versions, (before) =>
    kernels.linearPack({ I, O, weight: ws, packed: before }),
  )
  kernels.linearForward({ N, I, O, x: xs, weight: ws, bias: bs, packed, y })
  return recordOne('linear', [x, weight, bias], [...x.shape.slice(0, -1), O], y, (dy, gradientOf) => {
    const dx = gradientOf(x)
    const dweight = gradientOf(weight)
    const dbias: FloatArray | undefined = bias && gradientOf(bias)
    kernels.linearBackward({ N, I, O, x: xs, weight: ws, dy, dx, dweight, dbias })
  })
}

/**
 * C = A·B for matrices, either of them transposed first where the options say so. Of tensors with more axes the last two are
 * matrices, multiplied one by one, as torch.matmul; the others must agree.
 *
 * @param a [..., M, K], or [..., K, M] with `transposeA`
 * @param b [..., K, N], or [..., N, K] with `transposeB`
 * @returns [..., M, N]
 * @throws {RangeError} if the inner sizes or the leading axes differ
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const leading = a.shape.slice(0, -2)
  const [M, inner] = lastTwo(a, transposeA)
  const [K, N] = lastTwo(b, transposeB)
  if (a.shape.length < 2 || !sameShape(leading, b.shape.slice(0, -2)) || inner !== K) {
    const note = (transposed: boolean) => (transposed ? ' transposed' : '')
    throw new RangeError(
      `matmul: expected [..., M, K] and [..., K, N], got [${a.shape}]${note(transposeA)} and [${b.shape}]${note(transposeB)}`,
    )
  }
  const [A, B] = floats('matmul', a, b)
  const kernels = kernelsFor(A)
  const batch = sizeOf(leading)
  const C = outputBuffer(A, batch * M * N)
  const product: Product = (call) =>
    leading.length === 0 ? kernels.gemm(call) : kernels.batchedGemm({ ...call, batch })
  product({ M, N, K, A, B, C, transposeA, transposeB })
  return recordOne('matmul', [a, b], [...leading, M, N], C, (dC, gradientOf) => {
    const dA = gradientOf(a)
    const dB = gradientOf(b)
    if (dA) addGradientOfA(product, { M, N, K, B, dC, dA, transposeA, transposeB })
    if (dB) addGradientOfB(product, { M, N, K, A, dC, dB, transposeA, transposeB })
  })
}

type Product = (call: GemmCall) => void

function lastTwo({ shape }: Tensor, transposed: boolean): readonly number[] {
  const two = shape.slice(-2)
  return transposed ? two.toReversed() : two
}

interface GradientCall {
  M: number
  N: number
  K: number
  dC: FloatArray
  transposeA: boolean
  transposeB: boolean
}

/** dA += dC·Bᵀ, or where A is transposed dA += B·dCᵀ. */
function addGradientOfA(product: Product, call: GradientCall & { B: FloatArray; dA: FloatArray }): void {
  const { M, N, K, B, dC, dA, transposeA, transposeB } = call
  const [left, right] = transposeA
    ? [
        { A: B, transposeA: transposeB },
        { B: dC, transposeB: true },
      ]
    : [{ A: dC }, { B, transposeB: !transposeB }]
  product({ M: transposeA ? K : M, N: transposeA ? M : K, K: N, ...left, ...right, C: dA, accumulate: true })
}

/** dB += Aᵀ·dC, or where B is transposed dB += dCᵀ·A. */
function addGradientOfB(product: Product, call: GradientCall & { A: FloatArray; dB: FloatArray }): void {
  const { M, N, K, A, dC, dB, transposeA, transposeB } = call
  const [left, right] = transposeB
    ? [
        { A: dC, transposeA: true },
        { B: A, transposeB: transposeA },
      ]
    : [{ A, transposeA: !transposeA }, { B: dC }]
  product({ M: transposeB ? N : K, N: transposeB ? K : N, K: M, ...left, ...right, C: dB, accumulate: true })
}
