/** One token after the other, each picked when the one before is. */
import type { Picker } from './sampling.ts'
import {
  type GeneratedSequence,
  type Search,
  type SearchSettings,
  type Stopped,
  stoppedAt,
} from './search.ts'
import type { TokenStream } from './token-source.ts'

export class SingleSearch implements Search {
  readonly tokens: number[] = []
  readonly #settings: SearchSettings
  readonly #picker: Picker
  readonly #logProbabilities: Float64Array<ArrayBuffer>
  #logProbability = 0
  #stopped: Stopped | undefined
  #stream: TokenStream | undefined
  #isClosed = false

  constructor(settings: SearchSettings, picker: Picker) {
    this.#settings = settings
    this.#picker = picker
    this.#logProbabilities = new Float64Array(settings.model.vocabulary)
  }

  async step(signal: AbortSignal | undefined): Promise<boolean> {
    const { tokens } = this
    const { model, prompt } = this.#settings
    this.#stream ??= model.stream()
    const input = tokens.length > 0 ? tokens.slice(-1) : prompt
    await model.read(this.#stream, input, tokens.length, signal, this.#logProbabilities)
    if (this.#isClosed) return true
    const token = this.#picker.pick(this.#logProbabilities)
    this.#logProbability += this.#logProbabilities[token]
    tokens.push(token)
    this.#stopped = stoppedAt(tokens, this.#settings)
    return this.#stopped !== undefined
  }

  results(): GeneratedSequence[] {
    const logProbability = this.#logProbability
    const stopped = this.#stopped ?? 'aborted'
    return [{ tokens: [...this.tokens], logProbability, score: logProbability, stopped }]
  }

  close(): void {
    this.#isClosed = true
    this.#stream?.close()
  }
}
