/** Errors of the reader: all `FileFormatError`, all naming the file. */
import { FileFormatError } from '../../errors.ts'
import type { Int64 } from './schema.ts'

export type Fail = (code: string, message: string, details?: { tensor?: string; cause?: unknown }) => never

const longestMessage = 3000

/** Throws a `FileFormatError` whose message begins with the file's name. */
export function failIn(path: string | undefined): Fail {
  return (code, message, { tensor, cause } = {}) => {
    // Names in a file may be of any length.
    const text = message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message
    throw new FileFormatError(`${path ?? 'ONNX model'}: ${text}`, { code, path, tensor, cause })
  }
}

/** A number that arithmetic is exact for. */
export function safeInteger(value: Int64, what: string, fail: Fail): number {
  const number = typeof value === 'number' ? value : value.toNumber()
  if (Number.isSafeInteger(number)) return number
  return fail('IntegerOverflow', `${what}: expected an integer below 2^53, got ${number}`)
}

/**
 * Beyond what doubles hold exactly only the extremes of int64 occur, in Slice, where they mean the end: as infinities
 * they still do, and arithmetic refuses them.
 */
export function clampedInteger(value: Int64): number {
  const number = typeof value === 'number' ? value : value.toNumber()
  return Number.isSafeInteger(number) ? number : Math.sign(number) * Number.POSITIVE_INFINITY
}
