/** What a forecaster keeps beside its network, as JSON in the metadata of the model file. */
import { FileFormatError } from '../errors.ts'
import { type FeatureScales, type Features, featuresOf } from './features.ts'
import type { HeadName } from './heads.ts'
import { InputError } from './input-error.ts'
import { naiveError } from './metrics.ts'
import { fitScales, type Scale, type Scaling } from './scaling.ts'
import { type Columns, keyOf, type Series } from './series.ts'
import type { Difference, Mode } from './windows.ts'

export interface ForecasterSettings {
  columns: Columns
  mode: Mode
  head: HeadName
  difference: Difference
  scaling: Scaling
  /** One for each series trained on. */
  series: readonly SeriesSettings[]
  /** Of the static columns, over all series. */
  statics: readonly Scale[]
  input: number
  horizon: number
  /** Of the forecasts; empty with a head of 'mean'. */
  quantiles: readonly number[]
  /** Sample paths an autoregressive forecast draws. */
  paths: number
  /** Seasons of the naive forecasts that scores compare with. */
  periods: readonly number[]
  /** The share, or number, of the rows, at the end, that was held out. */
  test: number
}

/** What belongs to one series, fitted on its training part. */
export interface SeriesSettings {
  key: string
  /** Of targets, covariates and known columns. */
  scales: readonly Scale[]
  /** What MASE divides by, for each target; see `naiveError`. */
  naiveErrors: readonly number[]
}

export const settingsKey = 'lstm_native.forecast'

/** How many rows ahead a row shows of the known columns: a direct forecast needs all of them. */
export function leadsOf({ mode, horizon }: Pick<ForecasterSettings, 'mode' | 'horizon'>): number {
  return mode === 'direct' ? horizon : 1
}

/** What belongs to a series, fitted on its first `rows` rows. */
export function fitSeries(
  series: Series,
  { rows, scaling }: { rows: number; scaling: Scaling },
): SeriesSettings {
  const targets = series.values.slice(0, series.columns.targets.length)
  return {
    key: keyOf(series),
    scales: fitScales(series, { rows, scaling }),
    naiveErrors: targets.map((values) => naiveError(values.subarray(0, rows))),
  }
}

/** What belongs to a series: to the only one trained on, to the one of the same key, or fitted on its first `rows` rows. */
export function seriesSettings(
  { series: trained, scaling }: ForecasterSettings,
  series: Series,
  { rows }: { rows: number },
): SeriesSettings {
  const known = trained.length === 1 ? trained[0] : trained.find(({ key }) => key === keyOf(series))
  return known ?? fitSeries(series, { rows, scaling })
}

/** The features of a series, whose columns must be those of the settings. @throws {InputError} if they are not */
export function prepared(settings: ForecasterSettings, series: Series, { rows }: { rows: number }): Features {
  const { columns, statics } = settings
  for (const role of ['targets', 'covariates', 'known', 'statics', 'indicators'] as const) {
    const [expected, got] = [columns[role], series.columns[role]].map((names) => names.join(', ') || 'none')
    if (expected !== got)
      throw new InputError(`${series.name}: expected ${role} ${expected}, as in training, got ${got}`)
  }
  const scales: FeatureScales = {
    scales: seriesSettings(settings, series, { rows }).scales,
    statics,
    leads: leadsOf(settings),
  }
  return featuresOf(series, scales)
}

/** @throws {FileFormatError} if the metadata are none of a forecaster */
export function parseSettings(text: string | undefined, path: string): ForecasterSettings {
  if (text === undefined) {
    throw new FileFormatError(`${path}: holds a model, but no forecaster: lstm train makes one`, {
      code: 'NoForecaster',
      path,
    })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${path}: the metadata under ${settingsKey} are no JSON`, {
      code: 'InvalidSettings',
      path,
      cause,
    })
  }
}
