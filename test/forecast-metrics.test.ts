/** Measures of forecasts at numbers worked out by hand. */
import { describe, expect, it } from 'vitest'
import {
  coverage,
  crpsOfQuantiles,
  crpsOfSamples,
  naiveError,
  quantileOfSorted,
  scaledError,
  score,
  symmetricPercentage,
} from '../lib/forecast/metrics.ts'
import { gaussian } from '../lib/operations/distributions/gaussian.ts'
import { Random } from '../lib/random.ts'

const forecast = Float64Array.of(1, 2, 3, 0)
const truth = Float64Array.of(2, 2, 1, 0)

describe('scores', () => {
  const values = Float64Array.of(0, 1, 2, 3, 3, 4, 0, 0, 0, 0, 0, 0)

  it('are what their definitions say', () => {
    const bands = { quantiles: [0.1, 0.5, 0.9], values }
    const result = score('m', { forecast, truth, horizon: 2 }, { scale: 0.5, bands })
    expect(result.mae).toBe(0.75)
    expect(result.maeByStep).toEqual([1.5, 0])
    expect(result.rmse).toBe(Math.sqrt(5 / 4))
    // 200·(1/3 + 0 + 2/4 + 0)/4, up to the rounding of three sums.
    expect(result.smape).toBeCloseTo(200 * (1 / 3 + 1 / 2) * 0.25, 12)
    expect(result.mase).toBe(1.5)
    expect(result.coverage).toBe(0.5)
    expect(result.crps).toBe(crpsOfQuantiles(values, truth, bands.quantiles))
  })

  it('leave out what is not known', () => {
    const gap = Float64Array.of(2, NaN, 1, 0)
    expect(symmetricPercentage(forecast, gap)).toBeCloseTo((200 * (1 / 3 + 1 / 2)) / 3, 12)
    expect(score('m', { forecast, truth: gap, horizon: 2 }, { scale: 1 }).mae).toBe(1)
  })
})

describe('MASE', () => {
  it('divides by the naive error of the training part, of the last value or of the last season', () => {
    const series = [1, 3, 2, 7]
    expect(naiveError(series)).toBe(8 / 3)
    expect(naiveError(series, { period: 2 })).toBe(2.5)
    expect(naiveError([1, 3, NaN, 7, 8])).toBe(1.5)
    expect(naiveError([4, 4, 4])).toBe(1)
    expect(scaledError(forecast, truth, { scale: naiveError(series, { period: 2 }) })).toBe(0.3)
  })
})

describe('coverage', () => {
  it('counts both ends of the interval in', () => {
    const lower = [0, 3, 1, -2]
    const upper = [2, 4, 1, -1]
    expect(coverage({ lower, upper }, truth)).toBe(0.5)
  })
})

describe('the CRPS', () => {
  it('of the median alone is the absolute error', () => {
    expect(crpsOfQuantiles([1, 2, 3, 0], truth, [0.5])).toBe(0.75)
  })

  it('of quantiles weighs each by the levels nearest to it', () => {
    // Levels [0, 0.3], [0.3, 0.7], [0.7, 1]; pinball of 1 at quantiles 0, 2 and 5: 0.1·1, 0.5·1, 0.1·4.
    expect(crpsOfQuantiles([0, 2, 5], [1], [0.1, 0.5, 0.9])).toBeCloseTo(
      2 * (0.3 * 0.1 + 0.4 * 0.5 + 0.3 * 0.4),
      12,
    )
  })

  it('of samples is the mean distance less half the spread', () => {
    // X of 0, 1, 4 around 2: (2 + 1 + 2)/3 - ½·(1 + 4 + 3)·2/9.
    expect(crpsOfSamples([4, 0, 1], [2])).toBeCloseTo(5 / 3 - 8 / 9, 12)
    expect(crpsOfSamples([3, 3, 5, 5], [3, 4])).toBe(0.5)
  })

  it('of a standard normal forecast comes to its closed form, from quantiles and from samples', () => {
    // σ·(z·(2Φ(z) - 1) + 2φ(z) - 1/√π) (Gneiting & Raftery 2007, equation 5).
    const normal = gaussian.from([0, 0])
    for (const y of [0, 0.8, -2.5]) {
      const closed =
        y * (2 * normal.cumulative(y) - 1) + 2 * Math.exp(normal.logDensity(y)) - 1 / Math.sqrt(Math.PI)
      const quantiles = Array.from({ length: 999 }, (_, i) => (i + 1) / 1000)
      const values = quantiles.map((q) => normal.quantile(q))
      // A thousand levels leave their step squared times the slopes at the ends.
      expect(Math.abs(crpsOfQuantiles(values, [y], quantiles) - closed)).toBeLessThan(2e-3)
      const random = new Random(1)
      const samples = Float64Array.from({ length: 20_000 }, () => normal.sample(random))
      // Five standard errors of a mean of 20,000.
      expect(Math.abs(crpsOfSamples(samples, [y]) - closed)).toBeLessThan(5 / Math.sqrt(20_000))
    }
  })
})

describe('quantiles of samples', () => {
  it('lie between the samples next to them', () => {
    const sorted = [1, 2, 4, 8]
    expect([0, 0.5, 1].map((q) => quantileOfSorted(sorted, q))).toEqual([1, 3, 8])
    expect(quantileOfSorted(sorted, 0.1)).toBeCloseTo(1.3, 12)
    expect(quantileOfSorted([7], 0.9)).toBe(7)
  })
})
