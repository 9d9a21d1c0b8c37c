/** Embedding: a trainable vector for each symbol of a vocabulary. */

import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { dropSymbols } from '../operations/dropout.ts'
import { embedding } from '../operations/embedding.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'

export interface EmbeddingOptions {
  vocabularySize: number
  embeddingSize: number
  /** A symbol whose vector starts at zero and gets no gradient. */
  paddingIndex?: number
  /** Makes a mask in which steps of symbol 0 do not count, as Keras's mask_zero; default false. */
  maskZero?: boolean
  /**
   * That a symbol is dropped while training, wherever it stands in a batch (Gal & Ghahramani 2016); the vectors of the others are
   * scaled up. In [0, 1), default 0.
   */
  dropout?: number
  /** The standard deviation of the initial values; default 1, as in PyTorch. What learns words from few texts likes 0.1. */
  deviation?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/**
 * int32 indices of any shape [...] to vectors [..., embeddingSize]. The parameter `weight`
 * [vocabularySize, embeddingSize] starts at N(0, deviation²), as in torch.nn.Embedding.
 */
export class Embedding extends Layer {
  readonly weight: Parameter
  readonly #options: EmbeddingOptions & { dropout: number }
  #replacement: ((indices: Tensor) => Tensor) | undefined

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: EmbeddingOptions) {
    super()
    const known = [
      'vocabularySize',
      'embeddingSize',
      'paddingIndex',
      'maskZero',
      'dropout',
      'deviation',
      'seed',
      'dataType',
    ]
    refuseUnknownOptions('Embedding', options, known)
    const { vocabularySize, embeddingSize, paddingIndex, maskZero = false, deviation } = options
    const { dropout = 0, seed, dataType = 'float32' } = options
    requireInteger('Embedding', 'vocabularySize', vocabularySize)
    requireInteger('Embedding', 'embeddingSize', embeddingSize)
    requireBoolean('Embedding', 'maskZero', maskZero)
    requireNumber('Embedding', 'dropout', dropout, { low: 0, high: 1, open: true })
    if (deviation !== undefined) requireNumber('Embedding', 'deviation', deviation, { low: 0 })
    requireDataType('Embedding', dataType)
    if (paddingIndex !== undefined) {
      requireInteger('Embedding', 'paddingIndex', paddingIndex, 0)
      if (paddingIndex >= vocabularySize) {
        const largest = vocabularySize - 1
        throw new RangeError(`Embedding: expected paddingIndex in [0, ${largest}], got ${paddingIndex}`)
      }
    }

    this.weight = new Initialiser({ dataType, seed }).normal([vocabularySize, embeddingSize], deviation)
    if (paddingIndex !== undefined) {
      this.weight.array.fill(0, paddingIndex * embeddingSize, (paddingIndex + 1) * embeddingSize)
    }
    const rest = { paddingIndex, maskZero, dropout, deviation, seed, dataType }
    this.#options = { vocabularySize, embeddingSize, ...rest }
  }

  override forward(indices: Tensor): Tensor {
    if (this.#replacement) return this.#replacement(indices)
    const { vocabularySize, paddingIndex, dropout } = this.#options
    const y = embedding(indices, this.weight, { paddingIndex })
    return this.training && dropout > 0
      ? dropSymbols(y, indices, { vocabularySize, probability: dropout })
      : y
  }

  /**
   * @internal Runs `body` with `replacement` in the place of `forward`: for who needs the vectors of a model's symbols as an
   * input of their own. The mask is still that of the indices.
   */
  replaced<T>(replacement: (indices: Tensor) => Tensor, body: () => T): T {
    const outer = this.#replacement
    this.#replacement = replacement
    try {
      return body()
    } finally {
      this.#replacement = outer
    }
  }

  /** With `maskZero` the mask of the indices that are not 0, whatever mask they have. */
  override computeMask({ array }: Tensor, mask?: Uint8Array): Uint8Array | undefined {
    return this.#options.maskZero ? Uint8Array.from(array, (index) => Number(index !== 0)) : mask
  }

  override freeze(): readonly PlanStep[] {
    const [V, E] = this.weight.shape
    return [
      { kind: 'embedding', V, E, weight: this.weight.array as FloatArray, maskZero: this.#options.maskZero! },
    ]
  }

  override config(): LayerConfig {
    return { type: 'Embedding', ...this.#options }
  }
}
