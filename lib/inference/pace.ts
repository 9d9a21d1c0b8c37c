/** How long runs take, measured: how many rows fit into a few milliseconds. */

/** Microseconds of a row before the first is measured: that of a large network. */
const unmeasured = 50
/** Widths 1, 2 to 3, 4 to 7, ... */
const buckets = 8

/**
 * Microseconds a row, by the width of a run: rows by time step, which is how many share one reading of the weights. An
 * exponential average, since speed changes with what else the machine does.
 */
export class Pace {
  readonly #perRow = new Float64Array(buckets)

  record(rows: number, T: number, microseconds: number): void {
    if (rows < 1) return
    const bucket = bucketOf(rows / T)
    const before = this.#perRow[bucket]
    const now = microseconds / rows
    this.#perRow[bucket] = before === 0 ? now : before + 0.25 * (now - before)
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
