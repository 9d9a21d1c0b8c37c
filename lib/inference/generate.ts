/** Generation: a model's own outputs as its next inputs, token by token. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import { EncoderDecoder } from '../layers/encoder-decoder.ts'
import { ambientRandom } from '../random.ts'
import type { Batcher } from './batcher.ts'
import { BeamSearch } from './generation/beam.ts'
import { DecoderSource } from './generation/decoder-source.ts'
import { greedy, Sampler, type SamplingOptions } from './generation/sampling.ts'
import type { GeneratedSequence, Search, SearchSettings } from './generation/search.ts'
import { SingleSearch } from './generation/single.ts'
import { type Stop, stopCondition } from './generation/stopping.ts'
import { TokenModel, type TokenModelOptions } from './generation/token-model.ts'
import type { TokenSource } from './generation/token-source.ts'
import type { Plan } from './plan.ts'

/**
 * Greedy, the most probable token each time, unless the options say otherwise: sampling with any of `temperature`, `topK`,
 * `topP` and `seed`; beam search with `beams`.
 */
export interface GenerateOptions extends SamplingOptions, TokenModelOptions {
  /** What an EncoderDecoder reads first: the tokens that the text is to come of. */
  source?: ArrayLike<number>
  /** The tokens to continue, read in one call; default: none, where `start` is given. */
  prompt?: ArrayLike<number>
  /** A token that is read before the prompt, for models that were trained with one; default that of an EncoderDecoder. */
  start?: number
  /** Tokens to generate at most. */
  maxLength: number
  /**
   * Ends the text after a token, after tokens in a row ([[3, 4]]) or when a function of the tokens so far says so; of an array
   * after any of them. What is met is part of the result, the prompt is not looked at. Default: the end token of an EncoderDecoder.
   */
  stop?: Stop | readonly Stop[]
  /** Beam search: sequences that are carried on at a time, and results at most. */
  beams?: number
  /**
   * α, at least 0, in score = log p / ((5 + tokens) / 6)^α, by which beams that have ended are ranked (Wu et al., 2016,
   * equation 14): the greater, the more long ones are favoured. Default 0.
   */
  lengthPenalty?: number
  /** Ends the generation at once. */
  signal?: AbortSignal
}

const samplingNames = ['temperature', 'topK', 'topP', 'seed'] as const
const optionNames = [
  ...[
    'source',
    'prompt',
    'start',
    'maxLength',
    'stop',
    'beams',
    'lengthPenalty',
    'signal',
    'encode',
    'outputs',
  ],
  ...samplingNames,
]

/**
 * Continues a prompt with a model that begins with an Embedding, or with `encode` in the options, and gives logits,
 * log-probabilities or probabilities over its vocabulary.
 *
 * ```ts
 * const generation = generate(batcher, { prompt, maxLength: 200, temperature: 0.8, topP: 0.95, seed: 1, stop: newline })
 * for await (const token of generation) process.stdout.write(alphabet[token])
 * const { logProbability, stopped } = await generation.result()
 * ```
 *
 * With an EncoderDecoder and a `source` it writes what comes of that:
 *
 * ```ts
 * const { tokens } = await generate(model, { source, maxLength: 80, beams: 5 }).result()
 * ```
 *
 * Steps of generations that go on at the same time, and the beams of one, run in batches, with the same results as alone;
 * those of an EncoderDecoder on this thread, once in a turn of the event loop, for all that ask the same model.
 * Nothing runs before somebody asks for a token or the result.
 *
 * @param from a plan, or a batcher where others use the plan too, or an EncoderDecoder
 * @throws {TypeError | RangeError} if the source is no model of tokens, or an option is unknown, out of range, or one of another
 *   way to generate
 */
export function generate(from: Plan | Batcher | EncoderDecoder, options: GenerateOptions): Generation {
  refuseUnknownOptions('generate', options, optionNames)
  const { maxLength, beams, lengthPenalty, signal } = options
  const model = sourceOf(from, options)
  const { start, stop } = from instanceof EncoderDecoder ? { ...ends(from), ...options } : options
  requireInteger('generate', 'maxLength', maxLength)
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`generate: expected signal to be an AbortSignal, got ${describe(signal)}`)
  }
  const isAtEnd = stopCondition(stop, model.vocabulary)
  const settings = { model, prompt: requirePrompt(model, options.prompt, start), maxLength, isAtEnd }
  if (beams !== undefined) return new Generation(beamSearch(settings, options), signal)
  if (lengthPenalty === undefined) return new Generation(singleSearch(settings, options), signal)
  throw new TypeError('generate: lengthPenalty ranks beams; give beams, or leave it out')
}

/** The tokens as they come, to be iterated over, and the result. Made by `generate`. */
export class Generation implements AsyncIterable<number> {
  readonly #search: Search
  readonly #signal: AbortSignal | undefined
  #results: readonly GeneratedSequence[] | undefined
  #failure: { error: unknown } | undefined
  #isAborted = false
  /** The step under way, if any: whoever asks meanwhile waits for the same. */
  #step: Promise<void> | undefined

  /** @internal Use `generate`. */
  constructor(search: Search, signal: AbortSignal | undefined) {
    this.#search = search
    this.#signal = signal
  }

  /**
   * The tokens from the first on; of a beam search those of the best sequence, when all is done. Leaving the loop early ends the
   * generation, and gives its streams back.
   *
   * @throws the signal's reason
   * @throws {NonFiniteOutputError} if the model's output is NaN
   * @throws {RangeError} if `encode` returns other than the features of a step
   * @throws {ClosedError | QueueFullError | TimeoutError | PredictionError} as `stream.next`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<number, void, undefined> {
    try {
      for (let n = 0; ; ) {
        while (n < this.#search.tokens.length) yield this.#search.tokens[n++]
        if (this.#results) break
        await this.#advance()
      }
    } finally {
      this.#end()
    }
    if (this.#isAborted) throw this.#signal!.reason
  }

  /** Goes on to the end, and tells what came of it: the best sequence. One that was ended before is `aborted`. */
  async result(): Promise<GeneratedSequence> {
    return (await this.results())[0]
  }

  /** As `result`, all that a beam search has found, up to `beams`, the best first. */
  async results(): Promise<readonly GeneratedSequence[]> {
    while (!this.#results) await this.#advance()
    return this.#results
  }

  #advance(): Promise<void> {
    this.#step ??= this.#takeStep().finally(() => {
      this.#step = undefined
    })
    return this.#step
  }

  async #takeStep(): Promise<void> {
    if (this.#failure) throw this.#failure.error
    try {
      this.#signal?.throwIfAborted()
      if (await this.#search.step(this.#signal)) this.#end()
    } catch (error) {
      if (this.#results) return
      this.#isAborted = this.#signal?.aborted === true && error === this.#signal.reason
      if (!this.#isAborted) this.#failure = { error }
      this.#end()
      if (this.#failure) throw error
    }
  }

  #end(): void {
    if (!this.#results && !this.#failure) this.#results = this.#search.results()
    this.#search.close()
  }
}

function sourceOf(from: Plan | Batcher | EncoderDecoder, options: GenerateOptions): TokenSource {
  const { source, encode, outputs } = options
  if (from instanceof EncoderDecoder) {
    const odd = Object.entries({ encode, outputs }).find(([, value]) => value !== undefined)
    if (!odd) return new DecoderSource(from, source)
    throw new TypeError(`generate: ${odd[0]} is for plans; an EncoderDecoder reads tokens and gives logits`)
  }
  if (source === undefined) return new TokenModel(from, { encode, outputs })
  throw new TypeError('generate: source is for an EncoderDecoder to read; give a plan the tokens as prompt')
}

/** The tokens that a text of the model comes between. */
function ends({ options: { start, end } }: EncoderDecoder): { start: number; stop: number } {
  return { start, stop: end }
}

function requirePrompt(
  model: TokenSource,
  prompt: GenerateOptions['prompt'],
  start: GenerateOptions['start'],
): readonly number[] {
  if (prompt !== undefined && typeof prompt?.length !== 'number') {
    throw new TypeError(`generate: expected prompt to be an array of tokens, got ${describe(prompt)}`)
  }
  const tokens = prompt ? Array.from(prompt) : []
  model.requireReadable('prompt', tokens)
  if (start !== undefined) {
    model.requireReadable('start', [start])
    tokens.unshift(start)
  }
  if (tokens.length > 0) return tokens
  throw new RangeError('generate: expected a prompt of at least one token, or start, the token to begin with')
}

function singleSearch(settings: SearchSettings, options: GenerateOptions): Search {
  if (samplingNames.every((name) => options[name] === undefined)) return new SingleSearch(settings, greedy)
  const { temperature, topK, topP, seed = ambientRandom().uint32() } = options
  if (temperature !== undefined) requireNumber('generate', 'temperature', temperature, { low: 0 })
  if (topK !== undefined) requireInteger('generate', 'topK', topK)
  if (topP !== undefined && !(topP > 0 && topP <= 1)) {
    throw new RangeError(`generate: expected topP in (0, 1], got ${describe(topP)}`)
  }
  return new SingleSearch(settings, new Sampler(settings.model.vocabulary, { temperature, topK, topP, seed }))
}

function beamSearch(settings: SearchSettings, options: GenerateOptions): Search {
  const { beams = 1, lengthPenalty = 0 } = options
  const odd = samplingNames.find((name) => options[name] !== undefined)
  if (odd)
    throw new TypeError(`generate: ${odd} is for sampling, beams is for the most probable; leave one out`)
  requireInteger('generate', 'beams', beams)
  requireNumber('generate', 'lengthPenalty', lengthPenalty, { low: 0 })
  return new BeamSearch(settings, { beams, lengthPenalty })
}
