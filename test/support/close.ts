/** Tensors for tests, and comparisons of float32 results. */
import { expect } from 'vitest'
import type { FloatArray } from '../../lib/kernels/contract.ts'
import { Random } from '../../lib/random.ts'
import { type Tensor, tensor } from '../../lib/tensor.ts'

/** A float32 tensor of these numbers. */
export function floats(numbers: readonly number[], shape: number[]): Tensor {
  return tensor(Float32Array.from(numbers), { shape })
}

/** Standard normal numbers of a seed. */
export function randomInput(shape: number[], seed = 3): Tensor {
  const random = new Random(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    { shape },
  )
}

/** The largest difference relative to the largest number, or to 1: by default the rounding of sums of some 25 terms on both sides. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: readonly number[],
  { name = '', within = 1e-6 }: { name?: string; within?: number } = {},
): void {
  const size = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 1)
  const error = expected.reduce((most, each, i) => Math.max(most, Math.abs(each - actual[i])), 0)
  expect(actual.length, name).toBe(expected.length)
  expect(error / size, `${name}: ${actual} and ${expected}`).toBeLessThan(within)
}

/** Compares bytes: vitest's own comparison of typed arrays is element by element, and slow. */
export function expectSameBits(
  actual: Record<string, FloatArray>,
  expected: Record<string, FloatArray>,
): void {
  const bytes = ({ buffer, byteOffset, byteLength }: FloatArray) =>
    Buffer.from(buffer, byteOffset, byteLength)
  const different = Object.keys(expected).filter((name) => !bytes(actual[name]).equals(bytes(expected[name])))
  expect(different).toEqual([])
}
