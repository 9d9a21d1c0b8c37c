/** What a report says about how a forecaster was made, as names and values. */
import { backend } from '../kernels/index.ts'
import type { Forecaster } from './forecaster.ts'
import { headTitle, lossName } from './heads.ts'
import { keyOf, type Series } from './series.ts'
import type { ForecasterSettings } from './settings.ts'
import type { TrainResult } from './train.ts'
import type { Split } from './windows.ts'
import { grouped, listText, missingText } from './wording.ts'

export type Entry = readonly [name: string, value: string]

/** The series, and the columns that are shown to the network beside the targets. */
export function seriesEntries(all: readonly Series[]): Entry[] {
  const [{ columns }] = all
  const roles = [
    ['covariates', columns.covariates],
    ['known ahead', columns.known],
    ['static', columns.statics],
    ['missing-value indicators', columns.indicators],
  ] as const
  return [
    ...(all.length > 1 ? [['series', listText(all.map(keyOf))] as const] : []),
    ['targets', columns.targets.join(', ')],
    ...roles.flatMap(([name, columns]) => (columns.length > 0 ? [[name, columns.join(', ')] as const] : [])),
    ['missing values', missingText(all)],
  ]
}

/** How many rows each part has, over all series. */
export function splitEntries(all: readonly Series[], { splits }: Pick<TrainResult, 'splits'>): Entry[] {
  const entry = (name: string, from: (split: Split) => number, to: (split: Split) => number): Entry => {
    const rows = splits.reduce((sum, split) => sum + to(split) - from(split), 0)
    const start = all.length === 1 ? ` from ${all[0].labels[from(splits[0])]}` : ''
    return [name, `${grouped(rows)}${start}`]
  }
  return [
    entry(
      'training rows',
      () => 0,
      ({ validation }) => validation,
    ),
    entry(
      'validation rows',
      ({ validation }) => validation,
      ({ test }) => test,
    ),
    entry(
      'held-out rows',
      ({ test }) => test,
      ({ rows }) => rows,
    ),
  ]
}

export function modelEntries({ settings }: Forecaster): Entry[] {
  const { mode, head, quantiles, scaling, input, horizon, periods, paths } = settings
  return [
    ['input window', `${grouped(input)} rows`],
    ['horizon', `${grouped(horizon)} rows`],
    ['mode', mode === 'direct' ? 'direct' : `autoregressive, ${grouped(paths)} sample paths`],
    ['head', headTitle(head)],
    ...(quantiles.length > 0 ? [['quantiles', quantiles.join(', ')] as const] : []),
    ['differences', differenceText(settings)],
    ['scaling', scaling],
    ['seasons compared', periods.join(', ') || 'none found'],
  ]
}

function differenceText({ difference }: ForecasterSettings): string {
  if (difference === 'none') return 'none'
  return difference === 'last' ? 'to the last value' : `to the value ${grouped(difference)} rows before`
}

export function trainingEntries(result: TrainResult): Entry[] {
  const { forecaster, options, epochs, bestEpoch, seconds, trainingWindows } = result
  const { learningRate, batchSize, stride, seed } = options
  const rate =
    epochs.length > 0 ? epochs.reduce((sum, each) => sum + each.samplesPerSecond, 0) / epochs.length : 0
  const every = stride > 1 ? `, from every ${grouped(stride)} rows` : ''
  return [
    ['loss', lossName(forecaster.settings.head)],
    ['optimizer', `Adam, rate ${learningRate}`],
    ['gradient norm', 'at most 1'],
    ['windows', `${grouped(trainingWindows)}, ${batchSize} a step${every}`],
    ['epochs', `${epochs.length} of ${options.epochs}, kept ${bestEpoch}`],
    ['seed', String(seed)],
    ['time', `${seconds.toFixed(1)} s`],
    ['pace', `${grouped(Math.round(rate))} windows/s`],
  ]
}

export function backendEntries(): Entry[] {
  const { name, target, gemm, threads } = backend()
  return [
    ['back end', `${name}, ${target}`],
    ['threads', String(threads)],
    ['matrix products', gemm],
  ]
}
