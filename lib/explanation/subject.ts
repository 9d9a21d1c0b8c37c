/** What an explanation looks at: the numbers a model sees, what stands for "nothing" there, and the score they lead to. */
import { describe, requireInteger } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { Embedding } from '../layers/embedding.ts'
import { inMode, layersOf, type Model } from '../layers/layer.ts'
import { requireLengths, requireMask, sameShape } from '../operations/common.ts'
import { embedding as lookUp } from '../operations/embedding.ts'
import { broadcastTo } from '../operations/shape.ts'
import { differentiateInputs, noGrad, recycle } from '../tape.ts'
import { sizeOf, Tensor } from '../tensor.ts'
import { type ExplanationTarget, Score, type Scored } from './score.ts'

export interface ExplanationOptions {
  /** Which number of the output is explained; default: the only one, or the largest of each sequence. */
  target?: ExplanationTarget
  /** Valid steps of each sequence. The others get 0. */
  lengths?: Int32Array
  /** [B·T], 0 where a step does not count and gets 0. */
  mask?: Uint8Array
  /** For symbols: the layer whose vectors are explained. Default: the only Embedding of the model. */
  embedding?: Embedding
  /** Sequences, or variants of them, in one run of the model; default 64. It decides speed and memory, not the result. */
  batchSize?: number
}

export interface BaselineOptions extends ExplanationOptions {
  /**
   * What an input is compared with, or hidden by: a number or a tensor that broadcasts to x. For symbols: a symbol, or symbols
   * int32 [B, T] or [T], whose vectors are meant; or vectors that broadcast to [B, T, E]. Default 0: for symbols the vector of zeros.
   */
  baseline?: number | Tensor
}

export const explanationOptions = ['target', 'lengths', 'mask', 'embedding', 'batchSize'] as const

/** Rows of one run: which sequence each is a variant of, and its inputs. */
export interface Rows {
  rows: Int32Array<ArrayBuffer>
  inputs: FloatArray
}

export class Subject {
  /** Of the inputs: that of x, or [B, T, E]. */
  readonly shape: readonly number[]
  /** x, or the vectors of its symbols. */
  readonly inputs: FloatArray
  /** [B·T], 0 where a step does not count. */
  readonly counts: Uint8Array
  readonly batchSize: number
  /** [B] */
  readonly score: Tensor
  readonly #place: string
  readonly #model: Model
  readonly #x: Tensor
  readonly #options: ExplanationOptions
  readonly #embedding: Embedding | undefined
  readonly #score: Score

  /** @throws {TypeError | RangeError} if x, the options or the model's output do not fit */
  constructor(place: string, model: Model, x: Tensor, options: ExplanationOptions) {
    const { target, batchSize = 64 } = options
    if (typeof model?.forward !== 'function')
      throw new TypeError(`${place}: expected a model with a forward method, got ${describe(model)}`)
    if (!(x instanceof Tensor) || x.shape.length < 2 || x.size === 0) {
      const got = x instanceof Tensor ? `[${x.shape}]` : describe(x)
      throw new TypeError(`${place}: expected x to be a tensor [B, T, ...] that is not empty, got ${got}`)
    }
    requireInteger(place, 'batchSize', batchSize)
    this.#place = place
    this.#model = model
    this.#x = x
    this.#options = options
    this.batchSize = batchSize
    this.counts = countsOf(place, x, options)

    this.#embedding = x.dataType === 'int32' ? embeddingOf(place, model, options.embedding) : undefined
    const vectors = this.#embedding ? noGrad(() => lookUp(x, this.#embedding!.weight)) : x
    this.shape = vectors.shape
    this.inputs = vectors.array as FloatArray

    const [B] = x.shape
    this.#score = new Score(place, target, B)
    this.score = new Tensor([B], this.#scoreOfX(B))
  }

  /** The column that is explained of each sequence; undefined where `target` is a function. */
  get targets(): Int32Array | undefined {
    return this.#score.columns
  }

  /** The numbers of one sequence. */
  get width(): number {
    return sizeOf(this.shape.slice(1))
  }

  /** The numbers of one step. */
  get stepWidth(): number {
    return sizeOf(this.shape.slice(2))
  }

  /** The baseline in the shape of the inputs; where a step does not count, the input itself, so that it stays as it is. */
  baseline(given: number | Tensor | undefined): FloatArray {
    const baseline = this.inputs.slice()
    const values = given === undefined ? baseline.slice().fill(0) : this.#broadcast(given)
    const width = this.stepWidth
    for (const [step, counts] of this.counts.entries()) {
      if (counts) baseline.set(values.subarray(step * width, (step + 1) * width), step * width)
    }
    return baseline
  }

  /** `count` rows, row n a copy of the sequence `rowOf(n)`, to be changed and run. */
  variants(count: number, rowOf: (n: number) => number, source: FloatArray = this.inputs): Rows {
    const rows = Int32Array.from({ length: count }, (_, n) => rowOf(n))
    return { rows, inputs: gather(source, rows, this.width) }
  }

  /** The scores of variants of the sequences. */
  scores(variants: Rows): FloatArray {
    return inMode(this.#model, { training: false }, () =>
      noGrad(() => recycle(() => this.#run(variants).scored.score)),
    )
  }

  /** The scores of variants and ∂score/∂input of each. */
  gradients(variants: Rows): { score: FloatArray; gradient: FloatArray } {
    return inMode(this.#model, { training: false }, () =>
      differentiateInputs(() =>
        recycle(() => {
          const { leaf, scored } = this.#run(variants)
          if (!scored.tensor.node) {
            throw new TypeError(
              `${this.#place}: the model's output does not depend on ${this.#embedding ? 'the vectors of its symbols' : 'x'}`,
            )
          }
          scored.tensor.backward(scored.seed)
          return { score: scored.score, gradient: leaf.accumulator() }
        }),
      ),
    )
  }

  #run({ rows, inputs }: Rows): { leaf: Tensor; scored: Scored } {
    const shape = [rows.length, ...this.shape.slice(1)]
    const leaf = new Tensor(shape, inputs, true)
    return { leaf, scored: this.#score.of(this.#forward(rows, leaf), rows) }
  }

  #forward(rows: Int32Array, leaf: Tensor): Tensor {
    const { lengths, mask } = this.#options
    const given = {
      ...(lengths && { lengths: Int32Array.from(rows, (row) => lengths[row]) }),
      ...(mask && { mask: gather(mask, rows, this.#x.shape[1]) }),
    }
    const outputOf = (x: Tensor): Tensor => {
      const result = this.#model.forward(x, given)
      return 'output' in result ? result.output : result
    }
    if (!this.#embedding) return outputOf(leaf)
    const [, ...item] = this.#x.shape
    const symbols = new Tensor([rows.length, ...item], gather(this.#x.array, rows, sizeOf(item)))
    const vectors = (indices: Tensor) => {
      if (sameShape(indices.shape, symbols.shape)) return leaf
      throw new RangeError(
        `${this.#place}: expected the Embedding to look up x [${symbols.shape}], got indices [${indices.shape}]`,
      )
    }
    return this.#embedding.replaced(vectors, () => outputOf(symbols))
  }

  /** Runs the model on x as it is, which also settles what is explained where no target was given. */
  #scoreOfX(B: number): FloatArray {
    const scores = this.inputs.slice(0, B)
    for (let first = 0; first < B; first += this.batchSize) {
      const { rows, inputs } = this.variants(Math.min(this.batchSize, B - first), (n) => first + n)
      const part = inMode(this.#model, { training: false }, () =>
        noGrad(() =>
          recycle(() => {
            const output = this.#forward(rows, new Tensor([rows.length, ...this.shape.slice(1)], inputs))
            this.#score.choose(output, rows)
            return this.#score.of(output, rows).score
          }),
        ),
      )
      scores.set(part, first)
    }
    const odd = scores.findIndex((value) => !Number.isFinite(value))
    if (odd < 0) return scores
    throw new RangeError(
      `${this.#place}: the model's output for sequence ${odd} is ${scores[odd]}; look for non-finite weights or inputs`,
    )
  }

  #broadcast(baseline: number | Tensor): FloatArray {
    const isSymbol = typeof baseline === 'number' || baseline?.dataType === 'int32'
    if (this.#embedding && isSymbol) {
      const symbols = typeof baseline === 'number' ? new Tensor([1], Int32Array.of(baseline)) : baseline
      const vectors = noGrad(() => lookUp(symbols, this.#embedding!.weight))
      return noGrad(() => broadcastTo(vectors, this.shape)).array as FloatArray
    }
    if (typeof baseline === 'number') return this.inputs.slice().fill(baseline)
    if (baseline instanceof Tensor && baseline.array.constructor === this.inputs.constructor)
      return noGrad(() => broadcastTo(baseline, this.shape)).array as FloatArray
    const type = this.inputs instanceof Float64Array ? 'float64' : 'float32'
    const got = baseline instanceof Tensor ? baseline.dataType : describe(baseline)
    throw new TypeError(`${this.#place}: expected baseline to be a number or a ${type} tensor, got ${got}`)
  }
}

function embeddingOf(place: string, model: Model, given: Embedding | undefined): Embedding {
  if (given instanceof Embedding) return given
  if (given !== undefined)
    throw new TypeError(`${place}: expected embedding to be an Embedding, got ${describe(given)}`)
  const found = Array.from(layersOf(model), ([, layer]) => layer).filter(
    (layer) => layer instanceof Embedding,
  )
  if (found.length === 1) return found[0]
  const hint = found.length === 0 ? 'give x as numbers' : 'name the one to explain with the option embedding'
  throw new TypeError(
    `${place}: x is int32, and the model has ${found.length} Embedding layers instead of one; ${hint}`,
  )
}

function countsOf(place: string, { shape }: Tensor, { lengths, mask }: ExplanationOptions): Uint8Array {
  const [B, T] = shape
  if (lengths) requireLengths(place, lengths, { B, T })
  if (mask) requireMask(place, mask, { B, T })
  const counts = new Uint8Array(B * T)
  for (let b = 0; b < B; b++) counts.fill(1, b * T, b * T + (lengths ? lengths[b] : T))
  return mask ? counts.map((counted, step) => (mask[step] ? counted : 0)) : counts
}

/** Items of `width` elements, in the order of `rows`. */
function gather<A extends Uint8Array | FloatArray | Int32Array>(
  source: A,
  rows: Int32Array,
  width: number,
): A {
  const result = new (source.constructor as new (length: number) => A)(rows.length * width)
  for (const [n, row] of rows.entries())
    result.set(source.subarray(row * width, (row + 1) * width), n * width)
  return result
}
