/** Operations that normalise over the last axis: layer normalisation, softmax and its logarithm. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import { kernelsFor } from '../kernels/index.ts'
import { needsGradient, outputBuffer, recordOne } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireShape } from './common.ts'

/**
 * y = (x - mean) / √(variance + eps) ∘ gain + shift over the last axis, with the biased variance; agrees with
 * torch.nn.functional.layer_norm (Ba, Kiros & Hinton 2016).
 *
 * @param x [..., F]
 * @param gain [F], default ones
 * @param shift [F], default zeros
 * @param eps default 1e-5
 */
export function layerNorm(
  x: Tensor,
  { gain, shift, eps = 1e-5 }: { gain?: Tensor; shift?: Tensor; eps?: number } = {},
): Tensor {
  const F = lastAxis('layerNorm', x)
  if (gain) requireShape('layerNorm', 'gain', gain, [F])
  if (shift) requireShape('layerNorm', 'shift', shift, [F])
  const [xs] = floats('layerNorm', x, ...[gain, shift].filter((each) => each !== undefined))
  const gains = gain && floats('layerNorm', gain)[0]
  const shifts = shift && floats('layerNorm', shift)[0]
  const N = xs.length / F
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, xs.length)
  const mean = takeBuffer(xs, N)
  const rstd = takeBuffer(xs, N)
  const giveStatistics = () => {
    giveBuffer(mean)
    giveBuffer(rstd)
  }
  kernels.layerNormForward({ N, F, x: xs, gain: gains, shift: shifts, eps, y, mean, rstd })
  if (!needsGradient([x, gain, shift])) giveStatistics()
  return recordOne('layerNorm', [x, gain, shift], x.shape, y, (dy, gradientOf) => {
    const dx = gradientOf(x)
    const dgain = gain && gradientOf(gain)
    const dshift = shift && gradientOf(shift)
    kernels.layerNormBackward({ N, F, x: xs, gain: gains, mean, rstd, dy, dx, dgain, dshift })
    giveStatistics()
  })
}

/** y = eˣ / Σeˣ over the last axis. */
export function softmax(x: Tensor): Tensor {
  return softmaxOf('softmax', x, { log: false })
}

/** y = x - ln Σeˣ over the last axis, without overflow. */
export function logSoftmax(x: Tensor): Tensor {
  return softmaxOf('logSoftmax', x, { log: true })
}

function softmaxOf(name: string, x: Tensor, { log }: { log: boolean }): Tensor {
  const C = lastAxis(name, x)
  const [xs] = floats(name, x)
  const N = xs.length / C
  const kernels = kernelsFor(xs)
  const y = outputBuffer(xs, xs.length)
  kernels.softmaxForward({ N, C, log, x: xs, y })
  return recordOne(name, [x], x.shape, y, (dy, gradientOf) => {
    kernels.softmaxBackward({ N, C, log, y, dy, dx: gradientOf(x)! })
  })
}

function lastAxis(place: string, x: Tensor): number {
  const n = x.shape.at(-1)
  if (!n) throw new RangeError(`${place}: expected a last axis that is not empty, got shape [${x.shape}]`)
  return n
}
