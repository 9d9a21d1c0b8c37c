/** What forecasts over a held-out part are worth: scores of the model and of the baselines, from the same origins. */
import { persistence, seasonalNaive } from './baselines.ts'
import { type Score, score } from './metrics.ts'

/** Forecasts from several origins. */
export interface Forecasts {
  horizon: number
  quantiles: readonly number[]
  /** The row that each forecast begins with. */
  origins: readonly number[]
  /** The targets' names: K of them. */
  targets: readonly string[]
  /** [N, horizon, K, Q] in the unit of the targets, not decreasing along Q. */
  values: Float64Array
  /** [N, horizon, K] the mean, of heads that have one. */
  mean?: Float64Array
}

export interface Evaluation {
  /** The names of series and target. */
  series: string
  target: string
  forecasts: Forecasts
  /** [N, horizon] */
  truth: Float64Array
  /** The model first, then the baselines. */
  scores: Score[]
  /** How far the model's MAE lies below that of the best baseline, as a share of the latter; undefined if that is 0. */
  improvement: number | undefined
}

/** The median, or the quantile nearest to it, or without quantiles the mean: the point forecast, [N, horizon, K]. */
export function pointForecast(forecasts: Forecasts): Float64Array {
  const { quantiles, mean } = forecasts
  if (quantiles.length === 0) return mean!
  const distances = quantiles.map((quantile) => Math.abs(quantile - 0.5))
  return quantileOf(forecasts, distances.indexOf(Math.min(...distances)))
}

/** The lowest and the highest quantile, [N, horizon, K] each, or undefined if there are not two. */
export function band(forecasts: Forecasts): { lower: Float64Array; upper: Float64Array } | undefined {
  const last = forecasts.quantiles.length - 1
  return last > 0 ? { lower: quantileOf(forecasts, 0), upper: quantileOf(forecasts, last) } : undefined
}

/** The forecasts of one target: K = 1. */
export function forecastsOf(forecasts: Forecasts, target: string): Forecasts {
  const { targets, quantiles, values, mean } = forecasts
  const K = targets.length
  const Q = quantiles.length
  const k = targets.indexOf(target)
  if (k < 0) throw new RangeError(`forecastsOf: expected a target of ${targets.join(', ')}, got ${target}`)
  return {
    ...forecasts,
    targets: [target],
    values: values.filter((_, i) => Math.floor(i / Q) % K === k),
    ...(mean && { mean: mean.filter((_, i) => i % K === k) }),
  }
}

function quantileOf({ values, quantiles }: Forecasts, index: number): Float64Array {
  const Q = quantiles.length
  return Float64Array.from({ length: values.length / Q }, (_, i) => values[i * Q + index])
}

/**
 * Scores forecasts of one target against the truth, beside persistence and a seasonal naive forecast for each period.
 *
 * @param target the filled target, at least up to the last row forecast
 * @param options.periods those longer than the rows before the first origin are passed over
 * @param options.scale what MASE divides by
 */
export function evaluate(
  forecasts: Forecasts,
  target: Float64Array,
  { series = 'series', periods, scale }: { series?: string; periods: readonly number[]; scale: number },
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
    { scale, ...(forecasts.quantiles.length > 1 && { bands: forecasts }) },
  )
  const others = baselines.map(({ name, forecast }) => score(name, { forecast, truth, horizon }, { scale }))
  const best = Math.min(...others.map(({ mae }) => mae))
  const improvement = best > 0 ? 1 - model.mae / best : undefined
  return { series, target: forecasts.targets[0], forecasts, truth, scores: [model, ...others], improvement }
}

/** The same in words: how much the model's MAE lies above or below that of the best baseline. */
export function comparison({ scores, improvement }: Pick<Evaluation, 'scores' | 'improvement'>) {
  const [, ...baselines] = scores
  const best = baselines.reduce((a, b) => (b.mae < a.mae ? b : a))
  if (improvement === undefined) return { share: undefined, relation: undefined, best }
  const share = `${Math.abs(improvement * 100).toFixed(1)} %`
  return { share, relation: improvement >= 0 ? 'below' : 'above', best }
}

/** Several evaluations in figures that can be averaged, whatever the units of their targets. */
export interface Summary {
  /** In how many of them the model's MAE lies below that of the best baseline. */
  better: number
  /** Means over them: the model's MASE, and the MASE of each one's best baseline. */
  mase: number
  bestMase: number
  /** The mean coverage, of forecasts with a band. */
  coverage?: number
}

export function summaryOf(evaluations: readonly Pick<Evaluation, 'scores' | 'improvement'>[]): Summary {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const coverages = evaluations.flatMap(({ scores: [{ coverage }] }) => coverage ?? [])
  return {
    better: evaluations.filter(({ improvement = 0 }) => improvement > 0).length,
    mase: mean(evaluations.map(({ scores: [model] }) => model.mase)),
    bestMase: mean(evaluations.map((each) => comparison(each).best.mase)),
    ...(coverages.length > 0 && { coverage: mean(coverages) }),
  }
}

/** What tells evaluations apart in a table: their series, their targets, or both. */
export function labelsOf(evaluations: readonly Pick<Evaluation, 'series' | 'target'>[]): {
  header: string[]
  cells: (evaluation: Pick<Evaluation, 'series' | 'target'>) => string[]
} {
  const differs = (name: 'series' | 'target') =>
    evaluations.some((each) => each[name] !== evaluations[0][name])
  const header = (['series', 'target'] as const).filter(differs)
  return { header, cells: (evaluation) => header.map((name) => evaluation[name]) }
}
