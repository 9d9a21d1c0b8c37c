/** How far forecasts lie from the truth, over all origins and steps. */

/** Mean of |f - y|. */
export function meanAbsoluteDistance(forecast: ArrayLike<number>, truth: ArrayLike<number>): number {
  return meanOver(forecast, truth, (f, y) => Math.abs(f - y))
}

/** √ of the mean of (f - y)². */
export function rootMeanSquare(forecast: ArrayLike<number>, truth: ArrayLike<number>): number {
  return Math.sqrt(meanOver(forecast, truth, (f, y) => (f - y) ** 2))
}

/** sMAPE: the mean of 200·|f - y| / (|f| + |y|), in percent, 0 where both are 0 (Makridakis 1993). */
export function symmetricPercentage(forecast: ArrayLike<number>, truth: ArrayLike<number>): number {
  return meanOver(forecast, truth, (f, y) => {
    const size = Math.abs(f) + Math.abs(y)
    return size > 0 ? (200 * Math.abs(f - y)) / size : 0
  })
}

/**
 * What MASE divides by: the mean of |y[t] - y[t - period]| over the training part, the error there of the naive forecast
 * (Hyndman & Koehler 2006). Missing values (NaN) are left out. 1 for a constant series, whose MASE is then its MAE.
 *
 * @param options.period 1 (default) for the last value, a season's length for the seasonal naive forecast
 */
export function naiveError(values: ArrayLike<number>, { period = 1 }: { period?: number } = {}): number {
  let sum = 0
  let count = 0
  for (let t = period; t < values.length; t++) {
    const step = Math.abs(values[t] - values[t - period])
    if (Number.isNaN(step)) continue
    sum += step
    count++
  }
  return sum / count || 1
}

/** MASE: MAE / scale, where scale is `naiveError` of the training part (Hyndman & Koehler 2006). */
export function scaledError(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  { scale }: { scale: number },
): number {
  return meanAbsoluteDistance(forecast, truth) / scale
}

/** The share of y with lower ≤ y ≤ upper. */
export function coverage(
  { lower, upper }: { lower: ArrayLike<number>; upper: ArrayLike<number> },
  truth: ArrayLike<number>,
): number {
  return meanOver(lower, truth, (low, y, i) => (low <= y && y <= upper[i] ? 1 : 0))
}

/**
 * The continuous ranked probability score ∫ (F(x) - 1{x ≥ y})² dx of forecast quantiles, averaged: twice the integral over q
 * of the pinball loss (Gneiting & Raftery 2007), each quantile standing for the levels nearest to it. Exact as quantiles grow
 * many; for the one quantile 0.5 it is the MAE.
 *
 * @param values [..., Q], @param truth [...], @param quantiles in increasing order
 */
export function crpsOfQuantiles(
  values: ArrayLike<number>,
  truth: ArrayLike<number>,
  quantiles: readonly number[],
): number {
  const Q = quantiles.length
  const edges = [0, ...quantiles.slice(1).map((q, i) => (q + quantiles[i]) / 2), 1]
  return meanOver(truth, truth, (y, _, n) => {
    let sum = 0
    for (const [i, q] of quantiles.entries()) {
      const d = y - values[n * Q + i]
      sum += 2 * (edges[i + 1] - edges[i]) * Math.max(q * d, (q - 1) * d)
    }
    return sum
  })
}

/**
 * The same of samples: mean |X - y| - ½·mean |X - X'|, X and X' over all S samples (Gneiting & Raftery 2007, equation 21).
 *
 * @param samples [..., S], @param truth [...]
 */
export function crpsOfSamples(samples: ArrayLike<number>, truth: ArrayLike<number>): number {
  const S = samples.length / truth.length
  return meanOver(truth, truth, (y, _, n) => {
    const sorted = Float64Array.from({ length: S }, (_, s) => samples[n * S + s]).sort()
    let distance = 0
    let spread = 0
    for (const [s, x] of sorted.entries()) {
      distance += Math.abs(x - y)
      // Among sorted numbers Σ|X - X'| over pairs is Σ x·(2s + 1 - S), twice.
      spread += 2 * x * (2 * s + 1 - S)
    }
    return distance / S - spread / (2 * S * S)
  })
}

/** The quantile q of sorted numbers, by linear interpolation between them (definition 7 of Hyndman & Fan 1996). */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}

export interface Score {
  name: string
  /** Mean of |forecast - truth|, in the unit of the target. */
  mae: number
  /** Square root of the mean of (forecast - truth)², in the unit of the target. */
  rmse: number
  /** See `symmetricPercentage`. */
  smape: number
  /** MAE divided by that of the last value, one step ahead, over the training part; see `naiveError`. */
  mase: number
  /** MAE at each step of the horizon. */
  maeByStep: number[]
  /** Absent for a forecast without quantiles; see `crpsOfQuantiles`. */
  crps?: number
  /** The share of true values inside the outermost quantiles; absent for a forecast without them. */
  coverage?: number
}

/** Forecasts as rows of `horizon` values, one row an origin. */
export interface Rows {
  horizon: number
  forecast: Float64Array
  truth: Float64Array
}

/**
 * @param options.scale what MASE divides by; see `naiveError`
 * @param options.quantiles the levels of `values` [N, horizon, Q], at least two
 */
export function score(
  name: string,
  { forecast, truth, horizon }: Rows,
  { scale, bands }: { scale: number; bands?: { quantiles: readonly number[]; values: Float64Array } },
): Score {
  const result: Score = {
    name,
    mae: meanAbsoluteDistance(forecast, truth),
    rmse: rootMeanSquare(forecast, truth),
    smape: symmetricPercentage(forecast, truth),
    mase: scaledError(forecast, truth, { scale }),
    maeByStep: Array.from({ length: horizon }, (_, step) => {
      const at = (values: Float64Array) => values.filter((_, i) => i % horizon === step)
      return meanAbsoluteDistance(at(forecast), at(truth))
    }),
  }
  if (!bands) return result
  const { quantiles, values } = bands
  const Q = quantiles.length
  const column = (k: number) => values.filter((_, i) => i % Q === k)
  result.crps = crpsOfQuantiles(values, truth, quantiles)
  result.coverage = coverage({ lower: column(0), upper: column(Q - 1) }, truth)
  return result
}

/** The mean of a function of pairs, those without a truth (NaN) left out. */
function meanOver(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  f: (forecast: number, truth: number, i: number) => number,
): number {
  let sum = 0
  let count = 0
  for (let i = 0; i < truth.length; i++) {
    if (Number.isNaN(truth[i])) continue
    sum += f(forecast[i], truth[i], i)
    count++
  }
  return sum / count
}
