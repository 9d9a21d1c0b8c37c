/** The error function and the normal distribution, for the exact GELU. */

/** Below this |x| the power series is used, above it the continued fraction. */
const SERIES_LIMIT = 1.5
/** At |x| = 1.5 the continued fraction has converged to 1e-16 after this many levels, sooner beyond. */
const FRACTION_LEVELS = 120

/**
 * erf(x) = 2/√π·∫ exp(-t²) dt from 0 to x; largest absolute error 1e-15.
 *
 * Series: erf(x) = 2/√π·exp(-x²)·Σ 2ⁿ·x²ⁿ⁺¹/(2n + 1)!!, whose terms have one sign (DLMF 7.6.2).
 */
export function erf(x: number): number {
  if (!(Math.abs(x) < SERIES_LIMIT)) return x > 0 ? 1 - erfcTail(x) : erfcTail(-x) - 1
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/**
 * 1 - erf(x), without the cancellation where it is small: relative error below 1e-13 as far as exp(-x²) is normal.
 */
export function erfc(x: number): number {
  return x < SERIES_LIMIT ? 1 - erf(x) : erfcTail(x)
}

/** erfc(x) = exp(-x²)/√π / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))) for x ≥ 1.5 (DLMF 7.9.1), from its end upwards. */
function erfcTail(x: number): number {
  let fraction = x
  for (let level = FRACTION_LEVELS; level > 0; level--) fraction = x + level / 2 / fraction
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction
}

/** Φ(x), the probability that a standard normal number is below x. */
export function normalCumulative(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2)
}

/** φ(x) = exp(-x²/2)/√(2π). */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)
}
