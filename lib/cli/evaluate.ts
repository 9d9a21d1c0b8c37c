/** `lstm evaluate`: the scores of a saved forecaster on the end of its series. */
import { resolve } from 'node:path'
import { Forecaster } from '../forecast/forecaster.ts'
import { reportOfEvaluation } from '../forecast/run-report.ts'
import { readTable } from '../forecast/table.ts'
import { heldOutFrom } from '../forecast/windows.ts'
import { seriesText } from '../forecast/wording.ts'
import { requireWritable, writeText } from './outputs.ts'
import { scoresJson, scoresText } from './summary.ts'
import { count, type Terminal } from './terminal.ts'

export async function evaluate(
  model: string,
  csv: string,
  { test, report, json }: { test?: number; report?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const forecaster = await Forecaster.load(model)
  const { settings } = forecaster
  const { horizon } = settings
  const all = forecaster.seriesOf(await readTable(csv))
  if (report) await requireWritable(report)
  const parts = all.map((series) => ({
    series,
    // A share of 1 is every row.
    from: test === 1 ? 0 : heldOutFrom(series.rows, { test: test ?? settings.test, horizon }),
  }))
  const scored = parts.filter(({ series, from }) => forecaster.origins(series, { from }).length > 0)
  // Where no series has a row to be forecast from, the first says why.
  const chosen = scored.length > 0 ? scored : parts.slice(0, 1)
  const evaluations = chosen.flatMap(({ series, from }) => forecaster.evaluate(series, { from }))
  if (report) await writeText(report, await reportOfEvaluation(all, forecaster, evaluations))
  if (json) {
    const paths = { model, file: csv, report: report && resolve(report) }
    terminal.out(`${JSON.stringify({ ...paths, evaluations: scoresJson(evaluations) }, undefined, 2)}\n`)
    return
  }
  const [{ forecasts }] = evaluations
  const first = all.length === 1 ? `, the first from ${all[0].labels[forecasts.origins[0]]}` : ''
  const left = all.length - chosen.length
  const short = left > 0 ? `${count(left)} of ${count(all.length)} series have no rows to be scored on\n` : ''
  const total = evaluations
    .filter(({ target }) => target === settings.columns.targets[0])
    .reduce((sum, { forecasts: { origins } }) => sum + origins.length, 0)
  terminal.out(
    `${seriesText(all)}\n${short}${count(total)} forecasts of ${horizon} rows${first}:\n${scoresText(evaluations)}` +
      `${report ? `\nreport  ${resolve(report)}\n` : ''}`,
  )
}
