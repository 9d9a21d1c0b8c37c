/** Forecasting series, from arrays or CSV files, the public door of `lstm-native/forecast`: exports only. */
export { type Backtest, type BacktestOptions, backtest, type Fold } from './backtest.ts'
export { detectPeriod, persistence, seasonalNaive } from './baselines.ts'
export { labelsAfter } from './dates.ts'
export {
  band,
  comparison,
  type Evaluation,
  evaluate,
  type Forecasts,
  forecastsOf,
  pointForecast,
  type Summary,
  summaryOf,
} from './evaluation.ts'
export { Forecaster, type ForecasterSettings, type PathOptions } from './forecaster.ts'
export type { HeadName } from './heads.ts'
export { InputError } from './input-error.ts'
export {
  coverage,
  crpsOfQuantiles,
  crpsOfSamples,
  meanAbsoluteDistance,
  naiveError,
  quantileOfSorted,
  rootMeanSquare,
  type Score,
  scaledError,
  symmetricPercentage,
} from './metrics.ts'
export type { SamplePaths } from './paths.ts'
export { pictureOf, reportOfEvaluation, reportOfTraining } from './run-report.ts'
export { fitScales, type Scale, type Scaling, scaleOf } from './scaling.ts'
export {
  type Columns,
  makeSeries,
  missingValues,
  type NamedColumns,
  nextLabels,
  type Series,
  seriesByGroup,
  seriesOf,
} from './series.ts'
export { datesOf, numbersOf, parseTable, readTable, type Table } from './table.ts'
export { type TrainResult, trainForecaster } from './train.ts'
export type { TrainOptions, TrainPlan } from './train-options.ts'
export {
  type ForecasterConfiguration,
  type ForecasterSpace,
  type TunedForecaster,
  type TuneForecasterOptions,
  tuneForecaster,
} from './tune.ts'
export { reportOfTuning } from './tune-report.ts'
export type { Difference, Mode, Split } from './windows.ts'
