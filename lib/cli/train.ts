/** `lstm train`: from a CSV file to a model file, scores on the held-out part, and a report. */
import { basename, extname, resolve } from 'node:path'
import { reportOfTraining } from '../forecast/run-report.ts'
import { keyOf } from '../forecast/series.ts'
import { trainForecaster } from '../forecast/train.ts'
import type { TrainOptions } from '../forecast/train-options.ts'
import { missingText, seriesText } from '../forecast/wording.ts'
import { backend } from '../kernels/index.ts'
import { interruptible } from './interruption.ts'
import { requireDistinct, requireWritable, writeText } from './outputs.ts'
import { progressOn } from './progress.ts'
import { readSeries, type SeriesFlags, sortFlags } from './series.ts'
import { scoresJson, scoresText } from './summary.ts'
import { count, duration, type Terminal } from './terminal.ts'

export type TrainFlags = SeriesFlags & Omit<TrainOptions, 'periods' | 'signal' | 'onEpoch' | 'onBatch'>

export async function train(csv: string, flags: TrainFlags, terminal: Terminal): Promise<void> {
  const { columns, files, json, options } = sortFlags(flags)
  const name = basename(csv, extname(csv))
  const { output = `${name}.safetensors` } = files
  const { report = `${output.slice(0, output.length - extname(output).length)}.html` } = files
  const all = await readSeries(csv, columns, flags)
  requireDistinct({ csv, output, report })
  await requireWritable(output)
  await requireWritable(report)

  const { name: backendName, target: instructions } = backend()
  const progress = progressOn(terminal)
  const training = (signal: AbortSignal) =>
    trainForecaster(all, {
      ...options,
      signal,
      onStart({ trainingWindows, options: { input, horizon } }) {
        terminal.error(
          `${seriesText(all)}; missing values: ${missingText(all)}\n` +
            `${count(trainingWindows)} windows of ${input} rows to learn to forecast ${horizon} from\n`,
        )
      },
      onEpoch: progress.epoch,
      onBatch: progress.batch,
    })
  const onInterrupt = () => terminal.error('\nstopping; the best parameters so far are kept\n')
  const result = await interruptible(training, { onInterrupt }).finally(progress.end)

  const { forecaster, evaluations, splits, epochs, bestEpoch, parameters, seconds, interrupted } = result
  await forecaster.save(output)
  await writeText(report, await reportOfTraining(all, result))
  const { settings } = forecaster
  if (json) {
    const document = {
      model: resolve(output),
      report: resolve(report),
      file: csv,
      columns: settings.columns,
      series: all.map((series, i) => ({
        name: keyOf(series),
        rows: series.rows,
        training: splits[i].validation,
        validation: splits[i].test - splits[i].validation,
        test: splits[i].rows - splits[i].test,
      })),
      mode: settings.mode,
      head: settings.head,
      difference: settings.difference,
      scaling: settings.scaling,
      input: settings.input,
      periods: settings.periods,
      parameters,
      backend: { name: backendName, target: instructions },
      epochs: epochs.map(({ number, loss, validationLoss }) => ({ number, loss, validationLoss })),
      bestEpoch,
      interrupted,
      seconds,
      evaluations: scoresJson(evaluations),
    }
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  const held = splits.reduce((sum, split) => sum + split.rows - split.test, 0)
  terminal.out(
    `${interrupted ? 'Interrupted' : 'Trained'} after ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'} in ${duration(seconds)} on ${backendName} (${instructions}): ` +
      `${count(parameters)} parameters, the last ${settings.input} rows in, ${settings.horizon} out; kept epoch ${bestEpoch}.\n\n` +
      `On the last ${count(held)} rows${all.length > 1 ? ` of ${count(all.length)} series` : ''}, which training has not seen:\n${scoresText(evaluations)}\n` +
      `model   ${resolve(output)}\nreport  ${resolve(report)}\n`,
  )
}
