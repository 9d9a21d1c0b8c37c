/** Forecasters: from network outputs to forecasts in the unit of the target, and training that sees no held-out row. */
import { describe, expect, it } from 'vitest'
import { Forecaster } from '../lib/forecast/forecaster.ts'
import { seriesOf } from '../lib/forecast/series.ts'
import type { ForecasterSettings } from '../lib/forecast/settings.ts'
import { parseTable } from '../lib/forecast/table.ts'
import { trainForecaster } from '../lib/forecast/train.ts'
import { inputFor } from '../lib/forecast/train-options.ts'
import { parametersOf } from '../lib/layers/layer.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'

const horizon = 2
const settings: ForecasterSettings = {
  columns: { targets: ['v'], covariates: [], known: [], statics: [], indicators: [] },
  mode: 'direct',
  head: 'quantiles',
  difference: 'last',
  scaling: 'standard',
  series: [{ key: 'table', scales: [{ mean: 100, deviation: 10 }], naiveErrors: [1] }],
  statics: [],
  paths: 100,
  input: 3,
  horizon,
  quantiles: [0.1, 0.5, 0.9],
  periods: [],
  test: 0.1,
}

function seriesFrom(values: readonly (number | string)[]) {
  return seriesOf(parseTable(`v\n${values.join('\n')}\n`), { target: 'v' })
}

/** A network that gives every window the same outputs, and notes what it was shown. */
function constantNetwork(outputs: readonly number[]) {
  const shown: Tensor[] = []
  const forward = (x: Tensor) => {
    shown.push(x.clone())
    return tensor(Array.from({ length: x.shape[0] }, () => outputs))
  }
  return { shown, forward }
}

describe('a forecast', () => {
  const values = Array.from({ length: 600 }, (_, t) => 100 + (t % 50))

  it('is the last value where the network says there is no difference', () => {
    const forecaster = new Forecaster(constantNetwork([0, 0, 0, 0, 0, 0]), settings)
    const { values: forecast } = forecaster.forecast(seriesFrom(values), [3, 60, 600])
    // Values of about 100 pass through float32: 100·2⁻²⁴ ≈ 6e-6.
    for (const [n, last] of [values[2], values[59], values[599]].entries()) {
      for (let i = 0; i < 6; i++) expect(Math.abs(forecast[n * 6 + i] - last)).toBeLessThan(1e-5)
    }
  })

  it('adds the network’s outputs in units of the deviation, quantiles sorted step by step', () => {
    const forecaster = new Forecaster(constantNetwork([1, 0, 2, -1, 3, 0]), settings)
    const { values: forecast } = forecaster.forecast(seriesFrom(values), [1 + 50])
    expect([...forecast].map(Math.round)).toEqual([100, 110, 120, 90, 100, 130])
  })

  it('shows the network the scaled rows before each origin, in batches that change nothing', () => {
    const network = constantNetwork([0, 0, 0, 0, 0, 0])
    const origins = Array.from({ length: 500 }, (_, n) => 50 + n)
    const forecasts = new Forecaster(network, settings).forecast(seriesFrom(values), origins).values
    for (const [n, origin] of origins.entries()) expect(forecasts[6 * n]).toBeCloseTo(values[origin - 1], 4)
    expect(network.shown.map(({ shape }) => shape)).toEqual([
      [256, 3, 1],
      [244, 3, 1],
    ])
    const [, second] = network.shown
    // Origin 306 follows rows 303, 304 and 305, whose values are 103, 104 and 105; float32 rounds 0.3 to 8 digits.
    for (let step = 0; step < 3; step++) expect(second.data[step]).toBeCloseTo(0.3 + 0.1 * step, 6)
  })

  it('after the end needs no more rows than the window, and refuses fewer', () => {
    const forecaster = new Forecaster(constantNetwork([0, 0, 0, 0, 0, 0]), settings)
    expect(forecaster.next(seriesFrom([1, 2, 3])).point.length).toBe(horizon)
    expect(() => forecaster.next(seriesFrom([1, 2]))).toThrow(
      'too few rows: the model looks at 3, the file has 2',
    )
  })

  it('takes missing values as the last one before, and scores no missing target', () => {
    const forecaster = new Forecaster(constantNetwork([0, 0, 0, 0, 0, 0]), settings)
    const [{ forecasts, scores }] = forecaster.evaluate(seriesFrom([5, 5, 'NA', 5, 5, '?', 5, 5]), {
      from: 3,
    })
    expect(forecasts.origins).toEqual([3, 6])
    // As above: the values pass through float32, about 100 away from zero.
    expect(scores[0].mae).toBeLessThan(1e-5)
  })
})

describe('training', () => {
  const wave = Array.from({ length: 200 }, (_, t) => Math.sin(t / 5))
  const options = { horizon: 3, input: 8, epochs: 2, hidden: 4, batchSize: 32 }
  const bitsOf = async (values: readonly (number | string)[]) => {
    const {
      forecaster,
      splits: [split],
      epochs,
    } = await trainForecaster(seriesFrom(values), options)
    const parameters = [...parametersOf(forecaster.model).values()].flatMap(({ data }) => [...data])
    const losses = epochs.map(({ validationLoss }) => validationLoss)
    return { split, parameters, losses, settings: forecaster.settings }
  }

  it('does not depend on a single held-out row: neither parameters nor scaling nor the choice of the epoch', async () => {
    const clean = await bitsOf(wave)
    const spoilt = await bitsOf(wave.map((value, t) => (t >= clean.split.test ? 1000 * value + t : value)))
    expect(clean.split).toEqual({ rows: 200, validation: 162, test: 180 })
    expect(spoilt.parameters).toEqual(clean.parameters)
    expect(spoilt.losses).toEqual(clean.losses)
    expect(spoilt.settings).toEqual(clean.settings)
  })

  it('does depend on the rows before', async () => {
    const clean = await bitsOf(wave)
    const other = await bitsOf(wave.map((value, t) => (t === 100 ? value + 1 : value)))
    expect(other.parameters).not.toEqual(clean.parameters)
  })

  it('fits the batch and the epochs to few windows, and keeps what it is told', async () => {
    const plans: unknown[] = []
    const onStart = ({ options }: { options: { batchSize: number; epochs: number; patience: number } }) => {
      plans.push([options.batchSize, options.epochs, options.patience])
      throw new Error('enough')
    }
    const stop = (more: object) =>
      expect(trainForecaster(seriesFrom(wave), { horizon: 3, input: 8, onStart, ...more })).rejects.toThrow(
        'enough',
      )
    await stop({})
    await stop({ batchSize: 64, epochs: 5, patience: 2 })
    // 152 windows: batches of 8, 19 steps an epoch, 53 epochs for a thousand steps, and two fifths of those.
    expect(plans).toEqual([
      [8, 53, 22],
      [64, 5, 2],
    ])
  })

  it('looks at a season, or at twice the horizon if that is more, within a quarter of the data', () => {
    expect(inputFor(1000, { horizon: 12, period: 132 })).toBe(132)
    expect(inputFor(1000, { horizon: 24, period: 24 })).toBe(48)
    expect(inputFor(1000, { horizon: 12 })).toBe(36)
    expect(inputFor(100, { horizon: 12, period: 50 })).toBe(25)
  })
})
