/** What every store checks before a step, in the same words. */
import { TimeoutError } from '../../errors.ts'
import {
  SequenceConflictError,
  type SequenceError,
  type SequenceModel,
  SequenceNotFoundError,
  type SequenceStatistics,
  type StepRequest,
} from './store.ts'

/** What a store knows of a sequence that is alive. */
export interface Progress {
  /** Applied since the start. */
  steps: number
  stateLayout: string
}

const longestId = 512

/** @throws {RangeError} if the id is empty or too long to be a key */
export function requireSequenceId({ sequenceId }: StepRequest): void {
  const length = Buffer.byteLength(sequenceId)
  if (length > 0 && length <= longestId) return
  throw new RangeError(`sequence_id: expected 1 to ${longestId} bytes of UTF-8, got ${length}`)
}

/**
 * Why the step cannot follow what has been applied; undefined if it can.
 *
 * @param progress of the sequence; undefined where none is alive
 */
export function refusalOf(request: StepRequest, progress: Progress | undefined): SequenceError | undefined {
  const { model, sequenceId, start, step } = request
  const place = `sequence ${sequenceId} of ${model.name}`
  const applied = start ? 0 : progress?.steps
  if (applied === undefined) {
    return new SequenceNotFoundError(
      `${place}: there is none under this id. It was never started, has ended or was idle for too long; ` +
        'send its first step with sequence_start: true',
    )
  }
  if (step !== undefined && step !== applied) {
    return new SequenceConflictError(`${place}: expected sequence_step ${applied}, got ${step}`)
  }
  return start || progress!.stateLayout === model.stateLayout
    ? undefined
    : otherLayout(place, progress!, model)
}

function otherLayout(place: string, { stateLayout }: Progress, model: SequenceModel): SequenceConflictError {
  return new SequenceConflictError(
    `${place}: its state was made by a model with states ${stateLayout}, the one now loaded has ${model.stateLayout}; ` +
      'start it anew with sequence_start: true',
  )
}

/**
 * What is left of the request's timeout, in ms; undefined where it has none.
 *
 * @param deadline in ms of `performance.now()`
 * @throws {TimeoutError} if nothing is: who sent it may have sent it again, to another process
 */
export function timeLeft({ timeout }: StepRequest, deadline: number): number | undefined {
  if (timeout === undefined) return undefined
  const left = deadline - performance.now()
  if (left <= 0) throw new TimeoutError(timeout)
  return left
}

export function newStatistics(): SequenceStatistics {
  return { steps: 0, replays: 0, evicted: 0, races: 0, reloads: 0 }
}
