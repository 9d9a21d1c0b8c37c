/**
 * The header of a safetensors file, `[u64 N][N bytes of JSON]`, read as strictly as by the format's reference
 * implementation (huggingface/safetensors), whose error names are the codes here.
 */
import { isUtf8 } from 'node:buffer'
import { FileFormatError } from '../../errors.ts'
import { JsonScanner } from './scanner.ts'
import { bitsOf, type FileType, fileTypes, isFileType } from './types.ts'

/** Where a tensor lies, and as what. */
export interface TensorInfo {
  readonly shape: readonly number[]
  readonly dataType: FileType
  /** First byte and the one after the last, counted from the end of the header. */
  readonly start: number
  readonly end: number
}

export interface Header {
  metadata: Map<string, string>
  /** In the order of the tensors in the file. */
  tensors: Map<string, TensorInfo>
}

/**
 * Of the bytes of a header, as huggingface.js has it, where the reference implementation goes to 100,000,000: a header is
 * read in under a second. That, and the two below, keep it from taking more memory than the file has bytes.
 */
export const longestHeader = 25_000_000
export const mostNames = 250_000
const mostDimensions = 64

/** Raises the error of one file. */
export type Fail = (code: string, message: string, details?: { tensor?: string; cause?: unknown }) => never

/** @param path named in errors, if there is one */
export function failIn(path: string | undefined): Fail {
  return (code, message, { tensor, cause } = {}) => {
    const place = tensor === undefined ? '' : `, tensor ${JSON.stringify(shortened(tensor))}`
    throw new FileFormatError(`${path ?? 'safetensors'}${place}: ${message}`, { code, path, tensor, cause })
  }
}

/** A name as it stands in messages: from a stranger, it may be megabytes long. */
function shortened(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200)}…`
}

/**
 * N, where a file of `size` bytes that begins with these can be right so far.
 *
 * @param start its first nine bytes, or all where it is shorter
 */
export function headerLength(start: Uint8Array, size: number, fail: Fail): number {
  if (start.length < 8) fail('HeaderTooSmall', `expected at least 8 bytes, got ${start.length}`)
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true)
  if (length > longestHeader) {
    fail(
      'HeaderTooLarge',
      `expected a header of at most ${longestHeader} bytes, got ${length}; is it safetensors?`,
    )
  }
  const end = 8 + Number(length)
  if (end > size) fail('InvalidHeaderLength', `the header ends at byte ${end}, the file at ${size}`)
  if (start[8] !== 0x7b || length === 0n) fail('InvalidHeaderStart', 'the header does not begin with {')
  return Number(length)
}

/**
 * @param json the header without its length
 * @param available bytes that follow the header in the file
 */
export function parseHeader(json: Uint8Array, available: number, fail: Fail): Header {
  if (!isUtf8(json)) fail('InvalidHeader', 'the header is not valid UTF-8')
  let tensor: string | undefined
  const scanner = new JsonScanner(json, (message) =>
    fail('InvalidHeaderDeserialization', `the header ${message}`, { tensor }),
  )
  let metadata: Map<string, string> | undefined
  const found = new Map<string, TensorInfo>()
  scanner.object((name) => {
    if (name === '__metadata__') {
      if (metadata) fail('DuplicateName', 'the header has two __metadata__')
      metadata = readTexts(scanner, { fail, what: '__metadata__' })
    } else {
      if (found.has(name)) fail('DuplicateName', 'the name occurs twice in the header', { tensor: name })
      limitNames(found.size, fail)
      tensor = name
      found.set(name, readInfo(scanner, name, fail))
      tensor = undefined
    }
  })
  scanner.end()
  const sorted = [...found].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)
  requireContiguous(sorted, available, fail)
  return { metadata: metadata ?? new Map(), tensors: new Map(sorted) }
}

/** An object of texts; `what` names it in errors. */
export function readTexts(
  scanner: JsonScanner,
  { fail, what }: { fail: Fail; what: string },
): Map<string, string> {
  const texts = new Map<string, string>()
  scanner.object((key) => {
    if (texts.has(key)) fail('DuplicateName', `${what} has ${JSON.stringify(key)} twice`)
    limitNames(texts.size, fail)
    texts.set(key, scanner.string())
  })
  return texts
}

function limitNames(before: number, fail: Fail): void {
  if (before < mostNames) return
  fail('HeaderTooLarge', `expected at most ${mostNames} names in an object of the header; split the file`)
}

function readInfo(scanner: JsonScanner, name: string, fail: Fail): TensorInfo {
  let dataType: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  const once = (before: unknown, field: string) => {
    if (before !== undefined) fail('DuplicateName', `the field ${field} occurs twice`, { tensor: name })
  }
  scanner.object((field) => {
    if (field === 'dtype') {
      once(dataType, field)
      dataType = scanner.string()
    } else if (field === 'shape') {
      once(shape, field)
      shape = readIntegers(scanner, mostDimensions, () =>
        fail('TensorInvalidInfo', `expected at most ${mostDimensions} dimensions`, { tensor: name }),
      )
    } else if (field === 'data_offsets') {
      once(offsets, field)
      offsets = readIntegers(scanner, 2, () =>
        fail('InvalidHeaderDeserialization', 'expected two data_offsets, got more', { tensor: name }),
      )
    } else scanner.skip()
  })
  if (dataType === undefined || !shape || offsets?.length !== 2) {
    return fail('InvalidHeaderDeserialization', 'expected a dtype, a shape and two data_offsets', {
      tensor: name,
    })
  }
  if (!isFileType(dataType)) {
    const known = fileTypes.join(', ')
    return fail(
      'UnsupportedDataType',
      `expected dtype to be one of ${known}, got ${JSON.stringify(dataType)}`,
      {
        tensor: name,
      },
    )
  }
  const info = { shape, dataType, start: offsets[0], end: offsets[1] }
  requireSize(name, info, fail)
  return info
}

function readIntegers(scanner: JsonScanner, most: number, tooMany: () => never): number[] {
  const integers: number[] = []
  scanner.array(() => {
    if (integers.length === most) tooMany()
    integers.push(scanner.integer())
  })
  return integers
}

function requireSize(tensor: string, { shape, dataType, start, end }: TensorInfo, fail: Fail): void {
  if (end < start) fail('InvalidOffset', `it ends at ${end}, before its begin ${start}`, { tensor })
  let bits = bitsOf(dataType)
  for (const n of shape) {
    bits *= n
    if (!Number.isSafeInteger(bits))
      fail('ValidationOverflow', `the shape [${shape}] is too large`, { tensor })
  }
  if (bits % 8) fail('MisalignedSlice', `${dataType} [${shape}] does not end at a whole byte`, { tensor })
  if (end - start !== bits / 8) {
    const expected = `expected ${bits / 8} bytes for ${dataType} [${shape}]`
    fail('TensorInvalidInfo', `${expected}, got data_offsets [${[start, end]}]: ${end - start}`, { tensor })
  }
}

/** Tensors follow each other without overlaps and holes, from the end of the header to that of the file. */
function requireContiguous(
  sorted: readonly (readonly [string, TensorInfo])[],
  available: number,
  fail: Fail,
): void {
  let end = 0
  for (const [tensor, info] of sorted) {
    if (info.start !== end) {
      const fault = info.start < end ? 'overlaps what stands before it' : 'leaves a hole before it'
      fail('InvalidOffset', `${fault}: expected it to begin at ${end}, got ${info.start}`, { tensor })
    }
    end = info.end
  }
  if (end !== available) {
    fail(
      'MetadataIncompleteBuffer',
      `the header describes ${end} bytes of tensors, the file holds ${available}`,
    )
  }
}
