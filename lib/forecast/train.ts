/** Trains a forecaster on a series: splits, scales, cuts windows, fits the quantiles, and evaluates on what it held out. */
import type { FloatArray } from '../kernels/contract.ts'
import { parametersOf, tensorsOf } from '../layers/layer.ts'
import { quantileLoss } from '../operations/losses.ts'
import { reshape } from '../operations/shape.ts'
import type { Tensor } from '../tensor.ts'
import type { BatchProgress, Epoch } from '../training/epoch.ts'
import { fit } from '../training/fit.ts'
import { adam } from '../training/optimizers.ts'
import { detectPeriod } from './baselines.ts'
import type { Evaluation } from './evaluation.ts'
import { Forecaster, forecastNetwork } from './forecaster.ts'
import { oneStepError } from './metrics.ts'
import { featuresOf, fitScales, type Series } from './series.ts'
import { originsOf, type Split, splitRows, windowsAt } from './windows.ts'

export interface TrainOptions {
  /** How many rows are forecast at once. */
  horizon: number
  /** How many rows the model looks at; default: a season, or twice the horizon if that is more; see `inputFor`. */
  input?: number
  /** Seasons of the naive forecasts to compare with; default: the one that `detectPeriod` finds, if any. */
  periods?: readonly number[]
  /** Width of the LSTM; default 32. */
  hidden?: number
  /** Default 1. */
  layers?: number
  /** Between layers; default 0. */
  dropout?: number
  /** At most so many passes; default 20, or as many as make a thousand steps. */
  epochs?: number
  /** Windows in a step; default 64, down to 8 where windows are few. */
  batchSize?: number
  /** Of Adam; default 0.003. */
  learningRate?: number
  /** Epochs without a better validation loss before training ends; default two fifths of the epochs. */
  patience?: number
  /** In increasing order; the point forecast is the one nearest to 0.5. Default 0.1, 0.5, 0.9. */
  quantiles?: readonly number[]
  /** The share of the rows, at the end, held out for the evaluation; default 0.1. */
  test?: number
  /** The share of the other rows, at their end, that chooses the epoch; default 0.1. */
  validation?: number
  /** Default 1. */
  seed?: number
  /** Ends training after the step in progress; the best parameters so far are kept. */
  signal?: AbortSignal
  /** Called when the data have been found fit to train on. */
  onStart?(plan: TrainPlan): void
  onEpoch?(epoch: Epoch): void
  onBatch?(progress: BatchProgress): void
}

const defaults = {
  hidden: 32,
  layers: 1,
  dropout: 0,
  learningRate: 3e-3,
  quantiles: [0.1, 0.5, 0.9] as readonly number[],
  test: 0.1,
  validation: 0.1,
  seed: 1,
}

/** Options with the defaults filled in. */
export type CompleteTrainOptions = TrainOptions &
  typeof defaults &
  Required<Pick<TrainOptions, 'input' | 'periods' | 'epochs' | 'batchSize' | 'patience'>>

/** What a run will do. */
export interface TrainPlan {
  split: Split
  options: CompleteTrainOptions
  trainingWindows: number
  parameters: number
}

export interface TrainResult extends TrainPlan {
  forecaster: Forecaster
  evaluation: Evaluation
  epochs: Epoch[]
  /** The epoch whose parameters were kept. */
  bestEpoch: number
  /** Whether the signal ended training. */
  interrupted: boolean
  /** Of training alone. */
  seconds: number
}

/**
 * @throws {InputError} if the series is too short for the windows and parts asked for
 * @throws the signal's reason if it comes before the first epoch has ended
 */
export async function trainForecaster(series: Series, options: TrainOptions): Promise<TrainResult> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const chosen = { ...defaults, ...(given as TrainOptions) }
  const { horizon, hidden, layers, dropout, quantiles, test, validation, seed, signal } = chosen
  const split = splitRows(series.rows, { horizon, validation, test })
  const scales = fitScales(series, { rows: split.validation })
  const features = featuresOf(series, scales)
  const past = features.target.subarray(0, split.validation)
  const periods = options.periods ?? [detectPeriod(past)].filter((period) => period !== undefined)
  const input = options.input ?? inputFor(split.validation, { horizon, period: periods[0] })

  const shape = { input, horizon }
  const parts = {
    training: originsOf(features, { name: 'training', from: 0, to: split.validation }, shape),
    validation: originsOf(features, { name: 'validation', from: split.validation, to: split.test }, shape),
  }
  originsOf(features, { name: 'test', from: split.test, to: series.rows }, shape)

  const complete = { ...chosen, input, periods, ...paceFor(parts.training.length, chosen) }

  const Q = quantiles.length
  const network = { features: features.F, hidden, layers, dropout, outputs: horizon * Q, seed }
  const model = forecastNetwork(network)
  const loss = (prediction: Tensor, target: Tensor) =>
    quantileLoss(reshape(prediction, [-1, horizon, Q]), target, { quantiles })

  const plan: TrainPlan = {
    split,
    options: complete,
    trainingWindows: parts.training.length,
    parameters: [...parametersOf(model).values()].reduce((sum, { size }) => sum + size, 0),
  }
  options.onStart?.(plan)

  const history: Epoch[] = []
  const best = new Map<string, FloatArray>()
  const start = performance.now()
  const run = fit(model, windowsAt(features, parts.training, shape), {
    loss,
    optimizer: adam({ learningRate: complete.learningRate }),
    epochs: complete.epochs,
    batchSize: complete.batchSize,
    validation: windowsAt(features, parts.validation, shape),
    clipNorm: 1,
    earlyStopping: { patience: complete.patience },
    seed,
    signal,
    onBatch: options.onBatch,
  })
  try {
    for await (const epoch of run) {
      history.push(epoch)
      if (epoch.improved)
        for (const [name, { array }] of tensorsOf(model)) best.set(name, array.slice() as FloatArray)
      options.onEpoch?.(epoch)
    }
  } catch (error) {
    if (!signal?.aborted || history.length === 0) throw error
    // `fit` leaves the parameters of the last update; what is kept is the best epoch, as after a whole run.
    for (const [name, parameter] of tensorsOf(model)) parameter.write(best.get(name)!)
  }
  const seconds = (performance.now() - start) / 1000

  const forecaster = new Forecaster(model, {
    columns: series.columns,
    scales,
    input,
    horizon,
    quantiles,
    periods,
    oneStepError: oneStepError(past),
    test,
  })
  return {
    ...plan,
    forecaster,
    evaluation: forecaster.evaluate(series, { from: split.test }),
    epochs: history,
    bestEpoch: history.findLast(({ improved }) => improved)!.number,
    interrupted: signal?.aborted ?? false,
    seconds,
  }
}

/** A season, or twice the horizon if that is more, or thrice without a season; at most a quarter of the training rows. */
export function inputFor(rows: number, { horizon, period }: { horizon: number; period?: number }): number {
  const wanted = period === undefined ? 3 * horizon : Math.max(period, 2 * horizon)
  return Math.max(1, Math.min(wanted, Math.floor(rows / 4)))
}

/** Few windows need small batches and many passes to come to a useful number of steps. */
function paceFor(windows: number, { batchSize, epochs, patience }: TrainOptions) {
  const size = batchSize ?? Math.max(8, Math.min(64, Math.floor(windows / 32)))
  const passes = epochs ?? Math.max(20, Math.ceil(1000 / Math.ceil(windows / size)))
  return { batchSize: size, epochs: passes, patience: patience ?? Math.ceil(0.4 * passes) }
}
