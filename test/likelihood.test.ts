/** The likelihoods of distribution heads on every back end: PyTorch, missing targets, what is odd, and what is far out. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Likelihood } from '../lib/kernels/contract-likelihood.ts'
import { backend, kernelsFor, useBackend } from '../lib/kernels/index.ts'
import { loadNative } from '../lib/kernels/native.ts'
import { referenceKernels } from '../lib/kernels/reference/index.ts'
import type { DistributionHead } from '../lib/operations/distributions/distribution.ts'
import { gaussian } from '../lib/operations/distributions/gaussian.ts'
import { negativeBinomial } from '../lib/operations/distributions/negative-binomial.ts'
import { studentT } from '../lib/operations/distributions/student-t.ts'
import type { LossOptions } from '../lib/operations/losses.ts'
import { Tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'
import { likelihoods } from './support/kernel-cases-likelihood.ts'

const fixture: { cases: { name: Likelihood; raw: number[]; value: number }[] } = JSON.parse(
  readFileSync(new URL('./fixtures/distributions/distributions.json', import.meta.url), 'utf8'),
)
useBackend('native')
const { available } = backend()
const heads: Record<Likelihood, DistributionHead> = { gaussian, studentT, negativeBinomial }
const kinds = Object.keys(likelihoods) as Likelihood[]
/** One rounding. */
const unit = 2 ** -24

/** The loss of each target alone, and its gradients, which float32 rounds. */
function each(kind: Likelihood, rows: readonly number[][], targets: readonly number[], scales?: number[]) {
  return rows.map((row, n) => {
    const dprediction = new Float32Array(row.length)
    const dtarget = new Float32Array(1)
    const call = { N: 1, prediction: Float32Array.from(row), target: Float32Array.of(targets[n]) }
    const scale = scales && Float32Array.of(scales[n])
    const run = (kernels: typeof referenceKernels) => {
      const { sum } = kernels.likelihood(kind, { ...call, scale, dprediction, dtarget })
      return { sum, slopes: [...dprediction, ...dtarget] }
    }
    return { actual: run(kernelsFor(dprediction)), expected: run(referenceKernels) }
  })
}

/** A mean over rows of numbers, as a user has it. */
function mean(kind: Likelihood, rows: readonly number[][], targets: number[], options: LossOptions = {}) {
  const prediction = new Tensor([rows.length, likelihoods[kind]], Float32Array.from(rows.flat()), true)
  const loss = heads[kind].loss(prediction, new Tensor([rows.length], Float32Array.from(targets)), options)
  loss.backward()
  return { loss: loss.item(), gradient: [...prediction.grad!] }
}

/** Three rows of a family and targets of them. */
const rows = (kind: Likelihood) =>
  [1, 2, 3].map((n) => Array.from({ length: likelihoods[kind] }, (_, k) => Math.sin(n + k)))
const targets = [0, 3, 1]

describe.each(['reference', ...available] as const)('on %s', (name) => {
  it.each(
    kinds,
  )('%s gives the float32 nearest to what agrees with torch.distributions in float64', (kind) => {
    useBackend(name)
    const cases = fixture.cases.filter((one) => one.name === kind)
    expect(cases.length).toBeGreaterThan(10)
    const found = each(
      kind,
      cases.map(({ raw }) => raw),
      cases.map(({ value }) => value),
    )
    for (const [i, { actual, expected }] of found.entries()) {
      const place = `${cases[i].raw} at ${cases[i].value}`
      expect(Math.abs(actual.sum - expected.sum), place).toBeLessThan(
        1e-11 * Math.max(1, Math.abs(expected.sum)),
      )
      // The two doubles may round to neighbouring floats.
      for (const [k, slope] of actual.slopes.entries()) {
        const error = Math.abs(slope - expected.slopes[k])
        expect(error, `${place}: slope ${k}`).toBeLessThanOrEqual(
          2 * unit * Math.abs(expected.slopes[k]) + 1e-13,
        )
      }
    }
  })

  it.each(
    kinds,
  )('%s leaves out missing targets, and what the mask leaves out, whatever stands there', (kind) => {
    useBackend(name)
    const [first, second, third] = rows(kind)
    const alone = mean(kind, [first, third], [targets[0], targets[2]])
    const spoilt = second.map(() => Number.NaN)
    const masked = { mask: new Tensor([3], Float32Array.of(1, 0, 1)) }
    for (const whole of [
      mean(kind, [first, second, third], [targets[0], Number.NaN, targets[2]]),
      mean(kind, [first, spoilt, third], [targets[0], Number.NaN, targets[2]]),
      mean(kind, [first, spoilt, third], targets, masked),
      mean(kind, [first, second, third], [targets[0], Number.POSITIVE_INFINITY, targets[2]], masked),
    ]) {
      expect(whole.loss).toBe(alone.loss)
      const size = likelihoods[kind]
      expect(whole.gradient).toEqual([
        ...alone.gradient.slice(0, size),
        ...second.map(() => 0),
        ...alone.gradient.slice(size),
      ])
    }
    const none = mean(kind, [first, second, third], [Number.NaN, Number.NaN, Number.NaN])
    expect(none.loss).toBe(0)
    expect(none.gradient.every((slope) => slope === 0)).toBe(true)
  })

  it.each(kinds)('%s shows infinite and NaN numbers as NaN, in their own gradient only', (kind) => {
    useBackend(name)
    const size = likelihoods[kind]
    for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let k = 0; k < size; k++) {
        const spoilt = rows(kind)
        spoilt[1][k] = odd
        const { loss, gradient } = mean(kind, spoilt, targets)
        expect(loss, `${odd} at ${k}`).toBeNaN()
        expect(gradient.map(Number.isNaN)).toEqual(gradient.map((_, i) => Math.floor(i / size) === 1))
      }
    }
    expect(mean(kind, rows(kind), [0, Number.POSITIVE_INFINITY, 1]).loss).toBeNaN()
  })

  it('counts of 0 and of a million, and numbers far out, have the losses of closed forms', () => {
    useBackend(name)
    const softplus = (x: number) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)))
    const expectNear = (actual: number, expected: number) =>
      expect(Math.abs(actual - expected), `${actual}, expected ${expected}`).toBeLessThan(
        2 * unit * expected + 1e-14,
      )
    const loss = (row: number[], count: number) => mean('negativeBinomial', [row], [count]).loss
    // Of a count of 0 the terms with Γ drop out: r·ln(1 + μ/r).
    for (const m of [-30, -1, 0, 4, 2000]) {
      for (const a of [-25, -2, 0, 3, 500]) {
        const dispersion = softplus(a)
        expectNear(loss([m, a], 0), Math.log1p(softplus(m) * dispersion) / dispersion)
      }
    }
    // α = 1: a geometric distribution; ln(1 + μ) + z·ln(1 + 1/μ).
    const one = Math.log(Math.E - 1)
    const dispersion = softplus(Math.fround(one))
    expect(dispersion).toBeCloseTo(1, 7)
    for (const z of [17, 1e4, 1e6]) {
      expect(Math.abs(loss([z, one], z) / (Math.log1p(z) + z * Math.log1p(1 / z)) - 1)).toBeLessThan(1e-6)
    }
    // A vanishing dispersion: Poisson's distribution at its mean, ½·ln(2πz) + 1/(12z) by Stirling.
    for (const a of [-60, -1e4]) {
      for (const z of [1000, 1e6]) expectNear(loss([z, a], z), 0.5 * Math.log(2 * Math.PI * z) + 1 / (12 * z))
    }
    // Many degrees of freedom: a Gaussian, its constant included; 2: an algebraic distribution.
    expectNear(mean('studentT', [[0, 0, 1e9]], [1.5]).loss, 0.5 * (1.5 ** 2 + Math.log(2 * Math.PI)))
    expectNear(mean('studentT', [[0, 0, -1e4]], [3]).loss, 1.5 * Math.log(2 + 9))
  })

  it('numbers far out have finite losses and gradients, those of the reference in float64', () => {
    useBackend(name)
    const far = [-1e30, -400, -300, -90, -20, 0, 20, 90, 1e6, 1e30]
    const counts = [0, 1, 50, 1e6]
    const found = far.flatMap((m) =>
      far.flatMap((a) =>
        each(
          'negativeBinomial',
          counts.map(() => [m, a]),
          counts,
          counts.map((_, n) => [1, 1e-4, 3, 1e6][n]),
        ),
      ),
    )
    for (const { actual, expected } of found) {
      // Terms of up to 700 times a million cancel.
      expect(Math.abs(actual.sum - expected.sum)).toBeLessThan(1e-14 * Math.max(1e9, Math.abs(expected.sum)))
      for (const [k, slope] of actual.slopes.entries()) {
        expect(Number.isFinite(slope)).toBe(true)
        // The slope to a is a difference of terms of the size of the mean.
        const terms = 1e-15 * Math.max(1e7, Math.abs(expected.sum))
        const size = Math.abs(expected.slopes[k])
        expect(Math.abs(slope - expected.slopes[k])).toBeLessThanOrEqual(2 * unit * size + terms)
      }
    }
  })
})

describe('gradients', () => {
  it.each(kinds)('of %s agree with finite differences beside missing targets', (kind) => {
    const prediction = randomTensor([5, likelihoods[kind]], { seed: 5, low: -2, high: 2 })
    const target = new Tensor([5], Float64Array.of(0, Number.NaN, 2, 7, Number.NaN))
    const mask = new Tensor([5], Float64Array.of(1, 1, 0.5, 0, 0))
    for (const options of [{}, { mask }, { reduction: 'sum' as const }])
      expectGradients({ prediction }, (inputs) => heads[kind].loss(inputs.prediction, target, options))
  })
})

describe('the native kernel', () => {
  it('refuses arrays that are too short, another family, and scales where there are none', () => {
    const { likelihood } = loadNative()
    const call = { N: 3, prediction: new Float32Array(6), target: new Float32Array(3) }
    expect(likelihood('gaussian', call)).toEqual({ sum: 0, weight: 3 })
    expect(() => likelihood('studentT', call)).toThrow('a Float32Array of at least 9 elements, got 6')
    expect(() => likelihood('cauchy' as Likelihood, call)).toThrow('no function is called "cauchy"')
    const short = new Float32Array(2)
    for (const name of ['target', 'mask', 'dprediction', 'dtarget'])
      expect(() => likelihood('gaussian', { ...call, [name]: short }), name).toThrow(`expected ${name} to be`)
    expect(() => likelihood('negativeBinomial', { ...call, scale: short })).toThrow('expected scale to be')
    expect(() => likelihood('gaussian', { ...call, scale: call.target })).toThrow('scale to be absent')
  })
})
