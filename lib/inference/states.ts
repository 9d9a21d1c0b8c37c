/** The states of many streams: rows of h and c in slabs, which come as streams do and go when they are gone. */
import type { FloatArray } from '../kernels/contract.ts'
import { arrayLike } from './arrays.ts'

const slabBytes = 2 ** 20
/** A slab has at least so many rows, however wide, and at most so many, however narrow. */
const [fewest, most] = [16, 4096]
/** Slots are below it, so that a slot and its generation are one number. */
const slotLimit = 2 ** 24
const generationMask = 2 ** 28 - 1
const none = -1

/**
 * A slot is the number of a row: row `slot mod rows` of slab ⌊slot / rows⌋. Free slots of the lowest slab go first, and a
 * slab in which no slot is taken gives its memory back, so that the states of streams that are gone cost nothing.
 */
export class StreamStates {
  /** Floats of a state. */
  readonly width: number
  /** Rows of a slab. */
  readonly rows: number
  /** One of length 0 stands for a slab that has no memory at present. */
  readonly slabs: FloatArray[] = []
  /** Streams that hold a slot. */
  streams = 0
  readonly #empty: FloatArray
  /** Of each slab: its first free slot, and how many are taken. */
  readonly #free: number[] = []
  readonly #taken: number[] = []
  /** Of each free slot the next one of its slab. */
  #next = new Int32Array(0)
  /** Of each slot how often it was given back: tells a stream from one that had its slot before. */
  #generations = new Int32Array(0)
  /** No slab before it has a free slot. */
  #lowest = 0
  /** A slab that keeps its memory though no slot of it is taken, for the next who comes. */
  #spare = none
  readonly #forgotten = new FinalizationRegistry<number>((key) => this.#forget(key))

  /** @param like an array of the type of the states */
  constructor(width: number, like: FloatArray) {
    const rows = 2 ** Math.floor(Math.log2(slabBytes / Math.max(1, width * like.BYTES_PER_ELEMENT)))
    this.width = width
    this.rows = Math.min(most, Math.max(fewest, rows))
    this.#empty = arrayLike(like, 0)
  }

  /** A slot whose state is zeros. @throws {RangeError} where there is no memory for it */
  acquire(): number {
    let slab = this.#lowest
    while (slab < this.slabs.length && this.#free[slab] === none) slab++
    if (slab === this.slabs.length) this.#append()
    else if (this.slabs[slab].length === 0) this.slabs[slab] = this.#allocate()
    this.#lowest = slab
    if (slab === this.#spare) this.#spare = none
    const slot = this.#free[slab]
    this.#free[slab] = this.#next[slot]
    this.#taken[slab]++
    this.clear(slot)
    return slot
  }

  release(slot: number): void {
    const slab = Math.floor(slot / this.rows)
    this.#generations[slot] = (this.#generations[slot] + 1) & generationMask
    this.#next[slot] = this.#free[slab]
    this.#free[slab] = slot
    if (slab < this.#lowest) this.#lowest = slab
    if (--this.#taken[slab] > 0) return
    // Of two slabs without streams the lower is kept: a stream that comes and goes would else cost a slab each time.
    const { slabs } = this
    const kept = this.#spare
    this.#spare = kept === none ? slab : Math.min(kept, slab)
    if (kept !== none) slabs[Math.max(kept, slab)] = this.#empty
  }

  /** Gives the slot to a stream: it comes back when the stream is garbage-collected. */
  lend(slot: number, stream: object): void {
    this.streams++
    this.#forgotten.register(stream, this.#generations[slot] * slotLimit + slot)
  }

  /** Takes the slot back from a stream that ends before. */
  giveBack(slot: number): void {
    this.streams--
    this.release(slot)
  }

  clear(slot: number): void {
    const first = (slot % this.rows) * this.width
    this.#slabOf(slot).fill(0, first, first + this.width)
  }

  read(slot: number): FloatArray {
    const first = (slot % this.rows) * this.width
    return this.#slabOf(slot).slice(first, first + this.width)
  }

  write(slot: number, state: FloatArray): void {
    this.#slabOf(slot).set(state, (slot % this.rows) * this.width)
  }

  copy(from: number, to: number): void {
    const first = (from % this.rows) * this.width
    this.write(to, this.#slabOf(from).subarray(first, first + this.width))
  }

  #slabOf(slot: number): FloatArray {
    return this.slabs[Math.floor(slot / this.rows)]
  }

  #allocate(): FloatArray {
    return arrayLike(this.#empty, this.rows * this.width)
  }

  #append(): void {
    const first = this.slabs.length * this.rows
    if (first + this.rows > slotLimit) {
      throw new RangeError(`stream: expected at most ${slotLimit} streams of a plan; close some`)
    }
    const slab = this.#allocate()
    if (first + this.rows > this.#next.length) {
      this.#next = grown(this.#next, first + this.rows)
      this.#generations = grown(this.#generations, first + this.rows)
    }
    for (let row = 1; row < this.rows; row++) this.#next[first + row - 1] = first + row
    this.#next[first + this.rows - 1] = none
    this.slabs.push(slab)
    this.#free.push(first)
    this.#taken.push(0)
  }

  /** A stream was garbage-collected. It may have been closed before, and its slot be another's by now. */
  #forget(key: number): void {
    const slot = key % slotLimit
    if (this.#generations[slot] === Math.floor(key / slotLimit)) this.giveBack(slot)
  }
}

function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(length, Math.floor(array.length * 1.25)))
  larger.set(array)
  return larger
}
