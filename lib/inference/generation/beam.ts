/** Beam search: the most probable sequences, several of which are carried on at a time. */
import { Ranking } from './ranking.ts'
import {
  type GeneratedSequence,
  type Search,
  type SearchSettings,
  type Stopped,
  stoppedAt,
} from './search.ts'
import type { TokenStream } from './token-source.ts'

export interface BeamOptions {
  /** Sequences that are carried on together, and results at most. */
  beams: number
  lengthPenalty: number
}

interface Beam {
  tokens: readonly number[]
  logProbability: number
  stream: TokenStream
}

/** A beam's next one: its stream is still its parent's, and maybe others'. */
interface Candidate {
  tokens: readonly number[]
  logProbability: number
  parent: Beam
}

/**
 * Each step reads the last tokens of all beams in one batch and carries on the `beams` most probable continuations; those that
 * stop are set aside. It ends when none that goes on can come before those.
 */
export class BeamSearch implements Search {
  tokens: readonly number[] = []
  readonly #settings: SearchSettings
  readonly #options: BeamOptions
  readonly #logProbabilities: Float64Array<ArrayBuffer>
  readonly #ranking: Ranking
  readonly #streams: TokenStream[] = []
  #idle: TokenStream[] = []
  #live: Beam[] = []
  /** The best first. */
  #finished: GeneratedSequence[] = []
  #steps = 0
  #isClosed = false

  constructor(settings: SearchSettings, options: BeamOptions) {
    const most = options.beams * settings.model.vocabulary
    this.#settings = settings
    this.#options = options
    this.#logProbabilities = new Float64Array(most)
    this.#ranking = new Ranking(most)
  }

  async step(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#steps === 0) this.#live = [{ tokens: [], logProbability: 0, stream: this.#stream() }]
    await this.#read(signal)
    if (this.#isClosed) return true
    this.#steps++
    const candidates = this.#choose()
    if (candidates.length > 0 && this.#canImprove(candidates[0])) {
      this.#live = this.#carryOn(candidates)
      return false
    }
    this.#live = []
    this.tokens = this.#finished[0].tokens
    return true
  }

  results(): GeneratedSequence[] {
    const live = this.#steps > 0 ? this.#live : [{ tokens: [], logProbability: 0 }]
    const aborted = live.map(({ tokens, logProbability }) => this.#result(tokens, logProbability, 'aborted'))
    return this.#best([...this.#finished, ...aborted])
  }

  close(): void {
    this.#isClosed = true
    for (const stream of this.#streams) stream.close()
  }

  /** The log-probabilities of all continuations, beam by beam. */
  async #read(signal: AbortSignal | undefined): Promise<void> {
    const { model, prompt } = this.#settings
    const V = model.vocabulary
    const reads = this.#live.map(async ({ tokens, logProbability, stream }, b) => {
      const input = this.#steps > 0 ? tokens.slice(-1) : prompt
      const part = this.#logProbabilities.subarray(b * V, (b + 1) * V)
      await model.read(stream, input, this.#steps, signal, part)
      for (let i = 0; i < V; i++) part[i] += logProbability
    })
    await Promise.all(reads)
  }

  /** The continuations to carry on, the most probable first; those that stop before them are finished. */
  #choose(): Candidate[] {
    const V = this.#settings.model.vocabulary
    const { beams } = this.#options
    const chosen: Candidate[] = []
    const finished: GeneratedSequence[] = []
    let full = 0
    this.#ranking.rank(this.#logProbabilities.subarray(0, this.#live.length * V))
    while (chosen.length + full < beams) {
      const index = this.#ranking.take()
      const logProbability = this.#logProbabilities[index]
      if (index < 0 || logProbability === Number.NEGATIVE_INFINITY) break
      const parent = this.#live[Math.floor(index / V)]
      const tokens = [...parent.tokens, index % V]
      const stopped = stoppedAt(tokens, this.#settings)
      if (!stopped) chosen.push({ tokens, logProbability, parent })
      else finished.push(this.#result(tokens, logProbability, stopped))
      if (stopped === 'length') full++
    }
    this.#finished = this.#best([...this.#finished, ...finished])
    return chosen
  }

  /** Whether what goes on may yet come before what has ended: its log-probability falls, the penalty grows. */
  #canImprove({ logProbability }: Candidate): boolean {
    const { beams } = this.#options
    if (this.#finished.length < beams) return true
    return this.#score(logProbability, this.#settings.maxLength) > this.#finished[beams - 1].score
  }

  /** Gives each a stream with its parent's state: the parent's own to the first of its children. */
  #carryOn(candidates: readonly Candidate[]): Beam[] {
    const parents = new Set(candidates.map(({ parent }) => parent))
    for (const beam of this.#live) if (!parents.has(beam)) this.#idle.push(beam.stream)
    return candidates.map(({ tokens, logProbability, parent }) => {
      if (parents.delete(parent)) return { tokens, logProbability, stream: parent.stream }
      const stream = this.#idle.pop() ?? this.#stream()
      stream.state = parent.stream.state
      return { tokens, logProbability, stream }
    })
  }

  #stream(): TokenStream {
    const stream = this.#settings.model.stream()
    this.#streams.push(stream)
    return stream
  }

  #best(sequences: GeneratedSequence[]): GeneratedSequence[] {
    return sequences.sort((a, b) => b.score - a.score).slice(0, this.#options.beams)
  }

  #result(tokens: readonly number[], logProbability: number, stopped: Stopped): GeneratedSequence {
    return { tokens, logProbability, score: this.#score(logProbability, tokens.length), stopped }
  }

  /** Equation 14 of Wu et al. (2016), without coverage. */
  #score(logProbability: number, length: number): number {
    return logProbability / ((5 + length) / 6) ** this.#options.lengthPenalty
  }
}
