/** `lstm tune`: searches the options of `lstm train`, and writes the best forecaster, a report and a journal to go on from. */
import { basename, extname, resolve } from 'node:path'
import { InputError } from '../forecast/input-error.ts'
import {
  defaultSpace,
  type ForecasterSpace,
  type TuneForecasterOptions,
  tuneForecaster,
} from '../forecast/tune.ts'
import { reportOfTuning } from '../forecast/tune-report.ts'
import { missingText, seriesText } from '../forecast/wording.ts'
import { interruptible } from './interruption.ts'
import { requireDistinct, requireWritable, writeText } from './outputs.ts'
import { readSeries, type SeriesFlags, sortFlags } from './series.ts'
import { scoresJson, scoresText } from './summary.ts'
import { count, duration, type Terminal, textTable } from './terminal.ts'

export type TuneFlags = SeriesFlags &
  Partial<ForecasterSpace> &
  Omit<TuneForecasterOptions, 'periods' | 'signal' | 'onTrial' | 'space' | 'onEpoch' | 'onBatch'>

export async function tune(csv: string, flags: TuneFlags, terminal: Terminal): Promise<void> {
  const { columns, files, json, options: searched } = sortFlags(flags)
  const { hidden, layers, learningRate, dropout, ...options } = searched
  const { output = `${basename(csv, extname(csv))}.safetensors` } = files
  const stem = output.slice(0, output.length - extname(output).length)
  const { report = `${stem}.tune.html` } = files
  const { journal = `${stem}.tune.jsonl` } = options
  const all = await readSeries(csv, columns, flags)
  requireDistinct({ csv, output, report, journal })
  for (const path of [output, report, journal]) await requireWritable(path)

  const given = { hidden, layers, learningRate, dropout }
  const space = Object.fromEntries(Object.entries(given).filter(([, range]) => range !== undefined))
  const began = performance.now()
  let hasBegun = false
  const search = (signal: AbortSignal) =>
    tuneForecaster(all, {
      ...options,
      space: { ...defaultSpace, ...space },
      journal,
      signal,
      onStart() {
        // Of the first trial: whatever can be refused has been.
        if (!hasBegun) terminal.error(`${seriesText(all)}; missing values: ${missingText(all)}\n`)
        hasBegun = true
      },
      onTrial({ trial, configuration, results }) {
        const { loss, seconds, resource, error } = results.at(-1)!
        const values = Object.entries(configuration).map(([name, value]) => `${name} ${short(value)}`)
        const verdict = error === undefined ? `loss ${loss.toFixed(5)}` : `failed: ${error}`
        terminal.error(
          `trial ${trial}  ${values.join('  ')}  epochs ${Math.round(resource)}  ${verdict}  ${duration(seconds)}\n`,
        )
      },
    })
  const tuned = await interruptible(search, {
    reason: new InputError(`interrupted; the same command goes on from ${journal}`),
    onInterrupt: () => terminal.error('\nstopping after the step in progress\n'),
  })
  const { best, trials, rungs, resumed, result } = tuned
  const { evaluations } = result
  await result.forecaster.save(output)
  await writeText(report, await reportOfTuning(all, tuned))
  const seconds = (performance.now() - began) / 1000
  if (json) {
    const document = {
      model: resolve(output),
      report: resolve(report),
      journal: resolve(journal),
      best,
      rungs,
      trials,
      resumed,
      seconds,
      evaluations: scoresJson(evaluations),
    }
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  const rows = trials.slice(0, 10).map(({ trial, configuration, results }) => {
    const { resource, loss } = results.at(-1)!
    const values = Object.values(configuration).map(short)
    return [String(trial), ...values, String(Math.round(resource)), loss.toFixed(5)]
  })
  const head = ['trial', ...Object.keys(best.configuration), 'epochs', 'validation loss']
  terminal.out(
    `${count(trials.length)} configurations in ${rungs.length} rungs, ${count(resumed)} results from the journal, ${duration(seconds)}\n\n` +
      `${textTable([head, ...rows])}\nThe best one on the rows that the search has not seen:\n${scoresText(evaluations)}\n` +
      `model    ${resolve(output)}\nreport   ${resolve(report)}\njournal  ${resolve(journal)}\n`,
  )
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
