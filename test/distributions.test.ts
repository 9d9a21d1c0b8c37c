/** Heads that predict distributions: losses beside torch.distributions, gradients, quantiles and samples. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { digamma, incompleteBeta, lnGamma } from '../lib/kernels/reference/special-functions.ts'
import type { DistributionHead } from '../lib/operations/distributions/distribution.ts'
import { gaussian, normalQuantile } from '../lib/operations/distributions/gaussian.ts'
import { negativeBinomial } from '../lib/operations/distributions/negative-binomial.ts'
import { sampleGamma, samplePoisson } from '../lib/operations/distributions/sampling.ts'
import { studentT } from '../lib/operations/distributions/student-t.ts'
import { maskOf } from '../lib/operations/losses.ts'
import { Random } from '../lib/random.ts'
import { Tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'

interface Fixture {
  cases: { name: string; raw: number[]; value: number; loss: number; gradient: number[] }[]
  moments: { name: string; raw: number[]; mean: number; variance: number }[]
  gamma: { x: number[]; lgamma: number[]; digamma: number[] }
}
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('./fixtures/distributions/distributions.json', import.meta.url), 'utf8'),
)
const heads: Record<string, DistributionHead> = { gaussian, studentT, negativeBinomial }
const names = Object.keys(heads)
const casesOf = (name: string) => fixture.cases.filter((each) => each.name === name)
const momentsOf = (name: string) => fixture.moments.filter((each) => each.name === name)

/** Relative to the larger of the number and 1. */
function expectNear(actual: number, expected: number, tolerance: number, what = ''): void {
  const error = Math.abs(actual - expected) / Math.max(1, Math.abs(expected))
  expect(error, `${what}: expected ${expected}, got ${actual}`).toBeLessThan(tolerance)
}

describe('special functions agree with PyTorch:', () => {
  it('lnGamma and digamma', () => {
    const { x, lgamma, digamma: expected } = fixture.gamma
    // A few roundings of terms of the size of the result.
    for (const [i, at] of x.entries()) {
      expectNear(lnGamma(at), lgamma[i], 1e-14, `lnGamma(${at})`)
      expectNear(digamma(at), expected[i], 1e-14, `digamma(${at})`)
    }
  })

  it('incompleteBeta at values known in closed form', () => {
    for (const x of [0.01, 0.3, 0.5, 0.99]) {
      expectNear(incompleteBeta(x, 1, 1), x, 1e-13)
      expectNear(incompleteBeta(x, 3, 1), x ** 3, 1e-13)
      expectNear(incompleteBeta(x, 1, 4), 1 - (1 - x) ** 4, 1e-13)
      expectNear(incompleteBeta(x, 0.5, 0.5), (2 / Math.PI) * Math.asin(Math.sqrt(x)), 1e-13)
    }
  })

  it('normalQuantile at published values, and as the inverse of both tails', () => {
    expectNear(normalQuantile(0.975), 1.959963984540054, 1e-14)
    expectNear(normalQuantile(0.9), 1.2815515655446004, 1e-14)
    expect(normalQuantile(0.5)).toBeCloseTo(0, 15)
    expectNear(normalQuantile(1e-20), -9.262340089798409, 1e-13)
    expect(() => normalQuantile(1)).toThrow('expected a probability between 0 and 1, got 1')
  })
})

describe.each(names)('%s', (name) => {
  const head = heads[name]
  const isCount = name === 'negativeBinomial'
  /** What the Gaussian loss leaves out. */
  const constant = name === 'gaussian' ? 0.5 * Math.log(2 * Math.PI) : 0

  it('has the losses, gradients, densities and moments of torch.distributions', () => {
    expect(casesOf(name).length).toBeGreaterThan(10)
    for (const { raw, value, loss, gradient } of casesOf(name)) {
      const prediction = new Tensor([1, head.size], Float64Array.from(raw), true)
      const actual = head.loss(prediction, new Tensor([1], Float64Array.of(value)))
      actual.backward()
      const place = `${raw} at ${value}`
      // Counts of 1000 and large r cancel terms of 1e4 in PyTorch's formula: 1e4·2⁻⁵³ leaves 1e-12.
      expectNear(actual.item() + constant, loss, 1e-11, place)
      expectNear(-head.from(raw).logDensity(value), loss, 1e-11, place)
      // PyTorch differentiates with respect to r, whose terms cancel as r² grows: at r = 3,000 1e-9 is left.
      for (const [k, each] of gradient.entries()) expectNear(prediction.grad![k], each, 1e-8, place)
    }
    for (const { raw, mean, variance } of momentsOf(name)) {
      expectNear(head.from(raw).mean, mean, 1e-12)
      expectNear(head.from(raw).variance, variance, 1e-12)
    }
  })

  it('has gradients that agree with finite differences, with every option', () => {
    const low = isCount ? 0.5 : -2
    const prediction = randomTensor([3, 2, head.size], { seed: 3, low: -2, high: 2 })
    const target = randomTensor([3, 2], { seed: 4, low, high: 4 })
    const mask = maskOf(Int32Array.of(2, 0, 1), 2, { dataType: 'float64' })
    for (const options of [{}, { reduction: 'sum' as const }, { mask }]) {
      expectGradients({ prediction, target }, (inputs) =>
        head.loss(inputs.prediction, inputs.target, options),
      )
    }
  })

  it('computes in float32 what it computes in float64, to a rounding of the inputs', () => {
    for (const { raw, value, loss } of casesOf(name)) {
      const prediction = new Tensor([1, head.size], Float32Array.from(raw))
      const actual = head.loss(prediction, new Tensor([1], Float32Array.of(value)))
      // The result is rounded to 2⁻²⁴; the inputs 0.2, 0.4 and -1.7 are too, and weigh up to 30-fold.
      expectNear(actual.item() + constant, loss, 1e-5, `${raw} at ${value}`)
    }
  })

  it('has quantiles that its distribution function takes back', () => {
    for (const { raw } of momentsOf(name)) {
      const distribution = head.from([9, ...raw], 1)
      for (const p of [0.001, 0.1, 0.25, 0.5, 0.8, 0.999]) {
        const x = distribution.quantile(p)
        if (isCount) {
          expect(distribution.cumulative(x)).toBeGreaterThanOrEqual(p)
          if (x > 0) expect(distribution.cumulative(x - 1)).toBeLessThan(p)
        } else expectNear(distribution.cumulative(x), p, 1e-11)
      }
      expect(() => distribution.quantile(0)).toThrow('between 0 and 1')
    }
  })

  it('has a distribution function that is the integral of its density', () => {
    for (const { raw } of momentsOf(name)) {
      const distribution = head.from(raw)
      const [low, high] = [0.1, 0.8].map((p) => distribution.quantile(p))
      if (isCount) {
        let sum = 0
        for (let k = 0; k <= high; k++) sum += Math.exp(distribution.logDensity(k))
        expectNear(sum, distribution.cumulative(high), 1e-10)
        continue
      }
      // Simpson's rule over 2,000 parts of a smooth function.
      const n = 2000
      const h = (high - low) / n
      let sum = 0
      for (let i = 0; i <= n; i++) {
        const weight = i === 0 || i === n ? 1 : i % 2 ? 4 : 2
        sum += (weight * h * Math.exp(distribution.logDensity(low + i * h))) / 3
      }
      expectNear(sum, 0.7, 1e-9)
    }
  })

  it('has samples with its mean, its variance and its quantiles, the same for a seed', () => {
    const raw = { gaussian: [1, 0.5], studentT: [1, 0.5, 6], negativeBinomial: [12, 0.2] }[name]!
    for (const row of [raw, isCount ? [1, -1] : raw]) {
      const distribution = head.from(row)
      const random = new Random(5)
      const n = 40_000
      const samples = Float64Array.from({ length: n }, () => distribution.sample(random)).sort()
      const mean = samples.reduce((sum, x) => sum + x, 0) / n
      const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n
      // Five standard errors of a mean; a variance of heavy tails comes to a tenth.
      expect(Math.abs(mean - distribution.mean)).toBeLessThan(5 * Math.sqrt(distribution.variance / n))
      expect(Math.abs(variance / distribution.variance - 1)).toBeLessThan(0.1)
      for (const p of [0.1, 0.5, 0.9]) {
        const x = samples[Math.floor(p * n)]
        // Five standard errors of a share of n; a count's own probability comes on top.
        const slack = 5 * Math.sqrt((p * (1 - p)) / n) + (isCount ? Math.exp(distribution.logDensity(x)) : 0)
        expect(Math.abs(distribution.cumulative(x) - p)).toBeLessThan(slack)
      }
      expect(distribution.sample(new Random(5))).toBe(distribution.sample(new Random(5)))
    }
  })
})

describe('the scale of counts', () => {
  it('multiplies the mean, divides the dispersion by its root, and is in the gradients', () => {
    const scale = randomTensor([3], { seed: 6, low: 0.5, high: 30 }).detach()
    const prediction = randomTensor([3, 2], { seed: 7 })
    const target = new Tensor([3], Float64Array.of(0, 3, 20))
    expectGradients({ prediction }, (inputs) => negativeBinomial.loss(inputs.prediction, target, { scale }))
    const expected = [0, 1, 2].map((n) => {
      const scaled = negativeBinomial.from(prediction.data, 2 * n, scale.data[n])
      const plain = negativeBinomial.from(prediction.data, 2 * n)
      expectNear(scaled.mean, scale.data[n] * plain.mean, 1e-14)
      const dispersion = (each: typeof plain) => (each.variance - each.mean) / each.mean ** 2
      expectNear(dispersion(scaled), dispersion(plain) / Math.sqrt(scale.data[n]), 1e-13)
      return -scaled.logDensity(target.data[n])
    })
    const sum = negativeBinomial.loss(prediction, target, { scale, reduction: 'sum' })
    expectNear(sum.item(), expected[0] + expected[1] + expected[2], 1e-13)
  })
})

describe('samples of', () => {
  const n = 40_000
  const momentsOf = (draw: () => number) => {
    const samples = Float64Array.from({ length: n }, draw)
    const mean = samples.reduce((sum, x) => sum + x, 0) / n
    return { mean, variance: samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n }
  }

  it.each([0.3, 1, 5, 60])('a gamma distribution of shape %d have its mean and variance', (shape) => {
    const random = new Random(3)
    const { mean, variance } = momentsOf(() => sampleGamma(random, shape))
    // Five standard errors: of a mean, and of a variance whose fourth moment is 3·shape² + 6·shape.
    expect(Math.abs(mean - shape)).toBeLessThan(5 * Math.sqrt(shape / n))
    expect(Math.abs(variance - shape)).toBeLessThan(5 * Math.sqrt((2 * shape ** 2 + 6 * shape) / n))
  })

  it.each([
    0.2, 4, 10.5, 50, 3000,
  ])('a Poisson distribution of mean %d have its mean and variance', (rate) => {
    const random = new Random(4)
    const { mean, variance } = momentsOf(() => samplePoisson(random, rate))
    // The same; the fourth moment is 3·rate² + rate.
    expect(Math.abs(mean - rate)).toBeLessThan(5 * Math.sqrt(rate / n))
    expect(Math.abs(variance - rate)).toBeLessThan(5 * Math.sqrt((2 * rate ** 2 + rate) / n))
  })
})

describe('misuse', () => {
  it('is refused with what was expected', () => {
    const target = new Tensor([2], Float32Array.of(1, 2))
    const wide = new Tensor([2, 3], new Float32Array(6))
    expect(() => negativeBinomial.loss(wide, target)).toThrow('expected prediction of shape [2,2], got [2,3]')
    expect(() => studentT.loss(wide, target, { mode: 1 } as object)).toThrow('mode')
    const negative = new Tensor([2], Float32Array.of(1, -2))
    const narrow = new Tensor([2, 2], new Float32Array(4))
    expect(() => negativeBinomial.loss(narrow, negative)).toThrow('expected counts ≥ 0, got -2 at 1')
  })
})
