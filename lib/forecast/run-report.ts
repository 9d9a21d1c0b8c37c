/** The reports of the two things done with a forecaster: training it, and evaluating it. */
import { standaloneSvg } from '../report/palette.ts'
import type { Future } from './charts.ts'
import {
  backendEntries,
  modelEntries,
  seriesEntries,
  splitEntries,
  trainingEntries,
} from './configuration.ts'
import { stepName } from './dates.ts'
import { band, type Evaluation, forecastsOf, pointForecast } from './evaluation.ts'
import type { Forecaster } from './forecaster.ts'
import { type Picture, renderReport } from './report.ts'
import { keyOf, listOf, nextLabels, type Series } from './series.ts'
import type { TrainResult } from './train.ts'
import { grouped, listText, seriesText } from './wording.ts'

/** Pictures beyond these would not be looked at; the table has all. */
const mostPictures = 8

/** The HTML report of a training run, of the series that it was given. */
export async function reportOfTraining(
  series: Series | readonly Series[],
  result: TrainResult,
): Promise<string> {
  const { forecaster, evaluations, epochs, bestEpoch, options, parameters } = result
  const all = listOf(series)
  return renderReport({
    ...commonContent(all, forecaster, evaluations),
    training: { epochs, best: bestEpoch },
    configuration: [
      { title: 'Data', entries: [...splitEntries(all, result), ...seriesEntries(all)] },
      {
        title: 'Model',
        entries: [
          ...modelEntries(forecaster),
          ['LSTM', `${options.layers} × ${options.hidden} units`],
          ['parameters', grouped(parameters)],
        ],
      },
      { title: 'Training', entries: [...trainingEntries(result), ...backendEntries()] },
    ],
  })
}

/** The HTML report of evaluations by one forecaster, of these series. */
export async function reportOfEvaluation(
  series: Series | readonly Series[],
  forecaster: Forecaster,
  evaluations: readonly Evaluation[],
): Promise<string> {
  const all = listOf(series)
  const rows = all.reduce((sum, each) => sum + each.rows, 0)
  return renderReport({
    ...commonContent(all, forecaster, evaluations),
    configuration: [
      { title: 'Data', entries: [['rows', grouped(rows)], ...seriesEntries(all)] },
      { title: 'Model', entries: modelEntries(forecaster) },
      { title: 'Run', entries: backendEntries() },
    ],
  })
}

/** The picture of forecast against truth as an SVG of its own, light or dark as the reader prefers. */
export async function pictureOf(
  series: Series,
  forecaster: Forecaster,
  evaluation: Evaluation,
): Promise<string> {
  const { forecastChart } = await import('./charts.ts')
  const { labels } = series
  const future = futureOf(series, forecaster, evaluation.target)
  const title = `${evaluation.target}, ${aheadText(series, forecaster)}`
  return standaloneSvg(await forecastChart(evaluation, { labels, title, future }))
}

/** `Sunspots, 12 months ahead`, `Units of 12 series, 7 days ahead` */
export function titleOf(all: readonly Series[], forecaster: Forecaster): string {
  const of = all.length > 1 ? ` of ${grouped(all.length)} series` : ''
  return `${listText(forecaster.settings.columns.targets)}${of}, ${aheadText(all[0], forecaster)}`
}

function aheadText({ labels }: Series, { settings: { horizon } }: Forecaster): string {
  return `${horizon} ${stepName(labels)}${horizon === 1 ? '' : 's'} ahead`
}

function commonContent(all: readonly Series[], forecaster: Forecaster, evaluations: readonly Evaluation[]) {
  const pictures = evaluations.slice(0, mostPictures).map((evaluation): Picture => {
    const series = all.find((each) => keyOf(each) === evaluation.series)
    if (!series) throw new RangeError(`expected the series "${evaluation.series}", which was evaluated`)
    return { labels: series.labels, future: futureOf(series, forecaster, evaluation.target) }
  })
  return { title: titleOf(all, forecaster), subtitle: seriesText(all), evaluations, pictures }
}

/** What follows the last row, where the columns known ahead reach that far. */
function futureOf(series: Series, forecaster: Forecaster, target: string): Future | undefined {
  const { horizon } = forecaster.settings
  if (!reachesAhead(series, horizon)) return undefined
  const forecasts = forecastsOf(forecaster.next(series).forecasts, target)
  return { labels: nextLabels(series, horizon), point: pointForecast(forecasts), band: band(forecasts) }
}

function reachesAhead({ columns, values, rows }: Series, horizon: number): boolean {
  const known = values.slice(columns.targets.length + columns.covariates.length)
  return known.every(({ length }) => length >= rows + horizon)
}
