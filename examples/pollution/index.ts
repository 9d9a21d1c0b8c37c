/** Forecasts Beijing's PM2.5 one hour ahead from a day of it and of the weather: `npm run recipe -- pollution`. */
import { pointForecast, rootMeanSquare, trainForecaster } from 'lstm-native/forecast'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { comparableHours, file, linearForecast, readPollution } from './data.ts'

export const recipe: Recipe = {
  name: 'pollution',
  title: 'Beijing’s PM2.5 one hour ahead, with weather and gaps',
  comparisons: [
    {
      name: 'persistence, linear autoregression with weather',
      value: 'in the table of errors',
      source: 'computed in this run, on the same hours',
    },
  ],
  files: [file],
  seeds: [1, 2, 3],
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, seeds, signal, log } = context
  const series = await readPollution(context.path(file), quick ? 2400 : 43_824)
  const test = quick ? 600 : 8000
  const from = series.rows - test
  const hours = comparableHours(series, from)
  const [particles] = series.values
  const truth = hours.map((hour) => particles[hour])
  const errorOf = (forecast: ArrayLike<number>) => rootMeanSquare(forecast, truth)

  const forecasts: Float64Array[] = []
  for (const seed of seeds) {
    const { forecaster, bestEpoch } = await trainForecaster(series, {
      horizon: 1,
      input: 24,
      head: 'mean',
      hidden: 32,
      learningRate: quick ? 0.003 : 0.001,
      epochs: quick ? 5 : 6,
      batchSize: quick ? 32 : 128,
      validation: quick ? 300 : 6000,
      test,
      periods: [],
      seed,
      signal,
      onEpoch: ({ number, validationLoss }) =>
        log(`seed ${seed}, epoch ${number}: validation ${validationLoss?.toFixed(4)}`),
    })
    forecasts.push(pointForecast(forecaster.forecast(series, hours)))
    log(`seed ${seed}: RMSE ${errorOf(forecasts.at(-1)!).toFixed(3)}, kept epoch ${bestEpoch}`)
  }
  const last = errorOf(hours.map((hour) => particles[hour - 1]))
  const linear = errorOf(linearForecast(series, hours, from))
  const errors = forecasts.map(errorOf)
  const below = (error: number) => 100 * (1 - error / last)
  const shown = hours.slice(-500)
  const line = (name: string, values: ArrayLike<number>) => ({
    name,
    points: shown.map((hour, i) => ({
      x: Date.parse(`${series.labels[hour].replace(' ', 'T')}Z`),
      y: values[hours.length - shown.length + i],
    })),
  })
  return {
    figures: [
      {
        name: 'RMSE below persistence, worst seed',
        value: below(Math.max(...errors)),
        unit: '%',
        atLeast: quick ? -10 : 3,
      },
      { name: 'RMSE, worst seed', value: Math.max(...errors), unit: 'µg/m³' },
      { name: 'RMSE of a linear autoregression with weather', value: linear, unit: 'µg/m³' },
      { name: 'RMSE of persistence', value: last, unit: 'µg/m³' },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          `Each of the last ${test.toLocaleString('en-US')} hours is forecast from the 24 before it. A missing value is filled ` +
            'with the last one known, and flagged; a missing target is neither learned from nor scored. Scored are the ' +
            `${hours.length.toLocaleString('en-US')} hours that are known, as are the six before each, which the linear ` +
            'forecast needs.',
        ],
      },
      {
        kind: 'lines',
        title: 'The last hours, µg/m³',
        lines: [line('truth', truth), line('forecast of the hour before', forecasts[0])],
        colours: ['var(--ink)', 'var(--accent)'],
        x: { scale: 'time' },
      },
      {
        kind: 'table',
        title: 'Errors',
        columns: ['forecast', 'RMSE, µg/m³', 'below persistence'],
        rows: [
          ...errors.map((error, i): [string, number] => [`LSTM, seed ${seeds[i]}`, error]),
          ['linear autoregression, 6 hours and weather', linear] as [string, number],
          ['persistence', last] as [string, number],
        ].map(([name, error]) => [name, error.toFixed(2), `${below(error).toFixed(1)} %`]),
      },
    ],
  }
}
