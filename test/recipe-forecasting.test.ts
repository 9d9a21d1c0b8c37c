/** What the forecasting recipes compute beside the network, and the wrong data that they refuse before training. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readTransformer } from '../examples/ett/data.ts'
import {
  comparableHours,
  linearForecast as linearPollution,
  readPollution,
} from '../examples/pollution/data.ts'
import { applied, leastSquares } from '../examples/support/series.ts'
import { linearForecast, readTemperatures } from '../examples/temperatures/data.ts'
import { DataError } from '../lib/errors.ts'
import { rootMeanSquare } from '../lib/forecast/metrics.ts'
import { Random } from '../lib/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'series-'))
afterAll(() => rmSync(folder, { recursive: true }))

const data = 'examples/data/series'
const parts = { training: 720, validation: 240, test: 240 }

/** A file of the examples with its lines changed. */
function changed(name: string, change: (lines: string[]) => string[]): string {
  const path = join(folder, name)
  writeFileSync(path, change(readFileSync(join(data, name), 'utf8').trimEnd().split(/\r?\n/)).join('\n'))
  return path
}

const replaced = (line: number, from: string | RegExp, to: string) => (lines: string[]) =>
  lines.map((text, i) => (i === line - 1 ? text.replace(from, to) : text))

const readers = {
  'daily-min-temperatures.csv': (path: string) => readTemperatures(path, 1000),
  'pollution.csv': (path: string) => readPollution(path, 2400),
  'ETTh1.csv': (path: string) => readTransformer(path, parts),
}
type Name = keyof typeof readers

describe('data that is wrong', () => {
  it.each<[string, Name, (lines: string[]) => string[], RegExp]>([
    [
      'cut off',
      'daily-min-temperatures.csv',
      (lines) => lines.slice(0, 900),
      /expected at least 1000 rows, got 899, the last on line 900; the file is cut off/,
    ],
    [
      'cut off within a row',
      'ETTh1.csv',
      (lines) => [...lines.slice(0, 700), lines[700].slice(0, 30)],
      /expected a table with the columns HUFL, .*, got .*701/,
    ],
    ['empty', 'pollution.csv', () => [], /expected a table .* got .*an empty file/],
    [
      'a header alone',
      'pollution.csv',
      (lines) => lines.slice(0, 1),
      /expected rows below the header, got none/,
    ],
    [
      'another column',
      'daily-min-temperatures.csv',
      replaced(1, 'Temp', 'Rain'),
      /expected a table with the columns Temp, got .*no column "Temp"/,
    ],
    [
      'a column without a number',
      'daily-min-temperatures.csv',
      (lines) => lines.map((line, i) => (i ? line.replace(/,.*/, ',NA') : line)),
      /column "Temp": expected numbers, got none/,
    ],
    [
      'a cell that is no number',
      'pollution.csv',
      replaced(50, /^\d+,\d+/, '1,MMXIV'),
      /row 49 \(line 50\), column "year": expected a finite number, got "MMXIV"/,
    ],
    [
      'a temperature in another unit',
      'daily-min-temperatures.csv',
      replaced(12, /,.*/, ',288.5'),
      /line 12: expected a temperature in °C, got 288.5/,
    ],
    [
      'a missing day',
      'daily-min-temperatures.csv',
      replaced(12, /^[^,]*/, 'yesterday'),
      /line 12: expected a date, got "yesterday"/,
    ],
    [
      'hours left out',
      'pollution.csv',
      (lines) => [...lines.slice(0, 100), ...lines.slice(101), lines[100]],
      /line 101: expected the hour after 2014-.*, got 2014-/,
    ],
    [
      'PM2.5 below 0',
      'pollution.csv',
      replaced(700, /^(([^,]*,){5})[^,]*/, '$1-4'),
      /line 700: expected PM2.5 of at least 0, got -4/,
    ],
    [
      'a wind from nowhere',
      'pollution.csv',
      replaced(9, /,(NW|NE|SE|cv),/, ',XX,'),
      /line 9: expected a wind of NW, NE, SE, cv, got XX/,
    ],
    [
      'hours out of order',
      'ETTh1.csv',
      (lines) => [lines[0], lines[2], lines[1], ...lines.slice(3)],
      /line 3: expected dates, an hour from row to row, got "2016-07-01 00:00:00"/,
    ],
    [
      'a value missing',
      'ETTh1.csv',
      replaced(5, /,[^,]*$/, ','),
      /line 5: expected a number in "OT", got none/,
    ],
  ])('%s is refused with a DataError', async (_, name, change, message) => {
    const path = changed(name, change)
    const reading = readers[name](path)
    await expect(reading).rejects.toThrow(message)
    await expect(reading).rejects.toBeInstanceOf(DataError)
    await expect(reading).rejects.toThrow(path)
  })
})

describe('the linear forecasts', () => {
  it('are least squares', () => {
    const random = new Random(1)
    const rows = Array.from({ length: 50 }, () => [1, random.normal(), random.normal()])
    const truth = [2, -1, 0.5]
    const weights = leastSquares(
      rows,
      rows.map((row) => applied(truth, row)),
    )
    for (const [i, weight] of weights.entries()) expect(weight).toBeCloseTo(truth[i], 10)
    // Features that repeat another, or are always 0, get no weight.
    const twice = rows.map(([one, x, y]) => [one, x, 2 * x, 0, y])
    const [a, b, c, d, e] = leastSquares(
      twice,
      rows.map((row) => applied(truth, row)),
    )
    for (const [i, weight] of [a, b, e].entries()) expect(weight).toBeCloseTo(truth[i], 10)
    expect([c, d]).toEqual([0, 0])
  })

  it('use no row they forecast, nor later ones, and beat persistence', async () => {
    const series = await readTemperatures(join(data, 'daily-min-temperatures.csv'), 1000)
    const from = series.rows - 365
    const forecast = linearForecast(series, from)
    const [temperature] = series.values
    const spoilt = {
      ...series,
      values: series.values.map((each, i) => (i ? each : each.map((v, t) => (t > from + 9 ? 99 : v)))),
    }
    expect(linearForecast(spoilt, from).slice(0, 11)).toEqual(forecast.slice(0, 11))
    const truth = temperature.slice(from)
    expect(rootMeanSquare(forecast, truth)).toBeLessThan(rootMeanSquare(temperature.slice(from - 1), truth))
  })

  it('of pollution score hours known with the six before them', async () => {
    const series = await readPollution(join(data, 'pollution.csv'), 2400)
    const [particles] = series.values
    const hours = comparableHours(series, 1800)
    for (const hour of hours) expect(particles.slice(hour - 6, hour + 1).some(Number.isNaN)).toBe(false)
    const truth = hours.map((hour) => particles[hour])
    const linear = rootMeanSquare(linearPollution(series, hours, 1800), truth)
    expect(linear).toBeLessThan(
      rootMeanSquare(
        hours.map((hour) => particles[hour - 1]),
        truth,
      ),
    )
  })
})
