/** The outputs of two directions made one. */
import type { DirectionMerge } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import { add, multiply } from './pointwise.ts'
import { slice } from './shape.ts'

/**
 * [..., 2R], the directions side by side, to [..., R]: their sum, product or average. With 'concat' they stay as they are.
 */
export function mergeDirections(x: Tensor, merge: DirectionMerge): Tensor {
  if (merge === 'concat') return x
  const R = x.shape.at(-1)! / 2
  const first = slice(x, { axis: -1, end: R })
  const second = slice(x, { axis: -1, start: R })
  if (merge === 'mul') return multiply(first, second)
  return merge === 'sum' ? add(first, second) : multiply(add(first, second), 0.5)
}
