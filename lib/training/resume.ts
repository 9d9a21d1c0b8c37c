/** The training part of a checkpoint: everything beside the parameters that the next bits depend on. */
import { describe, FileFormatError } from '../errors.ts'
import { readCheckpoint, saveCheckpoint, type TrainingPart } from '../formats/checkpoint.ts'
import type { FloatArray } from '../kernels/contract.ts'
import type { Model, State } from '../layers/layer.ts'
import type { RandomState } from '../random.ts'
import type { EarlyStopping, EarlyStoppingState } from './early-stopping.ts'
import type { Optimizer } from './optimizers.ts'
import type { RunningSchedule } from './schedules.ts'
import { packState, unpackState } from './stored-state.ts'
import type { TotalsState } from './totals.ts'

const version = 1

/** Where a run stands, between two batches. */
export interface RunState {
  /** Of the run, from which the order of the data comes. */
  seed: number
  /** The stream that dropout draws from. */
  random: RandomState
  /** Epochs completed. */
  epoch: number
  /** Batches done in the epoch under way. */
  batch: number
  /** Updates made. */
  step: number
  batchSize: number
  /** Of the epoch under way. */
  totals: TotalsState
  /** Whether early stopping has ended training. */
  stopped: boolean
}

/** The parts of a run that keep a state of their own. */
export interface Stateful {
  optimizer: Optimizer
  schedule: RunningSchedule
  stopping: EarlyStopping | undefined
}

interface Stored extends RunState {
  version: number
  optimizer: { type: string; learningRate: number; steps: Record<string, number> }
  schedule: unknown
  stopping: EarlyStoppingState | null
  /** What `packState` made of the state that is carried from batch to batch; absent where none is. */
  carried?: unknown
}

/** Writes model, run, the state carried from batch to batch and the states of the run's parts. */
export async function writeRun(
  path: string,
  { model, run, carried, parts }: { model: Model; run: RunState; carried: State; parts: Stateful },
): Promise<void> {
  const { tensors: moments, ...optimizer } = parts.optimizer.state
  const tensors: TrainingPart['tensors'] = new Map()
  for (const [name, each] of moments) tensors.set(`optimizer.${name}`, each)
  for (const [name, data] of parts.stopping?.weights ?? [])
    tensors.set(`best.${name}`, { shape: [data.length], data })
  const { schedule, stopping } = parts
  const state: Stored = {
    version,
    ...run,
    optimizer,
    schedule: schedule.state ?? null,
    stopping: stopping?.state ?? null,
    ...(carried !== undefined && { carried: packState(carried, tensors) }),
  }
  await saveCheckpoint(model, path, { training: { state, tensors } })
}

/**
 * Puts a checkpoint into the model and the parts of the run. A part that the checkpoint knows nothing of
 * (early stopping asked for now and not then) begins anew.
 *
 * @throws {FileFormatError} if it is no checkpoint of this model and optimizer; nothing is changed then
 * @throws {RangeError} if the run cannot go on with this seed or batch size
 */
export async function readRun(
  path: string,
  { model, parts, seed, batchSize }: { model: Model; parts: Stateful; seed?: number; batchSize: number },
): Promise<{ run: RunState; carried: State }> {
  const { training, restore } = await readCheckpoint(path, model)
  const { version: found, optimizer, schedule, stopping, carried, ...run } = (training.state ?? {}) as Stored
  if (found !== version) {
    throw new FileFormatError(
      `${path}: expected a training state of version ${version}, got ${describe(found)}`,
      {
        code: 'UnsupportedVersion',
        path,
      },
    )
  }
  if (seed !== undefined && seed !== run.seed) {
    throw new RangeError(
      `fit: ${path} was begun with seed ${run.seed}, got seed ${seed}; leave it out to resume`,
    )
  }
  if (run.batch > 0 && batchSize !== run.batchSize) {
    throw new RangeError(
      `fit: ${path} stands in the middle of an epoch with batchSize ${run.batchSize}, got ${batchSize}; ` +
        'keep it to resume',
    )
  }
  const moments: TrainingPart['tensors'] = new Map()
  const best = new Map<string, FloatArray>()
  for (const [name, each] of training.tensors) {
    if (name.startsWith('optimizer.')) moments.set(name.slice('optimizer.'.length), each)
    else if (name.startsWith('best.')) best.set(name.slice('best.'.length), each.data)
  }
  parts.optimizer.state = { ...optimizer, tensors: moments }
  restore()
  if (schedule !== null) parts.schedule.state = schedule
  if (parts.stopping && stopping) parts.stopping.resume(stopping, best)
  return { run, carried: unpackState(carried, training.tensors) }
}
