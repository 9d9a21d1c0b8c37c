/** Attention: a layer that takes from a memory what fits a query, by one of the scores in use with LSTMs. */
import { describe, nearestName, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { attention, keyMaskOf } from '../operations/attention.ts'
import { linear } from '../operations/linear.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireDataType } from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'

/** `dot`: q·m; `scaled`: q·m / √D; `general`: q·W·m (Luong et al. 2015); `additive`: v·tanh(W·q + U·m) (Bahdanau et al. 2015). */
export type AttentionScore = 'dot' | 'scaled' | 'general' | 'additive'

export interface AttentionLayerOptions {
  score: AttentionScore
  /** Features of a query. */
  querySize: number
  /** Features of a step of the memory; default: as many. */
  memorySize?: number
  /** Of the sum inside tanh, with `additive`; default querySize. */
  size?: number
  /**
   * That a weight is dropped while training, in [0, 1), before it takes of the memory; the others are multiplied by
   * 1 / (1 - dropout). Default 0.
   */
  dropout?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/** What each step of a memory is asked by, and what it gives: made once, asked many times. */
export interface Memory {
  /** [M, S, D] */
  keys: Tensor
  /** [M, S, memorySize] */
  values: Tensor
  /** [M·S] bytes, 0 where a step does not count; default: all do. */
  keyMask?: Uint8Array
}

const scores: readonly AttentionScore[] = ['dot', 'scaled', 'general', 'additive']

/**
 *     e[t, s] = q[t]·k[s], with k = memory ('dot', 'scaled') or k = memory·W_keyᵀ ('general')
 *     e[t, s] = vector·tanh(W_query·q[t] + k[s]), with k = memory·W_keyᵀ ('additive')
 *     context[t] = Σ_s softmax_s(e[t, s])·memory[s]
 *
 * Parameters: `key_weight` [querySize, memorySize] ('general') or [size, memorySize], `query_weight` [size, querySize] and
 * `vector` [size] ('additive'), which start at U(±1/√n), n the size of what they multiply.
 */
export class Attention extends Layer {
  readonly key_weight: Parameter | undefined
  readonly query_weight: Parameter | undefined
  readonly vector: Parameter | undefined
  readonly #options: Required<Omit<AttentionLayerOptions, 'seed'>> & { seed?: number }

  /** @throws {TypeError | RangeError} if an option is unknown or out of range, or the sizes do not go with the score */
  constructor(options: AttentionLayerOptions) {
    super()
    const known = ['score', 'querySize', 'memorySize', 'size', 'dropout', 'seed', 'dataType']
    refuseUnknownOptions('Attention', options, known)
    const { score, querySize, memorySize = querySize, size = querySize, dropout = 0 } = options
    const { seed, dataType = 'float32' } = options
    if (!scores.includes(score)) {
      const nearest = nearestName(String(score), scores)
      const hint = nearest ? `; did you mean "${nearest}"?` : ''
      throw new TypeError(
        `Attention: expected score to be one of ${scores.join(', ')}, got ${describe(score)}${hint}`,
      )
    }
    requireInteger('Attention', 'querySize', querySize)
    requireInteger('Attention', 'memorySize', memorySize)
    requireInteger('Attention', 'size', size)
    requireNumber('Attention', 'dropout', dropout, { low: 0, high: 1, open: true })
    requireDataType('Attention', dataType)
    if ((score === 'dot' || score === 'scaled') && querySize !== memorySize) {
      throw new RangeError(
        `Attention: expected a memorySize of ${querySize}, as querySize, with score "${score}", got ${memorySize}; ` +
          '"general" and "additive" bring two sizes together',
      )
    }
    const initialiser = new Initialiser({ dataType, seed })
    const weight = (rows: number, columns: number) =>
      initialiser.uniform([rows, columns], 1 / Math.sqrt(columns))
    if (score === 'general') this.key_weight = weight(querySize, memorySize)
    if (score === 'additive') {
      this.key_weight = weight(size, memorySize)
      this.query_weight = weight(size, querySize)
      this.vector = initialiser.uniform([size], 1 / Math.sqrt(size))
    }
    this.#options = { score, querySize, memorySize, size, dropout, seed, dataType }
  }

  /** What `attend` asks: the keys of a memory [M, S, memorySize], projected once for all queries. */
  remember(
    memory: Tensor,
    { lengths, keyMask }: { lengths?: Int32Array; keyMask?: Uint8Array } = {},
  ): Memory {
    const [M, S] = memory.shape
    const keys = this.key_weight ? linear(memory, this.key_weight) : memory
    return { keys, values: memory, keyMask: keyMaskOf({ lengths, keyMask }, { M, S }) }
  }

  /**
   * @param query [B, T, querySize]
   * @param memory of `remember`, of B memories or with `rows` of those
   * @param options.mask [T·S] or [B·T·S] bytes, 0 where a step does not count for a query
   * @param options.rows [B], the memory that each batch row asks, where several ask the same; without gradients
   * @returns the context [B, T, memorySize] and the weights [B, 1, T, S], as they are before dropout
   */
  attend(
    query: Tensor,
    { keys, values, keyMask }: Memory,
    { mask, rows }: { mask?: Uint8Array; rows?: Int32Array } = {},
  ): { output: Tensor; weights: Tensor } {
    const asked = this.query_weight ? linear(query, this.query_weight) : query
    const dropout = this.training ? this.#options.dropout : 0
    return attention(asked, keys, values, {
      scale: this.#scale,
      vector: this.vector,
      keyMask,
      mask,
      dropout,
      rows,
    })
  }

  /**
   * The steps of x [B, T, querySize] ask `memory` [B, S, memorySize], by default x itself.
   *
   * @param options.lengths steps of each memory that count
   * @returns [B, T, memorySize]
   */
  override forward(
    x: Tensor,
    { memory = x, lengths, mask }: ForwardOptions & { memory?: Tensor } = {},
  ): Tensor {
    return this.attend(x, this.remember(memory, { lengths, keyMask: mask })).output
  }

  /** @throws {TypeError} if a query is of another size than a step of the memory: a plan has one sequence, which asks itself */
  override freeze(): readonly PlanStep[] {
    const { score, querySize: I, memorySize, size } = this.#options
    if (memorySize !== I) {
      throw new TypeError(
        `compile: an Attention with a querySize of ${I} and a memorySize of ${memorySize} has no frozen form, for a plan has no ` +
          'memory beside x; call its attend inside noGrad',
      )
    }
    const D = score === 'additive' ? size : I
    const array = (parameter: Parameter | undefined) => parameter?.array as FloatArray | undefined
    const [query, key, vector] = [this.query_weight, this.key_weight, this.vector].map(array)
    return [{ kind: 'attention', I, N: 1, D, E: I, scale: this.#scale, causal: false, query, key, vector }]
  }

  override config(): LayerConfig {
    return { type: 'Attention', ...this.#options }
  }

  get #scale(): number {
    const { score, querySize } = this.#options
    return score === 'scaled' ? 1 / Math.sqrt(querySize) : 1
  }
}
