/** The loss of a family of distributions: the likelihood of targets given rows of numbers, with its gradient in one pass. */
import { giveBuffer, takeBuffer } from '../../buffers.ts'
import type { Likelihood } from '../../kernels/contract-likelihood.ts'
import { kernelsFor } from '../../kernels/index.ts'
import { needsGradient, outputBuffer, recordOne } from '../../tape.ts'
import type { Tensor } from '../../tensor.ts'
import { floats, requireShape } from '../common.ts'
import { expandMask, type LossOptions, reciprocal } from '../loss-reduction.ts'

/** Numbers in a row of predictions. */
export const likelihoodSizes: Record<Likelihood, number> = { gaussian: 2, studentT: 3, negativeBinomial: 2 }

/**
 * The reduced -ln p over the targets that count: prediction [..., size], target and scale [...]. A target that is NaN is
 * missing; the mean is over the others, and 0 where there is none.
 */
export function likelihoodLoss(
  place: string,
  kind: Likelihood,
  { prediction, target, scale }: { prediction: Tensor; target: Tensor; scale?: Tensor },
  { mask, reduction }: LossOptions,
): Tensor {
  requireShape(place, 'prediction', prediction, [...target.shape, likelihoodSizes[kind]])
  if (scale) requireShape(place, 'scale', scale, target.shape)
  const [p, t] = floats(place, prediction, target)
  const kernels = kernelsFor(p)
  const alike = (tensor: Tensor | undefined) => tensor && floats(place, target, tensor)[1]
  const call = {
    ...{ N: t.length, prediction: p, target: t, scale: alike(scale) },
    mask: alike(mask && expandMask(place, mask, target.shape)),
    dprediction: needsGradient([prediction]) ? takeBuffer(p, p.length) : undefined,
    dtarget: needsGradient([target]) ? takeBuffer(p, t.length) : undefined,
  }
  const { sum, weight } = kernels.likelihood(kind, call)
  const factor = reduction === 'sum' ? 1 : reciprocal(weight)
  const y = outputBuffer(p, 1)
  y[0] = sum * factor
  return recordOne(place, [prediction, target], [], y, ([dy], gradientOf) => {
    for (const [input, slope] of [
      [prediction, call.dprediction],
      [target, call.dtarget],
    ] as const) {
      const gradient = slope && gradientOf(input)
      if (gradient) kernels.axpy(dy * factor, slope, gradient)
      if (slope) giveBuffer(slope)
    }
  })
}
