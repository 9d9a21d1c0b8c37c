/** Parameters of a request that this server knows: of sequences and of the schedule; others are for other servers. */
import { describe } from '../../errors.ts'
import { badRequest } from '../request-error.ts'

export interface RequestParameters {
  /** Decimal, where the client sent a number; undefined: no sequence. */
  readonly sequenceId?: string
  /** The id as the client wrote it, in JSON. */
  readonly sequenceIdJson?: string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  readonly sequenceStep?: number
  /** As the batcher's: higher runs first. */
  readonly priority: number
  /** In ms; undefined: the server's. */
  readonly timeout?: number
  /** All outputs as binary data unless they say otherwise. */
  readonly binaryOutput: boolean
}

/** Levels of priority, 1 being the highest, and the one of a request that names none. The batcher counts from 0 up. */
const levels = 10
const defaultLevel = 5

const none: RequestParameters = {
  sequenceStart: false,
  sequenceEnd: false,
  priority: levels - defaultLevel,
  binaryOutput: false,
}

/** Bytes of a sequence id in UTF-8. */
const longestId = 512

/** @param text the JSON they stand in, for a sequence id that a double cannot hold */
export function readParameters(value: unknown, text: () => string): RequestParameters {
  if (value === undefined || value === null) return none
  if (typeof value !== 'object' || Array.isArray(value))
    throw badRequest(`parameters: expected an object, got ${describe(value)}`)
  const given = value as Record<string, unknown>
  const sequenceId = readSequenceId(given.sequence_id, text)
  const sequenceStart = boolean('sequence_start', given.sequence_start)
  const sequenceEnd = boolean('sequence_end', given.sequence_end)
  if (sequenceId === undefined && (sequenceStart || sequenceEnd)) {
    const name = sequenceStart ? 'sequence_start' : 'sequence_end'
    throw badRequest(`parameter ${name}: expected a sequence_id beside it that is neither 0 nor empty`)
  }
  const step = given.sequence_step
  const timeout = integer('timeout', given.timeout)
  return {
    sequenceId,
    sequenceIdJson: sequenceId === undefined ? undefined : idJson(given.sequence_id, sequenceId),
    sequenceStart,
    sequenceEnd,
    sequenceStep: step === undefined ? undefined : integer('sequence_step', step),
    priority: readPriority(given.priority),
    timeout: timeout === 0 ? undefined : timeout / 1000,
    binaryOutput: boolean('binary_data_output', given.binary_data_output),
  }
}

function readPriority(value: unknown): number {
  const level = integer('priority', value)
  if (level > levels) {
    throw badRequest(
      `parameter priority: expected a level from 1, the highest, to ${levels}, or 0, got ${level}`,
    )
  }
  return levels - (level || defaultLevel)
}

export function boolean(name: string, value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw badRequest(`parameter ${name}: expected true or false, got ${describe(value)}`)
}

function integer(name: string, value: unknown): number {
  if (value === undefined) return 0
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw badRequest(`parameter ${name}: expected an integer of at least 0, got ${describe(value)}`)
}

function readSequenceId(value: unknown, text: () => string): string | undefined {
  if (value === undefined || value === 0 || value === '') return undefined
  if (typeof value === 'string') {
    if (Buffer.byteLength(value) <= longestId) return value
    throw badRequest(`parameter sequence_id: expected at most ${longestId} bytes, got a longer string`)
  }
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 2 ** 64)
    return Number.isSafeInteger(value) ? String(value) : digitsOf(value, text())
  throw badRequest(`parameter sequence_id: expected a string or an unsigned integer, got ${describe(value)}`)
}

/** All digits of an integer that JSON.parse has rounded; ids that differ must not become one. */
function digitsOf(value: number, text: string): string {
  const written = [...text.matchAll(/"sequence_id"\s*:\s*(\d+)/g)].map((match) => match[1])
  if (written.length === 1 && Number(written[0]) === value && BigInt(written[0]) < 2n ** 64n)
    return written[0]
  throw badRequest('parameter sequence_id: expected one unsigned integer of 64 bits in digits, or a string')
}

function idJson(value: unknown, id: string): string {
  return typeof value === 'string' ? JSON.stringify(value) : id
}
