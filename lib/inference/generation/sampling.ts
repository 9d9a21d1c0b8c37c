/** Which token comes next, of a distribution over all of them. */
import { Random } from '../../random.ts'
import { Ranking } from './ranking.ts'

export interface SamplingOptions {
  /** τ in p ∝ exp(z / τ), at least 0, where it is the most probable token; default 1. */
  temperature?: number
  /** Only so many of the most probable tokens are drawn from; default: all. */
  topK?: number
  /**
   * Only the fewest most probable tokens whose probabilities come to at least topP, in (0, 1], are drawn from
   * (nucleus sampling, Holtzman et al., 2020); default 1.
   */
  topP?: number
  /** Token i is drawn with number i of this seed, whatever else runs; default: from the ambient stream. */
  seed?: number
}

export interface Picker {
  /** @param logProbabilities of all tokens, at least one of them finite */
  pick(logProbabilities: Float64Array<ArrayBuffer>): number
}

/** The most probable token, of equal ones the lowest. */
export const greedy: Picker = {
  pick(logProbabilities) {
    let best = 0
    for (let i = 1; i < logProbabilities.length; i++) {
      if (logProbabilities[i] > logProbabilities[best]) best = i
    }
    return best
  },
}

/** Temperature first, then topK, then topP of what that has left, as the logits processors of Hugging Face Transformers. */
export class Sampler implements Picker {
  readonly #temperature: number
  readonly #topK: number
  readonly #topP: number
  readonly #random: Random
  readonly #ranking: Ranking | undefined
  /** Not normalised. */
  readonly #weights: Float64Array<ArrayBuffer>
  readonly #kept: Int32Array

  constructor(vocabulary: number, options: SamplingOptions & { seed: number }) {
    const { temperature = 1, topK = vocabulary, topP = 1, seed } = options
    this.#temperature = temperature
    this.#topK = Math.min(topK, vocabulary)
    this.#topP = topP
    this.#random = new Random(seed)
    this.#weights = new Float64Array(vocabulary)
    this.#kept = new Int32Array(vocabulary)
    if (this.#topK < vocabulary || topP < 1) this.#ranking = new Ranking(vocabulary)
  }

  pick(logProbabilities: Float64Array<ArrayBuffer>): number {
    if (this.#temperature === 0) return greedy.pick(logProbabilities)
    const weights = this.#weights
    const largest = logProbabilities[greedy.pick(logProbabilities)]
    let mass = 0
    for (let i = 0; i < weights.length; i++) {
      weights[i] = Math.exp((logProbabilities[i] - largest) / this.#temperature)
      mass += weights[i]
    }
    return this.#ranking
      ? this.#drawAmongFew(this.#ranking, mass)
      : this.#draw(undefined, weights.length, mass)
  }

  #drawAmongFew(ranking: Ranking, mass: number): number {
    const weights = this.#weights
    const kept = this.#kept
    ranking.rank(weights)
    const isCut = this.#topK < weights.length
    if (isCut) {
      mass = 0
      for (let n = 0; n < this.#topK; n++) mass += weights[(kept[n] = ranking.take())]
    }
    let count = 0
    let sum = 0
    for (
      const enough = this.#topP * mass;
      count < this.#topK && (this.#topP === 1 || sum < enough);
      count++
    ) {
      if (!isCut) kept[count] = ranking.take()
      sum += weights[kept[count]]
    }
    return this.#draw(kept, count, sum)
  }

  /** By inversion: the first token at which the sum of the weights is above a uniform number below their mass. */
  #draw(tokens: Int32Array | undefined, count: number, mass: number): number {
    const target = this.#random.uniform() * mass
    let sum = 0
    let last = 0
    for (let n = 0; n < count; n++) {
      const token = tokens ? tokens[n] : n
      const weight = this.#weights[token]
      // One without weight is never drawn, not even where rounding leaves the target at the mass.
      if (weight === 0) continue
      last = token
      sum += weight
      if (sum > target) break
    }
    return last
  }
}
