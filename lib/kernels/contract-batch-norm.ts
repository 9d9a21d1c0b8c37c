/** The contract's part on batch normalisation. Its rules hold here too (contract.ts). */
import type { FloatArray } from './contract.ts'

export interface BatchNormKernels {
  /** Writes mean and variance [C], the biased one, of the rows that count, at least one. */
  batchNormStatistics(call: BatchNormStatistics): void
  batchNormForward(call: BatchNormForward): void
  batchNormBackward(call: BatchNormBackward): void
}

export interface BatchNormStatistics {
  N: number
  C: number
  /** [N], 0 where a row does not count. */
  mask?: Uint8Array
  /** [N, C] */
  x: FloatArray
  mean: FloatArray
  variance: FloatArray
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015; agrees with torch.nn.functional.batch_norm):
 * y = (x - mean) / sqrt(variance + eps) * gain + shift, every channel with numbers of its own.
 * x, y [N, C]; mean, variance, gain, shift [C].
 */
export interface BatchNormForward {
  N: number
  C: number
  x: FloatArray
  mean: FloatArray
  variance: FloatArray
  gain?: FloatArray
  shift?: FloatArray
  eps: number
  y: FloatArray
}

/**
 * The gradients of a forward call; dx with mean and variance as functions of the rows of x that count where `ofBatch`,
 * else as constants. A row whose dy is 0 adds nothing, whatever its x.
 */
export interface BatchNormBackward extends Omit<BatchNormForward, 'shift' | 'y'> {
  ofBatch: boolean
  mask?: Uint8Array
  dy: FloatArray
  dx?: FloatArray
  dgain?: FloatArray
  dshift?: FloatArray
}
