/** The options of `fit`: their meaning, defaults and checks. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { Loss } from '../operations/losses.ts'
import type { Data } from './batching.ts'
import type { EarlyStoppingOptions } from './early-stopping.ts'
import type { BatchProgress } from './epoch.ts'
import type { MetricFunction } from './metrics.ts'
import type { OptimizerFactory } from './optimizers.ts'
import type { Position, Schedule, Unit } from './schedules.ts'

export interface FitOptions {
  /**
   * A function of prediction and target that returns a scalar tensor. Where some steps of a batch are padding
   * and the targets are per step, it is called with `{ mask }` as third argument, which the package's losses
   * know.
   */
  loss: Loss
  /** Such as `adam({ learningRate: 1e-3 })`, which is the default. */
  optimizer?: OptimizerFactory
  /** Passes over the data, those before `resume` included. */
  epochs: number
  /** Sequences in a batch, for data that do not come in batches; default 32. */
  batchSize?: number
  /** Whether a data set is put in a new random order in each epoch; default true. */
  shuffle?: boolean
  /** Data the model is evaluated on after each epoch. */
  validation?: Data
  /** Numbers to report beside the loss, by name: `{ mae, rmse }`. */
  metrics?: Record<string, MetricFunction>
  /** Scales the gradients down where their norm is above this. */
  clipNorm?: number
  /** Limits each element of the gradients to ± this; comes before clipNorm. */
  clipValue?: number
  /** How the learning rate changes, or a function of the position that returns it; default: not at all. */
  schedule?: Schedule | ((position: Position) => number)
  /**
   * Ends training when the validation loss no longer falls; the best weights are put back when training ends.
   */
  earlyStopping?: EarlyStoppingOptions
  /**
   * Truncated backpropagation through time: batches longer than so many steps are cut into windows, each with
   * an update of its own; the state goes on from window to window, the gradient does not. Needs targets for
   * each step.
   */
  truncate?: number
  /**
   * Batches (with `truncate`, windows) whose gradients are averaged for one update, by their weight; default
   * 1.
   */
  accumulate?: number
  /** Stops training between two batches; iteration then throws the signal's reason. */
  signal?: AbortSignal
  /**
   * Fixes the order of the data and every random number of training, to the bit; default: drawn from the
   * ambient stream.
   */
  seed?: number
  /** Writes a checkpoint after every so many epochs (default 1) or updates, and when training ends. */
  checkpoint?: { path: string; every?: number; unit?: Unit }
  /** A checkpoint to go on from, with the same bits as if training had never stopped. */
  resume?: string
  /** Called after each batch. */
  onBatch?: (progress: BatchProgress) => void
}

type Defaulted = 'optimizer' | 'batchSize' | 'shuffle' | 'metrics' | 'accumulate'
export type CheckedOptions = Omit<FitOptions, Defaulted | 'checkpoint'> &
  Required<Pick<FitOptions, Exclude<Defaulted, 'optimizer'>>> &
  Pick<FitOptions, 'optimizer'> & { checkpoint?: { path: string; every: number; unit: Unit } }

const names = [
  'loss',
  'optimizer',
  'epochs',
  'batchSize',
  'shuffle',
  'validation',
  'metrics',
  'clipNorm',
  'clipValue',
  'schedule',
  'earlyStopping',
  'truncate',
  'accumulate',
  'signal',
  'seed',
  'checkpoint',
  'resume',
  'onBatch',
] as const satisfies readonly (keyof FitOptions)[]

/** @throws {TypeError | RangeError} if an option is unknown, missing or out of range */
export function checkOptions(options: FitOptions): CheckedOptions {
  if (options === null || typeof options !== 'object')
    throw new TypeError('fit: expected options as the third argument')
  refuseUnknownOptions('fit', options, names)
  const { batchSize = 32, shuffle = true, metrics = {}, accumulate = 1 } = options
  const { loss, optimizer, epochs, clipNorm, clipValue, truncate, checkpoint, seed } = options
  if (typeof loss !== 'function') {
    throw new TypeError(`fit: expected loss to be a function such as meanSquaredError, got ${describe(loss)}`)
  }
  if (optimizer !== undefined && typeof optimizer !== 'object') {
    throw new TypeError(
      `fit: expected optimizer to be such as adam({ learningRate: 1e-3 }), got ${describe(optimizer)}`,
    )
  }
  requireInteger('fit', 'epochs', epochs)
  requireInteger('fit', 'batchSize', batchSize)
  requireInteger('fit', 'accumulate', accumulate)
  if (truncate !== undefined) requireInteger('fit', 'truncate', truncate)
  if (clipNorm !== undefined) requireNumber('fit', 'clipNorm', clipNorm, { low: Number.MIN_VALUE })
  if (clipValue !== undefined) requireNumber('fit', 'clipValue', clipValue, { low: Number.MIN_VALUE })
  if (seed !== undefined) requireInteger('fit', 'seed', seed, Number.MIN_SAFE_INTEGER)
  return {
    ...options,
    batchSize,
    shuffle,
    metrics,
    accumulate,
    checkpoint: checkpoint && checkCheckpoint(checkpoint),
  }
}

function checkCheckpoint(checkpoint: NonNullable<FitOptions['checkpoint']>) {
  refuseUnknownOptions('fit: checkpoint', checkpoint, ['path', 'every', 'unit'])
  const { path, every = 1, unit = 'epoch' } = checkpoint
  if (typeof path !== 'string')
    throw new TypeError(`fit: expected checkpoint.path to be a text, got ${describe(path)}`)
  requireInteger('fit', 'checkpoint.every', every)
  if (unit !== 'epoch' && unit !== 'step') {
    throw new TypeError(`fit: expected checkpoint.unit 'epoch' or 'step', got ${describe(unit)}`)
  }
  return { path, every, unit }
}
