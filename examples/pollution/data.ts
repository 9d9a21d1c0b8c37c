/** PM2.5 and weather at the US embassy in Beijing, hour by hour, 2010 to 2014 (Liang et al. 2015), with its gaps. */
import { DataError } from 'lstm-native'
import { makeSeries, type Series } from 'lstm-native/forecast'
import { applied, leastSquares, readColumns } from '../support/series.ts'

export const file = 'series/pollution.csv'
const weather = ['DEWP', 'TEMP', 'PRES', 'Iws', 'Is', 'Ir'] as const
const winds = ['NW', 'NE', 'SE', 'cv']

/** @throws {DataError} if the file is cut off, hours are missing or out of order, or PM2.5 is below 0 */
export async function readPollution(path: string, least: number): Promise<Series> {
  const columns = ['pm2.5', 'year', 'month', 'day', 'hour', ...weather]
  const { table, values } = await readColumns(path, { columns, least })
  const column = (name: string) => values.get(name)!
  const hours = Array.from({ length: table.rows }, (_, row) => {
    const [year, month, day, hour] = ['year', 'month', 'day', 'hour'].map((name) => column(name)[row])
    return Date.UTC(year, month - 1, day, hour)
  })
  const refuse = (row: number, expected: string, got: string): never => {
    throw new DataError({ file: path, place: `line ${table.lines[row]}`, expected, got })
  }
  const gap = hours.findIndex((hour, row) => row > 0 && hour - hours[row - 1] !== 3_600_000)
  if (gap > 0) {
    const [got, before] = [hours[gap], hours[gap - 1]].map((hour) => new Date(hour).toISOString())
    refuse(gap, `the hour after ${before}`, got)
  }
  const particles = column('pm2.5')
  const negative = particles.findIndex((value) => value < 0)
  if (negative >= 0) refuse(negative, 'PM2.5 of at least 0', String(particles[negative]))
  const directions = table.columns.get('cbwd') ?? []
  const stray = directions.findIndex((wind) => !winds.includes(wind))
  if (stray >= 0 || directions.length === 0)
    refuse(Math.max(stray, 0), `a wind of ${winds.join(', ')}`, directions[stray] ?? 'no column "cbwd"')

  const angle = (hour: number, period: number) => (2 * Math.PI * hour) / (period * 3_600_000)
  // One hour more than is measured: the one forecast beyond the end.
  const ahead = [...hours, hours.at(-1)! + 3_600_000]
  return makeSeries({
    name: 'pollution',
    targets: { particles },
    covariates: {
      ...Object.fromEntries(weather.map((name) => [name, column(name)])),
      // Wind adds up for as long as it blows, to hundreds.
      Iws: column('Iws').map(Math.log1p),
      ...Object.fromEntries(winds.map((wind) => [wind, directions.map((each) => Number(each === wind))])),
    },
    known: Object.fromEntries(
      [24, 24 * 365.25].flatMap((period) => [
        [`sine ${period}`, ahead.map((hour) => Math.sin(angle(hour, period)))],
        [`cosine ${period}`, ahead.map((hour) => Math.cos(angle(hour, period)))],
      ]),
    ),
    indicators: ['particles'],
    labels: hours.map((hour) => new Date(hour).toISOString().slice(0, 16).replace('T', ' ')),
  })
}

/** The hours from row `from` on that are known, as are the six before each. */
export function comparableHours({ values: [particles], rows }: Series, from: number): number[] {
  return Array.from({ length: rows - from }, (_, i) => from + i).filter(
    (hour) => hour >= 6 && !particles.subarray(hour - 6, hour + 1).some(Number.isNaN),
  )
}

/** A linear autoregression on six hours and the weather of the last one, by least squares on the hours before `from`. */
export function linearForecast(series: Series, hours: readonly number[], from: number): number[] {
  const [particles, ...others] = series.values
  // One wind less: all of them together are the constant. Hours of the day lie one row ahead.
  const weatherColumns = others.slice(0, weather.length + winds.length - 1)
  const clock = others.slice(weather.length + winds.length, weather.length + winds.length + 2)
  const features = (hour: number) => [
    1,
    ...particles.slice(hour - 6, hour),
    ...weatherColumns.map((column) => column[hour - 1]),
    ...clock.map((column) => column[hour]),
  ]
  const known = comparableHours(series, 0).filter((hour) => hour < from)
  const weights = leastSquares(
    known.map(features),
    known.map((hour) => particles[hour]),
  )
  return hours.map((hour) => applied(weights, features(hour)))
}
