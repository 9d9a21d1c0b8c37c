/** The pictures of a forecaster's report. Loaded only by whoever draws. */
import type { Mark, Scale } from 'vega'
import { type ChartSize, lineChart, sizes } from '../report/charts.ts'
import { areaOf, draw, legend, legendScale, lineOf, titleOf, xAxis, yAxis } from '../report/drawing.ts'
import { instant, looksLikeDate } from './dates.ts'
import { band, type Evaluation, pointForecast } from './evaluation.ts'
import type { Score } from './metrics.ts'

/** Rows drawn at most: more would be a blot. */
const longestView = { full: 600, half: 300 }

/**
 * The truth, and over it forecasts that follow one another without overlap, each with its band, up to the end of the
 * held-out part; then, if given, the forecast beyond the end of the data.
 */
export async function forecastChart(
  { forecasts, truth }: Pick<Evaluation, 'forecasts' | 'truth'>,
  options: { labels: readonly string[]; title: string; future?: Future; size?: ChartSize },
): Promise<string> {
  const { labels, title, future, size = 'full' } = options
  const { horizon, origins } = forecasts
  const isDated = labels.every(looksLikeDate) && (future?.labels.every(looksLikeDate) ?? true)
  const at = (label: string, row: number) => (isDated ? instant(label) : row + 1)
  const end = origins.at(-1)! + horizon
  const begin = Math.max(origins[0], end - longestView[size])

  const known = new Map<number, number>()
  for (const [n, origin] of origins.entries()) {
    for (let step = 0; step < horizon; step++) known.set(origin + step, truth[n * horizon + step])
  }
  const truths = [...known]
    .filter(([row]) => row >= begin)
    .sort(([a], [b]) => a - b)
    .map(([row, value]) => ({ x: at(labels[row], row), y: value }))

  const point = pointForecast(forecasts)
  const edges = band(forecasts)
  const steps: Step[] = []
  for (const n of withoutOverlap(origins, horizon)) {
    if (origins[n] < begin) continue
    for (let step = 0; step < horizon; step++) {
      const i = n * horizon + step
      const row = origins[n] + step
      const edge = edges ? { lower: edges.lower[i], upper: edges.upper[i] } : {}
      steps.push({ x: at(labels[row], row), y: point[i], part: n, ...edge })
    }
  }
  for (const [step, label] of (future?.labels ?? []).entries()) {
    const edge = future!.band ? { lower: future!.band.lower[step], upper: future!.band.upper[step] } : {}
    steps.push({ x: at(label, labels.length + step), y: future!.point[step], part: -1, ...edge })
  }

  const share = (quantile: number) => `${Math.round(quantile * 100)}`
  const bandName = `${share(forecasts.quantiles[0])}–${share(forecasts.quantiles.at(-1)!)} % band`
  const names = ['truth', 'forecast', ...(edges ? [bandName] : [])]
  const parts: Mark = {
    type: 'group',
    from: { facet: { name: 'part', data: 'forecasts', groupby: 'part' } },
    marks: [
      ...(edges ? [areaOf('part', 'var(--accent)')] : []),
      lineOf('part', { colour: 'var(--accent)', width: 1.8 }),
    ],
  }
  const time: Scale = isDated ? { name: 'x', type: 'utc' } : { name: 'x', type: 'linear', zero: false }
  return draw({
    ...sizes[size],
    data: [
      { name: 'truth', values: truths },
      { name: 'forecasts', values: steps },
    ],
    scales: [
      {
        ...time,
        range: 'width',
        domain: { fields: ['truth', 'forecasts'].map((data) => ({ data, field: 'x' })) },
      },
      {
        name: 'y',
        range: 'height',
        nice: true,
        zero: false,
        domain: {
          fields: [
            { data: 'truth', field: 'y' },
            ...(edges ? ['lower', 'upper'] : ['y']).map((field) => ({ data: 'forecasts', field })),
          ],
        },
      },
      legendScale('colour', names, ['var(--ink)', 'var(--accent)', 'var(--accent)']),
      { name: 'strength', type: 'ordinal', domain: names, range: [1, 1, 0.3] },
    ],
    axes: [{ ...xAxis, tickCount: size === 'full' ? 8 : 5 }, yAxis],
    legends: [{ ...legend, stroke: 'colour', opacity: 'strength' }],
    title: titleOf(title),
    marks: [parts, lineOf('truth', { colour: 'var(--ink)', width: 1.1 })],
  })
}

/** Positions of origins at least a horizon apart, counted from the last, so that the view is full up to its end. */
function withoutOverlap(origins: readonly number[], horizon: number): number[] {
  const chosen: number[] = []
  let end = Number.POSITIVE_INFINITY
  for (let n = origins.length - 1; n >= 0; n--) {
    if (origins[n] + horizon > end) continue
    chosen.unshift(n)
    end = origins[n]
  }
  return chosen
}

/** A forecast beyond the last row. */
export interface Future {
  labels: readonly string[]
  point: Float64Array
  band?: { lower: Float64Array; upper: Float64Array }
}

/** Loss of training and validation over the epochs, with the epoch whose parameters were kept. */
export async function learningChart(
  epochs: readonly { number: number; loss: number; validationLoss?: number }[],
  { best }: { best?: number },
): Promise<string> {
  const lines = [
    { name: 'training', points: epochs.map(({ number, loss }) => ({ x: number, y: loss })) },
    {
      name: 'validation',
      points: epochs.flatMap(({ number, validationLoss: y }) => (y === undefined ? [] : [{ x: number, y }])),
    },
  ]
  return lineChart({
    title: 'Loss by epoch',
    lines,
    x: { format: 'd' },
    mark: best,
    colours: ['var(--second)', 'var(--accent)'],
    size: 'half',
  })
}

/**
 * The mean absolute error at each step of the horizon, for the model and the baselines; of several evaluations the mean of the
 * scaled ones, for the model and the baselines that all of them have.
 */
export async function stepChart(evaluations: readonly Pick<Evaluation, 'scores'>[]): Promise<string> {
  const isOne = evaluations.length === 1
  const [{ scores: first }] = evaluations
  const lines = first.flatMap(({ name }) => {
    const all = evaluations.flatMap(({ scores }) => scores.filter((each) => each.name === name))
    if (all.length < evaluations.length) return []
    const steps = all.map((score) => (isOne ? score.maeByStep : scaledByStep(score)))
    const mean = (step: number) => steps.reduce((sum, each) => sum + each[step], 0) / steps.length
    return [{ name, points: steps[0].map((_, step) => ({ x: step + 1, y: mean(step) })) }]
  })
  return lineChart({
    title: isOne ? 'Mean absolute error by step ahead' : 'Mean scaled error by step ahead',
    lines,
    x: { format: 'd' },
    y: { zero: true },
    size: 'half',
  })
}

/** The error of each step in the unit of MASE. */
function scaledByStep({ mae, mase, maeByStep }: Score): number[] {
  return maeByStep.map((error) => (mae > 0 ? (error * mase) / mae : 0))
}

interface Step {
  x: number
  y: number
  part: number
  lower?: number
  upper?: number
}
