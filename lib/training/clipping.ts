/** Clipping of gradients, and the search for what is wrong in them. */
import { requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import type { Parameter } from '../tensor.ts'

type Parameters = ReadonlyMap<string, Parameter>

/** √Σ g² over the gradients of all parameters; NaN or ∞ only if a gradient is. */
export function gradientNorm(parameters: Parameters): number {
  const gradients = [...gradientsOf(parameters)]
  let squares = 0
  for (const type of [Float32Array, Float64Array]) {
    const own = gradients.filter((gradient) => gradient instanceof type)
    if (own.length > 0) squares += kernelsFor(own[0]).sumOfSquares(own)
  }
  return Math.sqrt(squares)
}

/**
 * The norm of the gradients and the factor that brings it down to `maximum` at most: min(1, maximum / (norm +
 * 1e-6)), as torch.nn.utils.clip_grad_norm_. The gradients stay as they are: pass the factor to
 * `optimizer.step`, which multiplies in the pass it makes anyway.
 *
 * @param options.gradientScale a factor the gradients are to have first, e.g. 1/n after n accumulated batches
 * @returns the norm, with `gradientScale` in it, and the whole factor
 */
export function clipByNorm(
  parameters: Parameters,
  { maximum, gradientScale = 1 }: { maximum: number; gradientScale?: number },
): { norm: number; gradientScale: number } {
  requireNumber('clipByNorm', 'maximum', maximum, { low: 0 })
  const norm = gradientNorm(parameters) * gradientScale
  return { norm, gradientScale: gradientScale * clipFactor(norm, maximum) }
}

/** What a gradient of this norm is multiplied by. */
export function clipFactor(norm: number, maximum: number): number {
  return Math.min(1, maximum / (norm + 1e-6))
}

/**
 * Limits every element of the gradients to [-maximum, maximum], in place, as torch.nn.utils.clip_grad_value_.
 *
 * @param options.gradientScale a factor the gradients will have later: what is limited is the product
 */
export function clipByValue(
  parameters: Parameters,
  { maximum, gradientScale = 1 }: { maximum: number; gradientScale?: number },
): void {
  requireNumber('clipByValue', 'maximum', maximum, { low: 0 })
  const limit = maximum / gradientScale
  for (const gradient of gradientsOf(parameters)) {
    for (let i = 0; i < gradient.length; i++) {
      if (gradient[i] > limit) gradient[i] = limit
      else if (gradient[i] < -limit) gradient[i] = -limit
    }
  }
}

/**
 * The element of the gradients with the largest magnitude and its parameter's name; the first NaN counts as
 * largest.
 */
export function largestGradient(parameters: Parameters): { name: string; value: number } {
  let largest = { name: 'no parameter', value: 0 }
  for (const [name, { grad }] of parameters) {
    for (const value of grad ?? []) {
      if (Number.isNaN(value)) return { name, value }
      if (Math.abs(value) > Math.abs(largest.value)) largest = { name, value }
    }
  }
  return largest
}

function* gradientsOf(parameters: Parameters): Iterable<FloatArray> {
  for (const { grad } of parameters.values()) if (grad) yield grad
}
