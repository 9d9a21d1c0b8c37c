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
import type { LstmBackward, LstmForward, LstmPack, LstmPass, LstmShape } from './contract-lstm.ts'
import type { AdamStep, RmspropStep, SgdStep } from './contract-optimizers.ts'
import type { CompiledPlan, PlanStep, RunPlan, RunPlanAsync } from './contract-plan.ts'
import type { RnnBackward, RnnForward } from './contract-rnn.ts'
import type { Conv1dBackward, Conv1dForward, Pool, Pool1dBackward, Pool1dForward } from './windows.ts'

export type * from './contract-attention.ts'
export type * from './contract-lstm.ts'
export type * from './contract-optimizers.ts'
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
