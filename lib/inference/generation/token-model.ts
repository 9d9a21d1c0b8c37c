/** A plan as a model of tokens: indices in, the distribution of the next one out. */
import { describe } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import { arrayLike } from '../arrays.ts'
import { Batcher } from '../batcher.ts'
import type { SequenceInput } from '../input.ts'
import { Plan } from '../plan.ts'
import { requireStreams, type Stream } from '../stream.ts'
import type { PlanParts } from '../traits.ts'
import { logSoftmax, normalizeProbabilities } from './distribution.ts'
import type { TokenSource } from './token-source.ts'

export interface TokenModelOptions {
  /** The features of a token, [inputSize], for models that do not begin with an Embedding: its one-hot vector, say. */
  encode?: (token: number) => ArrayLike<number>
  /**
   * What the model gives for each token of the vocabulary: logits, which log-probabilities are too, or probabilities. Default:
   * probabilities where the model ends in a softmax, logits elsewhere.
   */
  outputs?: 'logits' | 'probabilities'
}

export class TokenModel implements TokenSource<Stream> {
  readonly vocabulary: number
  readonly #source: Plan | Batcher
  readonly #plan: PlanParts
  readonly #encode: TokenModelOptions['encode']
  readonly #givesProbabilities: boolean

  /** @throws {TypeError | RangeError} if the source is no model of tokens, or the options do not fit it */
  constructor(source: Plan | Batcher, { encode, outputs }: TokenModelOptions) {
    if (!(source instanceof Plan || source instanceof Batcher)) {
      throw new TypeError(`generate: expected a plan or a Batcher, got ${describe(source)}`)
    }
    const plan = source.parts
    requireStreams(plan)
    requireEncoding(plan, encode)
    this.#source = source
    this.#plan = plan
    this.#encode = encode
    this.#givesProbabilities = requireOutputs(plan, outputs)
    this.vocabulary = plan.outputSize
  }

  stream(): Stream {
    return this.#source.stream()
  }

  async read(
    stream: Stream,
    tokens: readonly number[],
    step: number,
    signal: AbortSignal | undefined,
    result: Float64Array,
  ): Promise<void> {
    const { array } = await stream.next(this.#input(tokens), signal && { signal })
    const last = array.subarray(array.length - this.vocabulary) as FloatArray
    if (this.#givesProbabilities) normalizeProbabilities(last, step, result)
    else logSoftmax(last, step, result)
  }

  requireReadable(name: string, tokens: readonly number[]): void {
    const limit = this.#encode ? Number.POSITIVE_INFINITY : this.#plan.vocabulary
    const odd = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < limit))
    if (odd === undefined) return
    throw new RangeError(`generate: expected indices of ${name} in [0, ${limit}), got ${describe(odd)}`)
  }

  #input(tokens: readonly number[]): SequenceInput {
    const { inputWidth, like } = this.#plan
    if (!this.#encode) return tokens.length === 1 ? tokens[0] : Int32Array.from(tokens)
    const x = arrayLike(like, tokens.length * inputWidth)
    for (const [t, token] of tokens.entries()) {
      const features = this.#encode(token)
      if (features?.length !== inputWidth) {
        throw new RangeError(
          `generate: expected encode to return ${inputWidth} features, got ${describe(features)} for token ${token}`,
        )
      }
      x.set(features, t * inputWidth)
    }
    return x
  }
}

function requireEncoding({ vocabulary, outputSize }: PlanParts, encode: TokenModelOptions['encode']): void {
  if (encode !== undefined && typeof encode !== 'function') {
    throw new TypeError(`generate: expected encode to be a function, got ${describe(encode)}`)
  }
  if (vocabulary > 0 && encode) {
    throw new TypeError('generate: the model begins with an Embedding, which takes tokens; leave encode out')
  }
  if (vocabulary === 0 && !encode) {
    throw new TypeError(
      'generate: expected a model that begins with an Embedding, or encode, which makes a token into features',
    )
  }
  if (encode || outputSize <= vocabulary) return
  throw new RangeError(
    `generate: expected at most as many outputs as the Embedding has tokens, ${vocabulary}, got ${outputSize}`,
  )
}

function requireOutputs({ givesProbabilities }: PlanParts, outputs: TokenModelOptions['outputs']): boolean {
  if (outputs === undefined) return givesProbabilities
  if (outputs !== 'logits' && outputs !== 'probabilities') {
    throw new TypeError(
      `generate: expected outputs to be "logits" or "probabilities", got ${describe(outputs)}`,
    )
  }
  if (outputs === 'logits' && givesProbabilities) {
    throw new TypeError('generate: the model ends in a softmax, whose outputs are probabilities, not logits')
  }
  return outputs === 'probabilities'
}
