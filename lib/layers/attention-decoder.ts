/** The decoder of an EncoderDecoder: an LSTM that asks a memory at every step. */
import type { PlanStep } from '../kernels/contract.ts'
import { dropout } from '../operations/dropout.ts'
import { tanh } from '../operations/pointwise.ts'
import { concat, reshape, select, slice, stack } from '../operations/shape.ts'
import type { Tensor } from '../tensor.ts'
import { Attention, type Memory } from './attention.ts'
import { Embedding } from './embedding.ts'
import type { CompleteEncoderDecoderOptions } from './encoder-decoder-options.ts'
import { Layer, type LayerConfig } from './layer.ts'
import { Linear } from './linear.ts'
import { LSTM } from './lstm.ts'

/** What a decoder carries from token to token. */
export interface DecoderState {
  /** [L, B, H] */
  h: Tensor
  /** [L, B, H] */
  c: Tensor
  /** [B, A], the attentional vector of the step before */
  feed: Tensor
}

/** Seeds of the parts of a model, each its own, where the model has one. */
export const partSeed = (seed: number | undefined, part: number) =>
  seed === undefined ? undefined : seed + part

/** An embedding whose entries start at N(0, 1 / embeddingSize), so that it can serve as an output's weight too. */
export function smallEmbedding(
  vocabularySize: number,
  { embeddingSize, seed, dataType }: CompleteEncoderDecoderOptions,
  part: number,
): Embedding {
  const deviation = 1 / Math.sqrt(embeddingSize)
  return new Embedding({ vocabularySize, embeddingSize, deviation, seed: partSeed(seed, part), dataType })
}

/**
 *     h[t] = LSTM([embedding(token[t]); a[t-1]])                      a[t-1] with input feeding only
 *     context[t] = attention of h[t] over the memory
 *     a[t] = tanh(W_combine·[context[t]; h[t]])
 *     logits[t] = W_output·a[t] + b                                   W_output the embedding's, with `tieWeights`
 *
 * as Luong, Pham & Manning (2015), equations 5 and 6 and section 3.3.
 */
export class AttentionDecoder extends Layer {
  readonly embedding: Embedding
  readonly lstm: LSTM
  readonly attention: Attention
  readonly combine: Linear
  readonly output: Linear
  readonly #options: CompleteEncoderDecoderOptions

  /** @internal Made by EncoderDecoder. */
  constructor(options: CompleteEncoderDecoderOptions) {
    super()
    this.#options = options
    const { targetVocabulary, embeddingSize, hiddenSize, encoderSize, attentionalSize } = options
    const { numLayers, score, inputFeeding, tieWeights, seed, dataType } = options
    const memorySize = 2 * encoderSize
    this.embedding = smallEmbedding(targetVocabulary, options, 3)
    this.lstm = new LSTM({
      inputSize: embeddingSize + (inputFeeding ? attentionalSize : 0),
      hiddenSize,
      numLayers,
      dropout: options.dropout,
      seed: partSeed(seed, 4),
      dataType,
    })
    this.attention = new Attention({
      score,
      querySize: hiddenSize,
      memorySize,
      seed: partSeed(seed, 5),
      dataType,
    })
    this.combine = new Linear({
      inputSize: memorySize + hiddenSize,
      outputSize: attentionalSize,
      bias: false,
      seed: partSeed(seed, 6),
      dataType,
    })
    this.output = new Linear({
      inputSize: attentionalSize,
      outputSize: targetVocabulary,
      ...(tieWeights && { weight: this.embedding.weight }),
      seed: partSeed(seed, 7),
      dataType,
    })
  }

  /**
   * @param tokens [B, T] int32, what each step reads
   * @param call.rows [B], the memory that each batch row asks, where several ask the same; without gradients
   * @returns attentional vectors [B, T, A], for `output`; weights [B, T, S]; the state after the last step
   */
  read(
    tokens: Tensor,
    call: { memory: Memory; state: DecoderState; rows?: Int32Array },
  ): { output: Tensor; weights: Tensor; state: DecoderState } {
    const { dropout: probability, inputFeeding } = this.#options
    const embedded = this.#drop(this.embedding.forward(tokens), probability)
    if (!inputFeeding) return this.#readAtOnce(embedded, call)
    const [B, T] = tokens.shape
    let { state } = call
    const outputs: Tensor[] = []
    const weights: Tensor[] = []
    for (let t = 0; t < T; t++) {
      const x = concat([select(embedded, { axis: 1, index: t }), state.feed], { axis: 1 })
      const step = this.#readAtOnce(reshape(x, [B, 1, x.shape[1]]), { ...call, state })
      state = step.state
      outputs.push(state.feed)
      weights.push(step.weights)
    }
    return { output: stack(outputs, { axis: 1 }), weights: concat(weights, { axis: 1 }), state }
  }

  override forward(): never {
    throw new TypeError('AttentionDecoder.forward: it needs a memory; call the EncoderDecoder it belongs to')
  }

  override freeze(): readonly PlanStep[] {
    throw new TypeError(
      'compile: an AttentionDecoder has no frozen form, for it needs a memory; generate(model, { source }) takes the ' +
        'EncoderDecoder it belongs to as it is',
    )
  }

  override config(): LayerConfig {
    throw new TypeError('AttentionDecoder.config: it is stored as part of its EncoderDecoder')
  }

  /** Steps whose inputs [B, T, I] are all known. */
  #readAtOnce(
    x: Tensor,
    { memory, state, rows }: { memory: Memory; state: DecoderState; rows?: Int32Array },
  ): { output: Tensor; weights: Tensor; state: DecoderState } {
    const { dropout: probability } = this.#options
    const [B, T] = x.shape
    const { output: hidden, state: next } = this.lstm.forward(x, { state: { h: state.h, c: state.c } })
    const { output: context, weights } = this.attention.attend(hidden, memory, { rows })
    const combined = tanh(this.combine.forward(concat([context, hidden], { axis: 2 })))
    const output = this.#drop(combined, probability)
    const [, , A] = output.shape
    const last = T === 1 ? output : slice(output, { axis: 1, start: T - 1 })
    const feed = reshape(last, [B, A])
    const [, , , S] = weights.shape
    return { output, weights: reshape(weights, [B, T, S]), state: { ...next, feed } }
  }

  #drop(x: Tensor, probability: number): Tensor {
    return this.training ? dropout(x, { probability }) : x
  }
}
