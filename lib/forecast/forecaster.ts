/**
 * A forecaster: an LSTM over the last `input` rows, whose last step a linear layer turns into quantiles of the next
 * `horizon` values of the target, as differences to its last value. Holds all that new data needs to be treated as the
 * training data was, and keeps it in the model file's metadata.
 */
import { FileFormatError } from '../errors.ts'
import { load, readMetadata, save } from '../formats/checkpoint.ts'
import { lastStep } from '../layers/last-step.ts'
import type { Model } from '../layers/layer.ts'
import { Linear } from '../layers/linear.ts'
import { LSTM } from '../layers/lstm.ts'
import { Sequential } from '../layers/sequential.ts'
import { noGrad, recycle } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { band, type Evaluation, evaluate, type Forecasts, pointForecast } from './evaluation.ts'
import { InputError } from './input-error.ts'
import { type Columns, type Features, featuresOf, type Scale, type Series } from './series.ts'
import { inputsAt, originsOf } from './windows.ts'

/** What stands in a model file beside the network, as JSON under `settingsKey` of the metadata. */
export interface ForecasterSettings {
  columns: Columns
  /** Of the target and the covariates, fitted on the training part. */
  scales: readonly Scale[]
  input: number
  horizon: number
  quantiles: readonly number[]
  /** Seasons of the naive forecasts that scores compare with. */
  periods: readonly number[]
  /** What MASE divides by: the error of the last value, one step ahead, over the training part. */
  oneStepError: number
  /** The share of the rows, at the end, that was held out. */
  test: number
}

const settingsKey = 'lstm_native.forecast'

/** Windows that run through the network at once: enough to fill the kernels, few enough to stay small. */
const batchSize = 256

export class Forecaster {
  readonly model: Model
  readonly settings: ForecasterSettings

  constructor(model: Model, settings: ForecasterSettings) {
    this.model = model
    this.settings = settings
  }

  /** The forecasts from each origin, of which at least `input` rows must precede. */
  forecast(series: Series, origins: readonly number[]): Forecasts {
    return this.forecastFeatures(featuresOf(series, this.settings.scales), origins)
  }

  /** The same from features that are made already. */
  forecastFeatures(features: Features, origins: readonly number[]): Forecasts {
    const { horizon, input, quantiles, scales } = this.settings
    const { mean, deviation } = scales[0]
    const Q = quantiles.length
    const values = new Float64Array(origins.length * horizon * Q)
    const { data, F } = features
    for (let start = 0; start < origins.length; start += batchSize) {
      const part = origins.slice(start, start + batchSize)
      recycle(() => {
        const x = inputsAt(features, part, { input })
        const output = (noGrad(() => this.model.forward(x)) as Tensor).array
        for (const [b, origin] of part.entries()) {
          const last = data[(origin - 1) * F]
          for (let i = 0; i < horizon * Q; i++) {
            values[(start + b) * horizon * Q + i] = (output[b * horizon * Q + i] + last) * deviation + mean
          }
        }
      })
    }
    // Quantiles learnt one by one may cross; sorting them never makes the quantile loss worse (Chernozhukov et al. 2010).
    for (let i = 0; i < values.length; i += Q) values.subarray(i, i + Q).sort()
    return { horizon, quantiles, origins, values }
  }

  /** Forecasts from every origin in rows [from, rows) that can be checked, and their scores beside the naive ones. */
  evaluate(series: Series, { from }: { from: number }): Evaluation {
    const { periods, oneStepError, scales } = this.settings
    const features = featuresOf(series, scales)
    const origins = originsOf(features, { name: 'test', from, to: series.rows }, this.settings)
    return evaluate(this.forecastFeatures(features, origins), features.target, {
      periods,
      scale: oneStepError,
    })
  }

  /** The forecast of the `horizon` rows after the last. @throws {InputError} if there are fewer than `input` rows */
  next(series: Series): { forecasts: Forecasts; point: Float64Array; band: ReturnType<typeof band> } {
    const { input } = this.settings
    if (series.rows < input) {
      throw new InputError(
        `${series.name}: too few rows: the model looks at ${input}, the file has ${series.rows}`,
      )
    }
    const forecasts = this.forecast(series, [series.rows])
    return { forecasts, point: pointForecast(forecasts), band: band(forecasts) }
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
    const text = (await readMetadata(path)).get(settingsKey)
    if (text === undefined) {
      throw new FileFormatError(`${path}: holds a model, but no forecaster: lstm train makes one`, {
        code: 'NoForecaster',
        path,
      })
    }
    const settings = parseSettings(text, path)
    return new Forecaster(await load(path), settings)
  }
}

function parseSettings(text: string, path: string): ForecasterSettings {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${path}: the metadata under ${settingsKey} are no JSON`, {
      code: 'InvalidSettings',
      path,
      cause,
    })
  }
}

/** The network of a forecaster. */
export function forecastNetwork(options: {
  features: number
  hidden: number
  layers: number
  dropout: number
  outputs: number
  seed: number
}): Sequential {
  const { features, hidden, layers, dropout, outputs, seed } = options
  return new Sequential([
    new LSTM({ inputSize: features, hiddenSize: hidden, numLayers: layers, dropout, seed }),
    lastStep(),
    new Linear({ inputSize: hidden, outputSize: outputs, seed: seed + 1 }),
  ])
}
