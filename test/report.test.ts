/** The HTML report and its pictures: complete, self-contained, true to the numbers given. */
import { describe, expect, it } from 'vitest'
import { forecastChart, learningChart, stepChart } from '../lib/forecast/charts.ts'
import { evaluate, type Forecasts } from '../lib/forecast/evaluation.ts'
import { Forecaster } from '../lib/forecast/forecaster.ts'
import { renderReport } from '../lib/forecast/report.ts'
import { pictureOf } from '../lib/forecast/run-report.ts'
import { makeSeries } from '../lib/forecast/series.ts'
import { standaloneSvg } from '../lib/report/palette.ts'
import { Tensor } from '../lib/tensor.ts'

const rows = 60
const horizon = 4
const target = Float64Array.from({ length: rows }, (_, t) => 10 + 5 * Math.sin(t / 3))
const labels = Array.from({ length: rows }, (_, t) =>
  new Date(Date.UTC(2020, 0, 1 + t)).toISOString().slice(0, 10),
)
const origins = Array.from({ length: rows - horizon - 40 + 1 }, (_, n) => 40 + n)

/** Forecasts that miss the truth by `error`, with a band of ± 2. */
function forecastsWith(error: number): Forecasts {
  const values = origins.flatMap((origin) =>
    Array.from({ length: horizon }, (_, step) =>
      [-2, error, 2].map((offset) => target[origin + step] + offset),
    ).flat(),
  )
  return {
    horizon,
    targets: ['load'],
    quantiles: [0.1, 0.5, 0.9],
    origins,
    values: Float64Array.from(values),
  }
}

const evaluation = evaluate(forecastsWith(0.5), target, { periods: [7], scale: 1 })
const future = {
  labels: ['2020-03-01', '2020-03-02', '2020-03-03', '2020-03-04'],
  point: Float64Array.of(1, 2, 3, 4),
  band: { lower: Float64Array.of(0, 1, 2, 3), upper: Float64Array.of(2, 3, 4, 5) },
}
const content = {
  title: 'Load & <wind>, 4 days ahead',
  subtitle: 'load.csv: 60 rows',
  evaluations: [evaluation],
  pictures: [{ labels, future }],
  training: {
    epochs: [1, 2, 3].map((number) => ({ number, loss: 1 / number, validationLoss: 1.5 / number })),
    best: 3,
  },
  configuration: [{ title: 'Run', entries: [['back end', 'native "avx2"']] as const }],
}

/** The points of the paths whose stroke is this colour, one list a path. */
function pathsOf(svg: string, colour: string): number[][][] {
  return [...svg.matchAll(/<path[^>]*>/g)]
    .map(([path]) => path)
    .filter((path) => path.includes(`stroke="var(--${colour})"`) && path.includes('stroke-linecap="round"'))
    .map((path) => path.match(/ d="([^"]+)"/)![1])
    .map((d) =>
      d
        .slice(1)
        .split('L')
        .map((point) => point.split(',').map(Number)),
    )
}

describe('the evaluation', () => {
  it('scores the point forecast, its band, and every naive forecast from the same origins', () => {
    const [model, persistence, seasonal] = evaluation.scores
    // The offset of 0.5 is lost only in the last bits of sums of numbers near 10.
    expect(model.mae).toBeCloseTo(0.5, 12)
    expect(model.coverage).toBe(1)
    expect([persistence.name, seasonal.name]).toEqual(['persistence', 'seasonal naive (7)'])
    const step = (t: number) => Math.abs(target[t] - target[t - 1])
    const expected = origins.reduce((sum, origin) => sum + step(origin), 0) / origins.length
    expect(persistence.maeByStep[0]).toBeCloseTo(expected, 12)
    expect(evaluation.improvement).toBeCloseTo(1 - 0.5 / Math.min(persistence.mae, seasonal.mae), 12)
  })

  it('passes over seasons longer than what precedes the first origin', () => {
    const names = evaluate(forecastsWith(0), target, { periods: [40, 41], scale: 1 }).scores.map(
      ({ name }) => name,
    )
    expect(names).toEqual(['LSTM', 'persistence', 'seasonal naive (40)'])
  })
})

describe('the forecast’s picture', () => {
  it('shows the truth whole, and forecasts one after the other up to the end, then the future', async () => {
    const svg = await forecastChart(evaluation, { labels, title: 'Title', future })
    const [truth, ...rest] = pathsOf(svg, 'ink').filter((points) => points.length > 2)
    expect([truth.length, rest.length]).toEqual([20, 0])
    const forecasts = pathsOf(svg, 'accent').filter((points) => points.length > 2)
    expect(forecasts.map((points) => points.length)).toEqual([4, 4, 4, 4, 4, 4])
    const starts = forecasts.map(([[x]]) => x)
    expect(starts).toEqual(starts.toSorted((a, b) => a - b))
    // A forecast that misses by + 0.5 lies above the truth at every one of its points.
    const truthAt = new Map(truth.map(([x, y]) => [x, y]))
    for (const [x, y] of forecasts.slice(0, 5).flat()) expect(y).toBeLessThan(truthAt.get(x)!)
    expect(svg).toContain('10–90 % band')
  })

  it('counts rows where labels are no dates, and has no band for a single quantile', async () => {
    const single = {
      ...forecastsWith(0),
      quantiles: [0.5],
      values: target.slice(0, origins.length * horizon),
    }
    const svg = await forecastChart(
      { forecasts: single, truth: evaluation.truth },
      { labels: labels.map((_, i) => String(i + 1)), title: 'Title' },
    )
    expect(svg).toContain('>44</text>')
    expect(svg).not.toMatch(/band|fill-opacity/)
  })

  it('carries its own colours, light and dark, where it stands alone', async () => {
    const svg = standaloneSvg(await forecastChart(evaluation, { labels, title: 'Title' }))
    expect(svg).toMatch(/^<svg[^>]*><style>:root\{--ink:#[0-9a-f]{6};.*@media\(prefers-color-scheme:dark\)/)
    const used = new Set([...svg.matchAll(/var\(--(\w+)\)/g)].map((match) => match[1]))
    expect([...used].filter((name) => !svg.includes(`--${name}:#`))).toEqual([])
  })
})

describe('the learning curves and errors by step', () => {
  it('have a line for each loss, and a mark at the epoch whose parameters were kept', async () => {
    const svg = await learningChart(content.training.epochs, content.training)
    expect(pathsOf(svg, 'second').filter((points) => points.length === 3)).toHaveLength(1)
    expect(pathsOf(svg, 'accent').filter((points) => points.length === 3)).toHaveLength(1)
    expect(svg).toContain('stroke-dasharray')
    expect(await learningChart(content.training.epochs, {})).not.toContain('stroke-dasharray')
  })

  it('show a horizon or a run of one step as dots', async () => {
    const svg = await learningChart([{ number: 1, loss: 1, validationLoss: 2 }], { best: 1 })
    expect(svg.match(/<path[^>]*fill="var\(--(second|accent)\)"/g)).toHaveLength(2)
  })

  it('have a line for the model and each naive forecast', async () => {
    const svg = await stepChart([evaluation])
    for (const name of ['LSTM', 'persistence', 'seasonal naive (7)']) expect(svg).toContain(`>${name}</text>`)
    for (const colour of ['accent', 'second', 'third']) {
      expect(pathsOf(svg, colour).filter((points) => points.length === horizon)).toHaveLength(1)
    }
  })
})

describe('the report', () => {
  it('needs nothing but itself', async () => {
    const html = await renderReport(content)
    expect(html.replaceAll(/xmlns(:\w+)?="[^"]+"/g, '')).not.toMatch(
      /https?:|<script|<link|<img|@import|url\(/,
    )
  })

  it('says how far below or above the best naive forecast the model lies, in numbers that agree', async () => {
    const share = (improvement?: number) => `${Math.abs(improvement! * 100).toFixed(1)} %`
    const better = await renderReport(content)
    expect(better).toContain(`<strong class="good">${share(evaluation.improvement)}</strong> below`)
    const worse = evaluate(forecastsWith(9), target, { periods: [], scale: 1 })
    const html = await renderReport({ ...content, evaluations: [worse] })
    expect(html).toContain(`<strong>${share(worse.improvement)}</strong> above persistence`)
  })

  it('does not divide by a naive forecast that is exact', async () => {
    const constant = evaluate(forecastsWith(0), new Float64Array(rows).fill(3), { periods: [], scale: 1 })
    expect(constant.improvement).toBeUndefined()
    const html = await renderReport({ ...content, evaluations: [constant] })
    expect(html).toContain('<strong>–</strong> persistence is exact')
  })

  it('marks the best score of each column and leaves coverage to forecasts with a band', async () => {
    const html = await renderReport(content)
    const row = html.match(/<tr><th scope="row">LSTM<\/th>(.*?)<\/tr>/)![1]
    expect(row.match(/class="best"/g)).toHaveLength(4)
    expect(row).toContain('<td>100.0 %</td>')
    expect(html).toMatch(/<th scope="row">persistence<\/th>(<td>[^<]+<\/td>){4}<td><\/td>/)
  })

  it('escapes names that mean something in HTML', async () => {
    const html = await renderReport(content)
    expect(html).toContain('<h1>Load &amp; &lt;wind&gt;, 4 days ahead</h1>')
    expect(html).toContain('native &quot;avx2&quot;')
  })

  it('leaves out the learning curves where nothing was trained', async () => {
    const html = await renderReport({ ...content, training: undefined })
    expect([html.includes('Loss by epoch'), html.match(/<figure>/g)?.length]).toEqual([false, 2])
  })
})

describe('the report of several evaluations', () => {
  const several = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ...(i % 2 ? worse : evaluation),
      series: `shop ${i + 1}`,
      target: 'load',
    }))
  const worse = evaluate(forecastsWith(9), target, { periods: [7], scale: 2 })
  const contentOf = (count: number) => ({
    ...content,
    evaluations: several(count),
    pictures: several(Math.min(count, 8)).map(() => ({ labels, future })),
  })

  it('says in figures of all units how many beat their best naive forecast', async () => {
    const html = await renderReport(contentOf(5))
    expect(html).toContain('<strong class="good">3 of 5</strong> below the best naive forecast')
    const mean = (3 * evaluation.scores[0].mase + 2 * worse.scores[0].mase) / 5
    expect(html).toContain(`<strong>${mean.toFixed(3)}</strong> mean MASE`)
  })

  it('has a row for each, and pictures of the first eight', async () => {
    const html = await renderReport(contentOf(11))
    expect(html.match(/<tr><th scope="row">shop \d+<\/th>/g)).toHaveLength(11)
    // Beside the pictures of forecasts, the learning curves and the errors by step.
    expect(html.match(/<figure>/g)).toHaveLength(8 + 2)
    for (const name of ['shop 1', 'shop 8']) expect(html).toContain(`>${name}</text>`)
    expect(html).not.toContain('>shop 9</text>')
    expect(html).toContain('Drawn are the first 8 of 11; the table has all.')
    expect(await renderReport(contentOf(8))).not.toContain('Drawn are')
  })

  it('marks whichever is better of the model and its best naive forecast', async () => {
    const html = await renderReport(contentOf(2))
    const cells = (name: string) =>
      html.match(new RegExp(`<th scope="row">${name}</th><td(.*?)>[^<]+</td><td(.*?)>`))!.slice(1)
    expect(cells('shop 1')).toEqual([' class="best"', ''])
    expect(cells('shop 2')).toEqual(['', ' class="best"'])
  })

  it('draws the mean of the scaled errors by step, of the forecasts that all have', async () => {
    const forecasts = forecastsWith(0.5)
    const fourfold = { ...forecasts, values: forecasts.values.map((value) => 4 * value) }
    const other = evaluate(
      fourfold,
      target.map((value) => 4 * value),
      { periods: [7, 14], scale: 4 },
    )
    const svg = await stepChart([evaluation, other])
    expect(svg).toContain('Mean scaled error by step ahead')
    expect(svg).toContain('seasonal naive (7)')
    expect(svg).not.toContain('seasonal naive (14)')
    const same = await stepChart([evaluation, evaluation])
    for (const colour of ['accent', 'second', 'third']) {
      const [own, expected] = [svg, same].map((each) => pathsOf(each, colour).flat(2))
      expect(own).toHaveLength(expected.length)
      for (const [i, value] of own.entries()) expect(value).toBeCloseTo(expected[i], 6)
    }
    expect(pathsOf(await stepChart([evaluation, worse]), 'accent')).not.toEqual(pathsOf(same, 'accent'))
  })
})

describe('the picture of one of several targets', () => {
  it('goes on with that target after the end', async () => {
    const constant = {
      forward: (x: Tensor) => new Tensor([x.shape[0], 12], new Float32Array(x.shape[0] * 12)),
    }
    const forecaster = new Forecaster(constant, {
      columns: { targets: ['low', 'high'], covariates: [], known: [], statics: [], indicators: [] },
      mode: 'direct',
      head: 'quantiles',
      difference: 'last',
      scaling: 'none',
      series: [
        {
          key: 's',
          scales: [
            { mean: 0, deviation: 1 },
            { mean: 0, deviation: 1 },
          ],
          naiveErrors: [1, 1],
        },
      ],
      statics: [],
      input: 3,
      horizon: 3,
      quantiles: [0.4, 0.6],
      paths: 1,
      periods: [],
      test: 0.1,
    })
    const low = Array.from({ length: 30 }, (_, t) => t % 5)
    const series = makeSeries({ name: 's', targets: { low, high: low.map((value) => 100 + value) } })
    const [, high] = forecaster.evaluate(series, { from: 24 })
    const svg = await pictureOf(series, forecaster, high)
    expect(svg).toContain('high, 3 rows ahead')
    // The network says that nothing changes: what follows is the last value of that target, three times.
    const last = pathsOf(svg, 'accent')
      .filter((points) => points.length === 3)
      .at(-1)!
    expect([last.length, new Set(last.map(([, y]) => y)).size]).toEqual([3, 1])
    expect([...svg.matchAll(/>(\d+(?:\.\d+)?)<\/text>/g)].map(([, text]) => Number(text))).toContain(102)
  })
})
