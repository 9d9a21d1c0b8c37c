/**
 * THE CONTRACT: the compute functions both back ends fulfil. `reference/` is the specification, in plain
 * loops over Float32Array or Float64Array; `native.ts` is the C++ addon, Float32Array only.
 *
 * Rules that hold for every function:
 * - arrays belong to the caller and are borrowed for the length of the call; results go into arrays the
 *   caller passes; nothing is kept;
 * - all float arrays of one call have one type; matrices are row-major and dense unless strides are given;
 * - a forward overwrites its outputs; a backward ACCUMULATES (+=) into every `d...` array and leaves out
 *   those that are absent: presence selects;
 * - shapes are checked by the operations above; a kernel may assume that lengths fit (the addon checks them
 *   once more before it touches memory).
 *
 * Dimension letters: B batch, T time steps, I input size, H hidden size, P projection size (0: none),
 * R = P or H recurrent size, N rows, M, K matrix sizes, C classes, V vocabulary, E embedding size.
 */

import type { AttentionKernels } from './contract-attention.ts'
import type { BatchNormKernels } from './contract-batch-norm.ts'
import type { CtcLoss } from './contract-ctc.ts'
import type { ImageKernels } from './contract-images.ts'
import type { LikelihoodKernels } from './contract-likelihood.ts'
import type { CompiledPlan, PlanStep, RunPlan, RunPlanAsync } from './contract-plan.ts'
import type { RnnBackward, RnnForward } from './contract-rnn.ts'
import type { Conv1dBackward, Conv1dForward, Pool, Pool1dBackward, Pool1dForward } from './windows.ts'

export type * from './contract-attention.ts'
export type * from './contract-plan.ts'

export type FloatArray = Float32Array | Float64Array

export interface Kernels extends AttentionKernels, BatchNormKernels, ImageKernels, LikelihoodKernels {
  readonly name: 'native' | 'reference'
  /** Of packed weights: what was packed under one name is read under the same name only. */
  readonly layout: string
  gemm(call: GemmCall): void
  /** The weight [O, I] in the layout that `linearForward` reads; undefined where the back end reads it as it is. */
  linearPack(call: { I: number; O: number; weight: FloatArray; packed?: FloatArray }): FloatArray | undefined
  linearForward(call: LinearForward): void
  linearBackward(call: LinearBackward): void
  embeddingForward(call: EmbeddingForward): void
  embeddingBackward(call: EmbeddingBackward): void
  layerNormForward(call: LayerNormForward): void
  layerNormBackward(call: LayerNormBackward): void
  softmaxForward(call: SoftmaxForward): void
  softmaxBackward(call: SoftmaxBackward): void
  softmaxCrossEntropy(call: SoftmaxCrossEntropy): { sum: number; weight: number }
  ctcLoss(call: CtcLoss): void
  conv1dForward(call: Conv1dForward): void
  conv1dBackward(call: Conv1dBackward): void
  pool1dForward(kind: Pool, call: Pool1dForward): void
  pool1dBackward(kind: Pool, call: Pool1dBackward): void
  unaryForward(kind: Unary, x: FloatArray, y: FloatArray, alpha?: number, beta?: number): void
  unaryBackward(kind: Unary, call: UnaryBackward): void
  binary(kind: Binary, a: FloatArray, b: FloatArray, y: FloatArray): void
  axpy(alpha: number, x: FloatArray, y: FloatArray): void
  multiplyAdd(a: FloatArray, b: FloatArray, y: FloatArray): void
  addRows(x: FloatArray, y: FloatArray): void
  sumRows(x: FloatArray, y: FloatArray): void
  reduce(kind: Reduction, x: FloatArray): number
  /** Σ x² over arrays: the sum of each in double, added in their order. */
  sumOfSquares(arrays: readonly FloatArray[]): number
  bernoulli(call: BernoulliCall): void
  sgdStep(call: SgdStep): void
  rmspropStep(call: RmspropStep): void
  adamStep(call: AdamStep): void
  lstmCacheLength(shape: LstmShape): number
  /** The matrices in the layout that `pass` reads; undefined where the back end reads them as they are. */
  lstmPack(pass: LstmPass, call: LstmPack): FloatArray | undefined
  lstmForward(directions: readonly LstmForward[]): void
  lstmBackward(directions: readonly LstmBackward[]): void
  rnnForward(call: RnnForward): void
  rnnBackward(call: RnnBackward): void
  compilePlan(steps: readonly PlanStep[]): CompiledPlan
  runPlan(call: RunPlan): void
  /** Returns a number for `cancelPlan`. @throws {TypeError} what `runPlan` would throw for arguments that do not fit */
  runPlanAsync(call: RunPlanAsync): number
  /** Whether the run had not begun, and now never will: its `done` is not called. */
  cancelPlan(run: number): boolean
  /** How many runs go on at the same time. */
  readonly executors: number
  /** `setTimeout` in microseconds, as exact as the back end can; it cannot be cleared. */
  afterMicroseconds(delay: number, callback: () => void): void
}

/** C = A·B (+ C if accumulate). A [M, K] or, transposed, [K, M]; B [K, N] or [N, K]; C [M, N]. */
export interface GemmCall {
  M: number
  N: number
  K: number
  A: FloatArray
  B: FloatArray
  C: FloatArray
  transposeA?: boolean
  transposeB?: boolean
  accumulate?: boolean
}

/** y = x·Wᵀ + b. x [N, I], weight [O, I], bias [O], y [N, O]. */
export interface LinearForward {
  N: number
  I: number
  O: number
  x: FloatArray
  weight: FloatArray
  /** What `linearPack` made of this very weight, under the layout in use; changes no bit. */
  packed?: FloatArray
  bias?: FloatArray
  y: FloatArray
}

/** dx += dy·W;  dweight += dyᵀ·x;  dbias += Σ dy over the rows. */
export interface LinearBackward {
  N: number
  I: number
  O: number
  x: FloatArray
  weight: FloatArray
  dy: FloatArray
  dx?: FloatArray
  dweight?: FloatArray
  dbias?: FloatArray
}

/** y[n] = weight[indices[n]]. indices [N] in [0, V), weight [V, E], y [N, E]. */
export interface EmbeddingForward {
  N: number
  E: number
  indices: Int32Array
  weight: FloatArray
  y: FloatArray
}

/** dweight[indices[n]] += dy[n], in the order of n. */
export interface EmbeddingBackward {
  N: number
  E: number
  indices: Int32Array
  dy: FloatArray
  dweight: FloatArray
}

/**
 * Layer normalisation (Ba, Kiros & Hinton 2016; agrees with torch.nn.LayerNorm):
 * y = (x - mean) / sqrt(var + eps) * gain + shift, var the biased variance of the row.
 * x, y [N, F]; gain, shift [F]; mean, rstd [N] are written for the backward pass.
 */
export interface LayerNormForward {
  N: number
  F: number
  x: FloatArray
  gain?: FloatArray
  shift?: FloatArray
  eps: number
  y: FloatArray
  mean: FloatArray
  rstd: FloatArray
}

export interface LayerNormBackward {
  N: number
  F: number
  x: FloatArray
  gain?: FloatArray
  mean: FloatArray
  rstd: FloatArray
  dy: FloatArray
  dx?: FloatArray
  dgain?: FloatArray
  dshift?: FloatArray
}

/** y = softmax(x) over each row of [N, C]; with `log`, y = log softmax(x). The row's maximum is subtracted first. */
export interface SoftmaxForward {
  N: number
  C: number
  log?: boolean
  x: FloatArray
  y: FloatArray
}

/** dx += y∘(dy - Σ dy∘y), or with `log` dx += dy - exp(y)·Σ dy. */
export interface SoftmaxBackward {
  N: number
  C: number
  log?: boolean
  y: FloatArray
  dy: FloatArray
  dx: FloatArray
}

/**
 * Fused softmax and cross-entropy over rows: returns sum = Σ -w[t]·log softmax(x)[t] and weight = Σ w[t] over the
 * rows whose target t is not `ignoreIndex`. With `dlogits` [N, C], writes (overwrites) the gradient of `sum`:
 * w[t]·(softmax(x) - onehot(t)), zero in ignored rows; the caller scales it. With `labelSmoothing` ε in [0, 1] a row's loss is
 * (1 - ε)·w[t]·-log p[t] + ε/C·Σ_c w[c]·-log p[c], and dlogits its gradient; the weight stays Σ w[t].
 * logits [N, C], targets [N] in [0, C) or ignoreIndex, classWeights [C] (default all 1).
 */
export interface SoftmaxCrossEntropy {
  N: number
  C: number
  logits: FloatArray
  targets: Int32Array
  classWeights?: FloatArray
  ignoreIndex: number
  /** Default 0. */
  labelSmoothing?: number
  dlogits?: FloatArray
}

/**
 * softplus is log(1 + exp(x)); gelu is the exact x·Φ(x); log and sqrt are IEEE. leakyRelu, elu and hardSigmoid take numbers, which the
 * others ignore: `operations/activations.ts` has the formulas.
 */
export type Unary =
  | 'exp'
  | 'log'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'gelu'
  | 'softplus'
  | 'square'
  | 'sqrt'
  | 'abs'
  | 'negate'
  | 'geluTanh'
  | 'relu6'
  | 'selu'
  | 'softsign'
  | 'silu'
  | 'hardSilu'
  | 'mish'
  | 'leakyRelu'
  | 'elu'
  | 'hardSigmoid'

/** dx += dy∘f'(x), from x and y = f(x). */
export interface UnaryBackward {
  alpha?: number
  beta?: number
  x: FloatArray
  y: FloatArray
  dy: FloatArray
  dx: FloatArray
}

/** Elementwise on equal lengths. */
export type Binary = 'add' | 'subtract' | 'multiply' | 'divide' | 'maximum' | 'minimum'

export type Reduction = 'sum' | 'maxAbs'

/**
 * out[i] = value where u(seed, i) < probability, else 0; u is uniform in [0, 1), from a counter-based hash, so that
 * both back ends and any thread count give the same bits. See `hash` in `random.ts` for the definition.
 */
export interface BernoulliCall {
  out: FloatArray
  seed: number
  probability: number
  value: number
}

/** torch.optim.SGD: g = dw + decay·w; v = momentum·v + g; w -= rate·(nesterov ? g + momentum·v : v). */
export interface SgdStep {
  weight: FloatArray
  gradient: FloatArray
  /** [n], zeros before the first step; absent means no momentum. */
  velocity?: FloatArray
  learningRate: number
  momentum: number
  nesterov: boolean
  weightDecay: number
  /** The gradient is multiplied by this first: clipping and accumulation cost no pass of their own. */
  gradientScale: number
}

/** torch.optim.RMSprop: s = alpha·s + (1 - alpha)·g²; w -= rate·g / (sqrt(s) + eps), through momentum if given. */
export interface RmspropStep {
  weight: FloatArray
  gradient: FloatArray
  squareAverage: FloatArray
  velocity?: FloatArray
  learningRate: number
  alpha: number
  eps: number
  momentum: number
  weightDecay: number
  gradientScale: number
}

/**
 * torch.optim.Adam and AdamW: m = β1·m + (1 - β1)·g; v = β2·v + (1 - β2)·g²;
 * w -= rate/(1 - β1ᵗ) · m / (sqrt(v / (1 - β2ᵗ)) + eps). Decoupled decay (AdamW) multiplies w by 1 - rate·decay first;
 * otherwise decay·w is added to g.
 */
export interface AdamStep {
  weight: FloatArray
  gradient: FloatArray
  moment1: FloatArray
  moment2: FloatArray
  step: number
  learningRate: number
  beta1: number
  beta2: number
  eps: number
  weightDecay: number
  decoupled: boolean
  gradientScale: number
}

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
