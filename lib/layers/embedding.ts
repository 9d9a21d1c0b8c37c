/** Embedding: a trainable vector for each symbol of a vocabulary. */

import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
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
  readonly #options: EmbeddingOptions
  #replacement: ((indices: Tensor) => Tensor) | undefined

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: EmbeddingOptions) {
    super()
    const known = [
      'vocabularySize',
      'embeddingSize',
      'paddingIndex',
      'maskZero',
      'deviation',
      'seed',
      'dataType',
    ]
    refuseUnknownOptions('Embedding', options, known)
    const { vocabularySize, embeddingSize, paddingIndex, maskZero = false, deviation } = options
    const { seed, dataType = 'float32' } = options
    requireInteger('Embedding', 'vocabularySize', vocabularySize)
    requireInteger('Embedding', 'embeddingSize', embeddingSize)
    requireBoolean('Embedding', 'maskZero', maskZero)
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
    this.#options = { vocabularySize, embeddingSize, paddingIndex, maskZero, deviation, seed, dataType }
  }

  override forward(indices: Tensor): Tensor {
    if (this.#replacement) return this.#replacement(indices)
    return embedding(indices, this.weight, { paddingIndex: this.#options.paddingIndex })
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
