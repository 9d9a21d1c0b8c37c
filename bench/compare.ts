/** Whether contenders computed the same thing. */
import type { Tensors } from './problem.ts'

/**
 * The largest difference allowed, divided by the largest magnitude of the tensor. Each side may be off by the bounds of
 * `check:golden`, 1e-5 on outputs and 1e-4 on gradients in float32; two such sides differ by twice that at most. Losses
 * are means over all outputs, after at most two updates by Adam, which scales the differences of small gradients up.
 */
export const tolerances = { output: 2e-5, gradient: 2e-4, losses: 1e-4 }

export interface Difference {
  tensor: string
  error: number
  tolerance: number
}

/**
 * The tensor in which `ours` and `theirs` differ most for what is allowed there.
 *
 * @throws {Error} if they have no tensor in common, or one has another number of elements
 */
export function largestDifference(ours: Tensors, theirs: Tensors): Difference {
  let worst: Difference | undefined
  for (const [tensor, { data: a }] of Object.entries(ours)) {
    const b = theirs[tensor]?.data
    if (!b) continue
    if (a.length !== b.length) throw new Error(`${tensor}: expected ${a.length} elements, got ${b.length}`)
    let largest = 0
    let difference = 0
    for (let i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(b[i]))
      const apart = Math.abs(a[i] - b[i])
      // Math.max passes NaN on, so that one is never taken for agreement.
      difference = Math.max(difference, apart)
    }
    const error = difference === 0 ? 0 : difference / largest
    const kind = tensor === 'losses' ? 'losses' : tensor.startsWith('d') ? 'gradient' : 'output'
    const tolerance = tolerances[kind]
    if (!worst || !(error / tolerance <= worst.error / worst.tolerance)) worst = { tensor, error, tolerance }
  }
  if (!worst) throw new Error('nothing to compare: they have no result in common')
  return worst
}
