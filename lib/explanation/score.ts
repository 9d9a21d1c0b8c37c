/** Which number of a model's output an explanation is about. */
import { describe } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { sizeOf, Tensor } from '../tensor.ts'

/**
 * The number that is explained of each sequence: a column of the output [B, C], the same for all sequences or one for each;
 * or a function of the output that returns a tensor [N], number n made from row n of the output alone. `rows[n]` says which
 * sequence of x stands in that row: sequences are run many times.
 */
export type ExplanationTarget =
  | number
  | ArrayLike<number>
  | ((output: Tensor, rows: Int32Array<ArrayBuffer>) => Tensor)

/** The scores of some rows, and what to run backward for their gradients. */
export interface Scored {
  score: FloatArray
  tensor: Tensor
  /** ∂(Σ score)/∂tensor */
  seed: FloatArray
}

/** Takes the score out of an output. Without a target it is the largest number of each sequence's first output. */
export class Score {
  readonly #place: string
  readonly #target: ExplanationTarget | undefined
  #columns: Int32Array<ArrayBuffer> | undefined

  /** @param sequences B */
  constructor(place: string, target: ExplanationTarget | undefined, sequences: number) {
    this.#place = place
    this.#target = target
    if (target === undefined) this.#columns = new Int32Array(sequences)
    else if (typeof target === 'number') this.#columns = new Int32Array(sequences).fill(target)
    else if (typeof target === 'object' && target !== null) {
      if (target.length !== sequences) {
        throw new RangeError(
          `${place}: expected ${sequences} targets, one for each sequence, got ${target.length}`,
        )
      }
      this.#columns = Int32Array.from(target)
    } else if (typeof target !== 'function') {
      throw new TypeError(
        `${place}: expected target to be a column of the output, one for each sequence or a function of the ` +
          `output, got ${describe(target)}`,
      )
    }
  }

  /** The column of each sequence; undefined where a function says what is explained. */
  get columns(): Int32Array | undefined {
    return this.#columns
  }

  /** Where no target was given: the largest column of each of these sequences is what is explained of it from now on. */
  choose(output: Tensor, rows: Int32Array<ArrayBuffer>): void {
    if (this.#target !== undefined) return
    const C = this.#widthOf(output)
    const values = output.array
    for (const [n, row] of rows.entries()) {
      let best = 0
      for (let c = 1; c < C; c++) if (values[n * C + c] > values[n * C + best]) best = c
      this.#columns![row] = best
    }
  }

  /** @param rows the sequence of each row of the output */
  of(output: Tensor, rows: Int32Array<ArrayBuffer>): Scored {
    const N = rows.length
    if (typeof this.#target === 'function') {
      const tensor = this.#target(output, rows)
      if (!(tensor instanceof Tensor) || tensor.size !== N || tensor.dataType === 'int32') {
        const got = tensor instanceof Tensor ? `${tensor.dataType} [${tensor.shape}]` : describe(tensor)
        throw new TypeError(
          `${this.#place}: expected target to return ${N} numbers, one for each row of the output ` +
            `[${output.shape}], got ${got}`,
        )
      }
      const score = tensor.array.slice() as FloatArray
      return { score, tensor, seed: score.slice().fill(1) }
    }
    const C = this.#widthOf(output)
    const values = output.array as FloatArray
    const score = values.slice(0, N)
    const seed = values.slice().fill(0)
    for (const [n, row] of rows.entries()) {
      const column = this.#columns![row]
      if (!(column >= 0 && column < C)) {
        throw new RangeError(
          `${this.#place}: expected a target in [0, ${C - 1}], a column of the output [${output.shape}], ` +
            `got ${column} for sequence ${row}`,
        )
      }
      score[n] = values[n * C + column]
      seed[n * C + column] = 1
    }
    return { score, tensor: output, seed }
  }

  #widthOf({ shape, dataType }: Tensor): number {
    if (dataType !== 'int32' && (shape.length === 1 || shape.length === 2)) return sizeOf(shape.slice(1))
    throw new TypeError(
      `${this.#place}: expected an output [B, C], got ${dataType} [${shape}]; give a function as target that ` +
        'makes one number of each row, such as (output) => select(output, { axis: 1, index: 0 })',
    )
  }
}
