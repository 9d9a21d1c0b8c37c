/** Functions that the densities and distribution functions of counts and of Student's t are written with. */

/** From here on Stirling's series with the terms below is exact to rounding. */
const STIRLING_FROM = 10

/** B₂ₖ / (2k·(2k - 1)) of Stirling's series (DLMF 5.11.1). */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]

/** ln Γ(x) - ((x - ½)·ln x - x + ½·ln 2π) for x ≥ STIRLING_FROM. */
function stirlingRest(x: number): number {
  const inverse = 1 / (x * x)
  let sum = 0
  for (let k = stirling.length - 1; k >= 0; k--) sum = sum * inverse + stirling[k]
  return sum / x
}

/** ln Γ(x) for x > 0, by Γ(x + 1) = x·Γ(x) and Stirling's series; torch.lgamma. Absolute error below 1e-14·max(1, |ln Γ|). */
export function lnGamma(x: number): number {
  let product = 1
  while (x < STIRLING_FROM) product *= x++
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + stirlingRest(x) - Math.log(product)
}

/** ln Γ(x + d) - ln Γ(x) for x > 0, d ≥ 0, without the cancellation of two large numbers where x is large. */
export function lnGammaStep(x: number, d: number): number {
  if (x < STIRLING_FROM) return lnGamma(x + d) - lnGamma(x)
  return (x - 0.5) * Math.log1p(d / x) + d * Math.log(x + d) - d + stirlingRest(x + d) - stirlingRest(x)
}

/** ψ(x) = d ln Γ(x) / dx for x > 0, by ψ(x + 1) = ψ(x) + 1/x and DLMF 5.11.2; torch.digamma. */
export function digamma(x: number): number {
  let shift = 0
  while (x < STIRLING_FROM) shift -= 1 / x++
  return shift + Math.log(x) - digammaRest(x)
}

/** ψ(x + d) - ψ(x) for x > 0, d ≥ 0. */
export function digammaStep(x: number, d: number): number {
  if (x < STIRLING_FROM) return digamma(x + d) - digamma(x)
  return Math.log1p(d / x) - digammaRest(x + d) + digammaRest(x)
}

/** ln x - ψ(x) for x ≥ STIRLING_FROM: 1/(2x) + Σ B₂ₖ / (2k·x²ᵏ). */
function digammaRest(x: number): number {
  const inverse = 1 / (x * x)
  let sum = 0
  for (let k = stirling.length - 1; k >= 0; k--) sum = sum * inverse + (2 * k + 1) * stirling[k]
  return 0.5 / x + sum * inverse
}

/**
 * The regularised incomplete beta function I_x(a, b), of which Student's t and the negative binomial have their distribution
 * functions, by the continued fraction DLMF 8.17.22, on the side where it converges fast. Absolute error below 1e-13.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const lnFront = a * Math.log(x) + b * Math.log1p(-x) + lnGammaStep(a, b) - lnGamma(b)
  return (Math.exp(lnFront) / a) * betaFraction(x, a, b)
}

/** 1/(1 + d₁/(1 + d₂/(1 + …))) by the method of Lentz (1976), which keeps the two running quotients away from 0. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  const coefficient = (n: number) => {
    const m = Math.floor(n / 2)
    return n % 2 === 0
      ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
      : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
  }
  let above = 1
  let below = 1 / (1 + coefficient(1) || tiny)
  let result = below
  // The number of levels grows with the root of a and b; 1e-15 is a few roundings.
  for (let n = 2; n < 100_000; n++) {
    const d = coefficient(n)
    below = 1 / (1 + d * below || tiny)
    above = 1 + d / above || tiny
    const factor = above * below
    result *= factor
    if (Math.abs(factor - 1) < 1e-15) break
  }
  return result
}

/** σ(x) = 1 / (1 + e⁻ˣ) */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
}

/** Below this softplus stays as it is, so that a quotient of two of them is finite. */
const LEAST_ARGUMENT = -300

/** ln(1 + eˣ); an x below -300 counts as -300. */
export function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(Math.max(LEAST_ARGUMENT, x)))
}

/** d ln softplus(x) / dx = σ(x) / softplus(x), with the same bound: near 1 for negative x. */
export function softplusRate(x: number): number {
  return sigmoid(Math.max(LEAST_ARGUMENT, x)) / softplus(x)
}
