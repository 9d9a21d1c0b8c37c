/** Linear layer over rows. */
import type { LinearBackward, LinearForward } from '../contract.ts'
import { gemm } from './gemm.ts'
import { dot } from './loops.ts'
import { sumRows } from './pointwise.ts'

/** y = x·Wᵀ + b. x [N, I], weight [O, I], bias [O], y [N, O]. */
export function linearForward({ N, I, O, x, weight, bias, y }: LinearForward): void {
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) y[n * O + o] = dot(x, n * I, weight, o * I, I) + (bias ? bias[o] : 0)
  }
}

/** dx += dy·W;  dweight += dyᵀ·x;  dbias += Σ dy over the rows. */
export function linearBackward({ N, I, O, x, weight, dy, dx, dweight, dbias }: LinearBackward): void {
  if (dx) gemm({ M: N, N: I, K: O, A: dy, B: weight, C: dx, accumulate: true })
  if (dweight) gemm({ M: O, N: I, K: N, A: dy, transposeA: true, B: x, C: dweight, accumulate: true })
  if (dbias) sumRows(dy, dbias)
}
