/**
 * A forecaster: an LSTM over the last `input` rows and a linear layer. Direct, its last step forecasts the next `horizon` rows at
 * once; autoregressive, each step forecasts the distribution of the next one, and sample paths go on from it. Holds all that
 * new data needs to be treated as the training data was, and keeps it in the model file's metadata.
 */
import { load, readMetadata, save } from '../formats/checkpoint.ts'
import { lastStep } from '../layers/last-step.ts'
import type { Model } from '../layers/layer.ts'
import { Linear } from '../layers/linear.ts'
import { LSTM } from '../layers/lstm.ts'
import { Sequential } from '../layers/sequential.ts'
import { noGrad, recycle } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { band, type Evaluation, evaluate, type Forecasts, forecastsOf, pointForecast } from './evaluation.ts'
import type { Features } from './features.ts'
import { distributionAt, headSize, isDistribution } from './heads.ts'
import { InputError } from './input-error.ts'
import { quantileOfSorted } from './metrics.ts'
import { type SamplePaths, samplePaths } from './paths.ts'
import { keyOf, type Series, seriesByGroup } from './series.ts'
import { type ForecasterSettings, parseSettings, prepared, seriesSettings, settingsKey } from './settings.ts'
import type { Table } from './table.ts'
import { baseAt, checkedOrigins, firstOrigin, inputsAt, type Mode, refuseEmpty } from './windows.ts'

export type { ForecasterSettings }

/** Sequences that run through the network at once: enough to fill the kernels, few enough to stay small. */
const batchSize = 256

export interface PathOptions {
  /** From each origin; default as in training. */
  paths?: number
  /** Default 1. */
  seed?: number
}

export class Forecaster {
  readonly model: Model
  readonly settings: ForecasterSettings

  constructor(model: Model, settings: ForecasterSettings) {
    this.model = model
    this.settings = settings
  }

  /**
   * The series of a table, with the columns that this forecaster needs: one, or where it was trained on a table with a group
   * column, one for each cell of that.
   *
   * @throws {InputError} as `seriesByGroup`
   */
  seriesOf(table: Table): Series[] {
    const { columns } = this.settings
    return seriesByGroup(table, { ...columns, target: columns.targets })
  }

  /**
   * The forecasts from each origin, the row that a forecast begins with. At least `input` rows must precede it, and known
   * columns must reach over its horizon. A series that training has not seen, where it saw several, is scaled by its rows before
   * the first origin.
   *
   * @throws {InputError} if rows are missing, or the columns are others than in training
   */
  forecast(series: Series, origins: readonly number[], options: PathOptions = {}): Forecasts {
    const features = this.#features(series, origins)
    return this.settings.mode === 'direct'
      ? this.#direct(features, origins)
      : this.#summary(this.#paths(features, origins, options))
  }

  /**
   * Sample paths from each origin, of an autoregressive forecaster.
   *
   * @throws {TypeError} if the forecaster is direct; and as `forecast`
   */
  samplePaths(series: Series, origins: readonly number[], options: PathOptions = {}): SamplePaths {
    if (this.settings.mode === 'direct') {
      throw new TypeError(
        "samplePaths: expected a forecaster trained with mode: 'autoregressive', got a direct one",
      )
    }
    return this.#paths(this.#features(series, origins), origins, options)
  }

  /**
   * The rows of [from, to) from which a forecast can be checked: enough rows stand before them, and all targets of the horizon
   * are given.
   */
  origins(series: Series, { from, to = series.rows }: { from: number; to?: number }): number[] {
    const features = prepared(this.settings, series, { rows: this.#rowsBefore(from) })
    return checkedOrigins(features, { from, to }, this.settings)
  }

  /** Forecasts from all `origins` of rows [from, to), and their scores beside the naive ones, by target. */
  evaluate(
    series: Series,
    { from, to = series.rows, ...options }: { from: number; to?: number } & PathOptions,
  ): Evaluation[] {
    const { periods, columns } = this.settings
    const origins = this.origins(series, { from, to })
    if (origins.length === 0) refuseEmpty({ name: 'test', from, to }, this.settings)
    const forecasts = this.forecast(series, origins, options)
    const rows = this.#rowsBefore(from)
    const { targets } = prepared(this.settings, series, { rows })
    const { naiveErrors } = seriesSettings(this.settings, series, { rows })
    return columns.targets.map((target, k) =>
      evaluate(forecastsOf(forecasts, target), targets[k], {
        series: keyOf(series),
        periods,
        scale: naiveErrors[k],
      }),
    )
  }

  /**
   * The forecast of the `horizon` rows after the last; point and band are [horizon, K], those of one target come by way of
   * `forecastsOf`.
   *
   * @throws {InputError} as `forecast`
   */
  next(
    series: Series,
    options: PathOptions = {},
  ): { forecasts: Forecasts; point: Float64Array; band: ReturnType<typeof band> } {
    const forecasts = this.forecast(series, [series.rows], options)
    return { forecasts, point: pointForecast(forecasts), band: band(forecasts) }
  }

  /** The rows before the first forecast of a part, which the scales of a series not trained on are fitted on. */
  #rowsBefore(from: number): number {
    return Math.max(from, firstOrigin(this.settings))
  }

  #features(series: Series, origins: readonly number[]): Features {
    const features = prepared(this.settings, series, { rows: Math.min(series.rows, ...origins) })
    const first = firstOrigin(this.settings)
    for (const origin of origins) {
      if (origin < first) {
        const got =
          origin === series.rows ? `the file has ${origin}` : `row ${origin} has ${origin} before it`
        throw new InputError(`${series.name}: too few rows: the model looks at ${first}, ${got}`)
      }
      const needed = origin + this.settings.horizon
      if (features.A > 0 && features.rowsAhead < needed) {
        throw new InputError(
          `${series.name}: the known columns ${series.columns.known.join(', ')} must reach over the rows forecast: ` +
            `expected ${needed} rows, got ${features.rowsAhead}`,
        )
      }
    }
    return features
  }

  #direct(features: Features, origins: readonly number[]): Forecasts {
    const { horizon, input, quantiles, head, difference, columns } = this.settings
    const { K, scales } = features
    const Q = quantiles.length
    const size = headSize(head, quantiles)
    const values = new Float64Array(origins.length * horizon * K * Q)
    const mean = head === 'quantiles' ? undefined : new Float64Array(origins.length * horizon * K)
    for (let start = 0; start < origins.length; start += batchSize) {
      const part = origins.slice(start, start + batchSize)
      recycle(() => {
        const x = inputsAt(
          part.map((row) => ({ features, row })),
          { input },
        )
        const output = (noGrad(() => this.model.forward(x)) as Tensor).array as Float32Array
        for (let i = 0; i < part.length * horizon * K; i++) {
          const k = i % K
          const known = part[Math.floor(i / (horizon * K))]
          const target = known + (Math.floor(i / K) % horizon)
          const place = { base: baseAt(features, { target, known, k }, difference), scale: scales[k] }
          const at = start * horizon * K + i
          const inUnit = (value: number) => (value + place.base) * place.scale.deviation + place.scale.mean
          if (isDistribution(head)) {
            const distribution = distributionAt(head, output, i * size, place)
            mean![at] = distribution.mean
            for (const [q, p] of quantiles.entries()) values[at * Q + q] = distribution.quantile(p)
          } else if (mean) mean[at] = inUnit(output[i])
          else for (let q = 0; q < Q; q++) values[at * Q + q] = inUnit(output[i * Q + q])
        }
      })
    }
    // Quantiles learnt one by one may cross; sorting them never makes the quantile loss worse (Chernozhukov et al. 2010).
    for (let i = 0; i < values.length; i += Q) values.subarray(i, i + Q).sort()
    return { horizon, targets: columns.targets, quantiles, origins, values, ...(mean && { mean }) }
  }

  #paths(
    features: Features,
    origins: readonly number[],
    { paths = this.settings.paths, seed = 1 }: PathOptions,
  ): SamplePaths {
    const { horizon, columns } = this.settings
    const each = paths * horizon * features.K
    const values = new Float64Array(origins.length * each)
    const atOnce = Math.max(1, Math.floor((4 * batchSize) / paths))
    for (let start = 0; start < origins.length; start += atOnce) {
      const part = origins.slice(start, start + atOnce).map((row) => ({ features, row }))
      recycle(() =>
        values.set(samplePaths(this.model, part, { ...this.settings, paths, seed }), start * each),
      )
    }
    return { horizon, targets: columns.targets, origins, paths, values }
  }

  /** Mean and quantiles over the paths. */
  #summary({ horizon, targets, origins, paths, values: drawn }: SamplePaths): Forecasts {
    const { quantiles } = this.settings
    const Q = quantiles.length
    const width = horizon * targets.length
    const values = new Float64Array(origins.length * width * Q)
    const mean = new Float64Array(origins.length * width)
    for (let i = 0; i < mean.length; i++) {
      const first = Math.floor(i / width) * paths * width + (i % width)
      const samples = Float64Array.from({ length: paths }, (_, s) => drawn[first + s * width]).sort()
      mean[i] = samples.reduce((sum, value) => sum + value, 0) / paths
      for (const [q, p] of quantiles.entries()) values[i * Q + q] = quantileOfSorted(samples, p)
    }
    return { horizon, targets, quantiles, origins, values, mean }
  }

  /** Writes network and settings into one safetensors file. */
  async save(path: string): Promise<void> {
    await save(this.model, path, { metadata: { [settingsKey]: JSON.stringify(this.settings) } })
  }

  /**
   * A forecaster from a file that `save` wrote.
   *
   * @throws {FileFormatError} if the file is damaged, or holds a model that is no forecaster
   */
  static async load(path: string): Promise<Forecaster> {
    const settings = parseSettings((await readMetadata(path)).get(settingsKey), path)
    return new Forecaster(await load(path), settings)
  }
}

/** The network of a forecaster. */
export function forecastNetwork(options: {
  mode: Mode
  features: number
  hidden: number
  layers: number
  dropout: number
  outputs: number
  seed: number
}): Sequential {
  const { mode, features, hidden, layers, dropout, outputs, seed } = options
  return new Sequential([
    new LSTM({ inputSize: features, hiddenSize: hidden, numLayers: layers, dropout, seed }),
    ...(mode === 'direct' ? [lastStep()] : []),
    new Linear({ inputSize: hidden, outputSize: outputs, seed: seed + 1 }),
  ])
}
