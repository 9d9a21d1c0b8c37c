/** The part of the contract about LSTMs: one layer and direction over a whole window. */
import type { FloatArray } from './contract.ts'

/** What decides the size of an LSTM's buffers. */
export interface LstmShape {
  B: number
  T: number
  I: number
  H: number
  /** Projection size, 0 for none. */
  P: number
  layerNorm: boolean
}

/**
 * Parameters of one layer and direction, gates as blocks of H rows in the order i, f, g, o (as torch.nn.LSTM).
 * In a backward call the same shape holds the gradients.
 */
export interface LstmParameters {
  /** [4H, I] */
  weightIh: FloatArray
  /** [4H, R] */
  weightHh: FloatArray
  /** [4H] */
  biasIh?: FloatArray
  /** [4H] */
  biasHh?: FloatArray
  /** [P, H], Sak et al. 2014 */
  weightHr?: FloatArray
  /** [3, H] in the order i, f, o, Gers & Schmidhuber 2000 */
  peephole?: FloatArray
  /** [4H] gain of the normalised x·W_ihᵀ; biasIh is its shift */
  normIh?: FloatArray
  /** [4H] gain of the normalised h·W_hhᵀ; biasHh is its shift */
  normHh?: FloatArray
  /** [2, H] gain and shift of the normalised cell inside the output's tanh */
  normCell?: FloatArray
}

/** What weights are packed for: a backward pass that computes dx reads those of `backwardToInput`. */
export type LstmPass = 'forward' | 'backward' | 'backwardToInput'

/**
 * Weights packed once for several calls. The forward pass multiplies by rows of W_ih and W_hh, the backward pass by their
 * columns, so each has panels of its own; both take about as much memory as the matrices themselves.
 */
export interface LstmPack {
  I: number
  H: number
  P: number
  layerNorm: boolean
  parameters: LstmParameters
  /** An earlier result, overwritten and returned if it is of the right length. */
  packed?: FloatArray
}

/** Functions that a gate, the candidate or the output of an LSTM may have; alpha and beta where the formula has them. */
export type ActivationName =
  | 'linear'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  /** ln(1 + eˣ) */
  | 'softplus'
  /** x·Φ(x) */
  | 'gelu'
  /** eˣ */
  | 'exponential'
  /** x / (1 + |x|) */
  | 'softsign'
  /** x·σ(x) */
  | 'silu'
  /** x·tanh(ln(1 + eˣ)) */
  | 'mish'
  /** Klambauer et al. 2017 */
  | 'selu'
  /** x where x ≥ 0, else alpha·(eˣ - 1) */
  | 'elu'
  /** alpha·x + beta */
  | 'affine'
  /** x where x ≥ 0, else alpha·x */
  | 'leakyRelu'
  /** x where x ≥ alpha, else 0 */
  | 'thresholdedRelu'
  /** alpha·tanh(beta·x) */
  | 'scaledTanh'
  /** alpha·x + beta, at least 0 and at most 1 */
  | 'hardSigmoid'

export interface LstmActivation {
  kind: ActivationName
  /** 0 where the formula has none */
  alpha: number
  beta: number
}

/** What differs from the standard LSTM: in the equations of `LstmForward`, σ becomes `gate`, and the two tanh the others. */
export interface LstmVariant {
  /** Of i, f and o. */
  gate: LstmActivation
  /** Of g. */
  cell: LstmActivation
  /** Of ĉ, or LN(ĉ), on its way to the output. */
  output: LstmActivation
  /** The sums of the four gates, peepholes included, are kept in [-clip, clip]; 0 for no bounds. ONNX's `clip`. */
  clip: number
  /** f = 1 - i: the forget gate's own parameters have no effect. ONNX's `input_forget`. */
  coupledInputForget: boolean
}

/**
 * One LSTM layer and direction over a whole window of T steps.
 *
 *     m   = h[t-1]∘recurrentMask
 *     a   = LN(x[t]·W_ihᵀ) + b_ih + LN(m·W_hhᵀ) + b_hh                LN(v) = v̂∘gain over all 4H, or v itself
 *     i   = σ(a_i + p_i∘c[t-1]);  f = σ(a_f + p_f∘c[t-1]);  g = tanh(a_g)
 *     ĉ   = f∘c[t-1] + i∘g
 *     o   = σ(a_o + p_o∘ĉ)
 *     ĥ   = W_hr·(o∘tanh(LN(ĉ)))                                       LN over H with gain and shift
 *     c[t] = z_c∘c[t-1] + (1 - z_c)∘ĉ                                  zoneout, Krueger et al. 2017
 *     h[t] = z_h∘h[t-1] + (1 - z_h)∘ĥ
 *
 * What is absent (peepholes, norms, projection, masks, zoneout) drops out of the equations; a `variant` puts other
 * functions in the place of σ and tanh.
 * With `reverse` a sequence is read from its last valid step to its first; y keeps the order of x.
 * Steps at or past lengths[b] read nothing, leave the state unchanged and write y = 0; a length of 0 returns the
 * initial state. hn and cn are the state after the last step read.
 *
 * x        element (b, t, i) at b·xBatchStride + t·xTimeStride + i; may be a view into a wider array
 * y        element (b, t, r) at b·yBatchStride + t·yTimeStride + r; written (not accumulated)
 * h0, c0   [B, R], [B, H], default zeros;  hn, cn the same shapes, written; may be h0, c0 themselves
 * cache    [lstmCacheLength] opaque, written for the backward pass; leave it out to infer
 * x and y may not overlap. Agrees with torch.nn.LSTM where that has the option.
 */
export interface LstmForward extends LstmShape {
  reverse: boolean
  /** Absent: σ, tanh, tanh, no bounds, a forget gate of its own. */
  variant?: LstmVariant
  lengths?: Int32Array
  parameters: LstmParameters
  /**
   * What `lstmPack` made of these very parameters for this pass, under the layout in use: saves packing them in the call, and
   * changes no bit. The caller answers for the parameters not having changed since.
   */
  packed?: FloatArray
  x: FloatArray
  xBatchStride: number
  xTimeStride: number
  h0?: FloatArray
  c0?: FloatArray
  /** [B, R], one mask a sequence: Gal & Ghahramani 2016 */
  recurrentMask?: FloatArray
  /** [B, T, H]: 1 keeps the previous cell; or one number in [0, 1], the expectation used in evaluation */
  zoneoutCell?: FloatArray | number
  /** [B, T, R] or one number, likewise for h */
  zoneoutHidden?: FloatArray | number
  /** Inside the square roots of layer normalisation. */
  eps: number
  y: FloatArray
  yBatchStride: number
  yTimeStride: number
  hn: FloatArray
  cn: FloatArray
  cache?: FloatArray
}

/**
 * The gradient of a forward call with the same arguments, whose x, y and cache it may read. The cache is consumed: a second
 * backward needs a second forward. dy has y's strides, dx has x's. Gradients of calls in one array are added in order.
 */
export interface LstmBackward extends Omit<LstmForward, 'hn' | 'cn' | 'cache'> {
  cache: FloatArray
  dy?: FloatArray
  dhn?: FloatArray
  dcn?: FloatArray
  dx?: FloatArray
  dh0?: FloatArray
  dc0?: FloatArray
  dparameters: Partial<LstmParameters>
}
