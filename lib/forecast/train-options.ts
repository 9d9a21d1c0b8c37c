/** The options of `trainForecaster`: their meaning, defaults and checks. */
import { nearestName } from '../errors.ts'
import type { BatchProgress, Epoch } from '../training/epoch.ts'
import { type HeadName, headNames, isDistribution } from './heads.ts'
import { InputError } from './input-error.ts'
import { type Scaling, scalings } from './scaling.ts'
import type { Series } from './series.ts'
import type { Difference, Mode, Split } from './windows.ts'

export interface TrainOptions {
  /** How many rows are forecast. */
  horizon: number
  /** How many rows the model looks at; default: a season, or twice the horizon if that is more; see `inputFor`. */
  input?: number
  /** Default 'direct'. Autoregressive forecasters take no covariates but known ones, and forecast distributions. */
  mode?: Mode
  /** Default 'quantiles', or 'gaussian' where autoregressive. */
  head?: HeadName
  /** What targets are taken relative to; default 'last', 'none' for counts. */
  difference?: Difference
  /** Of the targets, each series by itself; default 'standard', 'meanAbs' for counts. */
  scaling?: Scaling
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
  /** Every so many rows a window is trained on; default 1, all of them. */
  stride?: number
  /** Of Adam; default 0.003. */
  learningRate?: number
  /** Epochs without a better validation loss before training ends; default two fifths of the epochs. */
  patience?: number
  /** In increasing order; the point forecast is the one nearest to 0.5. Default 0.1, 0.5, 0.9; a head of 'mean' has none. */
  quantiles?: readonly number[]
  /** Sample paths of an autoregressive forecast; default 100. */
  paths?: number
  /** The share of the rows, or their number, at the end, held out for the evaluation; default 0.1. */
  test?: number
  /** The share of the other rows, or their number, at their end, that chooses the epoch; default 0.1. */
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
  mode: 'direct' as Mode,
  hidden: 32,
  layers: 1,
  dropout: 0,
  stride: 1,
  learningRate: 3e-3,
  quantiles: [0.1, 0.5, 0.9] as readonly number[],
  paths: 100,
  test: 0.1,
  validation: 0.1,
  seed: 1,
}

/** Options with the defaults filled in that do not depend on the data. */
export type ChosenOptions = TrainOptions &
  typeof defaults &
  Required<Pick<TrainOptions, 'head' | 'difference' | 'scaling'>>

/** All of them. */
export type CompleteTrainOptions = ChosenOptions &
  Required<Pick<TrainOptions, 'input' | 'periods' | 'epochs' | 'batchSize' | 'patience'>>

/** What a run will do. */
export interface TrainPlan {
  /** One for each series. */
  splits: readonly Split[]
  options: CompleteTrainOptions
  trainingWindows: number
  parameters: number
}

/** @throws {InputError} for options that do not go together, with each other or with the series */
export function chooseOptions(options: TrainOptions, all: readonly Series[]): ChosenOptions {
  const [{ columns }] = all
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const { mode = defaults.mode } = options
  const { head = mode === 'direct' ? 'quantiles' : 'gaussian' } = options
  requireOneOf('mode', mode, ['direct', 'autoregressive'])
  requireOneOf('head', head, headNames)
  const isCount = head === 'negativeBinomial'
  const { difference = isCount ? 'none' : 'last', scaling = isCount ? 'meanAbs' : 'standard' } = options
  requireOneOf('scaling', scaling, scalings)
  const isSeason = Number.isInteger(difference) && (difference as number) >= 1
  if (!isSeason && difference !== 'last' && difference !== 'none') {
    throw new InputError(
      `expected difference to be 'last', 'none' or the length of a season, got ${difference}`,
    )
  }
  if (mode === 'autoregressive') {
    if (!isDistribution(head)) {
      throw new InputError(
        `an autoregressive forecaster draws from a distribution: expected head 'gaussian', 'studentT' or ` +
          `'negativeBinomial', got '${head}'`,
      )
    }
    if (columns.covariates.length > 0) {
      throw new InputError(
        `an autoregressive forecaster must know its covariates ahead, got ${columns.covariates.join(', ')} as ` +
          'covariates; make them known columns or further targets, or forecast directly',
      )
    }
  }
  if (isCount && (difference !== 'none' || scaling === 'standard')) {
    throw new InputError(
      "counts are forecast as they are: expected difference 'none' and scaling 'meanAbs' or 'none' with head " +
        `'negativeBinomial', got '${difference}' and '${scaling}'`,
    )
  }
  if (isCount) for (const series of all) requireCounts(series)
  const quantiles = head === 'mean' ? [] : (options.quantiles ?? defaults.quantiles)
  return { ...defaults, ...(given as TrainOptions), mode, head, difference, scaling, quantiles }
}

/** A season, or twice the horizon if that is more, or thrice without a season; at most a quarter of the training rows. */
export function inputFor(rows: number, { horizon, period }: { horizon: number; period?: number }): number {
  const wanted = period === undefined ? 3 * horizon : Math.max(period, 2 * horizon)
  return Math.max(1, Math.min(wanted, Math.floor(rows / 4)))
}

/** Few windows need small batches and many passes to come to a useful number of steps. */
export function paceFor(windows: number, { batchSize, epochs, patience }: TrainOptions) {
  const size = batchSize ?? Math.max(8, Math.min(64, Math.floor(windows / 32)))
  const passes = epochs ?? Math.max(20, Math.ceil(1000 / Math.ceil(windows / size)))
  return { batchSize: size, epochs: passes, patience: patience ?? Math.ceil(0.4 * passes) }
}

function requireCounts({ name, columns, values }: Series): void {
  for (const [k, target] of columns.targets.entries()) {
    const odd = values[k].findIndex((value) => value < 0 || (!Number.isNaN(value) && value % 1 !== 0))
    if (odd < 0) continue
    throw new InputError(
      `${name}: expected whole counts in "${target}" for head 'negativeBinomial', got ${values[k][odd]} in row ${odd + 1}`,
    )
  }
}

function requireOneOf(name: string, value: string, names: readonly string[]): void {
  if (names.includes(value)) return
  const nearest = nearestName(String(value), names)
  throw new InputError(
    `expected ${name} to be one of ${names.join(', ')}, got ${value}${nearest ? `; did you mean ${nearest}?` : ''}`,
  )
}
