/** The contract's part about attention: products of many small matrices, and what queries take from memories. */
import type { FloatArray, GemmCall } from './contract.ts'

/** `batch` products of one shape: A, B and C hold that many matrices, one behind the other. */
export interface BatchedGemmCall extends GemmCall {
  batch: number
}

/**
 * B batch rows of T queries, over memories of S keys and values; N heads, each with D numbers of a query and a key, and E of
 * a value.
 */
export interface AttentionShape {
  B: number
  T: number
  S: number
  N: number
  D: number
  E: number
}

/**
 * Attention. With n the head, whose columns are n·D and on, of the values n·E and on:
 *
 *     e[t, s] = scale·Σ_d q[t, d]·k[s, d]                             dot product (Luong et al. 2015, Vaswani et al. 2017)
 *     e[t, s] = scale·Σ_d vector[d]·tanh(q[t, d] + k[s, d])           with `vector`: additive (Bahdanau et al. 2015)
 *     weights[t, s] = exp e[t, s] / Σ_s' exp e[t, s']                 over the s that count, 0 at the others
 *     y[t] = Σ_s drop[t, s]·weights[t, s]·v[s]
 *
 * A query for which no key counts gets weights and a result of zeros. What is masked is not read, NaN included.
 *
 * q        [B, T, N·D];  y [B, T, N·E];  weights [B, N, T, S], written, also for the backward pass
 * k, v     [M, S, N·D] and [M, S, N·E], M memories: B, or as many as `rows` names
 * vector   [N·D]
 * drop     [B, N, T, S], factors of the weights; default 1 (dropout: 0 or 1 / (1 - p))
 */
export interface AttentionForward extends AttentionShape {
  scale: number
  q: FloatArray
  k: FloatArray
  v: FloatArray
  vector?: FloatArray
  drop?: FloatArray
  /** [M, S], 0 where a key does not count; default: all do. */
  keyMask?: Uint8Array
  /** [B, T, S], 0 where a key does not count for a query; default: all do. */
  mask?: Uint8Array
  /** Key s counts for query t only where s ≤ t; default false. */
  causal?: boolean
  /** [B], the memory that each batch row asks, which several may share; default its own. A backward pass has none. */
  rows?: Int32Array
  y: FloatArray
  weights: FloatArray
}

/** The gradient of a forward call with the same arguments, whose weights it reads. dweights [B, N, T, S]. */
export interface AttentionBackward
  extends Omit<AttentionForward, 'y' | 'rows' | 'keyMask' | 'mask' | 'causal'> {
  dy?: FloatArray
  dweights?: FloatArray
  dq?: FloatArray
  dk?: FloatArray
  dv?: FloatArray
  dvector?: FloatArray
}

export interface AttentionKernels {
  batchedGemm(call: BatchedGemmCall): void
  attentionForward(call: AttentionForward): void
  attentionBackward(call: AttentionBackward): void
}
