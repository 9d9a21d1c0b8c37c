/**
 * A sequence as one string of bytes, little-endian, which one Redis command replaces whole:
 *
 *     0  4  'LSR1'
 *     4  1  flags: 1 ended, 2 state of float64, 4 response stored, 8 response of float64
 *     5  1  rank of the response
 *     6  2  bytes of the layout
 *     8 16  token, drawn anew for every write: who read this one may replace it
 *    24  8  steps applied since the start, a float64
 *    32 16  fingerprint of the model that made the state
 *    48  4  elements of the state
 *    52  4  marks
 *    56 16  shape of the response, 4 of 4 bytes
 *    72  8  mark of the step that started the sequence
 *    80     state, response, each padded to 8 bytes; marks of the latest steps, newest first, 8 bytes each; layout
 *
 * A mark is what a request's id leaves behind: the first 64 bits of its SHA-256.
 */
import { createHash, randomBytes } from 'node:crypto'
import { sizeOf, Tensor } from '../../tensor.ts'
import { SequenceConflictError } from './store.ts'

/** Steps whose requests a sequence remembers, the one that started it besides. */
export const rememberedSteps = 32

export interface SequenceRecord {
  token: Buffer
  isEnded: boolean
  steps: number
  fingerprint: string
  stateLayout: string
  /** [1, stateSize]; undefined once the sequence has ended. */
  state: Tensor | undefined
  /** Of the last step, where its request had an id. */
  response: Tensor | undefined
  startMark: Buffer
  /** Of the last `rememberedSteps`, newest first, back to back. */
  marks: Buffer
}

const magic = 'LSR1'
const headerBytes = 80
const mostAxes = 4
export const tokenAt = 8
export const tokenBytes = 16
export const markBytes = 8

export function markOf(requestId: string): Buffer {
  return createHash('sha256').update(requestId).digest().subarray(0, markBytes)
}

/** For a request without an id: known to nobody but who applies it. */
export function randomMark(): Buffer {
  return randomBytes(markBytes)
}

export function randomToken(): Buffer {
  return randomBytes(tokenBytes)
}

/** The marks with one more in front. */
export function remember(mark: Buffer, marks: Buffer | undefined): Buffer {
  return Buffer.concat(marks ? [mark, marks.subarray(0, (rememberedSteps - 1) * markBytes)] : [mark])
}

/** Whether a step that left the mark is among those remembered. */
export function isRemembered(mark: Buffer, { startMark, marks }: SequenceRecord): boolean {
  if (mark.equals(startMark)) return true
  for (let at = 0; at < marks.length; at += markBytes) {
    if (mark.compare(marks, at, at + markBytes) === 0) return true
  }
  return false
}

/** Whether the last step left the mark. */
export function isLast(mark: Buffer, { marks }: SequenceRecord): boolean {
  return mark.compare(marks, 0, markBytes) === 0
}

export function encodeRecord(record: SequenceRecord): Buffer {
  const { state, response, marks } = record
  const layout = Buffer.from(record.stateLayout)
  const stateAt = headerBytes
  const responseAt = stateAt + padded(state)
  const marksAt = responseAt + padded(response)
  // Not of the pool: the record may live for long, and its floats must be aligned.
  const bytes = Buffer.alloc(marksAt + marks.length + layout.length)
  bytes.write(magic, 0, 'latin1')
  bytes[4] =
    (record.isEnded ? 1 : 0) | (isDouble(state) ? 2 : 0) | (response ? 4 : 0) | (isDouble(response) ? 8 : 0)
  bytes[5] = response?.shape.length ?? 0
  bytes.writeUInt16LE(layout.length, 6)
  record.token.copy(bytes, tokenAt)
  bytes.writeDoubleLE(record.steps, 24)
  bytes.write(record.fingerprint, 32, 'hex')
  bytes.writeUInt32LE(state?.size ?? 0, 48)
  bytes.writeUInt32LE(marks.length / markBytes, 52)
  for (const [i, length] of (response?.shape ?? []).entries()) bytes.writeUInt32LE(length, 56 + 4 * i)
  record.startMark.copy(bytes, 72)
  if (state) bytes.set(bytesOf(state), stateAt)
  if (response) bytes.set(bytesOf(response), responseAt)
  marks.copy(bytes, marksAt)
  layout.copy(bytes, marksAt + marks.length)
  return bytes
}

/**
 * @param bytes whose memory the result shares, at an offset that floats may have: see `ownBytes`
 * @throws {SequenceConflictError} if they are no record of this version
 */
export function decodeRecord(bytes: Buffer): SequenceRecord {
  if (bytes.length < headerBytes || bytes.toString('latin1', 0, 4) !== magic || bytes[5] > mostAxes)
    throw notOurs()
  const flags = bytes[4]
  const isEnded = (flags & 1) !== 0
  const stateShape = [1, bytes.readUInt32LE(48)]
  const shape = Array.from({ length: bytes[5] }, (_, i) => bytes.readUInt32LE(56 + 4 * i))
  const responseAt = headerBytes + (isEnded ? 0 : paddedBytes(stateShape, flags & 2))
  const marksAt = responseAt + (flags & 4 ? paddedBytes(shape, flags & 8) : 0)
  const layoutAt = marksAt + bytes.readUInt32LE(52) * markBytes
  if (bytes.length !== layoutAt + bytes.readUInt16LE(6)) throw notOurs()
  return {
    token: bytes.subarray(tokenAt, tokenAt + tokenBytes),
    isEnded,
    steps: bytes.readDoubleLE(24),
    fingerprint: bytes.toString('hex', 32, 48),
    stateLayout: bytes.toString('utf8', layoutAt),
    state: isEnded ? undefined : tensorAt(bytes, headerBytes, stateShape, flags & 2),
    response: flags & 4 ? tensorAt(bytes, responseAt, shape, flags & 8) : undefined,
    startMark: bytes.subarray(72, 80),
    marks: bytes.subarray(marksAt, layoutAt),
  }
}

/** A copy in memory of its own: what comes from a socket is a part of what was read at once, and keeps all of it. */
export function ownBytes(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}

function isDouble(tensor: Tensor | undefined): boolean {
  return tensor?.array instanceof Float64Array
}

function bytesOf({ array }: Tensor): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function padded(tensor: Tensor | undefined): number {
  return tensor ? paddedBytes(tensor.shape, isDouble(tensor) ? 1 : 0) : 0
}

function paddedBytes(shape: readonly number[], isFloat64: number): number {
  return Math.ceil((sizeOf(shape) * (isFloat64 ? 8 : 4)) / 8) * 8
}

function tensorAt(bytes: Buffer, offset: number, shape: readonly number[], isFloat64: number): Tensor {
  const at = bytes.byteOffset + offset
  const size = sizeOf(shape)
  const { buffer } = bytes
  return new Tensor(
    shape,
    isFloat64 ? new Float64Array(buffer, at, size) : new Float32Array(buffer, at, size),
  )
}

function notOurs(): SequenceConflictError {
  return new SequenceConflictError(
    'what Redis holds for the sequence is no record of this version of the package: another program uses the key, or ' +
      'a version whose records are different made it; take another sequence_id, or delete the key',
  )
}
