/** Forecasting series from CSV files, the public door of `lstm-native/forecast`: exports only. */
export { detectPeriod, persistence, seasonalNaive } from './baselines.ts'
export { labelsAfter } from './dates.ts'
export { comparison, type Evaluation, evaluate, type Forecasts, pointForecast } from './evaluation.ts'
export { Forecaster, type ForecasterSettings } from './forecaster.ts'
export { InputError } from './input-error.ts'
export type { Score } from './metrics.ts'
export { pictureOf, reportOfEvaluation, reportOfTraining } from './run-report.ts'
export { missingValues, type Series, seriesOf } from './series.ts'
export { datesOf, numbersOf, parseTable, readTable, type Table } from './table.ts'
export { type TrainOptions, type TrainResult, trainForecaster } from './train.ts'
export {
  type ForecasterConfiguration,
  type ForecasterSpace,
  type TunedForecaster,
  type TuneForecasterOptions,
  tuneForecaster,
} from './tune.ts'
export { reportOfTuning } from './tune-report.ts'
