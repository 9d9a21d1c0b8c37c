/** MultiHeadAttention: scaled dot products in several heads at once (Vaswani et al. 2017). */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, PlanStep } from '../kernels/contract.ts'
import { attention } from '../operations/attention.ts'
import { linear } from '../operations/linear.ts'
import { slice } from '../operations/shape.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import {
  type FloatDataType,
  glorotBound,
  Initialiser,
  requireBoolean,
  requireDataType,
} from './initialisation.ts'
import { type ForwardOptions, Layer, type LayerConfig } from './layer.ts'
import { Linear } from './linear.ts'

export interface MultiHeadAttentionOptions {
  /** Features of queries and of the output; a multiple of `heads`. */
  embedSize: number
  heads: number
  /** Features of keys; default embedSize. */
  keySize?: number
  /** Features of values; default embedSize. */
  valueSize?: number
  /** Default true. */
  bias?: boolean
  /** Whether a step attends to those up to itself only; default false. */
  causal?: boolean
  /**
   * That a weight is dropped while training, in [0, 1), before it takes of the values; the others are multiplied by
   * 1 / (1 - dropout). Default 0.
   */
  dropout?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

const projections = ['q', 'k', 'v'] as const

/**
 * head_n = softmax(Q_n·K_nᵀ / √(embedSize / heads))·V_n, the heads side by side through `out_proj`, as
 * torch.nn.MultiheadAttention with batch_first, whose parameters have the same names: `in_proj_weight`
 * [3·embedSize, embedSize], or where keys or values have a size of their own `q_proj_weight`, `k_proj_weight` and
 * `v_proj_weight`; `in_proj_bias` [3·embedSize], `out_proj.weight` and `out_proj.bias`. A query for which no key counts gets
 * the bias of `out_proj`, where PyTorch gives NaN.
 */
export class MultiHeadAttention extends Layer {
  readonly in_proj_weight: Parameter | undefined
  readonly q_proj_weight: Parameter | undefined
  readonly k_proj_weight: Parameter | undefined
  readonly v_proj_weight: Parameter | undefined
  readonly in_proj_bias: Parameter | undefined
  readonly out_proj: Linear
  readonly #options: Required<Omit<MultiHeadAttentionOptions, 'seed'>> & { seed?: number }

  /** @throws {TypeError | RangeError} if an option is unknown or out of range, or the heads do not share the features out */
  constructor(options: MultiHeadAttentionOptions) {
    super()
    const place = 'MultiHeadAttention'
    const known = [
      ...['embedSize', 'heads', 'keySize', 'valueSize', 'bias', 'causal', 'dropout'],
      ...['seed', 'dataType'],
    ]
    refuseUnknownOptions(place, options, known)
    const { embedSize, heads, keySize = embedSize, valueSize = embedSize } = options
    const { bias = true, causal = false, dropout = 0, seed, dataType = 'float32' } = options
    for (const [name, size] of Object.entries({ embedSize, heads, keySize, valueSize }))
      requireInteger(place, name, size)
    requireBoolean(place, 'bias', bias)
    requireBoolean(place, 'causal', causal)
    requireNumber(place, 'dropout', dropout, { low: 0, high: 1, open: true })
    requireDataType(place, dataType)
    if (embedSize % heads !== 0) {
      throw new RangeError(
        `${place}: expected embedSize to be a multiple of heads, got ${embedSize} and ${heads}`,
      )
    }
    const initialiser = new Initialiser({ dataType, seed })
    const E = embedSize
    if (keySize === E && valueSize === E) {
      this.in_proj_weight = initialiser.uniform([3 * E, E], glorotBound(3 * E, E))
    } else {
      this.q_proj_weight = initialiser.uniform([E, E], glorotBound(E, E))
      this.k_proj_weight = initialiser.uniform([E, keySize], glorotBound(E, keySize))
      this.v_proj_weight = initialiser.uniform([E, valueSize], glorotBound(E, valueSize))
    }
    if (bias) this.in_proj_bias = initialiser.constant([3 * E])
    this.out_proj = new Linear({ inputSize: E, outputSize: E, bias, seed, dataType })
    if (this.out_proj.bias) this.out_proj.bias.array.fill(0)
    this.#options = { embedSize, heads, keySize, valueSize, bias, causal, dropout, seed, dataType }
  }

  /**
   * @param query [B, T, embedSize]
   * @param key [B, S, keySize]
   * @param value [B, S, valueSize]
   * @param options.lengths keys that count, of each sequence
   * @param options.mask [T·S] or [B·T·S] bytes, 0 where a key does not count for a query; takes the place of `causal`
   * @returns output [B, T, embedSize] and weights [B, heads, T, S], as they are before dropout (PyTorch returns what is left of them)
   */
  attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    { lengths, keyMask, mask }: { lengths?: Int32Array; keyMask?: Uint8Array; mask?: Uint8Array } = {},
  ): { output: Tensor; weights: Tensor } {
    const { heads, causal, dropout } = this.#options
    const [q, k, v] = [query, key, value].map((each, i) => this.#project(each, i))
    const { output, weights } = attention(q, k, v, {
      heads,
      scale: this.#scale,
      lengths,
      keyMask,
      mask,
      causal: causal && !mask,
      dropout: this.training ? dropout : 0,
    })
    return { output: this.out_proj.forward(output), weights }
  }

  /** Self-attention: the steps of x [B, T, embedSize] ask each other. */
  override forward(x: Tensor, { lengths, mask }: ForwardOptions = {}): Tensor {
    return this.attend(x, x, x, { lengths, keyMask: mask }).output
  }

  /** @throws {TypeError} if keys or values have a size of their own: a plan has one sequence, which asks itself */
  override freeze(): readonly PlanStep[] {
    const { embedSize: I, heads: N, keySize, valueSize, causal } = this.#options
    if (!this.in_proj_weight) {
      throw new TypeError(
        `compile: a MultiHeadAttention with an embedSize of ${I}, a keySize of ${keySize} and a valueSize of ${valueSize} has no ` +
          'frozen form, for a plan has nothing beside x; call its attend inside noGrad',
      )
    }
    const weights = this.in_proj_weight.array as FloatArray
    const [query, key, value] = [0, 1, 2].map((part) => weights.subarray(part * I * I, (part + 1) * I * I))
    const bias = this.in_proj_bias?.array as FloatArray | undefined
    const D = I / N
    const asked = {
      kind: 'attention',
      I,
      N,
      D,
      E: D,
      scale: this.#scale,
      causal,
      query,
      key,
      value,
      bias,
    } as const
    return [asked, ...this.out_proj.freeze()]
  }

  override config(): LayerConfig {
    return { type: 'MultiHeadAttention', ...this.#options }
  }

  get #scale(): number {
    return 1 / Math.sqrt(this.#options.embedSize / this.#options.heads)
  }

  #project(x: Tensor, part: number): Tensor {
    const E = this.#options.embedSize
    const range = { start: part * E, end: (part + 1) * E }
    const own = this[`${projections[part]}_proj_weight`]
    const weight = own ?? slice(this.in_proj_weight!, range)
    return linear(x, weight, this.in_proj_bias && slice(this.in_proj_bias, range))
  }
}
