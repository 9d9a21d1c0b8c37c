/** Cross validation: data split so that every item is tested once by a model that has not seen it. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import { hash, Random } from '../random.ts'
import type { DataSet } from './dataset.ts'

export interface FoldOptions {
  /** The number of folds; default 10. */
  k?: number
  /** Of the order in which items are dealt out. */
  seed: number
  /** The class of each item: every fold then has as many of each class as the others, give or take one. */
  labels?: ArrayLike<number>
  /**
   * The part of what is not tested that is set aside, to choose the epoch by and whatever else must not be chosen by the test;
   * in [0, 1), default 0.
   */
  validation?: number
}

/** Indices of items, each growing; together they are all there are. */
export interface Fold {
  train: Uint32Array
  validation: Uint32Array
  test: Uint32Array
}

/**
 * k-fold cross validation (Stone 1974): fold i tests on the i-th of k parts and trains on the others. With `labels` the parts are
 * stratified. The same seed gives the same folds.
 *
 * @param size the number of items, or what has one
 * @throws {TypeError | RangeError} if an option is unknown or out of range, there are fewer items, or items of a class, than folds
 */
export function kFold(size: number | { size: number }, options: FoldOptions): Fold[] {
  refuseUnknownOptions('kFold', options, ['k', 'seed', 'labels', 'validation'])
  const { k = 10, seed, labels, validation = 0 } = options
  const count = typeof size === 'object' && size !== null ? size.size : size
  requireInteger('kFold', 'size', count, 0)
  requireInteger('kFold', 'k', k, 2)
  requireInteger('kFold', 'seed', seed, Number.MIN_SAFE_INTEGER)
  requireNumber('kFold', 'validation', validation, { low: 0, high: 1, open: true })
  if (count < k) throw new RangeError(`kFold: expected at least k = ${k} items, got ${count}`)
  const groups = groupsOf(count, labels)
  const small = [...groups].find(([, items]) => items.length < k)
  if (small) {
    throw new RangeError(
      `kFold: expected at least k = ${k} items of each class, got ${small[1].length} of class ${small[0]}; ` +
        'take fewer folds, or leave labels out',
    )
  }

  const random = new Random(seed)
  const partOf = deal([...groups.values()], k, random)
  return Array.from({ length: k }, (_, fold) => {
    const held = heldOut(groups, (item) => partOf[item] !== fold, validation, new Random(hash(seed, fold)))
    const all = Uint32Array.from({ length: count }, (_, item) => item)
    return {
      train: all.filter((item) => partOf[item] !== fold && !held.has(item)),
      validation: all.filter((item) => held.has(item)),
      test: all.filter((item) => partOf[item] === fold),
    }
  })
}

/** Some sequences of a data set, as a data set: item n is item `indices[n]` of the whole. */
export function subset(data: DataSet, indices: ArrayLike<number>): DataSet {
  const chosen = Uint32Array.from(indices)
  const odd = Array.prototype.findIndex.call(
    indices,
    (index) => !(Number.isInteger(index) && index >= 0 && index < data.size),
  )
  if (odd >= 0) {
    throw new RangeError(
      `subset: expected indices[${odd}] in [0, ${data.size - 1}], got ${describe(indices[odd])}`,
    )
  }
  return {
    size: chosen.length,
    batch: (positions) => data.batch(Uint32Array.from(positions, (position) => chosen[position])),
    ...(data.lengthOf && { lengthOf: (position: number) => data.lengthOf!(chosen[position]) }),
  }
}

/** The items of each class, classes in ascending order; of one class without labels. */
function groupsOf(count: number, labels: ArrayLike<number> | undefined): Map<number, number[]> {
  if (labels && labels.length !== count) {
    throw new RangeError(`kFold: expected ${count} labels, one for each item, got ${labels.length}`)
  }
  const groups = new Map<number, number[]>()
  for (let item = 0; item < count; item++) {
    const label = labels ? labels[item] : 0
    if (!Number.isInteger(label))
      throw new RangeError(`kFold: expected labels[${item}] to be an integer, got ${describe(label)}`)
    const items = groups.get(label)
    if (items) items.push(item)
    else groups.set(label, [item])
  }
  return new Map([...groups].sort(([a], [b]) => a - b))
}

/** The part of each item: items of a class are dealt out in turn, the next class going on where the last one ended. */
function deal(groups: readonly number[][], k: number, random: Random): Uint32Array {
  const parts = new Uint32Array(groups.reduce((sum, { length }) => sum + length, 0))
  let turn = 0
  for (const items of groups) for (const item of random.shuffle([...items])) parts[item] = turn++ % k
  return parts
}

/** A part of the items that are not tested, of each class its share. */
function heldOut(
  groups: ReadonlyMap<number, number[]>,
  isKept: (item: number) => boolean,
  share: number,
  random: Random,
): ReadonlySet<number> {
  const held = new Set<number>()
  for (const items of groups.values()) {
    const kept = random.shuffle(items.filter(isKept))
    for (const item of kept.slice(0, Math.round(share * kept.length))) held.add(item)
  }
  return held
}
