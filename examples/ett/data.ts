/** ETTh1: load and oil temperature of an electricity transformer, hour by hour (Zhou et al. 2021), as seven series. */
import { DataError } from 'lstm-native'
import { makeSeries, type Series, scaleOf } from 'lstm-native/forecast'
import { readColumns } from '../support/series.ts'

export const file = 'series/ETTh1.csv'
export const variables = ['HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT']

/** Rows of the parts, and in all. */
export interface Parts {
  training: number
  validation: number
  test: number
}

/**
 * A series for each variable, standardised by its training part, with the hour and the weekday as covariates.
 *
 * @throws {DataError} if the file is cut off, hours are missing or out of order, or a value is missing
 */
export async function readTransformer(
  path: string,
  { training, validation, test }: Parts,
): Promise<Series[]> {
  const rows = training + validation + test
  const { table, values } = await readColumns(path, { columns: variables, least: rows })
  const dates = table.columns.get('date') ?? []
  const hours = dates.map((date) => Date.parse(`${date.replace(' ', 'T')}Z`) / 3_600_000)
  const odd = hours.findIndex((hour, row) => Number.isNaN(hour) || (row > 0 && hour !== hours[row - 1] + 1))
  if (odd >= 0 || dates.length === 0) {
    const [place, got] =
      odd < 0 ? ['line 1', 'no column "date"'] : [`line ${table.lines[odd]}`, `"${dates[odd]}"`]
    throw new DataError({ file: path, place, expected: 'dates, an hour from row to row', got })
  }
  const wave = (f: (angle: number) => number, period: number) =>
    hours.slice(0, rows).map((hour) => f((2 * Math.PI * hour) / period))
  return variables.map((name) => {
    const column = values.get(name)!.subarray(0, rows)
    const missing = column.findIndex(Number.isNaN)
    if (missing >= 0) {
      throw new DataError({
        file: path,
        place: `line ${table.lines[missing]}`,
        expected: `a number in "${name}"`,
        got: 'none',
      })
    }
    const { mean, deviation } = scaleOf(column.subarray(0, training))
    return makeSeries({
      name,
      targets: { load: column.map((value) => (value - mean) / deviation) },
      covariates: {
        'sine of the day': wave(Math.sin, 24),
        'cosine of the day': wave(Math.cos, 24),
        'sine of the week': wave(Math.sin, 168),
        'cosine of the week': wave(Math.cos, 168),
      },
      labels: dates.slice(0, rows),
    })
  })
}
