/**
 * Cutting data into batches: order, shuffling, buckets of similar length; and one view of every kind of data
 * for `fit`.
 */
import { describe, requireInteger } from '../errors.ts'
import type { Random } from '../random.ts'
import { Tensor } from '../tensor.ts'
import { type Batch, type DataSet, type DataSetSource, dataSet } from './dataset.ts'

/**
 * What a function of data is told: which epoch begins (from 1) and a random stream that is the same in every
 * run.
 */
export interface EpochStart {
  number: number
  random: Random
}

type Batches = Iterable<Batch> | AsyncIterable<Batch>

/** Batches that begin anew in each epoch, of a number that may be known beforehand. */
export interface BatchSource {
  /** Batches of an epoch: what the schedule and the estimate of the time left go by. */
  readonly count?: number
  open(epoch: EpochStart): Batches
}

/**
 * What `fit` and `evaluate` take: a data set, its source, an iterable of batches that can be iterated in
 * every epoch, or what starts a new one: a function, or a source with `open`.
 */
export type Data = DataSet | DataSetSource | Batches | BatchSource | ((epoch: EpochStart) => Batches)

/** A batch still to be made, so that its memory can come from the step that uses it. */
export type MakeBatch = () => Batch

/** Data as batches, whatever they were. */
export interface Source {
  /** Batches of an epoch, if known beforehand. */
  readonly count: number | undefined
  open(epoch: EpochStart): AsyncIterable<Batch | MakeBatch> | Iterable<Batch | MakeBatch>
}

/**
 * How many sequences are sorted by length together, in batches: enough for little padding, few enough to stay
 * random.
 */
const bucketBatches = 50

/**
 * The batches of one pass over a data set.
 *
 * @param options.random shuffles; without it the order is that of the set, or of growing length where lengths
 *   differ
 */
export function* batches(
  data: DataSet,
  { batchSize, random }: { batchSize: number; random?: Random },
): Generator<Batch> {
  for (const indices of batchIndices(data, { batchSize, random })) yield data.batch(indices)
}

/** Which sequences make each batch of a pass. */
export function* batchIndices(
  data: DataSet,
  { batchSize, random }: { batchSize: number; random?: Random },
): Generator<Uint32Array> {
  requireInteger('batches', 'batchSize', batchSize)
  const order = Uint32Array.from({ length: data.size }, (_, n) => n)
  random?.shuffle(order)
  if (data.lengthOf) sortInBuckets(order, data, random ? batchSize * bucketBatches : data.size)
  const count = Math.ceil(data.size / batchSize)
  const positions = Uint32Array.from({ length: count }, (_, n) => n)
  // Within a bucket the batches stand by length: without this, every bucket would begin with its short ones.
  if (data.lengthOf) random?.shuffle(positions)
  for (const position of positions) yield order.subarray(position * batchSize, (position + 1) * batchSize)
}

/** Sorts each run of `bucket` sequences by length; equal lengths keep their order. */
function sortInBuckets(order: Uint32Array, data: DataSet, bucket: number): void {
  for (let start = 0; start < order.length; start += bucket) {
    order.subarray(start, start + bucket).sort((a, b) => data.lengthOf!(a) - data.lengthOf!(b))
  }
}

/** One view of every kind of data. @throws {TypeError} if it is none of them */
export function sourceOf(
  place: string,
  data: Data,
  { batchSize, shuffle }: { batchSize: number; shuffle: boolean },
): Source {
  if (typeof data === 'function') return { count: undefined, open: data }
  if (data !== null && typeof data === 'object') {
    if ('open' in data) return { count: data.count, open: (epoch) => data.open(epoch) }
    if (Symbol.iterator in data || Symbol.asyncIterator in data) return { count: undefined, open: () => data }
    if ('batch' in data || ('x' in data && 'y' in data)) {
      const set = 'batch' in data ? data : dataSet(data)
      return {
        count: Math.ceil(set.size / batchSize),
        *open({ random }) {
          const orders = batchIndices(set, { batchSize, random: shuffle ? random : undefined })
          for (const indices of orders) yield () => set.batch(indices)
        },
      }
    }
  }
  throw new TypeError(
    `${place}: expected a data set, { x, y }, an iterable of batches, or a function or source that opens one, ` +
      `got ${describe(data)}`,
  )
}

/** The batch, made and checked. @throws an error that names it unless x, y and lengths go together */
export function makeBatch(place: string, item: Batch | MakeBatch): Batch {
  const batch = typeof item === 'function' ? item() : item
  const { x, y, lengths, targetLengths } = batch ?? {}
  if (!(x instanceof Tensor) || !(y instanceof Tensor)) {
    throw new TypeError(`${place}: expected tensors x and y, got x ${describe(x)} and y ${describe(y)}`)
  }
  const [B, T] = x.shape
  if (!(B >= 1) || y.shape[0] !== B) {
    throw new RangeError(
      `${place}: expected as many targets as sequences, got x [${x.shape}] and y [${y.shape}]`,
    )
  }
  checkLengths(place, 'lengths', lengths, { B, T })
  checkLengths(place, 'targetLengths', targetLengths, { B, T: y.shape[1] })
  return batch
}

function checkLengths(
  place: string,
  name: string,
  lengths: Int32Array | undefined,
  { B, T }: { B: number; T: number },
): void {
  if (lengths === undefined) return
  if (!(lengths instanceof Int32Array) || lengths.length !== B) {
    throw new RangeError(
      `${place}: expected ${name} to be an Int32Array of ${B}, one for each sequence, got ${describe(lengths)}`,
    )
  }
  const outside = lengths.findIndex((length) => length < 0 || !(length <= T))
  if (outside >= 0) {
    throw new RangeError(`${place}: expected ${name}[${outside}] in [0, ${T}], got ${lengths[outside]}`)
  }
}
