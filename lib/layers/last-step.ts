/** LastStep: from a sequence to its last valid step, so that a head can follow a recurrent layer. */
import type { PlanStep } from '../kernels/contract.ts'
import { lastValidStep } from '../operations/shape.ts'
import type { Tensor } from '../tensor.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'

/**
 * [B, T, F] to [B, F]: row lengths[b] - 1 of each sequence, the last without `lengths`, zeros for a length of 0. With a mask
 * the last row that it lets count.
 */
export class LastStep extends Layer {
  override forward(x: Tensor, { lengths, mask }: ForwardOptions = {}): Tensor {
    return lastValidStep(x, { lengths, mask })
  }

  /** There is no time axis left. */
  override computeMask(): undefined {}

  override freeze(): readonly PlanStep[] {
    return [{ kind: 'lastStep' }]
  }

  override config(): LayerConfig {
    return { type: 'LastStep' }
  }
}

/** A layer that picks the last valid step of each sequence. */
export function lastStep(): LastStep {
  return new LastStep()
}
