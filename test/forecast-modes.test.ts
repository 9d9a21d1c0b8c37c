/** Forecasters of every head, direct and autoregressive, on one series and on many; sample paths; back-tests. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { backtest } from '../lib/forecast/backtest.ts'
import { pointForecast } from '../lib/forecast/evaluation.ts'
import { Forecaster } from '../lib/forecast/forecaster.ts'
import { coverage } from '../lib/forecast/metrics.ts'
import { makeSeries } from '../lib/forecast/series.ts'
import type { ForecasterSettings } from '../lib/forecast/settings.ts'
import { trainForecaster } from '../lib/forecast/train.ts'
import type { TrainOptions } from '../lib/forecast/train-options.ts'
import { Random } from '../lib/random.ts'
import { Tensor } from '../lib/tensor.ts'

const settings: ForecasterSettings = {
  columns: { targets: ['v'], covariates: [], known: [], statics: [], indicators: [] },
  mode: 'autoregressive',
  head: 'gaussian',
  difference: 'none',
  scaling: 'standard',
  series: [{ key: 's', scales: [{ mean: 100, deviation: 10 }], naiveErrors: [1] }],
  statics: [],
  paths: 3,
  input: 2,
  horizon: 3,
  quantiles: [0.25, 0.5, 0.75],
  periods: [],
  test: 0.1,
}

/**
 * A model whose output at a step is the input's target plus how many steps its state has seen, without noise. Its state counts
 * like an LSTM's: [1, B, 1].
 */
function countingModel() {
  const shapes: (readonly number[])[] = []
  const forward = (x: Tensor, { state }: { state?: unknown } = {}) => {
    const [B, T, F] = x.shape
    shapes.push(x.shape)
    const before = state as Tensor | null
    const count = (b: number) => before?.data[b] ?? 0
    const output = Float32Array.from({ length: B * T * 2 }, (_, i) => {
      const [b, t] = [Math.floor(i / (2 * T)), Math.floor(i / 2) % T]
      return i % 2 ? -60 : x.data[(b * T + t) * F] + count(b) + t + 1
    })
    const seen = Float32Array.from({ length: B }, (_, b) => count(b) + T)
    return { output: new Tensor([B, T, 2], output), state: new Tensor([1, B, 1], seen) }
  }
  return { shapes, forward }
}

const seriesOf = (values: readonly number[]) => makeSeries({ name: 's', targets: { v: values } })

describe('sample paths', () => {
  it('go on from the state of the rows before, and from what they have drawn', () => {
    const model = countingModel()
    const { values, paths } = new Forecaster(model, settings).samplePaths(
      seriesOf([90, 100, 110, 120]),
      [2, 4],
    )
    expect(paths).toBe(3)
    // From 100, 0 in the network's unit, with two steps seen: + 2, + 3, + 4; from 120, which is 2, likewise.
    expect([...values].map(Math.round)).toEqual([
      ...[120, 150, 190, 120, 150, 190, 120, 150, 190],
      ...[140, 170, 210, 140, 170, 210, 140, 170, 210],
    ])
    expect(model.shapes).toEqual([
      [2, 2, 1],
      [6, 1, 1],
      [6, 1, 1],
    ])
  })

  it('keep to the state of their own origin', () => {
    // What a sequence has seen adds up in its state, and is all that the output says.
    const forward = (x: Tensor, { state }: { state?: unknown } = {}) => {
      const [B, T] = x.shape
      const before = state as Tensor | null
      const sums = Float32Array.from({ length: B * T }, () => 0)
      const seen = Float32Array.from({ length: B }, (_, b) => {
        let sum = before?.data[b] ?? 0
        for (let t = 0; t < T; t++) sums[b * T + t] = sum += x.data[b * T + t]
        return sum
      })
      const output = Float32Array.from({ length: B * T * 2 }, (_, i) =>
        i % 2 ? -60 : sums[(i - (i % 2)) / 2],
      )
      return { output: new Tensor([B, T, 2], output), state: new Tensor([1, B, 1], seen) }
    }
    const options = { paths: 2 }
    const { values } = new Forecaster({ forward }, settings).samplePaths(
      seriesOf([90, 110, 110, 120]),
      [2, 4],
      options,
    )
    // Network's units: -1 + 1 = 0, and 0 for ever; 1 + 2 = 3, with it 6, with that 12.
    expect([...values].map(Math.round)).toEqual([
      ...[100, 100, 100, 100, 100, 100],
      ...[130, 160, 220, 130, 160, 220],
    ])
  })

  it('add what is subtracted in training: the value before, or that of a season before', () => {
    const series = seriesOf([90, 100, 110, 120])
    const from = (difference: ForecasterSettings['difference']) =>
      [
        ...new Forecaster(countingModel(), { ...settings, difference, paths: 1 }).samplePaths(series, [4])
          .values,
      ].map(Math.round)
    // Network's units: last 2, then 2 + (2 + 2) = 6, 6 + (6 + 3) = 15, 15 + (15 + 4) = 34.
    expect(from('last')).toEqual([160, 250, 440])
    // Two rows before: 1 + 4 = 5, 2 + (5 + 3) = 10, 5 + (10 + 4) = 19.
    expect(from(2)).toEqual([150, 200, 290])
  })

  it('are those of their seed, whatever else is asked for', () => {
    const noisy = {
      forward: (x: Tensor) => {
        const [B, T] = x.shape
        return {
          output: new Tensor([B, T, 2], new Float32Array(B * T * 2)),
          state: new Tensor([1, B, 1], new Float32Array(B)),
        }
      },
    }
    const series = seriesOf(Array.from({ length: 900 }, (_, t) => t))
    const forecaster = new Forecaster(noisy, settings)
    const origins = Array.from({ length: 800 }, (_, n) => 50 + n)
    const all = forecaster.samplePaths(series, origins, { seed: 4 }).values
    const one = forecaster.samplePaths(series, [700], { seed: 4 }).values
    expect(all.slice(650 * 9, 651 * 9)).toEqual(one)
    expect(new Set(one).size).toBe(9)
    // Every origin has random numbers of its own.
    expect(new Set(all.map(Math.fround)).size).toBeGreaterThan(7000)
    expect(forecaster.samplePaths(series, [700], { seed: 5 }).values).not.toEqual(one)
    expect(forecaster.forecast(series, [700], { seed: 4 }).mean![0]).toBeCloseTo(
      (one[0] + one[3] + one[6]) / 3,
      10,
    )
  })

  it('are for autoregressive forecasters', () => {
    const direct = new Forecaster(countingModel(), { ...settings, mode: 'direct' })
    expect(() => direct.samplePaths(seriesOf([1, 2, 3]), [3])).toThrow(
      "mode: 'autoregressive', got a direct one",
    )
  })
})

const quick = { horizon: 4, input: 12, epochs: 30, hidden: 12, batchSize: 32, learningRate: 0.01 } as const

/** x[t] = 0.8·x[t-1] + noise, around a level. */
function process({
  n,
  level,
  seed,
  deviation = 1,
}: {
  n: number
  level: number
  seed: number
  deviation?: number
}) {
  const random = new Random(seed)
  let x = 0
  return Array.from({ length: n }, () => level + deviation * (x = 0.8 * x + random.normal()))
}

describe('a trained forecaster', () => {
  it.each([
    ['direct', 'quantiles'],
    ['direct', 'gaussian'],
    ['direct', 'studentT'],
    ['autoregressive', 'gaussian'],
    ['autoregressive', 'studentT'],
  ] as const)('%s with a head of %s comes near the best forecast, and its band near its share', async (mode, head) => {
    const series = seriesOf(process({ n: 1500, level: 50, seed: 1 }))
    const { evaluations } = await trainForecaster(series, { ...quick, mode, head, epochs: 12, periods: [] })
    const [{ scores }] = evaluations
    // The best forecast, 0.8ʰ of the last value, has a mean square of Σ 0.64ʲ up to h: 1, 1.64, 2.05, 2.31; its root is 1.32.
    expect(scores[0].rmse).toBeLessThan(1.32 * 1.15)
    expect(scores[0].coverage).toBeGreaterThan(0.68)
    expect(scores[0].coverage).toBeLessThan(0.92)
    // The CRPS of that Gaussian is 0.56 of its deviation (Gneiting & Raftery 2007), coarser from three quantiles.
    expect(scores[0].crps).toBeGreaterThan(0.4 * 1.32)
    expect(scores[0].crps).toBeLessThan(0.85 * 1.32)
  })

  it('learns many series of different size and kind at once, each in its own unit', async () => {
    const all = [1, 100, 10_000].map((size, i) =>
      makeSeries({
        name: `size ${size}`,
        targets: { v: process({ n: 400, level: 5 * size, deviation: size, seed: i }) },
        statics: { size },
      }),
    )
    const { forecaster, evaluations } = await trainForecaster(all, { ...quick, head: 'mean', periods: [] })
    expect(evaluations.map(({ series }) => series)).toEqual(all.map(({ name }) => name))
    for (const { scores } of evaluations) expect(scores[0].mase).toBeLessThan(1.75)
    expect(pointForecast(forecaster.forecast(all[2], [400]))[0]).toBeGreaterThan(30_000)
    // One that it has not seen is scaled by its own rows.
    const unseen = makeSeries({
      name: 'new',
      targets: { v: process({ n: 300, level: 5e6, deviation: 1e6, seed: 9 }) },
      statics: { size: 1e6 },
    })
    expect(pointForecast(forecaster.forecast(unseen, [300]))[0]).toBeGreaterThan(2e6)
  })

  it('uses what is known of the future, and asks for it', async () => {
    const random = new Random(2)
    const plan = Array.from({ length: 604 }, () => random.uniform(-1, 1))
    const targets = { v: plan.slice(0, 600).map((each) => 3 * each) }
    for (const [mode, head] of [
      ['direct', 'mean'],
      ['autoregressive', 'gaussian'],
    ] as const) {
      const series = makeSeries({ name: 's', targets, known: { plan } })
      const options: TrainOptions = { ...quick, mode, head, difference: 'none', periods: [] }
      const { forecaster, evaluations } = await trainForecaster(series, options)
      // A sine of noise is unforecastable without the plan: the deviation is √3.
      expect(evaluations[0].scores[0].rmse).toBeLessThan(0.5)
      const { point } = forecaster.next(series)
      for (const [step, value] of point.entries())
        expect(Math.abs(value - 3 * plan[600 + step])).toBeLessThan(1.2)
      const short = makeSeries({ name: 's', targets, known: { plan: plan.slice(0, 602) } })
      expect(() => forecaster.next(short)).toThrow(
        'must reach over the rows forecast: expected 604 rows, got 602',
      )
    }
  })

  it('forecasts counts of any size by whole numbers, and their spread', async () => {
    const random = new Random(3)
    const poisson = (rate: number) => {
      let count = -1
      for (let product = 1; product > Math.exp(-rate); product *= random.uniform()) count++
      return count
    }
    const all = [2, 40].map((rate) =>
      makeSeries({ name: `rate ${rate}`, targets: { v: Array.from({ length: 500 }, () => poisson(rate)) } }),
    )
    const options = { ...quick, head: 'negativeBinomial', periods: [], epochs: 15 } as const
    for (const mode of ['direct', 'autoregressive'] as const) {
      const { forecaster } = await trainForecaster(all, { ...options, mode })
      for (const [i, rate] of [2, 40].entries()) {
        const { mean, values } = forecaster.forecast(all[i], [500])
        expect(Math.abs(mean![0] - rate) / Math.sqrt(rate)).toBeLessThan(0.6)
        expect(values[2] - values[0]).toBeGreaterThan(1.6 * Math.sqrt(rate) - 1)
        expect(values[2] - values[0]).toBeLessThan(4.2 * Math.sqrt(rate) + 1)
        if (mode === 'direct') expect([...values].every(Number.isInteger)).toBe(true)
      }
    }
  })

  it('forecasts several targets together, and comes back from its file as it was', async () => {
    const v = process({ n: 300, level: 0, seed: 5 })
    const w = process({ n: 300, level: 1000, deviation: 100, seed: 6 })
    const series = makeSeries({ name: 's', targets: { v, w } })
    const options = {
      ...quick,
      epochs: 3,
      mode: 'autoregressive',
      quantiles: [0.1, 0.5, 0.9],
      periods: [],
    } as const
    const { forecaster, evaluations } = await trainForecaster(series, options)
    expect(evaluations.map(({ target }) => target)).toEqual(['v', 'w'])
    const [, { forecasts, truth, scores }] = evaluations
    expect(truth[0]).toBe(w[270])
    const column = (q: number) => forecasts.values.filter((_, i) => i % 3 === q)
    expect(scores[0].coverage).toBe(coverage({ lower: column(0), upper: column(2) }, truth))
    const folder = await mkdtemp(join(tmpdir(), 'forecaster-'))
    try {
      await forecaster.save(join(folder, 'f.safetensors'))
      const loaded = await Forecaster.load(join(folder, 'f.safetensors'))
      expect(loaded.settings).toEqual(forecaster.settings)
      expect(loaded.samplePaths(series, [300]).values).toEqual(forecaster.samplePaths(series, [300]).values)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('training is refused', () => {
  const series = seriesOf(process({ n: 200, level: 0, seed: 1 }))
  const wind = makeSeries({ name: 's', targets: { v: [1, 2, 3] }, covariates: { wind: [1, 2, 3] } })
  it.each<[string, Partial<TrainOptions>, string]>([
    [
      'with quantiles, autoregressively',
      { mode: 'autoregressive', head: 'quantiles' },
      'draws from a distribution',
    ],
    ['with a head misspelt', { head: 'gausian' as 'gaussian' }, 'got gausian; did you mean gaussian?'],
    ['for counts that are none', { head: 'negativeBinomial' }, 's: expected whole counts in "v"'],
    [
      'for counts less something',
      { head: 'negativeBinomial', difference: 'last' },
      'counts are forecast as they are',
    ],
    ['with a season of no length', { difference: 0 }, "'last', 'none' or the length of a season, got 0"],
    ['with a scaling unknown', { scaling: 'minmax' as 'none' }, 'expected scaling to be one of standard'],
  ])('%s', async (_, options, message) => {
    await expect(trainForecaster(series, { ...quick, ...options })).rejects.toThrow(message)
  })

  it('with covariates nobody knows ahead, autoregressively; for series of one name, or of other columns; for none', async () => {
    await expect(trainForecaster(wind, { ...quick, mode: 'autoregressive' })).rejects.toThrow(
      'must know its covariates ahead, got wind',
    )
    await expect(trainForecaster([series, series], quick)).rejects.toThrow('two series are named "s"')
    const other = makeSeries({ name: 'o', targets: { w: process({ n: 200, level: 0, seed: 1 }) } })
    await expect(trainForecaster([series, other], quick)).rejects.toThrow(
      'o: expected targets v, as in training, got w',
    )
    await expect(trainForecaster([], quick)).rejects.toThrow('expected at least one series, got none')
  })
})

describe('a back-test', () => {
  const values = process({ n: 160, level: 0, seed: 7 })
  const options = { ...quick, epochs: 2, folds: 3, rows: 10, periods: [] }

  it('rolls through the end, each part forecast by what came before it alone', async () => {
    const { folds, scores } = await backtest(seriesOf(values), options)
    expect(folds.map(({ from, to }) => [from, to])).toEqual([
      [130, 140],
      [140, 150],
      [150, 160],
    ])
    expect(folds[0].evaluations[0].forecasts.origins).toEqual([130, 131, 132, 133, 134, 135, 136])
    const spoilt = await backtest(
      seriesOf(values.map((value, t) => (t >= 140 ? 50 - value : value))),
      options,
    )
    expect(spoilt.folds[0]).toEqual(folds[0])
    expect(spoilt.folds[2]).not.toEqual(folds[2])
    expect(scores.map(({ name }) => name)).toEqual(['LSTM', 'persistence'])
    const maes = folds.map(({ evaluations }) => evaluations[0].scores[0].mae)
    expect(scores[0].mae).toBeCloseTo((maes[0] + maes[1] + maes[2]) / 3, 12)
  })

  it('trains once if told, and says when there is too little to train on', async () => {
    const seen: number[] = []
    const onFold = ({ from }: { from: number }) => seen.push(from)
    const once = await backtest(seriesOf(values), { ...options, refit: false, onFold })
    const anew = await backtest(seriesOf(values), options)
    expect(seen).toEqual([130, 140, 150])
    expect(once.folds[0]).toEqual(anew.folds[0])
    expect(once.folds[1]).not.toEqual(anew.folds[1])
    await expect(backtest(seriesOf(values), { ...options, folds: 16 })).rejects.toThrow(
      's: too few rows: 16 parts of 10 leave 0 of 160 to train on',
    )
    await expect(backtest(seriesOf(values), { ...options, rows: 3 })).rejects.toThrow(
      'at least the horizon of 4 rows',
    )
  })
})
