/** Table look-up. */
import type { EmbeddingBackward, EmbeddingForward } from '../contract.ts'
import { addScaled } from './loops.ts'

/** y[n] = weight[indices[n]]. indices [N] in [0, V), weight [V, E], y [N, E]. */
export function embeddingForward({ N, E, indices, weight, y }: EmbeddingForward): void {
  for (let n = 0; n < N; n++) y.set(weight.subarray(indices[n] * E, (indices[n] + 1) * E), n * E)
}

/** dweight[indices[n]] += dy[n], in the order of n. */
export function embeddingBackward({ N, E, indices, dy, dweight }: EmbeddingBackward): void {
  for (let n = 0; n < N; n++) addScaled(1, dy, n * E, dweight, indices[n] * E, E)
}
