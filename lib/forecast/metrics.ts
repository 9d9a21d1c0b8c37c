/** How far forecasts lie from the truth, over all origins and steps. */

export interface Score {
  name: string
  /** Mean of |forecast - truth|, in the unit of the target. */
  mae: number
  /** Square root of the mean of (forecast - truth)², in the unit of the target. */
  rmse: number
  /** Mean of 200·|f - y| / (|f| + |y|), in percent, 0 where both are 0 (Makridakis 1993). */
  smape: number
  /** MAE divided by that of the last value, one step ahead, over the training part (Hyndman & Koehler 2006). */
  mase: number
  /** MAE at each step of the horizon. */
  maeByStep: number[]
  /** The share of true values inside the quantile band; absent for a forecast without one. */
  coverage?: number
}

/** Forecasts as rows of `horizon` values, one row an origin. */
export interface Rows {
  horizon: number
  forecast: Float64Array
  truth: Float64Array
}

/**
 * @param options.scale what MASE divides by; see `oneStepError`
 * @param options.band lower and upper quantile in the layout of `forecast`
 */
export function score(
  name: string,
  { forecast, truth, horizon }: Rows,
  { scale, band }: { scale: number; band?: { lower: Float64Array; upper: Float64Array } },
): Score {
  const n = truth.length
  const maeByStep = new Array<number>(horizon).fill(0)
  let squares = 0
  let percent = 0
  let inside = 0
  for (let i = 0; i < n; i++) {
    const error = Math.abs(forecast[i] - truth[i])
    const size = Math.abs(forecast[i]) + Math.abs(truth[i])
    maeByStep[i % horizon] += error / (n / horizon)
    squares += error ** 2
    percent += size > 0 ? (200 * error) / size : 0
    if (band && band.lower[i] <= truth[i] && truth[i] <= band.upper[i]) inside++
  }
  const mae = maeByStep.reduce((sum, value) => sum + value, 0) / horizon
  const result: Score = {
    name,
    mae,
    rmse: Math.sqrt(squares / n),
    smape: percent / n,
    mase: mae / scale,
    maeByStep,
  }
  if (band) result.coverage = inside / n
  return result
}

/** Mean of |y[t] - y[t-1]| over the rows given; 1 for a constant series, whose MASE is then its MAE. */
export function oneStepError(values: Float64Array): number {
  let sum = 0
  for (let t = 1; t < values.length; t++) sum += Math.abs(values[t] - values[t - 1])
  return sum / (values.length - 1) || 1
}
