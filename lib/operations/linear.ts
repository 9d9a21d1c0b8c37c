/** Matrix products: `linear` for layers, `matmul` for whoever composes by hand. */
import { kernelsFor } from '../kernels/index.ts'
import type { FloatArray } from '../kernels/contract.ts'
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
    throw new RangeError(`linear: expected x of shape [..., ${I}] for weight [${weight.shape}], got [${x.shape}]`)
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
