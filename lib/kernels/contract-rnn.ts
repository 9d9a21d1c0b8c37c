/** The part of the contract about the Elman network: h[t] = f(a[t] + h[t-1]·W_hhᵀ + b_hh). */
import type { FloatArray } from './contract.ts'

export type RnnActivation = 'tanh' | 'relu'

/**
 * One layer and direction of an Elman (1990) network over a whole window of T steps, after the input's product:
 *
 *     h[t] = f(a[t] + h[t-1]·W_hhᵀ + b_hh)                    f = tanh or relu
 *
 * With `reverse` a sequence is read from its last valid step to its first; y keeps the order of a. Steps at or past
 * lengths[b] read nothing, leave the state unchanged and write y = 0. hn is the state after the last step read.
 *
 * a        [B, T, H] dense: x·W_ihᵀ + b_ih, as `linearForward` gives it
 * y        element (b, t, j) at b·yBatchStride + t·yTimeStride + j; written
 * h0       [B, H], default zeros;  hn [B, H], written; may be h0 itself
 * weightHh [H, H];  biasHh [H]
 * Agrees with torch.nn.RNN.
 */
export interface RnnForward {
  B: number
  T: number
  H: number
  activation: RnnActivation
  reverse: boolean
  lengths?: Int32Array
  a: FloatArray
  weightHh: FloatArray
  biasHh?: FloatArray
  h0?: FloatArray
  y: FloatArray
  yBatchStride: number
  yTimeStride: number
  hn: FloatArray
}

/**
 * With δ[t] the gradient of the sum inside f, from the last step read to the first:
 *
 *     δ[t] = (dy[t] + dh)∘f'(y[t]);   dh = δ[t]·W_hh                   dh is dhn at first, dh0 at last
 *     da[t] += δ[t];   dweightHh += Σ δ[t]ᵀ·h[t-1];   dbiasHh += Σ δ[t]
 *
 * dy has y's strides.
 */
export interface RnnBackward extends Omit<RnnForward, 'a' | 'hn'> {
  dy?: FloatArray
  dhn?: FloatArray
  da?: FloatArray
  dh0?: FloatArray
  dweightHh?: FloatArray
  dbiasHh?: FloatArray
}
