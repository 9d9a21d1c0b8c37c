/** The lowest temperature of each day in Melbourne, 1981 to 1990, with the season, and the linear forecast to compare with. */
import { DataError } from 'lstm-native'
import { makeSeries, type Series } from 'lstm-native/forecast'
import { applied, leastSquares, readColumns } from '../support/series.ts'

export const file = 'series/daily-min-temperatures.csv'
/** Days held out: the last year. */
export const heldOut = 365

/** @throws {DataError} if the file is cut off, has other columns, or a temperature no place on earth has */
export async function readTemperatures(path: string, least: number): Promise<Series> {
  const { table, values } = await readColumns(path, { columns: ['Temp'], least })
  const temperature = values.get('Temp')!
  const odd = temperature.findIndex((value) => !(Math.abs(value) <= 60))
  if (odd >= 0) {
    throw new DataError({
      file: path,
      place: `line ${table.lines[odd]}`,
      expected: 'a temperature in °C',
      got: String(temperature[odd]),
    })
  }
  const dates = table.columns.get('Date')
  const angles = (dates ?? []).map((date, row) => {
    const day = Date.parse(date)
    if (Number.isNaN(day)) {
      throw new DataError({
        file: path,
        place: `line ${table.lines[row]}`,
        expected: 'a date',
        got: `"${date}"`,
      })
    }
    return (2 * Math.PI * (day - Date.UTC(new Date(day).getUTCFullYear(), 0, 1))) / (365.25 * 86_400_000)
  })
  if (!dates) {
    throw new DataError({
      file: path,
      expected: 'a column "Date"',
      got: `the columns ${table.header.join(', ')}`,
    })
  }
  return makeSeries({
    name: 'temperatures',
    targets: { temperature },
    known: { sine: angles.map(Math.sin), cosine: angles.map(Math.cos) },
    labels: dates,
  })
}

/** A linear autoregression on the 30 days before and the season, fitted by least squares on the rows before `from`. */
export function linearForecast({ values: [temperature, sine, cosine] }: Series, from: number): Float64Array {
  const lags = 30
  const features = (day: number) => [
    1,
    sine[day],
    cosine[day],
    ...Array.from({ length: lags }, (_, lag) => temperature[day - 1 - lag]),
  ]
  const days = Array.from({ length: from - lags }, (_, i) => lags + i)
  const weights = leastSquares(
    days.map(features),
    days.map((day) => temperature[day]),
  )
  return temperature.slice(from).map((_, i) => applied(weights, features(from + i)))
}
