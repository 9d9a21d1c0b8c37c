/** `lstm train`: from a CSV file to a model file, scores on the held-out part, and a report. */
import { basename, extname, resolve } from 'node:path'
import { reportOfTraining } from '../forecast/run-report.ts'
import { seriesOf } from '../forecast/series.ts'
import { readTable } from '../forecast/table.ts'
import { trainForecaster } from '../forecast/train.ts'
import type { TrainOptions } from '../forecast/train-options.ts'
import { backend } from '../kernels/index.ts'
import { progressOn } from './progress.ts'
import {
  missingText,
  requireDistinct,
  requireWritable,
  scoreJson,
  scoreText,
  seriesText,
  writeText,
} from './summary.ts'
import { count, duration, type Terminal } from './terminal.ts'

export interface TrainFlags extends Omit<TrainOptions, 'periods' | 'signal' | 'onEpoch' | 'onBatch'> {
  target: string
  covariates?: string[]
  date?: string
  missingIndicator?: boolean
  period?: number[]
  output?: string
  report?: string
  json?: boolean
}

export async function train(csv: string, flags: TrainFlags, terminal: Terminal): Promise<void> {
  const {
    target,
    covariates,
    date,
    missingIndicator,
    period,
    json,
    output: asked,
    report: askedReport,
    ...options
  } = flags
  const name = basename(csv, extname(csv))
  const output = asked ?? `${name}.safetensors`
  const report = askedReport ?? `${output.slice(0, output.length - extname(output).length)}.html`
  const table = await readTable(csv)
  const series = seriesOf(table, { target, covariates, date, missingIndicator })
  requireDistinct({ csv, output, report })
  await requireWritable(output)
  await requireWritable(report)

  const { name: backendName, target: instructions } = backend()
  const progress = progressOn(terminal)
  const interruption = new AbortController()
  const onInterrupt = () => {
    interruption.abort()
    terminal.error('\nstopping; the best parameters so far are kept\n')
  }
  process.once('SIGINT', onInterrupt)
  let result: Awaited<ReturnType<typeof trainForecaster>>
  try {
    result = await trainForecaster(series, {
      ...options,
      periods: period,
      signal: interruption.signal,
      onStart({ trainingWindows, options: { input, horizon } }) {
        terminal.error(
          `${seriesText(series)}; missing values: ${missingText(series)}\n` +
            `${count(trainingWindows)} windows of ${input} rows to learn to forecast ${horizon} from\n`,
        )
      },
      onEpoch: progress.epoch,
      onBatch: progress.batch,
    })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
    progress.end()
  }

  const { forecaster, evaluations, split, epochs, bestEpoch, parameters, seconds, interrupted } = result
  const [evaluation] = evaluations
  await forecaster.save(output)
  await writeText(report, await reportOfTraining(series, result))
  if (json) {
    const { targets: _, ...columnsJson } = series.columns
    const document = {
      model: resolve(output),
      report: resolve(report),
      series: { file: csv, rows: series.rows, target, ...columnsJson },
      split: {
        training: split.validation,
        validation: split.test - split.validation,
        test: split.rows - split.test,
      },
      input: forecaster.settings.input,
      periods: forecaster.settings.periods,
      parameters,
      backend: { name: backendName, target: instructions },
      epochs: epochs.map(({ number, loss, validationLoss }) => ({ number, loss, validationLoss })),
      bestEpoch,
      interrupted,
      seconds,
      evaluation: scoreJson(evaluation),
    }
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  const { input, horizon } = forecaster.settings
  terminal.out(
    `${interrupted ? 'Interrupted' : 'Trained'} after ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'} in ${duration(seconds)} on ${backendName} (${instructions}): ` +
      `${count(parameters)} parameters, the last ${input} rows in, ${horizon} out; kept epoch ${bestEpoch}.\n\n` +
      `On the last ${count(split.rows - split.test)} rows, which training has not seen:\n${scoreText(evaluation)}\n` +
      `model   ${resolve(output)}\nreport  ${resolve(report)}\n`,
  )
}
