/** Forecasts that need no training: what a model has to beat. Origin o forecasts rows o … o + horizon - 1. */

/** The last value before the origin, repeated. */
export function persistence(
  target: Float64Array,
  origin: number,
  { horizon }: { horizon: number },
): Float64Array {
  return new Float64Array(horizon).fill(target[origin - 1])
}

/** The value of the same place in the last whole season known at the origin. Needs origin ≥ period. */
export function seasonalNaive(
  target: Float64Array,
  origin: number,
  { horizon, period }: { horizon: number; period: number },
): Float64Array {
  return Float64Array.from({ length: horizon }, (_, step) => target[origin - period + (step % period)])
}

/**
 * The length of the season: the lag at which the autocorrelation of the series, less its linear trend, peaks most
 * clearly above the valley before it. Of lags that are nearly as clear the shortest is taken, so that a multiple of the
 * season is not mistaken for it. Undefined where no peak stands out by 0.2
 * and above what noise makes.
 *
 * @param options.longest the largest lag looked at; default a third of the series, at most 1000
 */
export function detectPeriod(
  values: Float64Array,
  { longest = Math.min(1000, Math.floor(values.length / 3)) }: { longest?: number } = {},
): number | undefined {
  const correlation = autocorrelation(withoutTrend(values), longest)
  // The autocorrelations of n values of noise have a deviation of 1/√n (Bartlett 1946); of hundreds, none reaches four.
  const noise = 4 / Math.sqrt(values.length)
  let valley = 1
  const peaks: { lag: number; height: number }[] = []
  for (let lag = 2; lag < longest; lag++) {
    valley = Math.min(valley, correlation[lag - 1])
    // Noise makes small peaks everywhere: a season is the highest lag within a fifth of itself to both sides.
    const reach = Math.max(1, Math.round(lag / 5))
    const around = correlation.subarray(Math.max(1, lag - reach), lag + reach + 1)
    const isPeak = around.every((other) => other <= correlation[lag])
    if (isPeak && correlation[lag] > noise) peaks.push({ lag, height: correlation[lag] - valley })
  }
  const clearest = Math.max(...peaks.map(({ height }) => height))
  if (!(clearest >= 0.2)) return undefined
  return peaks.find(({ height }) => height >= 0.8 * clearest)?.lag
}

/** r[k] = Σ v[t]·v[t+k] / Σ v[t]² for lags 0 … longest (Box & Jenkins 1970). */
function autocorrelation(values: Float64Array, longest: number): Float64Array {
  const product = (lag: number) => {
    let sum = 0
    for (let t = lag; t < values.length; t++) sum += values[t] * values[t - lag]
    return sum
  }
  const energy = product(0) || 1
  return Float64Array.from({ length: longest + 1 }, (_, lag) => product(lag) / energy)
}

function withoutTrend(values: Float64Array): Float64Array {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  let covariance = 0
  let variance = 0
  for (const [t, value] of values.entries()) {
    covariance += (t - middle) * (value - mean)
    variance += (t - middle) ** 2
  }
  const slope = variance > 0 ? covariance / variance : 0
  return values.map((value, t) => value - mean - slope * (t - middle))
}
