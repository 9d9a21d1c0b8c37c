/**
 * Zip archives. The reader trusts the central directory alone and gives each entry's bytes as they are asked for, so that
 * what an archive could be blown up to is known, and limited, before anything is inflated.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { type Zippable, zipSync } from 'fflate'
import { FileFormatError } from '../errors.ts'

export interface Archive {
  readonly names: readonly string[]
  has(name: string): boolean
  /** The bytes of an entry, inflated where they were deflated. @throws {FileFormatError} if there are none such */
  read(name: string): Uint8Array
}

interface Entry {
  method: number
  compressed: number
  size: number
  checksum: number
  /** Where its local header begins. */
  offset: number
}

const endSignature = 0x0605_4b50
const end64Signature = 0x0606_4b50
const locator64Signature = 0x0706_4b50
const entrySignature = 0x0201_4b50
const localSignature = 0x0403_4b50

const stored = 0
const deflated = 8
const encrypted = 1

const mostEntries = 10_000
/** All entries together may be longer than the archive by so much: weights hardly shrink, configurations do. */
const slack = 16 << 20

/**
 * @param path named in errors
 * @throws {FileFormatError} if it is no zip archive, or one of too many entries or too large
 */
export function openZip(bytes: Uint8Array, path?: string): Archive {
  const fail = (code: string, message: string, cause?: unknown): never => {
    throw new FileFormatError(`${path ?? 'zip'}: ${message}`, { code, path, cause })
  }
  const entries = readDirectory(bytes, fail)
  const total = [...entries.values()].reduce((sum, { size }) => sum + size, 0)
  if (total > bytes.length + slack) {
    const limit = `expected at most ${bytes.length + slack} for an archive of this length`
    fail('TooLarge', `its entries hold ${total} bytes, ${limit}; write it without compression`)
  }
  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    read(name) {
      const entry = entries.get(name)
      if (!entry) return fail('MissingEntry', `expected an entry ${name} in the archive`)
      return readEntry(bytes, name, entry, fail)
    },
  }
}

/** A zip archive of entries that are not compressed, the same bytes for the same entries. */
export function encodeZip(entries: Iterable<readonly [name: string, bytes: Uint8Array]>): Uint8Array {
  const options = { level: 0, mtime: new Date(1980, 0, 1) } as const
  const files: Zippable = {}
  for (const [name, bytes] of entries) files[name] = [bytes, options]
  return zipSync(files)
}

type Fail = (code: string, message: string, cause?: unknown) => never

function readDirectory(bytes: Uint8Array, fail: Fail): Map<string, Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { count, start, end } = findDirectory(view, fail)
  if (count > mostEntries) fail('TooLarge', `it has ${count} entries, expected at most ${mostEntries}`)
  const entries = new Map<string, Entry>()
  let at = start
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== entrySignature)
      return fail('InvalidZip', `expected entry ${i} at byte ${at}`)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true),
    )
    const next = at + 46 + nameLength + extraLength + commentLength
    if (next > end) return fail('InvalidZip', `entry ${i} leaves the directory`)
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength))
    if (entries.has(name)) fail('InvalidZip', `it has two entries ${JSON.stringify(name)}`)
    if (view.getUint16(at + 8, true) & encrypted) fail('UnsupportedZip', `${name} is encrypted`)
    const sizes = { size: view.getUint32(at + 24, true), compressed: view.getUint32(at + 20, true) }
    entries.set(name, {
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      ...readLongSizes(view, at + 46 + nameLength, extraLength, {
        ...sizes,
        offset: view.getUint32(at + 42, true),
      }),
    })
    at = next
  }
  return entries
}

/** What does not fit into 32 bits stands in a field of its own, in this order. */
function readLongSizes<T extends Pick<Entry, 'size' | 'compressed' | 'offset'>>(
  view: DataView,
  start: number,
  length: number,
  sizes: T,
): T {
  const result = { ...sizes }
  for (let at = start; at + 4 <= start + length; ) {
    const size = view.getUint16(at + 2, true)
    if (view.getUint16(at, true) === 1) {
      let field = at + 4
      for (const name of ['size', 'compressed', 'offset'] as const) {
        if (sizes[name] !== 0xffff_ffff || field + 8 > at + 4 + size) continue
        result[name] = Number(view.getBigUint64(field, true))
        field += 8
      }
    }
    at += 4 + size
  }
  return result
}

/** The end record stands last, but for a comment of at most 64 KB. */
function findDirectory(view: DataView, fail: Fail): { count: number; start: number; end: number } {
  const length = view.byteLength
  for (let at = length - 22; at >= Math.max(0, length - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) !== endSignature) continue
    const isLong = at >= 20 && view.getUint32(at - 20, true) === locator64Signature
    if (isLong) return findLongDirectory(view, Number(view.getBigUint64(at - 12, true)), fail)
    const start = view.getUint32(at + 16, true)
    const end = start + view.getUint32(at + 12, true)
    if (end > at) return fail('InvalidZip', 'its directory leaves the file')
    return { count: view.getUint16(at + 10, true), start, end }
  }
  return fail('NotZip', 'expected a zip archive')
}

function findLongDirectory(
  view: DataView,
  at: number,
  fail: Fail,
): { count: number; start: number; end: number } {
  if (at + 56 > view.byteLength || view.getUint32(at, true) !== end64Signature)
    return fail('InvalidZip', 'its directory leaves the file')
  const [count, size, start] = [32, 40, 48].map((field) => Number(view.getBigUint64(at + field, true)))
  if (start + size > at) return fail('InvalidZip', 'its directory leaves the file')
  return { count, start, end: start + size }
}

function readEntry(bytes: Uint8Array, name: string, entry: Entry, fail: Fail): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { offset, compressed, size, method } = entry
  if (!(offset + 30 <= bytes.length) || view.getUint32(offset, true) !== localSignature)
    return fail('InvalidZip', `expected ${name} at byte ${offset}`)
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true)
  if (!(start + compressed <= bytes.length)) return fail('Truncated', `${name} leaves the file`)
  const data = bytes.subarray(start, start + compressed)
  if (method !== stored && method !== deflated)
    return fail('UnsupportedZip', `${name} is compressed by method ${method}; write it without compression`)
  const content = method === stored ? data : inflate(data, size, name, fail)
  if (content.length !== size)
    return fail('InvalidZip', `expected ${size} bytes of ${name}, got ${content.length}`)
  if (crc32(content) !== entry.checksum)
    return fail('InvalidZip', `${name} is damaged: its checksum differs; copy or save it again`)
  return content
}

function inflate(data: Uint8Array, size: number, name: string, fail: Fail): Uint8Array {
  try {
    const { buffer, byteOffset, length } = inflateRawSync(data, { maxOutputLength: Math.max(size, 1) })
    return new Uint8Array(buffer, byteOffset, length)
  } catch (cause) {
    return fail('InvalidZip', `${name} cannot be inflated: ${(cause as Error).message}`, cause)
  }
}
