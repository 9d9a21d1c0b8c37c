/** `lstm predict`: the forecast of the rows after the end of a series, or of each of several, as CSV or JSON. */
import { type Forecasts, forecastsOf, pointForecast } from '../forecast/evaluation.ts'
import { Forecaster } from '../forecast/forecaster.ts'
import { keyOf, nextLabels, type Series } from '../forecast/series.ts'
import { readTable } from '../forecast/table.ts'
import { requireWritable, writeText } from './outputs.ts'
import type { Terminal } from './terminal.ts'

/** A row of the forecast: names and values in the order of the columns. */
type Row = readonly (readonly [name: string, value: string | number])[]

export async function predict(
  model: string,
  csv: string,
  { output, json }: { output?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const forecaster = await Forecaster.load(model)
  const all = forecaster.seriesOf(await readTable(csv))
  if (output) await requireWritable(output)
  const rows = all.flatMap((series) => rowsOf(series, forecaster))
  const { targets } = forecaster.settings.columns
  const document = { model, file: csv, targets, forecast: rows.map((row) => Object.fromEntries(row)) }
  const text = json ? `${JSON.stringify(document, undefined, 2)}\n` : csvOf(rows)
  if (output) await writeText(output, text)
  else terminal.out(text)
}

function rowsOf(series: Series, forecaster: Forecaster): Row[] {
  const { columns, horizon } = forecaster.settings
  const { forecasts } = forecaster.next(series)
  const isOne = columns.targets.length === 1
  const byTarget = columns.targets.map((target) => {
    const own = forecastsOf(forecasts, target)
    return { ...own, point: pointForecast(own) }
  })
  const group = columns.group === undefined ? [] : [[columns.group, keyOf(series)] as const]
  return nextLabels(series, horizon).map((label, step) => [
    ...group,
    [series.dateColumn ?? 'row', label],
    ...byTarget.flatMap((each) => valuesAt(each, step, { isOne })),
  ])
}

/** The point forecast of a step and its quantiles, which are named after their target where there are several. */
function valuesAt(
  { targets: [target], quantiles, values, point }: Forecasts & { point: Float64Array },
  step: number,
  { isOne }: { isOne: boolean },
): Row {
  const Q = quantiles.length
  return [
    [target, point[step]],
    ...quantiles.map((q, i) => [isOne ? `q${q}` : `${target}_q${q}`, values[step * Q + i]] as const),
  ]
}

function csvOf(rows: readonly Row[]): string {
  const lines = [rows[0].map(([name]) => name), ...rows.map((row) => row.map(([, value]) => value))]
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\n`).join('')
}

/** A cell of RFC 4180: quoted where it must be. */
function csvCell(value: string | number): string {
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
