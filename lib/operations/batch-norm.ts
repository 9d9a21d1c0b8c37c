/** Batch normalisation over all axes but the last. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { needsGradient, outputBuffer, recordOne } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireShape } from './common.ts'

export interface BatchNormInputs {
  /** [C]: what x is normalised with, and updated, where `training`. */
  runningMean: Tensor
  runningVariance: Tensor
  /** [C], default ones. */
  gain?: Tensor
  /** [C], default zeros. */
  shift?: Tensor
  /** Whether mean and variance are those of x; default false. */
  training?: boolean
  /** running += momentum·(that of x - running); default 0.1. */
  momentum?: number
  /** Default 1e-5. */
  eps?: number
  /** A byte for each row of x [rows, C], 0 where it does not count for mean and variance. Default: all count. */
  mask?: Uint8Array
}

/**
 * y = (x - mean) / √(variance + eps) ∘ gain + shift for each channel (Ioffe & Szegedy 2015), as
 * torch.nn.functional.batch_norm, whose channels are the axis after the first. In training mean and variance, the biased
 * one, are those of the rows that count, and move the running ones, the variance by its unbiased estimate; else they are
 * the running ones. Rows that do not count are normalised too.
 *
 * @param x [..., C]
 * @throws {RangeError} if a shape does not fit, or fewer than two rows count in training
 */
export function batchNorm(x: Tensor, inputs: BatchNormInputs): Tensor {
  const { runningMean, runningVariance, gain, shift, training = false } = inputs
  const { momentum = 0.1, eps = 1e-5, mask: given } = inputs
  const C = x.shape.at(-1)
  if (!C || x.shape.length < 2) {
    throw new RangeError(`batchNorm: expected x of shape [..., C], at least two axes, got [${x.shape}]`)
  }
  for (const [name, each] of Object.entries({ runningMean, runningVariance, gain, shift }))
    if (each) requireShape('batchNorm', name, each, [C])
  const others = [runningMean, runningVariance, gain, shift].filter((each) => each !== undefined)
  const [xs, means, variances] = floats('batchNorm', x, ...others)
  const [gains, shifts] = [gain?.array as FloatArray | undefined, shift?.array as FloatArray | undefined]
  const N = xs.length / C
  if (given && given.length !== N) {
    throw new RangeError(`batchNorm: expected a mask of ${N} bytes for x [${x.shape}], got ${given.length}`)
  }
  // The mask belongs to the caller, the running statistics go on.
  const mask = given?.slice()
  const kernels = kernelsFor(xs)
  const [mean, variance] = [takeBuffer(xs, C), takeBuffer(xs, C)]
  if (training) {
    const count = countOf(mask, N)
    requireTwoRows(x, count)
    kernels.batchNormStatistics({ N, C, mask, x: xs, mean, variance })
    approach(runningMean, mean, momentum)
    approach(runningVariance, variance, momentum, count / (count - 1))
  } else {
    mean.set(means)
    variance.set(variances)
  }
  const give = () => {
    giveBuffer(mean)
    giveBuffer(variance)
  }
  const shared = { N, C, x: xs, mean, variance, gain: gains, eps }
  const y = outputBuffer(xs, xs.length)
  kernels.batchNormForward({ ...shared, shift: shifts, y })
  if (!needsGradient([x, gain, shift])) give()
  return recordOne('batchNorm', [x, gain, shift], x.shape, y, (dy, gradientOf) => {
    const [dx, dgain, dshift] = [gradientOf(x), gain && gradientOf(gain), shift && gradientOf(shift)]
    kernels.batchNormBackward({ ...shared, ofBatch: training, mask, dy, dx, dgain, dshift })
    give()
  })
}

function countOf(mask: Uint8Array | undefined, N: number): number {
  return mask ? mask.reduce((count, each) => count + (each === 0 ? 0 : 1), 0) : N
}

function requireTwoRows(x: Tensor, count: number): void {
  if (count > 1) return
  throw new RangeError(
    `batchNorm: expected at least two rows that count to train with, got ${count} of x [${x.shape}]; ` +
      'use larger batches, or leave out a last one of a single row',
  )
}

/** running += momentum·(factor·ofBatch - running) */
function approach(running: Tensor, ofBatch: FloatArray, momentum: number, factor = 1): void {
  const values = running.array as FloatArray
  for (const [c, value] of ofBatch.entries()) values[c] += momentum * (factor * value - values[c])
  running.touch()
}
