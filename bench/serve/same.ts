/** Whether servers and engines computed the same thing: else there is nothing to measure. */
import { largestDifference } from '../compare.ts'

/** @throws {Error} if one differs from the first by more than the bench allows */
export function requireSame(all: readonly { name: string; values: Float32Array }[]): void {
  const [ours, ...others] = all.map(({ name, values }) => ({
    name,
    tensors: { output: { shape: [values.length], data: values } },
  }))
  for (const { name, tensors } of others) {
    const { error, tolerance } = largestDifference(ours.tensors, tensors)
    if (error <= tolerance) continue
    throw new Error(`${ours.name} and ${name} differ by ${error.toExponential(1)}, allowed ${tolerance}`)
  }
}
