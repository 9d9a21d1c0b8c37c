/**
 * Back-testing: forecasts from origins that roll through the end of a series, each made by a forecaster that has seen nothing
 * from its origin on (Tashman 2000).
 */
import type { Evaluation } from './evaluation.ts'
import type { Forecaster } from './forecaster.ts'
import { InputError } from './input-error.ts'
import type { Series } from './series.ts'
import { trainForecaster } from './train.ts'
import type { TrainOptions } from './train-options.ts'

export interface BacktestOptions extends Omit<TrainOptions, 'test'> {
  /** How many parts, one after the other, the end of the series is cut into. */
  folds: number
  /** Rows of a part; default the horizon. */
  rows?: number
  /**
   * Whether the forecaster is trained anew for each part, on all rows before it (default), or once, on those before the
   * first.
   */
  refit?: boolean
  /** Called after each part. */
  onFold?(fold: Fold): void
}

/** One part of the end of a series. */
export interface Fold {
  /** The rows [from, to) forecast. */
  from: number
  to: number
  /** One for each target. */
  evaluations: Evaluation[]
}

export interface Backtest {
  folds: Fold[]
  /** Means over the folds, by target: of the forecaster and of each baseline that all folds have. */
  scores: {
    target: string
    name: string
    mae: number
    rmse: number
    smape: number
    mase: number
    crps?: number
  }[]
}

/**
 * Cuts the last folds·rows rows of a series into parts, and forecasts each from all its origins.
 *
 * @throws {InputError} if the rows before the first part are too few to train on
 */
export async function backtest(series: Series, options: BacktestOptions): Promise<Backtest> {
  const { folds, rows = options.horizon, refit = true, onFold, ...training } = options
  if (!(Number.isInteger(folds) && folds >= 1))
    throw new InputError(`expected folds to be a positive integer, got ${folds}`)
  if (!(Number.isInteger(rows) && rows >= options.horizon)) {
    throw new InputError(`expected at least the horizon of ${options.horizon} rows in a part, got ${rows}`)
  }
  const done: Fold[] = []
  let forecaster: Forecaster | undefined
  for (let n = 0; n < folds; n++) {
    const from = series.rows - (folds - n) * rows
    const to = from + rows
    if (from <= options.horizon) {
      throw new InputError(
        `${series.name}: too few rows: ${folds} parts of ${rows} leave ${Math.max(0, from)} of ${series.rows} to train on`,
      )
    }
    if (refit || !forecaster) {
      ;({ forecaster } = await trainForecaster(until(series, to), { ...training, test: rows }))
    }
    const fold = { from, to, evaluations: forecaster.evaluate(series, { from, to }) }
    done.push(fold)
    onFold?.(fold)
  }
  return { folds: done, scores: meanScores(done) }
}

/** The series as it was before row `end`, known columns as far as its horizon needs them. */
function until(series: Series, end: number): Series {
  const past = series.columns.targets.length + series.columns.covariates.length
  return {
    ...series,
    rows: end,
    labels: series.labels.slice(0, end),
    labelsAhead: [...series.labels, ...(series.labelsAhead ?? [])].slice(end),
    values: series.values.map((column, i) => (i < past ? column.subarray(0, end) : column)),
  }
}

function meanScores(folds: readonly Fold[]): Backtest['scores'] {
  return folds[0].evaluations.flatMap(({ target, scores }, k) =>
    scores.flatMap(({ name }) => {
      const each = folds.map(({ evaluations }) => evaluations[k].scores.find((one) => one.name === name))
      if (each.includes(undefined)) return []
      const mean = (of: 'mae' | 'rmse' | 'smape' | 'mase' | 'crps') =>
        each.reduce((sum, one) => sum + (one![of] ?? Number.NaN), 0) / each.length
      const crps = mean('crps')
      const measured = { mae: mean('mae'), rmse: mean('rmse'), smape: mean('smape'), mase: mean('mase') }
      return [{ target, name, ...measured, ...(!Number.isNaN(crps) && { crps }) }]
    }),
  )
}
