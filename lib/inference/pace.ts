/** How long runs take, measured: how many rows fit into a few milliseconds. */

/** Microseconds of a row before the first is measured: that of a large network. */
const unmeasured = 50
/** Milliseconds over which a rate is taken. */
const window = 100
/** Widths 1, 2 to 3, 4 to 7, ... */
const buckets = 8

/**
 * Microseconds a row, by the width of a run: rows by time step, which is how many share one reading of the weights. An
 * exponential average, since speed changes with what else the machine does.
 */
export class Pace {
  readonly #perRow = new Float64Array(buckets)
  /** Of all that has run since a time at which more waited: rows, and those a millisecond. */
  #since = 0
  #rows = 0
  #rate = 0

  record(rows: number, T: number, microseconds: number): void {
    if (rows < 1) return
    const bucket = bucketOf(rows / T)
    const before = this.#perRow[bucket]
    const now = microseconds / rows
    this.#perRow[bucket] = before === 0 ? now : before + 0.25 * (now - before)
  }

  /** Something runs again after nothing did: the time before says nothing of the rate. */
  begin(now: number): void {
    this.#since = now
    this.#rows = 0
  }

  /**
   * What has ended by `now`, with more waiting or not. How many rows end in a while is less than executors could do where they
   * share their cores, and wait for the event loop; it can only be seen while there is always more to do.
   */
  served(rows: number, now: number, isMoreWaiting: boolean): void {
    this.#rows += rows
    const passed = now - this.#since
    if (isMoreWaiting && passed < window) return
    if (isMoreWaiting) this.#rate += (this.#rate === 0 ? 1 : 0.2) * (this.#rows / passed - this.#rate)
    this.#since = now
    this.#rows = 0
  }

  /** Milliseconds for so many rows in full batches, at the rate of late or, where there is none, as runs were measured. */
  timeFor(rows: number, width: number, executors: number): number {
    const computed = (rows * this.perRow(width)) / executors / 1000
    return this.#rate > 0 ? Math.max(computed, rows / this.#rate) : computed
  }

  /** Rows that take so long in a run of so many sequences; at least 1. */
  rowsIn(microseconds: number, width: number): number {
    return Math.max(1, Math.floor(microseconds / this.perRow(width)))
  }

  /** What is not measured is taken from narrower runs, whose rows cost no less, or else from wider ones. */
  perRow(width: number): number {
    const bucket = bucketOf(width)
    if (this.#perRow[bucket] > 0) return this.#perRow[bucket]
    let least = Number.POSITIVE_INFINITY
    for (let b = 0; b < bucket; b++) if (this.#perRow[b] > 0) least = Math.min(least, this.#perRow[b])
    if (least < Number.POSITIVE_INFINITY) return least
    // At worst a time step costs the same however narrow it is.
    for (let b = bucket + 1; b < buckets; b++) {
      if (this.#perRow[b] > 0) return this.#perRow[b] * 2 ** (b - bucket)
    }
    return unmeasured
  }
}

function bucketOf(width: number): number {
  return Math.min(buckets - 1, 31 - Math.clz32(Math.max(1, width)))
}
