/** Matrix product. Rows of A are taken one by one; a row of C is summed in doubles and rounded once. */
import type { GemmCall } from '../contract.ts'
import { addScaled, dot } from './loops.ts'

/** C = A·B (+ C if accumulate). A [M, K] or, transposed, [K, M]; B [K, N] or [N, K]; C [M, N]. */
export function gemm({ M, N, K, A, B, C, transposeA, transposeB, accumulate }: GemmCall): void {
  const rowOfA = new Float64Array(K)
  const sums = new Float64Array(N)
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) rowOfA[k] = transposeA ? A[k * M + m] : A[m * K + k]
    if (transposeB) {
      for (let n = 0; n < N; n++) sums[n] = dot(rowOfA, 0, B, n * K, K)
    } else {
      sums.fill(0)
      for (let k = 0; k < K; k++) addScaled(rowOfA[k], B, k * N, sums, 0, N)
    }
    for (let n = 0; n < N; n++) C[m * N + n] = accumulate ? C[m * N + n] + sums[n] : sums[n]
  }
}
