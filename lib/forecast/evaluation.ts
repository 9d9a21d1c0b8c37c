/** What forecasts over a held-out part are worth: scores of the model and of the baselines, from the same origins. */
import { persistence, seasonalNaive } from './baselines.ts'
import { type Score, score } from './metrics.ts'

/** Forecasts from several origins. */
export interface Forecasts {
  horizon: number
  quantiles: readonly number[]
  /** The row that each forecast begins with. */
  origins: readonly number[]
  /** [N, horizon, Q] in the unit of the target, not decreasing along Q. */
  values: Float64Array
}

export interface Evaluation {
  forecasts: Forecasts
  /** [N, horizon] */
  truth: Float64Array
  /** The model first, then the baselines. */
  scores: Score[]
  /** How far the model's MAE lies below that of the best baseline, as a share of the latter; undefined if that is 0. */
  improvement: number | undefined
}

/** The median, or the quantile nearest to it: the point forecast, [N, horizon]. */
export function pointForecast(forecasts: Forecasts): Float64Array {
  const distances = forecasts.quantiles.map((quantile) => Math.abs(quantile - 0.5))
  return quantileOf(forecasts, distances.indexOf(Math.min(...distances)))
}

/** The lowest and the highest quantile, [N, horizon] each, or undefined if there is only one. */
export function band(forecasts: Forecasts): { lower: Float64Array; upper: Float64Array } | undefined {
  const last = forecasts.quantiles.length - 1
  return last > 0 ? { lower: quantileOf(forecasts, 0), upper: quantileOf(forecasts, last) } : undefined
}

function quantileOf({ values, quantiles }: Forecasts, index: number): Float64Array {
  const Q = quantiles.length
  return Float64Array.from({ length: values.length / Q }, (_, i) => values[i * Q + index])
}

/**
 * Scores forecasts against the truth, beside persistence and a seasonal naive forecast for each period.
 *
 * @param target the filled target, at least up to the last row forecast
 * @param options.periods those longer than the rows before the first origin are passed over
 * @param options.scale what MASE divides by
 */
export function evaluate(
  forecasts: Forecasts,
  target: Float64Array,
  { periods, scale }: { periods: readonly number[]; scale: number },
): Evaluation {
  const { horizon, origins } = forecasts
  const collect = (rows: (origin: number) => Float64Array) => {
    const all = new Float64Array(origins.length * horizon)
    for (const [n, origin] of origins.entries()) all.set(rows(origin), n * horizon)
    return all
  }
  const truth = collect((origin) => target.subarray(origin, origin + horizon))
  const baselines = [
    { name: 'persistence', forecast: collect((origin) => persistence(target, origin, { horizon })) },
    ...periods
      .filter((period) => period <= origins[0])
      .map((period) => ({
        name: `seasonal naive (${period})`,
        forecast: collect((origin) => seasonalNaive(target, origin, { horizon, period })),
      })),
  ]
  const model = score(
    'LSTM',
    { forecast: pointForecast(forecasts), truth, horizon },
    { scale, band: band(forecasts) },
  )
  const others = baselines.map(({ name, forecast }) => score(name, { forecast, truth, horizon }, { scale }))
  const best = Math.min(...others.map(({ mae }) => mae))
  const improvement = best > 0 ? 1 - model.mae / best : undefined
  return { forecasts, truth, scores: [model, ...others], improvement }
}

/** The same in words: how much the model's MAE lies above or below that of the best baseline. */
export function comparison({ scores, improvement }: Pick<Evaluation, 'scores' | 'improvement'>) {
  const [, ...baselines] = scores
  const best = baselines.reduce((a, b) => (b.mae < a.mae ? b : a))
  if (improvement === undefined) return { share: undefined, relation: undefined, best }
  const share = `${Math.abs(improvement * 100).toFixed(1)} %`
  return { share, relation: improvement >= 0 ? 'below' : 'above', best }
}
