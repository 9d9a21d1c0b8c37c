/**
 * Operations that move numbers and compute nothing: reshape, transpose, slices, concatenation, broadcasting. All but
 * reshape copy, through one description of where an element of the result lies in the source.
 */
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { endsOf } from '../kernels/masked-steps.ts'
import { outputBuffer, recordOne } from '../tape.ts'
import { sizeOf, Tensor } from '../tensor.ts'
import { floats, requireAxis, requireLengths, requireMask, sameShape } from './common.ts'

/** The same elements in another shape, as a view. One axis may be -1: it takes what is left. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const open = shape.indexOf(-1)
  const known = sizeOf(shape.filter((_, axis) => axis !== open))
  const whole = open < 0 ? shape : shape.with(open, known === 0 ? 0 : x.size / known)
  if (sizeOf(whole) !== x.size || whole.some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(`reshape: shape [${x.shape}] has ${x.size} elements, which do not fill [${shape}]`)
  }
  return recordOne('reshape', [x], whole, x, (dy, gradientOf) => {
    const dx = gradientOf(x)
    if (dx) kernelsFor(dx).axpy(1, dy, dx)
  })
}

/** Exchanges two axes: [..., M, ..., N, ...] becomes [..., N, ..., M, ...]. Default: the last two. */
export function transpose(x: Tensor, { axes = [-2, -1] }: { axes?: readonly [number, number] } = {}): Tensor {
  const [first, second] = axes.map((axis) => requireAxis('transpose', x.shape, axis))
  const exchange = (list: readonly number[]) => list.with(first, list[second]).with(second, list[first])
  const shape = exchange(x.shape)
  return copyView('transpose', x, { shape, strides: exchange(stridesOf(x.shape)), offset: 0 }, shape)
}

/** The elements `start` ≤ index < `end` along an axis. Works on int32 tensors too. */
export function slice(
  x: Tensor,
  { axis = 0, start = 0, end }: { axis?: number; start?: number; end?: number },
): Tensor {
  const at = requireAxis('slice', x.shape, axis)
  const n = x.shape[at]
  const stop = end ?? n
  if (!(Number.isInteger(start) && Number.isInteger(stop) && 0 <= start && start <= stop && stop <= n)) {
    throw new RangeError(
      `slice: expected 0 ≤ start ≤ end ≤ ${n} for shape [${x.shape}], got ${start} to ${stop}`,
    )
  }
  const inner = sizeOf(x.shape.slice(at + 1))
  const outer = sizeOf(x.shape.slice(0, at))
  const view = { shape: [outer, (stop - start) * inner], strides: [n * inner, 1], offset: start * inner }
  return copyView('slice', x, view, x.shape.with(at, stop - start))
}

/** The elements at one index of an axis, which disappears: select(x [B, T, F], { axis: 1, index: 0 }) is [B, F]. */
export function select(x: Tensor, { axis = 0, index }: { axis?: number; index: number }): Tensor {
  const at = requireAxis('select', x.shape, axis)
  const n = x.shape[at]
  const start = index < 0 ? index + n : index
  if (!(Number.isInteger(index) && start >= 0 && start < n)) {
    throw new RangeError(
      `select: expected an index from ${-n} to ${n - 1} for shape [${x.shape}], got ${index}`,
    )
  }
  return reshape(slice(x, { axis: at, start, end: start + 1 }), x.shape.toSpliced(at, 1))
}

/** Joins tensors along an axis; the other axes must agree. */
export function concat(tensors: readonly Tensor[], { axis = 0 }: { axis?: number } = {}): Tensor {
  if (tensors.length === 0) throw new RangeError('concat: expected at least one tensor')
  if (tensors.length === 1) return tensors[0]
  const arrays = floats('concat', ...tensors)
  const [{ shape: first }] = tensors
  const at = requireAxis('concat', first, axis)
  for (const { shape } of tensors) {
    if (!sameShape(shape.toSpliced(at, 1), first.toSpliced(at, 1)) || shape.length !== first.length) {
      throw new RangeError(`concat: shapes [${first}] and [${shape}] differ beside axis ${at}`)
    }
  }
  const outer = sizeOf(first.slice(0, at))
  const shape = first.with(
    at,
    tensors.reduce((n, each) => n + each.shape[at], 0),
  )
  const width = sizeOf(shape.slice(at))
  const widths = tensors.map((each) => sizeOf(each.shape.slice(at)))
  const offsets = widths.map((_, i) => sum(widths.slice(0, i)))
  const y = outputBuffer(arrays[0], outer * width)
  for (const [i, array] of arrays.entries()) {
    for (let row = 0; row < outer; row++) {
      y.set(array.subarray(row * widths[i], (row + 1) * widths[i]), row * width + offsets[i])
    }
  }
  return recordOne('concat', tensors, shape, y, (dy, gradientOf) => {
    for (const [i, each] of tensors.entries()) {
      const dx = gradientOf(each)
      const part = { shape: [outer, widths[i]], strides: [width, 1], offset: offsets[i] }
      if (dx) eachRow(part, ({ start, position, count }) => addRow(dx, position, 1, dy, start, count))
    }
  })
}

/** Joins tensors of one shape along a new axis: K tensors [B, F] at axis 1 become [B, K, F]. */
export function stack(tensors: readonly Tensor[], { axis = 0 }: { axis?: number } = {}): Tensor {
  if (tensors.length === 0) throw new RangeError('stack: expected at least one tensor')
  const [{ shape: first }] = tensors
  const odd = tensors.find(({ shape }) => !sameShape(shape, first))
  if (odd) throw new RangeError(`stack: expected tensors of shape [${first}], got [${odd.shape}]`)
  const at = requireAxis('stack', [...first, 1], axis)
  return concat(
    tensors.map((each) => reshape(each, first.toSpliced(at, 0, 1))),
    { axis: at },
  )
}

/**
 * The last valid step of each sequence: y[b] = x[b, lengths[b] - 1], or zeros where there is none.
 *
 * @param x [B, T, F]
 * @param lengths B counts in [0, T]; default T
 * @param mask B·T bytes, 0 where a step does not count; default: all do
 * @returns [B, F]
 */
export function lastValidStep(
  x: Tensor,
  { lengths, mask }: { lengths?: Int32Array; mask?: Uint8Array } = {},
): Tensor {
  if (x.shape.length !== 3)
    throw new RangeError(`lastValidStep: expected x of shape [B, T, F], got [${x.shape}]`)
  const [B, T, F] = x.shape
  if (lengths) requireLengths('lastValidStep', lengths, { B, T })
  if (mask) requireMask('lastValidStep', mask, { B, T })
  const ends = mask ? endsOf(mask, { B, T, lengths }) : lengths?.slice()
  const [xs] = floats('lastValidStep', x)
  const y = outputBuffer(xs, B * F)
  const lengthOf = (b: number) => (ends ? ends[b] : T)
  const isEmpty = (b: number) => lengthOf(b) === 0
  const startOf = (b: number) => (b * T + lengthOf(b) - 1) * F
  for (let b = 0; b < B; b++) {
    if (isEmpty(b)) y.fill(0, b * F, (b + 1) * F)
    else y.set(xs.subarray(startOf(b), startOf(b) + F), b * F)
  }
  return recordOne('lastValidStep', [x], [B, F], y, (dy, gradientOf) => {
    const dx = gradientOf(x)!
    for (let b = 0; b < B; b++) if (!isEmpty(b)) addRow(dx, startOf(b), 1, dy, b * F, F)
  })
}

/** Repeats a tensor along axes of length 1 and new leading axes until it has `shape`, as NumPy does. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x
  const missing = shape.length - x.shape.length
  const fits = missing >= 0 && x.shape.every((n, axis) => n === 1 || n === shape[axis + missing])
  if (!fits) throw new RangeError(`broadcastTo: shape [${x.shape}] does not broadcast to [${shape}]`)
  const own = stridesOf(x.shape)
  const strides = shape.map((_, axis) =>
    axis < missing || x.shape[axis - missing] === 1 ? 0 : own[axis - missing],
  )
  return copyView('broadcastTo', x, { shape, strides, offset: 0 }, shape)
}

/** Where the elements of a result lie in their source: element [i, j, ...] at offset + i·strides[0] + ... */
export interface View {
  shape: readonly number[]
  strides: readonly number[]
  offset: number
}

/** The differentiable copy of a view. */
function copyView(name: string, x: Tensor, view: View, shape: readonly number[]): Tensor {
  const xs = x.array
  const length = sizeOf(shape)
  const y = xs instanceof Int32Array ? new Int32Array(length) : outputBuffer(xs, length)
  const stride = view.strides.at(-1) ?? 1
  eachRow(view, ({ start, position, count }) => {
    if (stride === 1) y.set(xs.subarray(start, start + count), position)
    else for (let i = 0; i < count; i++) y[position + i] = xs[start + i * stride]
  })
  if (y instanceof Int32Array) return new Tensor(shape, y)
  return recordOne(name, [x], shape, y, (dy, gradientOf) => {
    const dx = gradientOf(x)!
    const kernels = kernelsFor(dy)
    const isRepeatedRow =
      stride === 1 && dx.length === shape.at(-1) && view.strides.slice(0, -1).every((n) => n === 0)
    if (isRepeatedRow) kernels.sumRows(dy, dx)
    else {
      eachRow(view, ({ start, position, count }) => {
        if (stride === 0) dx[start] += kernels.reduce('sum', dy.subarray(position, position + count))
        else addRow(dx, start, stride, dy, position, count)
      })
    }
  })
}

/** Visits the rows (last axis) of a view: `start` in the source, `position` in the result, `count` elements. */
export function eachRow(
  view: View,
  visit: (row: { start: number; position: number; count: number }) => void,
): void {
  const count = view.shape.at(-1) ?? 1
  const rows = sizeOf(view.shape.slice(0, -1))
  for (let row = 0; row < rows; row++) {
    let start = view.offset
    let rest = row
    for (let axis = view.shape.length - 2; axis >= 0; axis--) {
      start += (rest % view.shape[axis]) * view.strides[axis]
      rest = Math.floor(rest / view.shape[axis])
    }
    visit({ start, position: row * count, count })
  }
}

/** y[yStart + i·yStride] += x[xStart + i]. Rows are mostly too short for a kernel call to pay. */
function addRow(
  y: FloatArray,
  yStart: number,
  yStride: number,
  x: FloatArray,
  xStart: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) y[yStart + i * yStride] += x[xStart + i]
}

export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
