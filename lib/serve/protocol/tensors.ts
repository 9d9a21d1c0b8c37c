/** Tensors of a request as typed arrays: from JSON, flat or nested, or from the bytes behind it; every element checked. */
import { describe } from '../../errors.ts'
import { badRequest } from '../request-error.ts'
import { type Datatype, datatypes, type NumberArray } from './datatypes.ts'

/** The type that the model reads. */
export type TargetType = 'float32' | 'float64' | 'int32'
export type TargetArray = Float32Array | Float64Array | Int32Array

const largest = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE, int32: 2147483647 }
/** Integers up to these have a float each. */
const exact = { float32: 2 ** 24, float64: 2 ** 53, int32: 2147483647 }

const constructors = { float32: Float32Array, float64: Float64Array, int32: Int32Array }
const fromInteger = 'INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32 or UINT64'

/** @throws {RequestError} unless the name is that of a datatype that can become `target` */
export function requireDatatype(place: string, name: unknown, target: TargetType): Datatype {
  const datatype = typeof name === 'string' ? datatypes.get(name) : undefined
  const expected = target === 'int32' ? fromInteger : `FP32, FP64, FP16, BF16, ${fromInteger}`
  if (datatype && (datatype.range || target !== 'int32')) return datatype
  throw badRequest(`${place}: expected datatype ${expected}, got ${describe(name)}`)
}

/**
 * Elements given in JSON, row after row or nested as the shape is.
 *
 * @throws {RequestError} that names the first element that is no number of the datatype, or does not fit `target`
 */
export function fromJson(
  place: string,
  data: unknown,
  { shape, datatype, target }: { shape: readonly number[]; datatype: Datatype; target: TargetType },
): TargetArray {
  const size = shape.reduce((product, n) => product * n, 1)
  if (!Array.isArray(data))
    throw badRequest(`${place}: expected data as an array of numbers, got ${describe(data)}`)
  const isNested = Array.isArray(data[0]) && shape.length > 1
  const depth = isNested ? 0 : shape.length - 1
  const length = isNested ? shape[0] : size
  if (data.length !== length) {
    throw badRequest(
      `${place}: expected ${length} ${isNested ? 'rows' : 'elements'} of data for shape [${shape}], got ${data.length}`,
    )
  }
  const reader = new JsonReader(place, shape, datatype, target, size)
  reader.read(data, depth)
  return reader.result
}

class JsonReader {
  readonly result: TargetArray
  readonly #place: string
  readonly #shape: readonly number[]
  readonly #datatype: Datatype
  readonly #target: TargetType
  readonly #low: number
  readonly #high: number
  #done = 0

  constructor(place: string, shape: readonly number[], datatype: Datatype, target: TargetType, size: number) {
    this.#place = place
    this.#shape = shape
    this.#datatype = datatype
    this.#target = target
    const [low, high] = datatype.range ?? [-largest[target], largest[target]]
    this.#low = Math.max(low, -exactLimit(datatype, target))
    this.#high = Math.min(high, exactLimit(datatype, target))
    this.result = new constructors[target](size)
  }

  read(data: readonly unknown[], depth: number): void {
    if (depth === this.#shape.length - 1) {
      if (this.#datatype.range) this.#readIntegers(data)
      else this.#readFloats(data)
      return
    }
    const length = this.#shape[depth + 1]
    for (const row of data) {
      if (!Array.isArray(row) || row.length !== length) {
        throw badRequest(
          `${this.#place}: expected rows of ${length} on axis ${depth + 1} of shape [${this.#shape}], got ${describe(row)} before element ${this.#done}`,
        )
      }
      this.read(row, depth + 1)
    }
  }

  #readFloats(data: readonly unknown[]): void {
    const { result } = this
    let done = this.#done
    for (let i = 0; i < data.length; i++, done++) {
      const value = data[i]
      // Also false for NaN, which JSON has not, and for Infinity, which is what JSON.parse makes of 1e999.
      if (typeof value === 'number' && value >= this.#low && value <= this.#high) result[done] = value
      else this.#refuse(done, value)
    }
    this.#done = done
  }

  #readIntegers(data: readonly unknown[]): void {
    const { result } = this
    let done = this.#done
    for (let i = 0; i < data.length; i++, done++) {
      const value = data[i]
      if (Number.isInteger(value) && (value as number) >= this.#low && (value as number) <= this.#high)
        result[done] = value as number
      else this.#refuse(done, value)
    }
    this.#done = done
  }

  #refuse(index: number, value: unknown): never {
    refuseElement(this.#place, this.#datatype, this.#target, index, value)
  }
}

function exactLimit({ range }: Datatype, target: TargetType): number {
  return range ? exact[target] : largest[target]
}

function refuseElement(
  place: string,
  datatype: Datatype,
  target: TargetType,
  index: number,
  value: unknown,
): never {
  const limit = exactLimit(datatype, target)
  const [low, high] = datatype.range ?? [-limit, limit]
  const kind = datatype.range ? 'an integer' : 'a finite number'
  const bounds = `from ${Math.max(low, -limit)} to ${Math.min(high, limit)}`
  const got = typeof value === 'bigint' ? String(value) : describe(value)
  throw badRequest(
    `${place}: expected ${kind} ${bounds} (${datatype.name}, computed as ${target}) at element ${index}, got ${got}`,
  )
}

/**
 * Elements given as bytes, little-endian as every machine this runs on. Not copied where the type is that of the model and the
 * bytes are aligned.
 *
 * @throws {RequestError} that names the first element that is not finite or does not fit `target`
 */
export function fromBytes(
  place: string,
  bytes: Uint8Array,
  { shape, datatype, target }: { shape: readonly number[]; datatype: Datatype; target: TargetType },
): TargetArray {
  const size = shape.reduce((product, n) => product * n, 1)
  if (bytes.length !== size * datatype.bytes) {
    throw badRequest(
      `${place}: expected binary_data_size ${size * datatype.bytes} for shape [${shape}] of ${datatype.name}, got ${bytes.length}`,
    )
  }
  const aligned = bytes.byteOffset % datatype.bytes === 0 ? bytes : Uint8Array.prototype.slice.call(bytes)
  const elements = datatype.view(aligned.buffer, aligned.byteOffset, size)
  requireFitting(place, elements, datatype, target)
  if (elements instanceof constructors[target]) return elements
  const result = new constructors[target](size)
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array)
    for (let i = 0; i < size; i++) result[i] = Number(elements[i])
  else result.set(elements)
  return result
}

function requireFitting(place: string, elements: NumberArray, datatype: Datatype, target: TargetType): void {
  const limit = exactLimit(datatype, target)
  if (datatype.range && -limit <= datatype.range[0] && datatype.range[1] <= limit) return
  for (let i = 0; i < elements.length; i++) {
    const value = elements[i]
    if (!(value >= -limit && value <= limit)) refuseElement(place, datatype, target, i, value)
  }
}
