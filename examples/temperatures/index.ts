/**
 * Forecasts the lowest temperature of the next day from the thirty before it and the season:
 * `npm run recipe -- temperatures`.
 */
import { persistence, pointForecast, rootMeanSquare, trainForecaster } from 'lstm-native/forecast'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { file, heldOut, linearForecast, readTemperatures } from './data.ts'

export const recipe: Recipe = {
  name: 'temperatures',
  title: 'Daily minimum temperatures: the next day, over a year not seen',
  comparisons: [
    {
      name: 'persistence, linear autoregression',
      value: 'in the table of errors',
      source: 'computed in this run, on the same days',
    },
  ],
  files: [file],
  seeds: [1, 2, 3],
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, seeds, signal, log } = context
  const series = await readTemperatures(context.path(file), quick ? 1000 : 3650)
  const from = series.rows - heldOut
  const days = Array.from({ length: heldOut }, (_, i) => from + i)
  const truth = series.values[0].slice(from)
  const forecasts: Float64Array[] = []
  for (const seed of seeds) {
    const { forecaster, bestEpoch } = await trainForecaster(series, {
      horizon: 1,
      input: 30,
      head: 'mean',
      hidden: 16,
      learningRate: 0.001,
      epochs: quick ? 12 : 60,
      patience: 15,
      batchSize: quick ? 16 : 64,
      validation: heldOut,
      test: heldOut,
      periods: [],
      seed,
      signal,
    })
    const forecast = pointForecast(forecaster.forecast(series, days))
    log(`seed ${seed}: RMSE ${rootMeanSquare(forecast, truth).toFixed(3)}, kept epoch ${bestEpoch}`)
    forecasts.push(forecast)
  }
  const errors = forecasts.map((forecast) => rootMeanSquare(forecast, truth))
  const mean = truth.map((_, i) => forecasts.reduce((sum, each) => sum + each[i], 0) / forecasts.length)
  const last = days.map((day) => persistence(series.values[0], day, { horizon: 1 })[0])
  const linear = linearForecast(series, from)
  const linearError = rootMeanSquare(linear, truth)
  const lastError = rootMeanSquare(last, truth)
  const rows: [string, number][] = [
    ...errors.map((error, i): [string, number] => [`LSTM, seed ${seeds[i]}`, error]),
    ['mean of these forecasts', rootMeanSquare(mean, truth)],
    ['linear autoregression, 30 days and season', linearError],
    ['persistence', lastError],
  ]
  const date = (i: number) => Date.parse(series.labels[from + i])
  return {
    figures: [
      {
        name: 'RMSE, worst seed',
        value: Math.max(...errors),
        unit: '°C',
        atMost: quick ? 2.6 : 2.2,
        digits: 3,
      },
      { name: 'RMSE of a linear autoregression', value: linearError, unit: '°C', digits: 3 },
      { name: 'RMSE of persistence', value: lastError, unit: '°C', digits: 3 },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          'Each day of the last year is forecast from the thirty days before it; the network learns the difference to the day ' +
            'before, and knows the season of the day it forecasts as sine and cosine. The year before the last chooses the epoch.',
        ],
      },
      {
        kind: 'lines',
        title: 'The year not seen, °C',
        lines: [
          { name: 'truth', points: [...truth].map((y, i) => ({ x: date(i), y })) },
          { name: 'forecast of the day before', points: [...mean].map((y, i) => ({ x: date(i), y })) },
        ],
        colours: ['var(--ink)', 'var(--accent)'],
        x: { scale: 'time' },
      },
      {
        kind: 'table',
        title: `Errors over ${heldOut} days`,
        columns: ['forecast', 'RMSE, °C'],
        rows: rows.map(([name, error]) => [name, error.toFixed(3)]),
      },
    ],
  }
}
