/** The CTC loss: forward and backward variables over the target with blanks between its labels, as logarithms. */
import type { CtcLoss } from '../contract-ctc.ts'
import { softmaxForward } from './softmax.ts'

export function ctcLoss(call: CtcLoss): void {
  const { T, C, S, logits, dlogits } = call
  dlogits?.fill(0)
  for (const [b, steps] of call.inputLengths.subarray(0, call.B).entries()) {
    const labels = call.targets.subarray(b * S, b * S + call.targetLengths[b])
    const logp = new Float64Array(steps * C)
    const own = logits.subarray(b * T * C, (b * T + steps) * C)
    softmaxForward({ N: steps, C, log: true, x: own, y: logp })
    const lattice = new Lattice(logp, { steps, C, labels, blank: call.blank })
    const loss = lattice.loss()
    call.losses[b] = loss
    if (!dlogits || loss === Number.POSITIVE_INFINITY) continue
    const share = lattice.shares(loss)
    for (let i = 0; i < steps * C; i++) dlogits[b * T * C + i] = Math.exp(logp[i]) - share[i]
  }
}

/** The steps of one sequence against the classes of l', which a path goes through from left to right. */
class Lattice {
  readonly #logp: Float64Array
  readonly #steps: number
  readonly #C: number
  /** l' */
  readonly #path: Int32Array
  readonly #alpha: Float64Array

  constructor(
    logp: Float64Array,
    { steps, C, labels, blank }: { steps: number; C: number; labels: Int32Array; blank: number },
  ) {
    this.#logp = logp
    this.#steps = steps
    this.#C = C
    this.#path = new Int32Array(2 * labels.length + 1).fill(blank)
    for (const [i, label] of labels.entries()) this.#path[2 * i + 1] = label
    this.#alpha = new Float64Array(steps * this.#path.length)
  }

  /** Computes α; returns -ln P. */
  loss(): number {
    const width = this.#path.length
    if (this.#steps === 0) return width === 1 ? 0 : Number.POSITIVE_INFINITY
    let before = this.#alpha
    for (let t = 0; t < this.#steps; t++) {
      const row = this.#alpha.subarray(t * width, (t + 1) * width)
      for (let s = 0; s < width; s++) {
        // A path begins with the first blank or, leaving that out, with the first label.
        const arriving = t === 0 ? (s < 2 ? 0 : Number.NEGATIVE_INFINITY) : this.#arriving(before, s)
        row[s] = arriving + this.#logp[t * this.#C + this.#path[s]]
      }
      before = row
    }
    return -logAdd(before[width - 1], width > 1 ? before[width - 2] : Number.NEGATIVE_INFINITY)
  }

  /** γ [steps, C] */
  shares(loss: number): Float64Array {
    const [width, C] = [this.#path.length, this.#C]
    const shares = new Float64Array(this.#steps * C)
    let after: Float64Array = new Float64Array(width)
    for (let t = this.#steps - 1; t >= 0; t--) {
      const row = new Float64Array(width)
      for (let s = 0; s < width; s++) {
        const isEnd = s >= width - 2
        const leaving =
          t === this.#steps - 1 ? (isEnd ? 0 : Number.NEGATIVE_INFINITY) : this.#leaving(after, s)
        const k = t * C + this.#path[s]
        row[s] = leaving + this.#logp[k]
        shares[k] += Math.exp(this.#alpha[t * width + s] + leaving + loss)
      }
      after = row
    }
    return shares
  }

  #arriving(before: Float64Array, s: number): number {
    const near = s > 0 ? logAdd(before[s], before[s - 1]) : before[s]
    return this.#mayLeapTo(s) ? logAdd(near, before[s - 2]) : near
  }

  #leaving(after: Float64Array, s: number): number {
    const near = s + 1 < after.length ? logAdd(after[s], after[s + 1]) : after[s]
    return s + 2 < after.length && this.#mayLeapTo(s + 2) ? logAdd(near, after[s + 2]) : near
  }

  /** Whether a path may come to s from s - 2, over a blank: not to a blank, nor to the label it comes from. */
  #mayLeapTo(s: number): boolean {
    return s % 2 === 1 && s >= 2 && this.#path[s] !== this.#path[s - 2]
  }
}

/** ln(eᵃ + eᵇ) */
export function logAdd(a: number, b: number): number {
  const largest = Math.max(a, b)
  if (largest === Number.NEGATIVE_INFINITY) return largest
  return largest + Math.log1p(Math.exp(-Math.abs(a - b)))
}
