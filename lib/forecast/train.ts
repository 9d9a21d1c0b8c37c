/** Trains a forecaster on one or many series: splits, scales, cuts windows, fits, and evaluates on what it held out. */
import type { FloatArray } from '../kernels/contract.ts'
import { parametersOf, tensorsOf } from '../layers/layer.ts'
import type { Epoch } from '../training/epoch.ts'
import { fit } from '../training/fit.ts'
import { adam } from '../training/optimizers.ts'
import { detectPeriod } from './baselines.ts'
import type { Evaluation } from './evaluation.ts'
import { featureCount } from './features.ts'
import { Forecaster, forecastNetwork } from './forecaster.ts'
import { headLoss, headSize } from './heads.ts'
import { InputError } from './input-error.ts'
import { scaleOf } from './scaling.ts'
import { keyOf, listOf, type Series } from './series.ts'
import { type ForecasterSettings, fitSeries, leadsOf, prepared } from './settings.ts'
import {
  type ChosenOptions,
  chooseOptions,
  inputFor,
  paceFor,
  type TrainOptions,
  type TrainPlan,
} from './train-options.ts'
import {
  checkedOrigins,
  learntOrigins,
  type Origin,
  refuseEmpty,
  type Split,
  splitRows,
  windowsAt,
} from './windows.ts'

export interface TrainResult extends TrainPlan {
  forecaster: Forecaster
  /** On the held-out rows: one for each series and target, those of the first series first. */
  evaluations: Evaluation[]
  epochs: Epoch[]
  /** The epoch whose parameters were kept. */
  bestEpoch: number
  /** Whether the signal ended training. */
  interrupted: boolean
  /** Of training alone. */
  seconds: number
}

/**
 * One network for all series, each cut into training, validation and held-out rows and scaled by itself. Series whose held-out
 * rows have no target to compare with only train.
 *
 * @throws {InputError} if the series are too short for the windows and parts asked for, or options do not go together
 * @throws the signal's reason if it comes before the first epoch has ended
 */
export async function trainForecaster(
  series: Series | readonly Series[],
  options: TrainOptions,
): Promise<TrainResult> {
  const all = listOf(series)
  if (all.length === 0) throw new InputError('expected at least one series, got none')
  const chosen = chooseOptions(options, all)
  const { horizon, signal, seed } = chosen
  const splits = all.map(({ rows, name }) => splitRows(rows, { ...chosen, name }))
  const settings = settingsFor(all, splits, chosen)
  const shape = { ...settings, seed }
  const origins = originsOf(all, splits, settings)

  const features = featureCount(all[0], leadsOf(settings))
  const outputs =
    (settings.mode === 'direct' ? horizon : 1) *
    settings.columns.targets.length *
    headSize(settings.head, settings.quantiles)
  const model = forecastNetwork({ ...chosen, features, outputs })
  const training = origins.training.filter((_, i) => i % chosen.stride === 0)
  const complete = {
    ...chosen,
    input: settings.input,
    periods: settings.periods,
    ...paceFor(training.length, chosen),
  }
  const plan: TrainPlan = {
    splits,
    options: complete,
    trainingWindows: training.length,
    parameters: [...parametersOf(model).values()].reduce((sum, { size }) => sum + size, 0),
  }
  options.onStart?.(plan)

  const windows = { counts: settings.head === 'negativeBinomial' }
  const history: Epoch[] = []
  const best = new Map<string, FloatArray>()
  const start = performance.now()
  const run = fit(model, windowsAt(training, shape, windows), {
    loss: headLoss(settings.head, settings.quantiles),
    optimizer: adam({ learningRate: complete.learningRate }),
    epochs: complete.epochs,
    batchSize: complete.batchSize,
    validation: windowsAt(origins.validation, shape, windows),
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
  const forecaster = new Forecaster(model, settings)
  return {
    ...plan,
    forecaster,
    evaluations: origins.tested.flatMap((i) => forecaster.evaluate(all[i], { from: splits[i].test })),
    epochs: history,
    bestEpoch: history.findLast(({ improved }) => improved)!.number,
    interrupted: signal?.aborted ?? false,
    seconds,
  }
}

/** What is fitted on the training rows, which are all that it looks at. */
function settingsFor(
  all: readonly Series[],
  splits: readonly Split[],
  options: ChosenOptions,
): ForecasterSettings {
  const [{ columns }] = all
  const twice = all.find((each, i) => all.findIndex((other) => keyOf(other) === keyOf(each)) !== i)
  if (twice)
    throw new InputError(`two series are named "${keyOf(twice)}"; give each a name, or a key, of its own`)
  const { mode, head, difference, scaling, horizon, quantiles, paths, test } = options
  const [{ validation: rows }] = splits
  const periods = options.periods ?? periodOf(all[0], rows)
  return {
    columns,
    mode,
    head,
    difference,
    scaling,
    series: all.map((each, i) => fitSeries(each, { rows: splits[i].validation, scaling })),
    statics: columns.statics.map((_, i) => scaleOf(all.map(({ statics }) => statics[i]))),
    input: options.input ?? inputFor(rows, { horizon, period: periods[0] }),
    horizon,
    quantiles,
    paths,
    periods,
    test,
  }
}

/** The season of the first target's training rows. */
function periodOf({ values: [target] }: Series, rows: number): number[] {
  let last = target.subarray(0, rows).find((value) => !Number.isNaN(value)) ?? 0
  const filled = target.subarray(0, rows).map((value) => (last = Number.isNaN(value) ? last : value))
  return [detectPeriod(filled)].filter((period) => period !== undefined)
}

/** The windows of each part over all series, and which series have any to be tested on. */
function originsOf(all: readonly Series[], splits: readonly Split[], settings: ForecasterSettings) {
  const training: Origin[] = []
  const validation: Origin[] = []
  const tested: number[] = []
  for (const [i, series] of all.entries()) {
    const { rows, ...split } = splits[i]
    const features = prepared(settings, series, { rows: split.validation })
    const origins = (from: number, to: number) => learntOrigins(features, { from, to }, settings)
    training.push(...origins(0, split.validation).map((row) => ({ features, row })))
    validation.push(...origins(split.validation, split.test).map((row) => ({ features, row })))
    if (checkedOrigins(features, { from: split.test, to: rows }, settings).length > 0) tested.push(i)
  }
  const [first] = splits
  if (training.length === 0) refuseEmpty({ name: 'training', from: 0, to: first.validation }, settings)
  if (validation.length === 0)
    refuseEmpty({ name: 'validation', from: first.validation, to: first.test }, settings)
  if (tested.length === 0) refuseEmpty({ name: 'test', from: first.test, to: first.rows }, settings)
  return { training, validation, tested }
}
