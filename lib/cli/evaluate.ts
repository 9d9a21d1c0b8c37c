/** `lstm evaluate`: the scores of a saved forecaster on the end of a series. */
import { resolve } from 'node:path'
import { Forecaster } from '../forecast/forecaster.ts'
import { reportOfEvaluation } from '../forecast/run-report.ts'
import { readTable } from '../forecast/table.ts'
import { requireWritable, scoreJson, scoreText, seriesText, writeText } from './summary.ts'
import { count, type Terminal } from './terminal.ts'

export async function evaluate(
  model: string,
  csv: string,
  { test, report, json }: { test?: number; report?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const forecaster = await Forecaster.load(model)
  const { settings } = forecaster
  const series = forecaster.seriesOf(await readTable(csv))
  if (report) await requireWritable(report)
  const rows = Math.max(Math.round(series.rows * (test ?? settings.test)), settings.horizon)
  const [evaluation] = forecaster.evaluate(series, { from: Math.max(0, series.rows - rows) })
  if (report) await writeText(report, await reportOfEvaluation(series, forecaster, evaluation))
  if (json) {
    const document = { model, file: csv, ...scoreJson(evaluation), report: report && resolve(report) }
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  const { origins, horizon } = evaluation.forecasts
  terminal.out(
    `${seriesText(series)}\n${count(origins.length)} forecasts of ${horizon} rows, the first from ` +
      `${series.labels[origins[0]]}:\n${scoreText(evaluation)}${report ? `\nreport  ${resolve(report)}\n` : ''}`,
  )
}
