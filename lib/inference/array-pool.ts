/** Arrays that are used again: the memory of large ones is V8's to collect, and it collects all of the heap for a few megabytes of it. */
import type { TensorArray } from '../tensor.ts'
import { arrayLike } from './arrays.ts'

/** Elements of the shortest that are kept, and of the longest; a shorter one costs little, a longer one is of an unusual request. */
const [shortest, longest] = [2 ** 10, 2 ** 20]
/** Bytes that are kept in all. */
const most = 2 ** 25

/** Of one type. */
export class ArrayPool<A extends TensorArray> {
  readonly #like: A
  /** By the power of two that is their length. */
  readonly #idle: A[][] = []
  #bytes = 0

  constructor(like: A) {
    this.#like = like
  }

  /** At least `length` elements, of any value. */
  take(length: number): A {
    if (length < shortest || length > longest) return arrayLike(this.#like, length) as A
    const power = Math.ceil(Math.log2(length))
    const array = this.#idle[power]?.pop()
    if (!array) return arrayLike(this.#like, 2 ** power) as A
    this.#bytes -= array.byteLength
    return array
  }

  /** Of `take`: nobody else may use it any more. */
  give(array: A): void {
    const { length, byteLength } = array
    if (length < shortest || length > longest || this.#bytes + byteLength > most) return
    const power = Math.log2(length)
    if (!Number.isInteger(power)) return
    this.#idle[power] ??= []
    this.#idle[power].push(array)
    this.#bytes += byteLength
  }
}
