/**
 * The report's pictures, as Vega specifications drawn to SVG text without a browser. Colours are the CSS variables of
 * `palette`, so that one picture serves a light and a dark page. Loaded only by whoever draws.
 */
import { type Config, type Data, type Mark, parse, type Scale, type Spec, View } from 'vega'
import { looksLikeDate } from './dates.ts'
import { band, type Evaluation, pointForecast } from './evaluation.ts'

/** Rows drawn at most: more would be a blot. */
const longestView = 600

/**
 * The truth, and over it forecasts that follow one another without overlap, each with its band, up to the end of the
 * held-out part; then, if given, the forecast beyond the end of the data.
 */
export async function forecastChart(
  { forecasts, truth }: Pick<Evaluation, 'forecasts' | 'truth'>,
  { labels, title, future }: { labels: readonly string[]; title: string; future?: Future },
): Promise<string> {
  const { horizon, origins } = forecasts
  const isDated = labels.every(looksLikeDate) && (future?.labels.every(looksLikeDate) ?? true)
  const at = (label: string, row: number) => (isDated ? Date.parse(label.replace(' ', 'T')) : row + 1)
  const end = origins.at(-1)! + horizon
  const begin = Math.max(origins[0], end - longestView)

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
    width: 860,
    height: 300,
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
    axes: [{ ...xAxis, tickCount: 8 }, yAxis],
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
  const series = [
    { name: 'training', points: epochs.map(({ number, loss }) => ({ x: number, y: loss })) },
    {
      name: 'validation',
      points: epochs.flatMap(({ number, validationLoss: y }) => (y === undefined ? [] : [{ x: number, y }])),
    },
  ]
  const mark: Mark = {
    type: 'rule',
    encode: {
      enter: {
        x: { scale: 'x', value: best ?? 0 },
        y: { value: 0 },
        y2: { signal: 'height' },
        stroke: { value: 'var(--muted)' },
        strokeDash: { value: [2, 3] },
      },
    },
  }
  const colours = ['var(--second)', 'var(--accent)']
  return linesChart(series, { title: 'Loss by epoch', colours, marks: best ? [mark] : [] })
}

/** The mean absolute error at each step of the horizon, for the model and the baselines. */
export async function stepChart({ scores }: Pick<Evaluation, 'scores'>): Promise<string> {
  const series = scores.map(({ name, maeByStep }) => ({
    name,
    points: maeByStep.map((y, step) => ({ x: step + 1, y })),
  }))
  const colours = ['var(--accent)', 'var(--second)', 'var(--third)', 'var(--ink)', 'var(--muted)']
  return linesChart(series, { title: 'Mean absolute error by step ahead', colours, zero: true })
}

interface Step {
  x: number
  y: number
  part: number
  lower?: number
  upper?: number
}

interface Line {
  name: string
  points: readonly { x: number; y: number }[]
}

async function linesChart(
  lines: readonly Line[],
  options: { title: string; colours: readonly string[]; zero?: boolean; marks?: readonly Mark[] },
): Promise<string> {
  const { title, colours, zero = false, marks = [] } = options
  const present = lines.filter(({ points }) => points.length > 0)
  const data: Data[] = present.map(({ points }, i) => ({ name: `line${i}`, values: [...points] }))
  const fields = (field: string) => data.map(({ name }) => ({ data: name, field }))
  const isShort = present.every(({ points }) => points.length === 1)
  return draw({
    width: 410,
    height: 230,
    data,
    scales: [
      { name: 'x', type: 'linear', zero: false, range: 'width', domain: { fields: fields('x') } },
      { name: 'y', type: 'linear', zero, nice: true, range: 'height', domain: { fields: fields('y') } },
      legendScale(
        'colour',
        present.map(({ name }) => name),
        colours,
      ),
    ],
    axes: [{ ...xAxis, format: 'd', tickMinStep: 1, tickCount: 6 }, yAxis],
    legends: [{ ...legend, stroke: 'colour', columns: present.length > 3 ? 2 : 0 }],
    title: titleOf(title),
    marks: [
      ...marks,
      ...present.map((_, i) => lineOf(`line${i}`, { colour: colours[i % colours.length], width: 1.8 })),
      ...(isShort ? present.map((_, i) => dotOf(`line${i}`, colours[i % colours.length])) : []),
    ],
  })
}

const xAxis = { orient: 'bottom' as const, scale: 'x', tickSize: 4, labelFlush: true, labelOverlap: true }
const yAxis = {
  orient: 'left' as const,
  scale: 'y',
  grid: true,
  domain: false,
  ticks: false,
  tickCount: 5,
}
const legend = {
  orient: 'top' as const,
  direction: 'horizontal' as const,
  offset: 6,
  symbolType: 'stroke',
  symbolSize: 200,
  columnPadding: 14,
}

function legendScale(name: string, domain: string[], colours: readonly string[]) {
  const range = domain.map((_, i) => colours[i % colours.length])
  return { name, type: 'ordinal' as const, domain, range }
}

function titleOf(text: string) {
  return { text, anchor: 'start' as const, offset: 10 }
}

function lineOf(data: string, { colour, width }: { colour: string; width: number }): Mark {
  return {
    type: 'line',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'y' },
        stroke: { value: colour },
        strokeWidth: { value: width },
        strokeJoin: { value: 'round' },
        strokeCap: { value: 'round' },
      },
    },
  }
}

function areaOf(data: string, colour: string): Mark {
  return {
    type: 'area',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'lower' },
        y2: { scale: 'y', field: 'upper' },
        fill: { value: colour },
        fillOpacity: { value: 0.18 },
      },
    },
  }
}

function dotOf(data: string, colour: string): Mark {
  return {
    type: 'symbol',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'y' },
        fill: { value: colour },
        size: { value: 30 },
      },
    },
  }
}

const font = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'

const config: Config = {
  title: { font, fontSize: 13, fontWeight: 600, color: 'var(--ink)' },
  axis: {
    labelFont: font,
    labelFontSize: 11,
    labelColor: 'var(--muted)',
    labelPadding: 6,
    gridColor: 'var(--faint)',
    domainColor: 'var(--muted)',
    tickColor: 'var(--muted)',
  },
  legend: {
    labelLimit: 0,
    symbolStrokeWidth: 3,
    labelFont: font,
    labelFontSize: 11.5,
    labelColor: 'var(--ink)',
    labelOffset: 5,
  },
}

async function draw(spec: Spec): Promise<string> {
  const view = new View(
    parse({
      padding: { left: 0, right: 8, top: 4, bottom: 4 },
      autosize: { type: 'fit', contains: 'padding' },
      config,
      ...spec,
    }),
    {
      renderer: 'none',
    },
  )
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
