/** What elements a dataset or an attribute has, and in what shape. */
import { decodeElements } from '../safetensors/types.ts'
import type { Bytes } from './bytes.ts'

export type ElementType =
  | { kind: 'float'; size: 2 | 4 | 8; isLittleEndian: boolean }
  | { kind: 'text'; size: number }
  /** A text that lies in a heap; the element says where. */
  | { kind: 'heap text'; size: 16 }

/** Floats by their bytes, as safetensors call them. */
export const typeNames = { 2: 'F16', 4: 'F32', 8: 'F64' } as const

const classes = { float: 1, text: 3, variableLength: 9 }

/** Exponent and fraction of the IEEE 754 types: where they begin and their bits, and the exponent's bias. */
const ieee = {
  2: [10, 5, 0, 10, 15],
  4: [23, 8, 0, 23, 127],
  8: [52, 11, 0, 52, 1023],
} as const

/** The type at `at`, or undefined for one that no model's tensors and texts have. */
export function readType(bytes: Bytes, at: number): ElementType | undefined {
  const kind = bytes.u8(at) & 15
  const flags = bytes.u8(at + 1)
  const size = bytes.u32(at + 4)
  if (kind === classes.text && size > 0) return { kind: 'text', size }
  if (kind === classes.variableLength && (flags & 15) === 1 && size === 16) return { kind: 'heap text', size }
  if (kind !== classes.float || !(size === 2 || size === 4 || size === 8)) return undefined
  const fields = [12, 13, 14, 15].map((offset) => bytes.u8(at + offset))
  const isIeee = String([...fields, bytes.u32(at + 16)]) === String(ieee[size])
  // Bit 6 beside bit 0 would be the order of the VAX.
  return isIeee && (flags & 0x40) === 0
    ? { kind: 'float', size, isLittleEndian: (flags & 1) === 0 }
    : undefined
}

/** The shape at `at`: [] for a scalar, undefined for "no elements at all". */
export function readShape(bytes: Bytes, at: number): number[] | undefined {
  const version = bytes.u8(at)
  if (version !== 1 && version !== 2) bytes.fail('UnsupportedHdf5', `a dataspace of version ${version}`)
  const rank = bytes.u8(at + 1)
  if (rank > 32) bytes.fail('InvalidHdf5', `a shape of ${rank} axes`)
  const isNull = version === 2 && bytes.u8(at + 3) === 2
  const start = at + (version === 1 ? 8 : 4)
  return isNull ? undefined : Array.from({ length: rank }, (_, i) => bytes.u64(start + 8 * i))
}

/** The floats in bytes of the file's order: a view of them where that is the machine's; halves are widened. */
export function toFloats(
  data: Uint8Array,
  { size, isLittleEndian }: ElementType & { kind: 'float' },
): Float32Array | Float64Array {
  let elements = data
  if (!isLittleEndian) {
    elements = new Uint8Array(data)
    for (let start = 0; start < elements.length; start += size)
      elements.subarray(start, start + size).reverse()
  }
  return decodeElements(typeNames[size], elements) as Float32Array | Float64Array
}
