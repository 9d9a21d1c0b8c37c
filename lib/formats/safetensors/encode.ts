/**
 * Safetensors in memory: tensors to bytes, laid out as the reference writer does: sorted by type, the widest first, then
 * by name, and spaces after the JSON up to a multiple of 8, so that every tensor is aligned.
 */
import { describe } from '../../errors.ts'
import { longestHeader } from './header.ts'
import {
  bitsOf,
  canStore,
  encodeElements,
  isStoredType,
  rankOf,
  type StoredArray,
  type StoredType,
  typeOf,
} from './types.ts'

export interface TensorToStore {
  shape: readonly number[]
  data: StoredArray
  /**
   * The type in the file; default that of `data`. Floats may be stored as F64, F32, F16 or BF16, rounded to the nearest,
   * halves to even; a Uint8Array also as BOOL.
   */
  dataType?: StoredType
}

export type Metadata = Readonly<Record<string, string>> | ReadonlyMap<string, string>

/** What is to be written of a tensor: its elements may come later. */
export interface Planned {
  shape: readonly number[]
  dataType: StoredType
}

export interface Layout<T> {
  /** Everything before the tensors. */
  head: Uint8Array
  /** In the order of the file. */
  tensors: [name: string, tensor: T][]
  /** Bytes of the whole file. */
  size: number
}

/**
 * The bytes of a file.
 *
 * @throws {RangeError} if a shape and its array differ in size, a name is there twice or is `__metadata__`
 * @throws {TypeError} if a type cannot hold the elements of its array
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: TensorToStore]>,
  metadata: Metadata = {},
): Uint8Array {
  const planned = [...tensors].map(([name, { shape, data, dataType = typeOf(data) }]) => {
    requireFit(name, { shape, dataType }, data)
    return [name, { shape, data, dataType }] as const
  })
  const layout = layOut(planned, metadata)
  const bytes = new Uint8Array(layout.size)
  bytes.set(layout.head)
  let at = layout.head.length
  for (const [, { data, dataType }] of layout.tensors) {
    const elements = encodeElements(dataType, data)
    bytes.set(elements, at)
    at += elements.length
  }
  return bytes
}

/** Header and order of a file. @throws {RangeError} for names or sizes that no file can have */
export function layOut<T extends Planned>(
  tensors: Iterable<readonly [name: string, tensor: T]>,
  metadata: Metadata,
): Layout<T> {
  const keyed = [...tensors].map(([name, tensor]) => ({ name, tensor, key: Buffer.from(name) }))
  keyed.sort((a, b) => rankOf(b.tensor.dataType) - rankOf(a.tensor.dataType) || a.key.compare(b.key))

  const texts = metadata instanceof Map ? [...metadata] : Object.entries(metadata)
  const fields = texts.length ? [`"__metadata__":${membersOf(texts)}`] : []
  const names = new Set(['__metadata__'])
  let offset = 0
  for (const { name, tensor } of keyed) {
    if (names.has(name)) throw new RangeError(`safetensors: the name ${JSON.stringify(name)} is there twice`)
    names.add(name)
    const start = offset
    offset += bytesOf(tensor)
    if (!Number.isSafeInteger(offset))
      throw new RangeError(`safetensors: ${JSON.stringify(name)} is too large`)
    const info = { dtype: tensor.dataType, shape: tensor.shape, data_offsets: [start, offset] }
    fields.push(`${textOf(name)}:${JSON.stringify(info)}`)
  }
  const json = Buffer.from(`{${fields.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  if (length > longestHeader) {
    throw new RangeError(`safetensors: expected a header of at most ${longestHeader} bytes, got ${length}`)
  }
  const head = new Uint8Array(8 + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(json, 8)
  return { head, tensors: keyed.map(({ name, tensor }) => [name, tensor]), size: head.length + offset }
}

/** Checks that the elements are as many as the shape says and of a kind that the type can hold. */
export function requireFit(name: string, { shape, dataType }: Planned, data: StoredArray): void {
  const size = shape.reduce((product, n) => product * n, 1)
  const place = `safetensors: tensor ${JSON.stringify(name)}`
  if (size !== data.length) {
    throw new RangeError(`${place}: expected ${size} elements for shape [${shape}], got ${data.length}`)
  }
  if (!isStoredType(dataType) || !canStore(dataType, data)) {
    throw new TypeError(
      `${place}: expected elements that can be stored as ${dataType}, got ${describe(data)}`,
    )
  }
}

/** Bytes of a tensor in the file. */
export function bytesOf({ shape, dataType }: Planned): number {
  return shape.reduce((product, n) => product * n, bitsOf(dataType) / 8)
}

/** Written by hand: an object's own order would put names like "10" first. */
function membersOf(texts: readonly (readonly [string, string])[]): string {
  return `{${texts.map(([key, text]) => `${textOf(key)}:${textOf(text)}`).join(',')}}`
}

function textOf(text: string): string {
  if (!/\p{Surrogate}/u.test(text)) return JSON.stringify(text)
  throw new RangeError(`safetensors: expected well-formed Unicode, got ${JSON.stringify(text)}`)
}
