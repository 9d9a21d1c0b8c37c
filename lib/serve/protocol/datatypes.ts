/** The datatypes of the Open Inference Protocol: what an element takes in bytes and may be. */
import { fromBinary16, fromBrainFloat } from '../../formats/safetensors/half.ts'

export type NumberArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array

export interface Datatype {
  readonly name: string
  readonly bytes: number
  /** Of integers; undefined for floats. */
  readonly range?: readonly [low: number, high: number]
  /** Elements that lie in memory at a multiple of `bytes`, without a copy where the type is one of JavaScript's. */
  view(buffer: ArrayBufferLike, byteOffset: number, length: number): NumberArray
}

function integer(
  name: string,
  type: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => NumberArray,
  bytes: number,
): Datatype {
  const isSigned = name.startsWith('INT')
  const bits = 8 * bytes
  const range = isSigned
    ? ([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] as const)
    : ([0, 2 ** bits - 1] as const)
  return { name, bytes, range, view: (buffer, offset, length) => new type(buffer, offset, length) }
}

const all: readonly Datatype[] = [
  integer('UINT8', Uint8Array, 1),
  integer('UINT16', Uint16Array, 2),
  integer('UINT32', Uint32Array, 4),
  integer('UINT64', BigUint64Array, 8),
  integer('INT8', Int8Array, 1),
  integer('INT16', Int16Array, 2),
  integer('INT32', Int32Array, 4),
  integer('INT64', BigInt64Array, 8),
  {
    name: 'FP16',
    bytes: 2,
    view: (buffer, offset, length) => fromBinary16(new Uint16Array(buffer, offset, length)),
  },
  {
    name: 'BF16',
    bytes: 2,
    view: (buffer, offset, length) => fromBrainFloat(new Uint16Array(buffer, offset, length)),
  },
  { name: 'FP32', bytes: 4, view: (buffer, offset, length) => new Float32Array(buffer, offset, length) },
  { name: 'FP64', bytes: 8, view: (buffer, offset, length) => new Float64Array(buffer, offset, length) },
]

/** Those that can become numbers of a model: all but BOOL and BYTES. */
export const datatypes: ReadonlyMap<string, Datatype> = new Map(all.map((type) => [type.name, type]))
