/** Model files of other makers, and the inputs and outputs that were recorded beside them. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredTensor } from '../../lib/formats/safetensors/index.ts'
import { type DataType, Tensor } from '../../lib/tensor.ts'

const kinds = { '.onnx': 'onnx', '.keras': 'keras', '.h5': 'keras', '.tfjs': 'tfjs' } as const

export interface Case {
  kind: (typeof kinds)[keyof typeof kinds]
  /** A file, or the folder of a tfjs model. */
  path: string
  /** NAME.io.safetensors, if it is there. */
  io: string | undefined
}

/** The models in a folder and the folders in it; weights without a model (`.weights.h5`) are none. */
export function casesIn(folder: string): Case[] {
  const names = readdirSync(folder).sort()
  return names.flatMap((name): Case[] => {
    const path = join(folder, name)
    const isFolder = statSync(path).isDirectory()
    const [, stem, ending] = /^(.*)(\.[^.]*)$/.exec(name) ?? ['', name, '']
    const isModel = ending in kinds && (ending === '.tfjs') === isFolder && !name.endsWith('.weights.h5')
    if (!isModel) return isFolder ? casesIn(path) : []
    const io = join(folder, `${stem}.io.safetensors`)
    return [{ kind: kinds[ending as keyof typeof kinds], path, io: existsSync(io) ? io : undefined }]
  })
}

/** The tensors of an io file under their names. */
export type Recorded = ReadonlyMap<string, StoredTensor>

/**
 * A recorded input with the type that the model takes: frameworks record integers for floats and floats for integers.
 *
 * @param options.isScalar numpy saves a scalar as [1]
 * @throws {RangeError} if an index is no integer of 32 bits
 */
export function toTensor(
  name: string,
  stored: StoredTensor,
  dataType: DataType,
  { isScalar = false }: { isScalar?: boolean } = {},
): Tensor {
  const numbers = numbersOf(stored)
  const shape = isScalar && numbers.length === 1 ? [] : stored.shape
  if (dataType === 'float64') return new Tensor(shape, Float64Array.from(numbers))
  if (dataType === 'float32') return new Tensor(shape, Float32Array.from(numbers))
  const integers = Int32Array.from(numbers)
  const odd = numbers.findIndex((n, i) => n !== integers[i])
  if (odd < 0) return new Tensor(shape, integers)
  throw new RangeError(`${name}: expected integers of 32 bits, got ${numbers[odd]} at ${odd}`)
}

function numbersOf({ data }: StoredTensor): number[] {
  return Array.from<number | bigint, number>(data, Number)
}

/** Of every number from the recorded one, absolute: float32 sums of some hundred terms in another order. */
export const tolerance = 1e-5

/** The output that is farthest from the recorded one, and the distance of the farthest of its numbers. */
export interface Difference {
  output: string
  error: number
}

/** @throws {RangeError} if the shapes differ; a scalar may be recorded as [1] */
export function difference(output: string, { shape, data }: Tensor, stored: StoredTensor): Difference {
  const areScalars = data.length === 1 && stored.data.length === 1
  if (!areScalars && String(shape) !== String(stored.shape))
    throw new RangeError(`${output}: expected shape [${stored.shape}], got [${shape}]`)
  return { output, error: farthest(data, numbersOf(stored)) }
}

/** The largest distance of two numbers, NaN if one is not a number or there are more on one side. */
export function farthest(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.NaN
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    // Infinities of one sign are no distance apart.
    const distance = got[i] === expected[i] ? 0 : Math.abs(got[i] - expected[i])
    if (Number.isNaN(distance)) return distance
    largest = Math.max(largest, distance)
  }
  return largest
}

/** The one with the largest error; NaN is larger than any. */
export function worst(differences: readonly Difference[]): Difference {
  return differences.reduce((a, b) => (b.error <= a.error || Number.isNaN(a.error) ? a : b))
}
