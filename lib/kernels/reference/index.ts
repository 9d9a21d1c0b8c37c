/**
 * The reference kernels: the contract in plain loops, over Float32Array or Float64Array. They are the specification
 * the native kernels are tested against, the only back end for float64, and what runs where no addon loads. Sums and
 * intermediate results are doubles: float32 rounds only what is stored. Not tuned.
 */
import type { Kernels } from '../contract.ts'
import { attentionBackward, attentionForward, batchedGemm } from './attention.ts'
import { batchNormBackward, batchNormForward, batchNormStatistics } from './batch-norm.ts'
import { conv1dBackward, conv1dForward, conv2dBackward, conv2dForward } from './convolution.ts'
import { ctcLoss } from './ctc.ts'
import { embeddingBackward, embeddingForward } from './embedding.ts'
import { gemm } from './gemm.ts'
import { likelihood } from './likelihood.ts'
import { linearBackward, linearForward } from './linear.ts'
import { lstmBackward } from './lstm-backward.ts'
import { lstmCacheLength } from './lstm-common.ts'
import { lstmForward } from './lstm-forward.ts'
import { layerNormBackward, layerNormForward } from './normalization.ts'
import { adamStep, rmspropStep, sgdStep } from './optimizers.ts'
import { compilePlan } from './plan.ts'
import { afterMicroseconds, cancelPlan, runPlanAsync } from './plan-async.ts'
import { runPlan } from './plan-run.ts'
import {
  addRows,
  axpy,
  binary,
  multiplyAdd,
  reduce,
  sumOfSquares,
  sumRows,
  unaryBackward,
  unaryForward,
} from './pointwise.ts'
import { pool1dBackward, pool1dForward } from './pooling.ts'
import { bernoulli } from './random.ts'
import { rnnBackward, rnnForward } from './rnn.ts'
import { softmaxBackward, softmaxCrossEntropy, softmaxForward } from './softmax.ts'

export const referenceKernels: Kernels = {
  name: 'reference',
  layout: 'none',
  gemm,
  batchedGemm,
  attentionForward,
  attentionBackward,
  linearPack: () => undefined,
  linearForward,
  linearBackward,
  embeddingForward,
  embeddingBackward,
  layerNormForward,
  layerNormBackward,
  batchNormStatistics,
  batchNormForward,
  batchNormBackward,
  softmaxForward,
  softmaxBackward,
  softmaxCrossEntropy,
  ctcLoss,
  likelihood,
  conv1dForward,
  conv1dBackward,
  conv2dForward,
  conv2dBackward,
  pool1dForward,
  pool1dBackward,
  unaryForward,
  unaryBackward,
  binary,
  axpy,
  multiplyAdd,
  addRows,
  sumRows,
  reduce,
  sumOfSquares,
  bernoulli,
  sgdStep,
  rmspropStep,
  adamStep,
  lstmCacheLength,
  lstmPack: () => undefined,
  lstmForward,
  lstmBackward,
  rnnForward,
  rnnBackward,
  compilePlan,
  runPlan,
  runPlanAsync,
  cancelPlan,
  executors: 1,
  afterMicroseconds,
}
