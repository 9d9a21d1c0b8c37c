/** An LSTM's input without the steps that a mask leaves out, and its output with them. */
import type { MaskedSteps } from '../kernels/masked-steps.ts'
import { restoredRows } from '../kernels/masked-steps.ts'
import { Tensor } from '../tensor.ts'
import { embedding } from './embedding.ts'
import { reshape } from './shape.ts'

/** [B, T, F] to [B, M, F]: the steps that count, moved together. Nothing past a sequence's count may be read. */
export function takeSteps(x: Tensor, { B, T, M, kept }: MaskedSteps): Tensor {
  return embedding(new Tensor([B, M], kept), reshape(x, [B * T, x.shape[2]]))
}

/**
 * [B, M, D·R] to [B, T, D·R]: a step that does not count repeats the one read before it, or is zero (kernels/masked-steps).
 *
 * @param y the directions side by side, each zero past a sequence's count
 */
export function restoreSteps(
  y: Tensor,
  steps: MaskedSteps,
  options: { reverse: readonly boolean[]; zeroMasked: boolean; lengths?: Int32Array },
): Tensor {
  const { B, T, M } = steps
  const D = options.reverse.length
  const R = y.shape[2] / D
  const rows = new Tensor([B, T, D], restoredRows(steps, options))
  return reshape(embedding(rows, reshape(y, [B * M * D, R])), [B, T, D * R])
}
