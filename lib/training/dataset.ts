/**
 * Data sets: a number of sequences and how to gather some of them into a batch. `dataSet` makes one from
 * tensors or arrays, `windows` (windows.ts) from a series; anything with `size` and `batch` is one.
 */
import { describe, refuseUnknownOptions } from '../errors.ts'
import { requireLengths } from '../operations/common.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import { type DataType, type Nested, sizeOf, Tensor, type TensorArray, tensor } from '../tensor.ts'

/** What a model learns from in one go. */
export interface Batch {
  /** [B, ...], for sequences [B, T, F], or [B, T] int32 */
  x: Tensor
  /** [B, ...]; with targets for each step [B, T, O], or [B, T] int32 classes */
  y: Tensor
  /** Valid steps of each sequence; default T. */
  lengths?: Int32Array
  /**
   * Whether the sequences go on from where those of the batch before ended: the model then gets the state it returned there,
   * without its history. False begins such a run of batches; left out, the model is given no state and asked for none.
   */
  continues?: boolean
  /**
   * Valid steps of each target, where targets are sequences of their own, not of the steps of x: y is then [B, S] or
   * [B, S, ...], padded. A model that reads targets is handed it, to learn what comes after each part of it; with any other
   * the loss is told the lengths, as `ctcLoss` needs them.
   */
  targetLengths?: Int32Array
}

export interface DataSet {
  /** The number of sequences. */
  readonly size: number
  /** Gathers sequences, padded with zeros to the longest of them. */
  batch(indices: ArrayLike<number>): Batch
  /** The length of a sequence; present where lengths differ, so that batches are made of similar ones. */
  lengthOf?(index: number): number
}

/** One item of ragged data: a sequence of its own length. */
export type Sequence = Tensor | TensorArray | readonly Nested[]

export interface DataSetSource {
  /** [N, ...] in one tensor or nested array, or a list of sequences of differing length, [Tₙ, ...] each */
  x: Tensor | Nested | readonly Sequence[]
  /**
   * N targets: one tensor or nested array, or a list of one item a sequence, as long as it if targets are per
   * step
   */
  y: Tensor | Nested | readonly Sequence[]
  /** Valid steps of each sequence of a padded x. A list of sequences has them by itself. */
  lengths?: Int32Array | readonly number[]
  /**
   * Says that targets have lengths of their own, which need not be those of the sequences: the labels of each target, be y
   * padded or a list. Batches get it too.
   */
  targetLengths?: Int32Array | readonly number[]
}

export interface DataSetOptions {
  /** The type of x where it comes as plain numbers; default 'float32', 'int32' for an embedding's indices. */
  xType?: DataType
  /** The same for y; 'int32' for classes. */
  yType?: DataType
}

/**
 * A data set from tensors or arrays. Tensors and typed arrays are not copied.
 *
 * @throws {RangeError} if x, y and lengths disagree about the number or the lengths of sequences
 */
export function dataSet(source: DataSetSource, options: DataSetOptions = {}): DataSet {
  refuseUnknownOptions('dataSet', source, ['x', 'y', 'lengths', 'targetLengths'])
  refuseUnknownOptions('dataSet', options, ['xType', 'yType'])
  const { xType = 'float32', yType = 'float32' } = options
  const x = columnOf('x', source.x, xType)
  const y = columnOf('y', source.y, yType)
  if (x.size !== y.size) throw new RangeError(`dataSet: x has ${x.size} sequences, y has ${y.size} targets`)
  if (x.size === 0) throw new RangeError('dataSet: expected at least one sequence, got none')
  const lengths = lengthsOf(x, source.lengths)
  if (source.targetLengths) return labelled(x, y, { lengths, targetLengths: source.targetLengths })
  if (!lengths) {
    if (y.lengths)
      throw new RangeError(
        'dataSet: the targets differ in length, but the sequences of x do not; give targetLengths where they may',
      )
    return { size: x.size, batch: (indices) => ({ x: x.gather(indices), y: y.gather(indices) }) }
  }
  const T = x.lengths ? undefined : x.itemShape[0]
  const perStep = y.lengths !== undefined || (T !== undefined && isPerStep(y, T))
  const odd = y.lengths?.findIndex((length, n) => length !== lengths[n]) ?? -1
  if (odd >= 0) {
    throw new RangeError(
      `dataSet: sequence ${odd} has ${lengths[odd]} steps, its targets have ${y.lengths![odd]}; give targetLengths where ` +
        'targets have lengths of their own',
    )
  }
  return {
    size: x.size,
    lengthOf: (index) => lengths[index],
    batch(indices) {
      const own = Int32Array.from(indices, (index) => lengths[index])
      const steps = longestOf(own)
      return { x: x.gather(indices, steps), y: y.gather(indices, perStep ? steps : undefined), lengths: own }
    },
  }
}

/** A data set whose targets have lengths of their own. */
function labelled(
  x: Column,
  y: Column,
  {
    lengths,
    targetLengths,
  }: { lengths: Int32Array | undefined; targetLengths: Int32Array | readonly number[] },
): DataSet {
  const labels = Int32Array.from(targetLengths)
  requireLengths('dataSet: targetLengths', labels, {
    B: y.size,
    T: longestOf(y.lengths) ?? y.itemShape[0] ?? 0,
  })
  const odd = y.lengths?.findIndex((length, n) => length !== labels[n]) ?? -1
  if (odd >= 0) {
    throw new RangeError(
      `dataSet: expected targetLengths[${odd}] to be ${y.lengths![odd]}, as long as the target, got ${labels[odd]}`,
    )
  }
  return {
    size: x.size,
    ...(lengths && { lengthOf: (index) => lengths[index] }),
    batch(indices) {
      const of = (all: Int32Array) => Int32Array.from(indices, (index) => all[index])
      const own = lengths && of(lengths)
      const targets = of(labels)
      return {
        x: x.gather(indices, longestOf(own)),
        y: y.gather(indices, longestOf(targets)),
        ...(own && { lengths: own }),
        targetLengths: targets,
      }
    },
  }
}

/** Zero steps would leave nothing to run a layer on. */
function longestOf(lengths: Int32Array | undefined): number | undefined {
  return lengths?.reduce((longest, n) => Math.max(longest, n), 1)
}

/** Whether the targets of a batch are per step: [B, T, ...] or int32 [B, T] for x [B, T, ...]. */
export function hasStepTargets({ x, y, targetLengths }: Batch): boolean {
  if (targetLengths) return false
  const [, ...itemShape] = y.shape
  return x.shape.length > 1 && isPerStep({ itemShape, dataType: y.dataType }, x.shape[1])
}

function isPerStep(
  { itemShape, dataType }: { itemShape: readonly number[]; dataType: DataType },
  T: number,
): boolean {
  return itemShape[0] === T && (itemShape.length > 1 || dataType === 'int32')
}

/** One of the arrays of a data set. */
interface Column {
  size: number
  dataType: DataType
  itemShape: readonly number[]
  /** The lengths of its items, where they differ. */
  lengths?: Int32Array
  /** [B, ...], or with `steps` the first so many of each, with zeros where there are fewer. */
  gather(indices: ArrayLike<number>, steps?: number): Tensor
}

function columnOf(name: string, source: Tensor | Nested | readonly Sequence[], dataType: DataType): Column {
  if (source instanceof Tensor) return evenColumn(name, source)
  if (ArrayBuffer.isView(source)) return evenColumn(name, tensor(source as unknown as TensorArray))
  if (!Array.isArray(source)) {
    throw new TypeError(`dataSet: expected ${name} to be a tensor or an array, got ${describe(source)}`)
  }
  const isList = source.some((item) => item instanceof Tensor || ArrayBuffer.isView(item))
  const isRagged = source.some((item) => Array.isArray(item) && item.length !== source[0].length)
  if (!isList && !isRagged) return evenColumn(name, tensor(source as Nested, { dataType }))
  const items = source.map((item: Sequence) =>
    item instanceof Tensor ? item : tensor(item as Nested, { dataType }),
  )
  const odd = items.findIndex(
    (item) =>
      item.dataType !== items[0].dataType || String(item.shape.slice(1)) !== String(items[0].shape.slice(1)),
  )
  if (odd > 0) {
    const [first, other] = [items[0], items[odd]].map((item) => `${item.dataType} [${item.shape}]`)
    throw new RangeError(
      `dataSet: items of ${name} differ beside their length: item 0 is ${first}, item ${odd} ${other}`,
    )
  }
  const lengths = Int32Array.from(items, ({ shape }) => shape[0] ?? 1)
  const isEven = name === 'y' && lengths.every((length) => length === lengths[0])
  return itemColumn(items, isEven ? undefined : lengths)
}

/** A column in one tensor [N, ...]. */
function evenColumn(name: string, whole: Tensor): Column {
  const [size, ...itemShape] = whole.shape
  if (size === undefined) throw new RangeError(`dataSet: expected ${name} of shape [N, ...], got one number`)
  const length = sizeOf(itemShape)
  const source = whole.array
  return {
    size,
    dataType: whole.dataType,
    itemShape,
    gather(indices, steps) {
      const shape = steps === undefined ? itemShape : itemShape.with(0, steps)
      const width = sizeOf(shape)
      return gathered([indices.length, ...shape], source, (array) => {
        for (let b = 0; b < indices.length; b++) {
          const start = indices[b] * length
          array.set(source.subarray(start, start + width), b * width)
        }
      })
    },
  }
}

/** A column of one tensor an item, of differing length if `lengths` are given. */
function itemColumn(items: readonly Tensor[], lengths: Int32Array | undefined): Column {
  const [{ shape: itemShape, dataType }] = items
  return {
    size: items.length,
    dataType,
    itemShape,
    lengths,
    gather(indices, steps) {
      const shape = lengths && steps !== undefined ? itemShape.with(0, steps) : itemShape
      const width = sizeOf(shape)
      return gathered([indices.length, ...shape], items[0].array, (array) => {
        for (let b = 0; b < indices.length; b++) {
          const item = items[indices[b]].array
          array.set(item, b * width)
          array.fill(0, b * width + item.length, (b + 1) * width)
        }
      })
    },
  }
}

/**
 * A tensor without history, filled by `fill`. Made inside `recycle`, its memory comes from the pool and goes
 * back to it.
 */
export function gathered(
  shape: readonly number[],
  like: TensorArray,
  fill: (array: TensorArray) => void,
): Tensor {
  const length = sizeOf(shape)
  if (like instanceof Int32Array) {
    const array = new Int32Array(length)
    fill(array)
    return new Tensor(shape, array)
  }
  const array = outputBuffer(like, length)
  fill(array)
  return recordOne('batch', [], shape, array, () => {})
}

/** The lengths of the sequences of x, checked; undefined where all are whole. */
function lengthsOf(x: Column, given: DataSetSource['lengths']): Int32Array | undefined {
  if (x.lengths) {
    if (given) throw new TypeError('dataSet: a list of sequences has its own lengths; leave lengths out')
    return x.lengths
  }
  if (!given) return undefined
  const lengths = Int32Array.from(given)
  requireLengths('dataSet', lengths, { B: x.size, T: x.itemShape[0] ?? 0 })
  return lengths
}
