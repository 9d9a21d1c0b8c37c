/** `lstm predict`: the forecast of the rows after the end of a series, as CSV or JSON. */
import { labelsAfter } from '../forecast/dates.ts'
import { Forecaster } from '../forecast/forecaster.ts'
import { readTable } from '../forecast/table.ts'
import { requireWritable, writeText } from './summary.ts'
import type { Terminal } from './terminal.ts'

export async function predict(
  model: string,
  csv: string,
  { output, json }: { output?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const forecaster = await Forecaster.load(model)
  const { columns, quantiles, horizon } = forecaster.settings
  const [target] = columns.targets
  const series = forecaster.seriesOf(await readTable(csv))
  if (output) await requireWritable(output)
  const { point, forecasts } = forecaster.next(series)
  const labels = series.dateColumn ? labelsAfter(series.labels, horizon) : numbersAfter(series.rows, horizon)
  const Q = quantiles.length
  const rows = labels.map((label, step) => ({
    [series.dateColumn ?? 'row']: label,
    [target]: point[step],
    ...Object.fromEntries(quantiles.map((q, i) => [`q${q}`, forecasts.values[step * Q + i]])),
  }))
  const text = json
    ? `${JSON.stringify({ model, file: csv, target, forecast: rows }, undefined, 2)}\n`
    : [Object.keys(rows[0]), ...rows.map(Object.values)]
        .map((cells) => `${cells.map(csvCell).join(',')}\n`)
        .join('')
  if (output) await writeText(output, text)
  else terminal.out(text)
}

function numbersAfter(rows: number, horizon: number): string[] {
  return Array.from({ length: horizon }, (_, step) => String(rows + step + 1))
}

/** A cell of RFC 4180: quoted where it must be. */
function csvCell(value: string | number): string {
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
