/**
 * Where the states of sequences live between two requests of the sequence extension (`sequence_id`, `sequence_start`,
 * `sequence_end`): `local.ts` keeps them in this process, `redis.ts` in Redis, where replicas share them. What all stores
 * promise: steps of a sequence happen one after another, in the order in which a process received them; a step that fails
 * has not changed the state, but for a `StateUnavailableError` whose outcome is unknown; and a step whose `requestId` is that of
 * the last applied step is answered with the stored response instead of being applied again.
 */
import type { Tensor } from '../../tensor.ts'

/** What a store needs of a stream of the batcher. */
export interface SequenceStream {
  next(x: Tensor, options?: RunOptions): Promise<Tensor>
  /** [1, stateSize] */
  state: Tensor
  close(): void
}

export interface RunOptions {
  /** Rejects with its reason; a step that has not begun is not applied. */
  signal?: AbortSignal
  /** In ms; default: the batcher's. */
  timeout?: number
  /** Higher runs first; default 0. */
  priority?: number
}

/** What a store needs of a batcher. */
export interface SequenceBatcher {
  /** One sequence's steps from `state` (null: zeros). */
  predict(
    x: Tensor,
    options: RunOptions & { state: Tensor | null },
  ): Promise<{ output: Tensor; state: Tensor }>
  stream(): SequenceStream
}

/** A model as the server holds it. A reload makes a new object of the same name. */
export interface SequenceModel {
  /** Sequences of different names never meet: `sunspots`, or `sunspots/versions/2` where a version is asked for. */
  readonly name: string
  /** Of the weights, by `identityOf`: whether two replicas, or two loads, hold the same. */
  readonly fingerprint: string
  /** By `identityOf`. Sequences go on after a reload if it is the same, else they must be started anew. */
  readonly stateLayout: string
  readonly batcher: SequenceBatcher
}

export interface StepRequest extends RunOptions {
  model: SequenceModel
  /** As in the request's parameters, an integer in its decimal form; not empty, at most 512 bytes of UTF-8. */
  sequenceId: string
  /** The request's `id`. A retry under the id of the last applied step is answered with that step's response. */
  requestId?: string
  /** The state before this step is zeros; a sequence that is alive begins anew. */
  start: boolean
  /** The sequence ends with this step. */
  end: boolean
  /**
   * Parameter `sequence_step`: the number of steps requests have applied since the start, as the client counts them: 0 with
   * `start`. Where it is given and does not agree, the step is refused with a `SequenceConflictError`.
   */
  step?: number
  /** [T, inputSize], or int32 [T]: T steps of the model in one step of the sequence. */
  x: Tensor
}

export interface StepResult {
  /** [T, outputSize], or [outputSize] where the plan ends in one step. */
  output: Tensor
  /** The number of this step in its sequence, from 0. */
  step: number
  /** The step had been applied before, and this is its stored response. */
  isReplay: boolean
}

export interface SequenceStatistics {
  /** Steps applied. */
  steps: number
  /** Requests answered with a stored response. */
  replays: number
  /** Sequences ended for being idle. */
  evicted: number
  /** Steps computed again because another replica had applied one in between; 0 in a process of its own. */
  races: number
  /** Steps that went on from a state that other weights had made. */
  reloads: number
}

export interface SequenceStore {
  /**
   * Applies a step.
   *
   * @throws {SequenceError} one of the classes below
   * @throws the batcher's errors, and `signal.reason`
   */
  step(request: StepRequest): Promise<StepResult>
  /** Sequences in this process's memory: for the local store all that are alive. */
  readonly active: number
  readonly statistics: Readonly<SequenceStatistics>
  /** Whether steps can be applied now: for the ready probe. */
  readonly isReady: boolean
  /** Called for every sequence that was ended for being idle. */
  onEvicted?: (model: string, sequenceId: string) => void
  /** Waits for the steps under way, then lets go of everything; steps that come later are refused. */
  close(): Promise<void>
}

/** What a sequence's client can be told; `status` is the HTTP status it should get. */
export abstract class SequenceError extends Error {
  /** Machine-readable. */
  abstract readonly code: string
  abstract readonly status: 404 | 409 | 503
  /** Whether the same request (with the same id) may succeed later. */
  abstract readonly isRetryable: boolean
  /** In seconds, for `Retry-After`; undefined: no such header. */
  readonly retryAfter?: number
}

/** A step without `start` of a sequence that is not alive: never started, ended, or idle for too long. */
export class SequenceNotFoundError extends SequenceError {
  override readonly name = 'SequenceNotFoundError'
  override readonly code = 'SEQUENCE_NOT_FOUND'
  override readonly status = 404
  override readonly isRetryable = false
}

/** No room for another sequence. */
export class SequenceLimitError extends SequenceError {
  override readonly name = 'SequenceLimitError'
  override readonly code = 'SEQUENCE_LIMIT'
  override readonly status = 503
  override readonly isRetryable = true
  override readonly retryAfter = 1
}

/**
 * The step does not follow the last one applied: its `sequence_step` is another, its id was applied earlier than last, others
 * kept winning the race for the sequence, or the state was made by a model whose states are laid out differently.
 */
export class SequenceConflictError extends SequenceError {
  override readonly name = 'SequenceConflictError'
  override readonly code = 'SEQUENCE_CONFLICT'
  override readonly status = 409
  override readonly isRetryable: boolean

  constructor(message: string, { isRetryable = false } = {}) {
    super(message)
    this.isRetryable = isRetryable
  }
}

/**
 * The place of the states cannot be reached. The step was not applied, or (`isOutcomeUnknown`) it cannot be told: a retry
 * with the same id finds out.
 */
export class StateUnavailableError extends SequenceError {
  override readonly name = 'StateUnavailableError'
  override readonly code = 'STATE_UNAVAILABLE'
  override readonly status = 503
  override readonly isRetryable = true
  override readonly retryAfter = 1
  readonly isOutcomeUnknown: boolean

  constructor(
    message: string,
    { isOutcomeUnknown = false, cause }: { isOutcomeUnknown?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.isOutcomeUnknown = isOutcomeUnknown
  }
}
