/**
 * The safetensors format: `[u64 N][N bytes of JSON][tensor bytes]`, little-endian, row-major. The reader is as strict as
 * the format's reference implementation (huggingface/safetensors), whose error names are the codes here, and checks
 * everything before it makes an array. What the tensors mean is the caller's matter. Assumes a little-endian host.
 */
import { readFile } from 'node:fs/promises'
import { describe, FileFormatError } from '../../errors.ts'

export type StoredArray = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array

export interface StoredTensor {
  shape: readonly number[]
  /** The type in the file; F16 and BF16 are widened to a Float32Array, BOOL is a Uint8Array. */
  dataType: StoredType
  /** A view of the file's bytes where these are aligned, else a copy. */
  data: StoredArray
}

export interface Safetensors {
  metadata: Map<string, string>
  /** In the order of the tensors in the file. */
  tensors: Map<string, StoredTensor>
}

export type StoredType = keyof typeof storedTypes

const maximumHeaderLength = 100_000_000

const storedTypes = {
  F64: { bytes: 8, read: (bytes: Uint8Array) => new Float64Array(...aligned(bytes, 8)) },
  I64: { bytes: 8, read: (bytes: Uint8Array) => new BigInt64Array(...aligned(bytes, 8)) },
  F32: { bytes: 4, read: (bytes: Uint8Array) => new Float32Array(...aligned(bytes, 4)) },
  I32: { bytes: 4, read: (bytes: Uint8Array) => new Int32Array(...aligned(bytes, 4)) },
  F16: {
    bytes: 2,
    read: (bytes: Uint8Array) => Float32Array.from(new Uint16Array(...aligned(bytes, 2)), fromHalf),
  },
  BF16: { bytes: 2, read: (bytes: Uint8Array) => fromBrainFloat(new Uint16Array(...aligned(bytes, 2))) },
  U8: { bytes: 1, read: (bytes: Uint8Array) => new Uint8Array(...aligned(bytes, 1)) },
  BOOL: { bytes: 1, read: (bytes: Uint8Array) => new Uint8Array(...aligned(bytes, 1)) },
}

/** Reads a file; see `decodeSafetensors`. @throws {FileFormatError} also where the file cannot be read */
export async function readSafetensors(path: string): Promise<Safetensors> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    const { code = 'ReadFailed', message } = error as NodeJS.ErrnoException
    throw new FileFormatError(`${path}: cannot be read: ${message}`, { code, path, cause: error })
  }
  return decodeSafetensors(bytes, path)
}

/**
 * The metadata and tensors of a file's bytes.
 *
 * @param path named in errors
 * @throws {FileFormatError} with `code`, and `tensor` where one is at fault, if anything at all is wrong
 */
export function decodeSafetensors(bytes: Uint8Array, path?: string): Safetensors {
  const fail: Fail = (code, message, { tensor, cause } = {}) => {
    const place = [path ?? 'safetensors', tensor !== undefined && `tensor ${JSON.stringify(tensor)}`]
    const where = place.filter(Boolean).join(', ')
    throw new FileFormatError(`${where}: ${message}`, { code, path, tensor, cause })
  }
  const header = readHeader(bytes, fail)
  const metadata = new Map<string, string>()
  const entries: Entry[] = []
  for (const [name, value] of Object.entries(header.json)) {
    if (name === '__metadata__') readMetadata(value, metadata, fail)
    else entries.push(readEntry(name, value, fail))
  }

  entries.sort((a, b) => a.start - b.start || a.end - b.end)
  let end = 0
  for (const entry of entries) {
    if (entry.start !== end) {
      const fault = entry.start < end ? 'overlaps what stands before it' : 'leaves a hole before it'
      fail('InvalidOffset', `${fault}: expected it to begin at ${end}, got ${entry.start}`, {
        tensor: entry.name,
      })
    }
    end = entry.end
  }
  const available = bytes.length - header.end
  if (end !== available) {
    fail(
      'MetadataIncompleteBuffer',
      `the header describes ${end} bytes of tensors, the file holds ${available}`,
    )
  }

  const tensors = new Map<string, StoredTensor>()
  for (const { name, dataType, shape, start, end } of entries) {
    const data = storedTypes[dataType].read(bytes.subarray(header.end + start, header.end + end))
    tensors.set(name, { shape, dataType, data })
  }
  return { metadata, tensors }
}

type Fail = (code: string, message: string, details?: { tensor?: string; cause?: unknown }) => never

interface Entry {
  name: string
  dataType: StoredType
  shape: number[]
  start: number
  end: number
}

function readHeader(bytes: Uint8Array, fail: Fail): { json: object; end: number } {
  if (bytes.length < 8) fail('HeaderTooSmall', `expected at least 8 bytes, got ${bytes.length}`)
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (length > maximumHeaderLength) {
    fail('HeaderTooLarge', `expected a header of at most ${maximumHeaderLength} bytes, got ${length}`)
  }
  const end = 8 + Number(length)
  if (end > bytes.length) {
    fail('InvalidHeaderLength', `the header ends at byte ${end}, the file at ${bytes.length}`)
  }
  if (bytes[8] !== 0x7b || end === 8) fail('InvalidHeaderStart', 'the header does not begin with {')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, end))
  } catch (cause) {
    return fail('InvalidHeader', 'the header is not valid UTF-8', { cause })
  }
  try {
    const json = JSON.parse(text)
    checkTokens(text, fail)
    return { json, end }
  } catch (cause) {
    if (cause instanceof FileFormatError) throw cause
    return fail('InvalidHeaderDeserialization', `the header is not valid JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** A name with its colon, any other string, a bracket, or a number. */
const tokens = /("[^"\\]*(?:\\.[^"\\]*)*")\s*:|"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]|-?\d[\d.eE+-]*/g

/**
 * Refuses what JSON.parse lets pass silently: a name that occurs twice in one object, of which it keeps the last, and
 * numbers that are no plain integers (1.0, 1e3, -0). `text` is known to be valid JSON.
 */
function checkTokens(text: string, fail: Fail): void {
  const open: Set<string>[] = []
  for (const [token, name] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (name) {
      const key = JSON.parse(name)
      const names = open[open.length - 1]
      if (names.has(key)) fail('DuplicateName', `the name ${name} occurs twice in the header`)
      names.add(key)
    } else if (token[0] !== '"' && !/^\d+$/.test(token)) {
      fail('InvalidHeaderDeserialization', `expected only plain integers in the header, got ${token}`)
    }
  }
}

function readMetadata(value: unknown, metadata: Map<string, string>, fail: Fail): void {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    fail('InvalidMetadata', `expected __metadata__ to be an object, got ${describe(value)}`)
  }
  for (const [key, text] of Object.entries(value as object)) {
    if (typeof text !== 'string') {
      fail(
        'InvalidMetadata',
        `expected __metadata__ ${JSON.stringify(key)} to be a string, got ${describe(text)}`,
      )
    }
    metadata.set(key, text)
  }
}

function readEntry(name: string, value: unknown, fail: Fail): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  if (typeof dtype !== 'string' || !isIntegers(shape) || !isIntegers(offsets) || offsets.length !== 2) {
    fail('InvalidHeaderDeserialization', 'expected a dtype, a shape of integers and two data_offsets', {
      tensor: name,
    })
  }
  if (!Object.hasOwn(storedTypes, dtype)) {
    const known = Object.keys(storedTypes).join(', ')
    fail('UnsupportedDataType', `expected dtype to be one of ${known}, got ${describe(dtype)}`, {
      tensor: name,
    })
  }
  const dataType = dtype as StoredType
  const [start, end] = offsets
  if (end < start) fail('InvalidOffset', `it ends at ${end}, before its begin ${start}`, { tensor: name })
  const bytes = shape.reduce((product, n) => {
    if (!Number.isSafeInteger(product * n))
      fail('ValidationOverflow', `the shape [${shape}] is too large`, { tensor: name })
    return product * n
  }, storedTypes[dataType].bytes)
  if (end - start !== bytes) {
    const expected = `expected ${bytes} bytes for ${dataType} [${shape}]`
    fail('TensorInvalidInfo', `${expected}, got data_offsets [${offsets}]: ${end - start}`, { tensor: name })
  }
  return { name, dataType, shape, start, end }
}

function isIntegers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n))
}

/** What to view `bytes` through in elements of `size` bytes: its own buffer if it is aligned there, else a copy. */
function aligned(bytes: Uint8Array, size: number): [ArrayBuffer, number, number] {
  const source = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  return [source.buffer as ArrayBuffer, source.byteOffset, source.length / size]
}

/** The value of an IEEE 754 binary16 number. */
function fromHalf(bits: number): number {
  const sign = bits >> 15 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction
}

/** bfloat16 is the upper half of a float32. */
function fromBrainFloat(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)
}

/**
 * The bytes of a file. Each tensor's type in the file is that of its array. As the reference writer does, tensors
 * with larger elements come first, then in the order of their names, and spaces fill the header to a multiple of 8, so that
 * every tensor is aligned.
 *
 * @throws {RangeError} if a shape and its array differ in size, or a tensor is called `__metadata__`
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: { shape: readonly number[]; data: StoredArray }]>,
  metadata: Readonly<Record<string, string>> | ReadonlyMap<string, string> = {},
): Uint8Array {
  const sorted = [...tensors].sort(
    ([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  )
  const texts = metadata instanceof Map ? [...metadata] : Object.entries(metadata)
  const header = new Map<string, unknown>()
  if (texts.length) header.set('__metadata__', Object.fromEntries(texts))
  let offset = 0
  for (const [name, { shape, data }] of sorted) {
    const size = shape.reduce((product, n) => product * n, 1)
    if (size !== data.length || header.has(name) || name === '__metadata__') {
      throw new RangeError(
        `encodeSafetensors: expected ${JSON.stringify(name)} to be a name of its own and to have ${size} elements ` +
          `for shape [${shape}], got ${data.length}`,
      )
    }
    header.set(name, { dtype: typeOf(data), shape, data_offsets: [offset, (offset += data.byteLength)] })
  }
  // Object.fromEntries would make a tensor called __proto__ an own property, too, but put names like "10" first.
  const fields = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  const json = new TextEncoder().encode(`{${fields.join(',')}}`)
  const headerLength = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + headerLength + offset)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true)
  bytes.set(json, 8)
  bytes.fill(0x20, 8 + json.length, 8 + headerLength)
  let at = 8 + headerLength
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return bytes
}

function typeOf(data: StoredArray): StoredType {
  if (data instanceof Float64Array) return 'F64'
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof BigInt64Array) return 'I64'
  return data instanceof Int32Array ? 'I32' : 'U8'
}
