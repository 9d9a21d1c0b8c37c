/**
 * Typed errors and the checks that raise them. A message names the place, what was expected, what came
 * and, where it is known, the fix: `LSTM: expected hiddenSize to be a positive integer, got -3`.
 * Misuse is a TypeError or RangeError; the classes below are for what can go wrong without misuse.
 */
import { editDistance } from './edit-distance.ts'

/** A model or checkpoint file that cannot be read or written. `code` says why, `tensor` where. */
export class FileFormatError extends Error {
  override readonly name: string = 'FileFormatError'
  readonly code: string
  readonly path?: string
  readonly tensor?: string

  constructor(message: string, details: { code: string; path?: string; tensor?: string; cause?: unknown }) {
    super(message, { cause: details.cause })
    this.code = details.code
    this.path = details.path
    this.tensor = details.tensor
  }
}

/**
 * Data that nothing can be learned from as they are: a file cut off, another encoding, a label out of range, nothing in
 * it. Found before training starts. The message: `FILE, PLACE: expected EXPECTED, got GOT; FIX`.
 */
export class DataError extends Error {
  override readonly name = 'DataError'
  readonly file: string
  /** The line, record or cell, such as `line 12`. */
  readonly place?: string

  constructor(details: {
    file: string
    place?: string
    expected: string
    got: string
    fix?: string
    cause?: unknown
  }) {
    const { file, place, expected, got, fix, cause } = details
    const where = place === undefined ? file : `${file}, ${place}`
    super(`${where}: expected ${expected}, got ${got}${fix === undefined ? '' : `; ${fix}`}`, { cause })
    this.file = file
    this.place = place
  }
}

/** Training met a loss or gradient that is not finite. The model holds the last good parameters. */
export class NonFiniteLossError extends Error {
  override readonly name = 'NonFiniteLossError'
  readonly step: number
  readonly loss: number
  readonly largestGradient: { name: string; value: number }

  constructor(details: { step: number; loss: number; largestGradient: { name: string; value: number } }) {
    const { step, loss, largestGradient } = details
    super(
      `fit: the loss is ${loss} at step ${step}; the largest gradient is ${largestGradient.value} in ` +
        `${largestGradient.name}. Lower the learning rate, clip (clipNorm: 1) or look for non-finite inputs`,
    )
    this.step = step
    this.loss = loss
    this.largestGradient = largestGradient
  }
}

/** A model gave, where it generates, an output that is no number, or no token a probability. `step` tokens came before. */
export class NonFiniteOutputError extends Error {
  override readonly name = 'NonFiniteOutputError'
  readonly code = 'NON_FINITE_OUTPUT'
  readonly step: number
  readonly token: number
  readonly value: number

  constructor(step: number, token: number, value: number) {
    super(
      `generate: the model's output for token ${token} is ${value} at step ${step}; ` +
        'look for non-finite weights or inputs',
    )
    this.step = step
    this.token = token
    this.value = value
  }
}

/** The requested back end cannot run here: unknown name, missing addon, or a CPU without the instructions. */
export class BackendError extends Error {
  override readonly name = 'BackendError'
}

/**
 * One of many, and answered: where it was made tells nobody anything, and to find out takes longer than to serve a request. It has no
 * stack.
 */
export class TracelessError extends Error {
  constructor(message: string) {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * More requests wait than a batcher takes, or more than it could serve before the request's timeout: the caller should ask
 * again later, or of somebody else.
 */
export class QueueFullError extends TracelessError {
  override readonly name = 'QueueFullError'
  readonly code = 'QUEUE_FULL'

  constructor(waiting: number, timeout?: number) {
    const limit =
      timeout === undefined ? 'as many as maxQueueSize allows' : `too many for a timeout of ${timeout} ms`
    super(`predict: ${waiting} requests wait already, ${limit}; ask again later`)
  }
}

/** A request waited for longer than its `timeout`. */
export class TimeoutError extends TracelessError {
  override readonly name = 'TimeoutError'
  readonly code = 'TIMEOUT'

  constructor(timeout: number) {
    super(`predict: the request waited for longer than its timeout of ${timeout} ms`)
  }
}

/** A stream or batcher was asked for something after it was closed, or before and had not begun with it. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError'
  readonly code = 'CLOSED'

  constructor(what: 'stream' | 'batcher') {
    super(`predict: the ${what} is closed`)
  }
}

/** The run of a plan failed, for all requests in it; `cause` is the back end's error. States are as they were before. */
export class PredictionError extends Error {
  override readonly name = 'PredictionError'
  readonly code = 'PREDICTION_FAILED'

  constructor(cause: Error) {
    super(`predict: the run failed: ${cause.message}`, { cause })
  }
}

/** Throws a TypeError that suggests the nearest known name if `options` holds a name not in `known`. */
export function refuseUnknownOptions(place: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest ? `; did you mean "${nearest}"?` : `; known options: ${known.join(', ')}`
    throw new TypeError(`${place}: unknown option "${name}"${hint}`)
  }
}

/** The name in `known` within a third of its length in edits, or undefined. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const { total: distance } = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return bestDistance <= Math.max(2, name.length / 3) ? best : undefined
}

/** Throws a RangeError unless `value` is an integer of at least `minimum` (default 1). */
export function requireInteger(
  place: string,
  name: string,
  value: unknown,
  minimum = 1,
): asserts value is number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return
  const kind = minimum === 1 ? 'a positive integer' : `an integer of at least ${minimum}`
  throw new RangeError(`${place}: expected ${name} to be ${kind}, got ${describe(value)}`)
}

/** Throws a RangeError unless `value` is a finite number in [low, high], or [low, high) with `open`. */
export function requireNumber(
  place: string,
  name: string,
  value: unknown,
  { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY, open = false } = {},
): asserts value is number {
  const inside =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= low &&
    (open ? value < high : value <= high)
  if (inside) return
  throw new RangeError(
    `${place}: expected ${name} in [${low}, ${high}${open ? ')' : ']'}, got ${describe(value)}`,
  )
}

/** A short rendering of any value for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${(value as Float32Array).length})`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value !== null && typeof value === 'object') return value.constructor?.name ?? 'an object'
  return String(value)
}
