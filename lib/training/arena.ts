/**
 * Parameters in one memory. An optimizer that is bound to parameters moves them into an arena: one buffer for the
 * elements and one of the same layout for the gradients, each parameter from a multiple of 64 bytes, zeros between
 * them. Its own moments are laid out alike. Neighbours that are due the same update are then one array, and one call
 * does it; an element's bits do not depend on where it stands, so the result is that of a call for each.
 *
 * A parameter stays where it is if others may hold its array, which would go stale: its `data` has been read, or the
 * array was given to it. Where an optimizer of before has moved it, it stays for good, and a later optimizer over the
 * same parameters finds the same neighbours. A gradient that somebody put there stands where it stands.
 */
import type { FloatArray } from '../kernels/contract.ts'
import type { Parameter } from '../tensor.ts'

/** A cache line, and the widest vector, in bytes. */
const alignment = 64

/** A parameter with what an optimizer keeps for it. */
export interface Entry {
  readonly name: string
  readonly parameter: Parameter
  readonly slots: readonly FloatArray[]
  /** Updates made. */
  step: number
  /** Whether the memory of the parameter, of its home and of its slots goes on where that of the entry before ends. */
  readonly isNext: boolean
  /** The run that began here last: views cost more than a small update. */
  run: Run | undefined
}

/** Entries that are one array each of weights, gradients and slots, padding included. */
export interface Run {
  readonly entries: readonly Entry[]
  readonly weight: FloatArray
  readonly gradient: FloatArray
  readonly slots: readonly FloatArray[]
}

/**
 * Moves the parameters that may be moved into an arena and lays out `slots` arrays of zeros for each, those
 * outside an arena last.
 *
 * @param joins whether padding may be updated with what it lies between
 */
export function layOut(
  parameters: ReadonlyMap<string, Parameter>,
  { slots, joins }: { slots: number; joins: boolean },
): Entry[] {
  settle([...new Set(parameters.values())].filter(({ isShared, home }) => !isShared && !home))
  const ordered = [...parameters].sort(([, a], [, b]) => Number(!a.home) - Number(!b.home))
  const arrays = ordered.map(([, parameter]) => parameter.array as FloatArray)
  const places = Array.from({ length: slots }, () => zerosLike(arrays))
  return ordered.map(([name, parameter], n) => ({
    name,
    parameter,
    slots: places.map((each) => each[n]),
    step: 0,
    isNext: joins && n > 0 && areNeighbours(ordered[n - 1][1], parameter),
    run: undefined,
  }))
}

/** Every entry that has a gradient, in runs as long as possible: neighbours with their gradients at home and equal steps. */
export function* runsOf(entries: readonly Entry[]): Iterable<Run> {
  for (let first = 0, end: number; first < entries.length; first = end) {
    end = first + 1
    if (!entries[first].parameter.grad) continue
    while (end < entries.length && goesOn(entries[end - 1], entries[end])) end++
    yield runOf(entries, first, end)
  }
}

function goesOn(a: Entry, b: Entry): boolean {
  return b.isNext && a.step === b.step && isAtHome(a.parameter) && isAtHome(b.parameter)
}

function isAtHome({ grad, home }: Parameter): boolean {
  return grad === home
}

function runOf(entries: readonly Entry[], first: number, end: number): Run {
  const from = entries[first]
  const to = entries[end - 1]
  const gradient = from.parameter.grad!
  const { run } = from
  // Homes never change; the gradient of a parameter alone may.
  if (run?.entries.length === end - first && (end - first > 1 || run.gradient === gradient)) return run
  return (from.run = {
    entries: entries.slice(first, end),
    weight: span(from.parameter.array as FloatArray, to.parameter.array as FloatArray),
    gradient: span(gradient, to.parameter.grad!),
    slots: from.slots.map((slot, i) => span(slot, to.slots[i])),
  })
}

function settle(parameters: readonly Parameter[]): void {
  const arrays = parameters.map(({ array }) => array as FloatArray)
  const data = zerosLike(arrays)
  const gradients = zerosLike(arrays)
  for (const [n, parameter] of parameters.entries()) parameter.settle(data[n], gradients[n])
}

/** Zeros in the lengths and types of `arrays`, one after the other in one buffer. */
function zerosLike(arrays: readonly FloatArray[]): FloatArray[] {
  let end = 0
  const starts = arrays.map(({ byteLength }) => {
    const start = end
    end = aligned(start + byteLength)
    return start
  })
  const buffer = new ArrayBuffer(end)
  return arrays.map((array, n) => viewLike(array, buffer, starts[n], array.length))
}

function areNeighbours(a: Parameter, b: Parameter): boolean {
  const [x, y] = [a.array, b.array]
  const isOneArena = a.home !== undefined && b.home !== undefined && x.buffer === y.buffer
  return isOneArena && a.dataType === b.dataType && y.byteOffset === aligned(x.byteOffset + x.byteLength)
}

/** From the first element of `first` to the last of `last`, both in one buffer. */
function span(first: FloatArray, last: FloatArray): FloatArray {
  if (first === last) return first
  const { buffer, byteOffset, BYTES_PER_ELEMENT } = first
  const bytes = last.byteOffset + last.byteLength - byteOffset
  return viewLike(first, buffer as ArrayBuffer, byteOffset, bytes / BYTES_PER_ELEMENT)
}

function viewLike(like: FloatArray, buffer: ArrayBuffer, offset: number, length: number): FloatArray {
  return like instanceof Float64Array
    ? new Float64Array(buffer, offset, length)
    : new Float32Array(buffer, offset, length)
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment
}
