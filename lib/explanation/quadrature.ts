/** Points and weights for integrals over [0, 1]. */

export interface Quadrature {
  points: Float64Array
  /** They sum to 1. */
  weights: Float64Array
}

/**
 * The rule of Gauss and Legendre, exact for polynomials up to degree 2n - 1: points at the roots of the Legendre polynomial
 * Pₙ, found by Newton's method from cos(π(k + ¾)/(n + ½)), weights 2 / ((1 - x²)·Pₙ'(x)²); both moved from [-1, 1] to [0, 1].
 */
export function gaussLegendre(n: number): Quadrature {
  const points = new Float64Array(n)
  const weights = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    let x = Math.cos((Math.PI * (k + 0.75)) / (n + 0.5))
    let slope = 0
    // The starting points are so near that Newton's method is done after five rounds; ten is a bound, not a choice.
    for (let round = 0, move = 1; round < 10 && Math.abs(move) > 1e-16; round++) {
      const { value, derivative } = legendre(n, x)
      slope = derivative
      move = value / derivative
      x -= move
    }
    points[n - 1 - k] = (1 + x) / 2
    weights[n - 1 - k] = 1 / ((1 - x * x) * slope * slope)
  }
  return { points, weights }
}

/** Pₙ and its derivative at |x| < 1, by (k + 1)·Pₖ₊₁ = (2k + 1)·x·Pₖ - k·Pₖ₋₁. */
function legendre(n: number, x: number): { value: number; derivative: number } {
  let before = 1
  let value = x
  for (let k = 1; k < n; k++) [before, value] = [value, ((2 * k + 1) * x * value - k * before) / (k + 1)]
  return { value, derivative: (n * (x * value - before)) / (x * x - 1) }
}
