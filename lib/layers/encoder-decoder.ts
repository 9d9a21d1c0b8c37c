/** EncoderDecoder: from one sequence of tokens to another, with attention (Sutskever et al. 2014; Luong et al. 2015). */
import { describe } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { dropout } from '../operations/dropout.ts'
import { sideBySide } from '../operations/merge-directions.ts'
import { tanh } from '../operations/pointwise.ts'
import { reshape, slice, transpose } from '../operations/shape.ts'
import { Tensor } from '../tensor.ts'
import type { Memory } from './attention.ts'
import { AttentionDecoder, type DecoderState, partSeed, smallEmbedding } from './attention-decoder.ts'
import type { Embedding } from './embedding.ts'
import {
  type CompleteEncoderDecoderOptions,
  completeEncoderDecoderOptions,
  type EncoderDecoderOptions,
} from './encoder-decoder-options.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'
import { Linear } from './linear.ts'
import { LSTM } from './lstm.ts'

export type { EncoderDecoderOptions }

/**
 * A bidirectional LSTM reads the source; the decoder begins with a map of its final states,
 *
 *     h = tanh(W_h·[h→; h←] + b_h);   c = W_c·[c→; c←] + b_c
 *
 * and writes the target token by token, as `AttentionDecoder` says. Trained by `fit` on `parallelText`, which hands the
 * target to `forward`, and read from by `generate`.
 *
 * Parameters: `sourceEmbedding.weight`, those of the LSTM under `encoder`, `bridgeHidden` and `bridgeCell` (`weight`, `bias`),
 * and under `decoder` those of `embedding`, `lstm`, `attention`, `combine` and `output`.
 */
export class EncoderDecoder extends Layer {
  readonly sourceEmbedding: Embedding
  readonly encoder: LSTM
  readonly bridgeHidden: Linear
  readonly bridgeCell: Linear
  readonly decoder: AttentionDecoder
  readonly #options: CompleteEncoderDecoderOptions

  override readonly readsTarget = true

  /** @throws {TypeError | RangeError} if an option is unknown, missing or out of range */
  constructor(options: EncoderDecoderOptions) {
    super()
    this.#options = completeEncoderDecoderOptions(options)
    const { sourceVocabulary, embeddingSize, hiddenSize, encoderSize, numLayers, seed, dataType } =
      this.#options
    this.sourceEmbedding = smallEmbedding(sourceVocabulary, this.#options, 0)
    this.encoder = new LSTM({
      inputSize: embeddingSize,
      hiddenSize: encoderSize,
      numLayers,
      bidirectional: true,
      dropout: this.#options.dropout,
      seed,
      dataType,
    })
    const bridge = (part: number) =>
      new Linear({
        inputSize: 2 * encoderSize,
        outputSize: numLayers * hiddenSize,
        seed: partSeed(seed, part),
        dataType,
      })
    this.bridgeHidden = bridge(1)
    this.bridgeCell = bridge(2)
    this.decoder = new AttentionDecoder(this.#options)
  }

  /** The options, with their defaults. */
  get options(): Readonly<CompleteEncoderDecoderOptions> {
    return this.#options
  }

  /**
   * @param x [B, S] int32, the sources
   * @param options.lengths tokens of each source; default S
   * @param options.target [B, T] int32
   * @returns logits [B, T, targetVocabulary]: at step t for the token that comes after `start` and the target before t
   * @throws {TypeError} without a target: `generate` finds one
   */
  override forward(x: Tensor, options: ForwardOptions = {}): Tensor {
    return this.decoder.output.forward(this.#read(x, options).output)
  }

  /** What the decoder looks at when it writes `target`: weights [B, T, S]. */
  align(x: Tensor, options: ForwardOptions): Tensor {
    return this.#read(x, options).weights
  }

  /** @internal What the decoder begins with: the sources [B, S] as a memory, and a state. */
  encode(x: Tensor, { lengths }: { lengths?: Int32Array } = {}): { memory: Memory; state: DecoderState } {
    const { dropout: probability, attentionalSize } = this.#options
    const drop = (each: Tensor) => (this.training ? dropout(each, { probability }) : each)
    const { output, state } = this.encoder.forward(drop(this.sourceEmbedding.forward(x)), { lengths })
    const B = x.shape[0]
    const like = output.array as FloatArray
    const feed =
      like instanceof Float64Array
        ? new Float64Array(B * attentionalSize)
        : new Float32Array(B * attentionalSize)
    return {
      memory: this.decoder.attention.remember(drop(output), { lengths }),
      state: {
        h: this.#unfold(tanh(this.bridgeHidden.forward(lastLayer(state.h)))),
        c: this.#unfold(this.bridgeCell.forward(lastLayer(state.c))),
        feed: new Tensor([B, attentionalSize], feed),
      },
    }
  }

  /** @throws {TypeError} always: what it reads at a step is what it wrote before */
  override freeze(): readonly PlanStep[] {
    throw new TypeError(
      'compile: an EncoderDecoder has no frozen form, for each step reads what the one before wrote; ' +
        'generate(model, { source }) takes the model as it is',
    )
  }

  override config(): LayerConfig {
    return { type: 'EncoderDecoder', ...this.#options }
  }

  #read(x: Tensor, { lengths, target }: ForwardOptions) {
    if (!(target instanceof Tensor)) {
      throw new TypeError(
        `EncoderDecoder.forward: expected target to be a Tensor [B, T] of tokens, got ${describe(target)}; ` +
          'generate(model, { source }) writes without one',
      )
    }
    if (
      target.shape.length !== 2 ||
      target.shape[0] !== x.shape[0] ||
      !(target.array instanceof Int32Array)
    ) {
      throw new RangeError(
        `EncoderDecoder.forward: expected an int32 target of shape [${x.shape[0]}, T], got ${target.dataType} [${target.shape}]`,
      )
    }
    const { memory, state } = this.encode(x, { lengths })
    return this.decoder.read(this.#shifted(target), { memory, state })
  }

  /** What each step reads: the start token, then the target but for its last token. */
  #shifted({ shape, array }: Tensor): Tensor {
    const [B, T] = shape
    const { start } = this.#options
    const inputs = new Int32Array(B * T)
    for (let b = 0; b < B; b++) {
      inputs[b * T] = start
      for (let t = 1; t < T; t++) inputs[b * T + t] = array[b * T + t - 1]
    }
    return new Tensor(shape, inputs)
  }

  /** [B, L·H] to [L, B, H]. */
  #unfold(flat: Tensor): Tensor {
    const { numLayers, hiddenSize } = this.#options
    const [B] = flat.shape
    const rows = reshape(flat, [B, numLayers, hiddenSize])
    return numLayers === 1 ? reshape(rows, [1, B, hiddenSize]) : transpose(rows, { axes: [0, 1] })
  }
}

/** [2L, B, H] to [B, 2H]: both directions of the last layer, side by side. */
function lastLayer(states: Tensor): Tensor {
  const [count] = states.shape
  return sideBySide(count === 2 ? states : slice(states, { start: count - 2 }))
}
