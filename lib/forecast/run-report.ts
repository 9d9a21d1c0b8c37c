/** The reports of the two things done with a forecaster: training it, and evaluating it on a series. */
import { backend } from '../kernels/index.ts'
import { standaloneSvg } from '../report/palette.ts'
import { labelsAfter, stepName } from './dates.ts'
import type { Evaluation } from './evaluation.ts'
import type { Forecaster } from './forecaster.ts'
import { type ReportContent, renderReport } from './report.ts'
import { missingValues, type Series } from './series.ts'
import type { TrainResult } from './train.ts'

/** The HTML report of a training run. */
export async function reportOfTraining(series: Series, result: TrainResult): Promise<string> {
  const { forecaster, evaluations, epochs, bestEpoch, split, seconds, options, parameters, trainingWindows } =
    result
  const [evaluation] = evaluations
  const rate =
    epochs.length > 0 ? epochs.reduce((sum, each) => sum + each.samplesPerSecond, 0) / epochs.length : 0
  const rows = (from: number, to: number) => `${number(to - from)} from ${series.labels[from]}`
  return renderReport({
    ...commonContent(series, forecaster, evaluation),
    training: { epochs, best: bestEpoch },
    configuration: [
      {
        title: 'Data',
        entries: [
          ['training rows', rows(0, split.validation)],
          ['validation rows', rows(split.validation, split.test)],
          ['held-out rows', rows(split.test, split.rows)],
          ['missing values', missing(series)],
          ['covariates', series.columns.covariates.join(', ') || 'none'],
        ],
      },
      {
        title: 'Model',
        entries: [
          ...modelEntries(forecaster),
          ['LSTM', `${options.layers} × ${options.hidden} units`],
          ['parameters', number(parameters)],
        ],
      },
      {
        title: 'Training',
        entries: [
          ['loss', 'quantile loss'],
          ['optimizer', `Adam, rate ${options.learningRate}`],
          ['gradient norm', 'at most 1'],
          ['windows', `${number(trainingWindows)}, ${options.batchSize} a step`],
          ['epochs', `${epochs.length} of ${options.epochs}, kept ${bestEpoch}`],
          ['seed', String(options.seed)],
          ['time', `${seconds.toFixed(1)} s`],
          ['pace', `${number(Math.round(rate))} windows/s`],
          ...backendEntries(),
        ],
      },
    ],
  })
}

/** The HTML report of an evaluation. */
export async function reportOfEvaluation(
  series: Series,
  forecaster: Forecaster,
  evaluation: Evaluation,
): Promise<string> {
  return renderReport({
    ...commonContent(series, forecaster, evaluation),
    configuration: [
      {
        title: 'Data',
        entries: [
          ['rows', number(series.rows)],
          ['missing values', missing(series)],
        ],
      },
      { title: 'Model', entries: modelEntries(forecaster) },
      { title: 'Run', entries: backendEntries() },
    ],
  })
}

type Entry = readonly [string, string]

function commonContent(series: Series, forecaster: Forecaster, evaluation: Evaluation) {
  const { horizon, columns } = forecaster.settings
  const { labels, name, rows } = series
  const { point, band } = forecaster.next(series)
  const span = series.dateColumn ? `, ${labels[0]} to ${labels[rows - 1]}` : ''
  return {
    title: `${columns.targets[0]}, ${horizon} ${stepName(labels)}${horizon === 1 ? '' : 's'} ahead`,
    subtitle: `${name}: ${number(rows)} rows${span}`,
    evaluation,
    labels,
    future: { labels: labelsAfter(labels, horizon), point, band },
  } satisfies Partial<ReportContent>
}

function modelEntries({ settings: { input, horizon, quantiles, periods } }: Forecaster): Entry[] {
  return [
    ['input window', `${number(input)} rows`],
    ['horizon', `${number(horizon)} rows`],
    ['quantiles', quantiles.join(', ')],
    ['seasons compared', periods.join(', ') || 'none found'],
  ]
}

function backendEntries(): Entry[] {
  const { name, target, gemm, threads } = backend()
  return [
    ['back end', `${name}, ${target}`],
    ['threads', String(threads)],
    ['matrix products', gemm],
  ]
}

function missing(series: Series): string {
  return (
    missingValues(series)
      .map(({ column, count }) => `${number(count)} in ${column}`)
      .join(', ') || 'none'
  )
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** The picture of forecast against truth as an SVG of its own, light or dark as the reader prefers. */
export async function pictureOf(
  series: Series,
  forecaster: Forecaster,
  evaluation: Evaluation,
): Promise<string> {
  const { forecastChart } = await import('./charts.ts')
  const { title, labels, future } = commonContent(series, forecaster, evaluation)
  return standaloneSvg(await forecastChart(evaluation, { labels, title, future }))
}
