/** The largest of many numbers, one after the other: a heap of their indices (Williams, 1964), O(n) and O(log n) for each. */

export class Ranking {
  readonly #heap: Int32Array
  #values = new Float64Array(0)
  #size = 0

  /** @param capacity numbers at most */
  constructor(capacity: number) {
    this.#heap = new Int32Array(capacity)
  }

  /** Begins anew. @param values borrowed, and not to be written into until the last `take` */
  rank(values: Float64Array<ArrayBuffer>): void {
    this.#values = values
    this.#size = values.length
    for (let i = 0; i < values.length; i++) this.#heap[i] = i
    for (let i = (values.length >> 1) - 1; i >= 0; i--) this.#sink(i)
  }

  /** The index of the largest that is left, of equal ones the lowest; -1 if none is. */
  take(): number {
    if (this.#size === 0) return -1
    const heap = this.#heap
    const first = heap[0]
    heap[0] = heap[--this.#size]
    this.#sink(0)
    return first
  }

  #sink(place: number): void {
    const heap = this.#heap
    const index = heap[place]
    for (let child: number; (child = 2 * place + 1) < this.#size; place = child) {
      if (child + 1 < this.#size && this.#isBefore(heap[child + 1], heap[child])) child++
      if (!this.#isBefore(heap[child], index)) break
      heap[place] = heap[child]
    }
    heap[place] = index
  }

  #isBefore(i: number, j: number): boolean {
    const values = this.#values
    return values[i] > values[j] || (values[i] === values[j] && i < j)
  }
}
