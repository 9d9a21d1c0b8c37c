/** Searches the options of a forecaster by successive halving, on the validation part of its series. */
import { createHash } from 'node:crypto'
import type { Range } from '../training/tuning/space.ts'
import type { Trial, TuneResult } from '../training/tuning/tune.ts'
import { tune } from '../training/tuning/tune.ts'
import { InputError } from './input-error.ts'
import { listOf, type Series } from './series.ts'
import { type TrainResult, trainForecaster } from './train.ts'
import { chooseOptions, type TrainOptions } from './train-options.ts'

/** The options that are searched. */
export interface ForecasterSpace {
  /** Width of the LSTM. */
  hidden: Range
  layers: Range
  /** Of Adam. */
  learningRate: Range
  /** Between layers, of which there must be two for it to matter. */
  dropout: Range
}

export interface ForecasterConfiguration {
  hidden: number
  layers: number
  learningRate: number
  dropout: number
}

export const defaultSpace: ForecasterSpace = {
  hidden: [16, 32, 64],
  layers: [1, 2],
  learningRate: { from: 5e-4, to: 3e-2, scale: 'log' },
  dropout: [0, 0.1, 0.3],
}

export interface TuneForecasterOptions extends Omit<TrainOptions, keyof ForecasterSpace | 'patience'> {
  space?: Partial<ForecasterSpace>
  /** Configurations in the first rung; default 27. */
  trials?: number
  /** η: the share 1/η goes on to the next rung, with η times the epochs; default 3. */
  reduction?: number
  /** Epochs of the last rung; default 27. */
  epochs?: number
  /** Epochs of the first rung, at least; default 3. */
  minEpochs?: number
  /** A file from which a search that was stopped goes on. */
  journal?: string
  onTrial?(trial: Trial<ForecasterConfiguration>): void
}

export interface TunedForecaster extends TuneResult<ForecasterConfiguration> {
  space: ForecasterSpace
  /** The best configuration, trained as in its last rung; evaluated on what was held out, which the search has not seen. */
  result: TrainResult
}

/**
 * A trial's loss is the lowest validation loss of its epochs, whose parameters are kept. Each rung trains anew.
 *
 * @throws {InputError} if the series is too short, or options do not go together
 * @throws {DataError} if the journal is that of another search: of other options, or other data
 * @throws the signal's reason after an abort; a journal has what was finished
 */
export async function tuneForecaster(
  series: Series | readonly Series[],
  options: TuneForecasterOptions,
): Promise<TunedForecaster> {
  const {
    space: given,
    trials,
    reduction,
    epochs = 27,
    minEpochs = 3,
    journal,
    onTrial,
    ...training
  } = options
  const { seed = 1, signal } = training
  const all = listOf(series)
  if (all.length === 0) throw new InputError('expected at least one series, got none')
  const space = { ...defaultSpace, ...given }
  const train = (configuration: ForecasterConfiguration, resource: number, seed: number) =>
    // Early stopping would end a rung before its budget: the best epoch is kept either way.
    trainForecaster(all, { ...training, ...configuration, seed, epochs: resource, patience: resource })
  const found = await tune({
    space: { ...space },
    subject: subjectOf(all, training),
    trials,
    reduction,
    minResource: minEpochs,
    maxResource: epochs,
    seed,
    journal,
    signal,
    onTrial: onTrial as ((trial: Trial<Record<string, unknown>>) => void) | undefined,
    async evaluate(configuration, budget) {
      const result = await train(
        configuration as unknown as ForecasterConfiguration,
        Math.round(budget.resource),
        budget.seed,
      )
      signal?.throwIfAborted()
      return Math.min(...result.epochs.map(({ validationLoss }) => validationLoss!))
    },
  })
  const tuned = found as unknown as TuneResult<ForecasterConfiguration>
  const { configuration, results, seed: own } = tuned.best
  const result = await train(configuration, Math.round(results.at(-1)!.resource), own)
  signal?.throwIfAborted()
  return { ...tuned, space, result }
}

/** What else a trial depends on: the data, and every option that is not searched. */
function subjectOf(all: readonly Series[], options: TrainOptions): object {
  const hash = createHash('sha256')
  for (const { values, statics } of all) {
    for (const column of [...values, Float64Array.from(statics)]) hash.update(column)
  }
  const chosen = chooseOptions(options, all)
  const { mode, head, difference, scaling, quantiles, test, validation, stride } = chosen
  const { horizon, input, batchSize, periods } = options
  const rows = all.reduce((sum, series) => sum + series.rows, 0)
  const data = { series: all.length, rows, columns: all[0].columns, values: hash.digest('hex').slice(0, 16) }
  const model = { horizon, input, periods, mode, head, difference, scaling, quantiles }
  return { ...data, ...model, test, validation, stride, batchSize }
}
