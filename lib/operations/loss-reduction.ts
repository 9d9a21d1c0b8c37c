/** What all losses share: their options, masks, and the reduction to a scalar. */
import { giveBuffer, takeBuffer } from '../buffers.ts'
import { describe, refuseUnknownOptions } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import type { Tensor } from '../tensor.ts'
import { floats, sameShape } from './common.ts'
import { multiply } from './pointwise.ts'
import { sum } from './reductions.ts'
import { broadcastTo, reshape } from './shape.ts'

export interface LossOptions {
  reduction?: 'mean' | 'sum'
  mask?: Tensor
}

/** Throws a TypeError if an option is unknown or the reduction is. `own` are the loss's own options. */
export function checkOptions(place: string, options: LossOptions, own: readonly string[] = []): void {
  refuseUnknownOptions(place, options, ['reduction', 'mask', ...own])
  const { reduction = 'mean' } = options
  if (reduction !== 'mean' && reduction !== 'sum') {
    throw new TypeError(`${place}: expected reduction 'mean' or 'sum', got ${describe(reduction)}`)
  }
}

/** Σ or mean of elementwise losses [..., anything], weighed by the mask. */
export function reduceLoss(place: string, values: Tensor, { reduction, mask }: LossOptions): Tensor {
  const full = mask && expandMask(place, mask, values.shape)
  const count = full ? total(full) : values.size
  const whole = sum(full ? multiply(values, full) : values)
  return reduction === 'sum' ? whole : multiply(whole, reciprocal(count))
}

/** The reduction of elementwise values, the factor its gradient carries, and the mask applied to a slope in place. */
export function reduceValues(
  place: string,
  value: FloatArray,
  like: Tensor,
  { reduction, mask }: LossOptions,
) {
  const kernels = kernelsFor(value)
  const weights = mask && (floats(place, like, expandMask(place, mask, like.shape))[1] as FloatArray)
  const weigh = (array: FloatArray): FloatArray => {
    if (!weights) return array
    const plain = takeBuffer(array, array.length)
    plain.set(array)
    kernels.binary('multiply', plain, weights, array)
    giveBuffer(plain)
    return array
  }
  const count = weights ? kernels.reduce('sum', weights) : value.length
  const scale = reduction === 'sum' ? 1 : reciprocal(count)
  return { whole: kernels.reduce('sum', weigh(value)) * scale, scale, weigh }
}

/** A mask in the full shape of what it masks, as a constant. */
export function expandMask(place: string, mask: Tensor, shape: readonly number[]): Tensor {
  const axes = mask.shape.length
  if (!sameShape(mask.shape, shape.slice(0, axes))) {
    throw new RangeError(
      `${place}: expected mask of shape [${shape}] or its leading axes, got [${mask.shape}]`,
    )
  }
  const ones = shape.slice(axes).map(() => 1)
  return broadcastTo(reshape(mask.detach(), [...mask.shape, ...ones]), shape)
}

function total(mask: Tensor): number {
  const array = mask.array as FloatArray
  return kernelsFor(array).reduce('sum', array)
}

/** 1/n, or 0 where nothing counts: such a batch teaches nothing, and its loss is 0 rather than 0/0. */
export function reciprocal(n: number): number {
  return n === 0 ? 0 : 1 / n
}
