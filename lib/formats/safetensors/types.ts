/** The data types of the format, and how their bytes become typed arrays and come from them. */
import { fromBinary16, fromBrainFloat, toBinary16, toBrainFloat } from './half.ts'

export type StoredArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array

/** Every type of the format with its bits, in the order of the reference implementation, which writers sort by. */
const bitsOfTypes = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

/** A type that a file may name. */
export type FileType = keyof typeof bitsOfTypes

/** A type that is read into a typed array and written from one. */
export type StoredType = keyof typeof codecs

const floats = [Float32Array, Float64Array]

/** The array of the elements as they lie in the file; where it is not the one handed out, the way there and back. */
const codecs = {
  U64: { array: BigUint64Array },
  I64: { array: BigInt64Array },
  F64: { array: Float64Array, from: floats, write: (data: Numbers) => Float64Array.from(data) },
  F32: { array: Float32Array, from: floats, write: (data: Numbers) => Float32Array.from(data) },
  U32: { array: Uint32Array },
  I32: { array: Int32Array },
  BF16: { array: Uint16Array, from: floats, read: fromBrainFloat, write: toBrainFloat },
  F16: { array: Uint16Array, from: floats, read: fromBinary16, write: toBinary16 },
  U16: { array: Uint16Array },
  I16: { array: Int16Array },
  I8: { array: Int8Array },
  U8: { array: Uint8Array },
  BOOL: { array: Uint8Array },
} satisfies Partial<Record<FileType, Codec>>

type Numbers = Float32Array | Float64Array

interface Codec {
  array: {
    new (buffer: ArrayBuffer, offset: number, length: number): StoredArray
    readonly BYTES_PER_ELEMENT: number
  }
  /** The arrays that may be written as this type; by default only `array`. */
  from?: readonly Codec['array'][]
  read?: (stored: Uint16Array) => StoredArray
  write?: (data: Numbers) => StoredArray
}

export const fileTypes = Object.keys(bitsOfTypes) as readonly FileType[]
export const storedTypes = Object.keys(codecs) as readonly StoredType[]

export function isFileType(name: string): name is FileType {
  return Object.hasOwn(bitsOfTypes, name)
}

export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(codecs, name)
}

export function bitsOf(type: FileType): number {
  return bitsOfTypes[type]
}

/** The place of a type in the order that files are sorted by, from the last to the first. */
export function rankOf(type: FileType): number {
  return fileTypes.indexOf(type)
}

/** The type whose elements are those of the array. */
export function typeOf(data: StoredArray): StoredType {
  // BOOL and the 16-bit floats stand behind the integers whose arrays they share.
  return storedTypes.find((type) => !('read' in codecs[type]) && data instanceof codecs[type].array)!
}

/** The elements of a type in `bytes`: a view where they are aligned and need no conversion, else a copy. */
export function decodeElements(type: StoredType, bytes: Uint8Array): StoredArray {
  const { array, read }: Codec = codecs[type]
  const size = array.BYTES_PER_ELEMENT
  const source = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  const stored = new array(source.buffer as ArrayBuffer, source.byteOffset, source.length / size)
  return read ? read(stored as Uint16Array) : stored
}

/** Whether `encodeElements` takes this array for this type. */
export function canStore(type: StoredType, data: StoredArray): boolean {
  const { array, from = [array] }: Codec = codecs[type]
  return from.some((each) => data instanceof each)
}

/** The bytes of the elements as the type has them: the array's own where nothing is to be converted. */
export function encodeElements(type: StoredType, data: StoredArray): Uint8Array {
  const { array, write }: Codec = codecs[type]
  const stored = write && !(data instanceof array) ? write(data as Numbers) : data
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
}

/** Whether bytes of this type can be read straight into an array of this kind. */
export function isStoredAs(type: StoredType, data: StoredArray): boolean {
  const { array, read }: Codec = codecs[type]
  return !read && data instanceof array
}
