/** The attention step of a plan: the projections around the kernel. */
import type { FloatArray, PlanAttention } from '../contract.ts'
import { attentionForward } from './attention.ts'
import { linearForward } from './linear.ts'
import { zerosLike } from './lstm-common.ts'
import type { Rows } from './plan.ts'

/** @param keyMask [B·T], 0 where a step does not count as a key; undefined where all do */
export function runAttention(
  step: PlanAttention,
  keyMask: Uint8Array | undefined,
  { B, T, y }: Pick<Rows, 'B' | 'T' | 'y'>,
  x: FloatArray,
): void {
  const { I, N, D, E, scale, causal, vector } = step
  let first = 0
  const project = (weight: FloatArray | undefined, O: number): FloatArray => {
    if (!weight) return x
    const made = zerosLike(y, B * T * O)
    const bias = step.bias?.subarray(first, first + O)
    linearForward({ N: B * T, I, O, x, weight, bias, y: made })
    first += O
    return made
  }
  const q = project(step.query, N * D)
  const k = project(step.key, N * D)
  const v = project(step.value, N * E)
  const weights = zerosLike(y, B * N * T * T)
  attentionForward({ B, T, S: T, N, D, E, scale, q, k, v, vector, keyMask, causal, y, weights })
}
