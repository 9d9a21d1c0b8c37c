/** `lstm tune`: searches the options of `lstm train`, and writes the best forecaster, a report and a journal to go on from. */
import { basename, extname, resolve } from 'node:path'
import { InputError } from '../forecast/input-error.ts'
import { seriesOf } from '../forecast/series.ts'
import { readTable } from '../forecast/table.ts'
import {
  defaultSpace,
  type ForecasterSpace,
  type TuneForecasterOptions,
  tuneForecaster,
} from '../forecast/tune.ts'
import { reportOfTuning } from '../forecast/tune-report.ts'
import {
  missingText,
  requireDistinct,
  requireWritable,
  scoreJson,
  scoreText,
  seriesText,
  writeText,
} from './summary.ts'
import { count, duration, type Terminal, textTable } from './terminal.ts'

export interface TuneFlags
  extends Omit<TuneForecasterOptions, 'periods' | 'signal' | 'onTrial' | 'space' | 'onEpoch' | 'onBatch'>,
    Partial<ForecasterSpace> {
  target: string
  covariates?: string[]
  date?: string
  missingIndicator?: boolean
  period?: number[]
  output?: string
  report?: string
  json?: boolean
}

export async function tune(csv: string, flags: TuneFlags, terminal: Terminal): Promise<void> {
  const {
    target,
    covariates,
    date,
    missingIndicator,
    period,
    json,
    output: asked,
    report: askedReport,
    ...rest
  } = flags
  const { hidden, layers, learningRate, dropout, journal: askedJournal, ...options } = rest
  const output = asked ?? `${basename(csv, extname(csv))}.safetensors`
  const stem = output.slice(0, output.length - extname(output).length)
  const report = askedReport ?? `${stem}.tune.html`
  const journal = askedJournal ?? `${stem}.tune.jsonl`
  const series = seriesOf(await readTable(csv), { target, covariates, date, missingIndicator })
  const paths = { csv, output, report, journal }
  requireDistinct(paths)
  for (const path of [output, report, journal]) await requireWritable(path)

  const given = { hidden, layers, learningRate, dropout }
  const space = Object.fromEntries(Object.entries(given).filter(([, range]) => range !== undefined))
  const interruption = new AbortController()
  const onInterrupt = () => {
    interruption.abort(new InputError(`interrupted; the same command goes on from ${journal}`))
    terminal.error('\nstopping after the step in progress\n')
  }
  process.once('SIGINT', onInterrupt)
  terminal.error(`${seriesText(series)}; missing values: ${missingText(series)}\n`)
  const began = performance.now()
  let tuned: Awaited<ReturnType<typeof tuneForecaster>>
  try {
    tuned = await tuneForecaster(series, {
      ...options,
      space: { ...defaultSpace, ...space },
      periods: period,
      journal,
      signal: interruption.signal,
      onTrial({ trial, configuration, results }) {
        const { loss, seconds, resource, error } = results.at(-1)!
        const values = Object.entries(configuration).map(([name, value]) => `${name} ${short(value)}`)
        const verdict = error === undefined ? `loss ${loss.toFixed(5)}` : `failed: ${error}`
        terminal.error(
          `trial ${trial}  ${values.join('  ')}  epochs ${Math.round(resource)}  ${verdict}  ${duration(seconds)}\n`,
        )
      },
    })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
  const { best, trials, rungs, resumed, result } = tuned
  await result.forecaster.save(output)
  await writeText(report, await reportOfTuning(series, tuned))
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
      evaluation: scoreJson(result.evaluations[0]),
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
      `${textTable([head, ...rows])}\nThe best one on the rows that the search has not seen:\n${scoreText(result.evaluations[0])}\n` +
      `model    ${resolve(output)}\nreport   ${resolve(report)}\njournal  ${resolve(journal)}\n`,
  )
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
