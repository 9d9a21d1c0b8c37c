/** What several directions give made one. */
import type { DirectionMerge } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import { add, multiply } from './pointwise.ts'
import { reshape, slice, transpose } from './shape.ts'

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

/** [D, B, R] to [B, D·R]: what each of D directions ends with, side by side. */
export function sideBySide(h: Tensor): Tensor {
  const [D, B, R] = h.shape
  return D === 1 ? reshape(h, [B, R]) : reshape(transpose(h, { axes: [0, 1] }), [B, D * R])
}
