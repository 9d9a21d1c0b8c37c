/** The public door: exports only. Everything else is internal and may change. */

export { type EditDistance, editDistance } from './edit-distance.ts'
export {
  BackendError,
  ClosedError,
  DataError,
  FileFormatError,
  NonFiniteLossError,
  NonFiniteOutputError,
  PredictionError,
  QueueFullError,
  TimeoutError,
} from './errors.ts'
export {
  type Explanation,
  gradientTimesInput,
  type IntegratedGradients,
  type IntegratedGradientsOptions,
  integratedGradients,
} from './explanation/gradients.ts'
export { type Occlusion, type OcclusionOptions, occlusion } from './explanation/occlusion.ts'
export type { ExplanationTarget } from './explanation/score.ts'
export type { BaselineOptions, ExplanationOptions } from './explanation/subject.ts'
export { load, readMetadata, save } from './formats/checkpoint.ts'
export {
  Batcher,
  type BatcherOptions,
  type BatcherStatistics,
} from './inference/batcher.ts'
export {
  type CtcBeamSearchOptions,
  type CtcHypothesis,
  ctcBeamSearch,
} from './inference/ctc-beam-search.ts'
export { type CtcDecodeOptions, ctcGreedyDecode } from './inference/ctc-decoding.ts'
export { type GenerateOptions, type Generation, generate } from './inference/generate.ts'
export type { SamplingOptions } from './inference/generation/sampling.ts'
export type { GeneratedSequence, Stopped } from './inference/generation/search.ts'
export type { Stop } from './inference/generation/stopping.ts'
export type { TokenModelOptions } from './inference/generation/token-model.ts'
export type { SequenceInput, WholeSequence } from './inference/input.ts'
export {
  attach,
  compile,
  type Plan,
  type PredictOptions,
  type PredictSyncOptions,
  type SharedPlan,
} from './inference/plan.ts'
export type { RequestOptions, StatefulOptions } from './inference/request-options.ts'
export type { BatchInfo, Totals } from './inference/scheduler-options.ts'
export type { Stream, StreamOptions } from './inference/stream.ts'
export {
  type BackendName,
  type BackendReport,
  backend,
  setThreads,
  type Target,
  useBackend,
} from './kernels/index.ts'
export type { Padding } from './kernels/windows.ts'
export { Activation, type ActivationKind, type ActivationNumbers, activation } from './layers/activation.ts'
export {
  Attention,
  type AttentionLayerOptions,
  type AttentionScore,
  type Memory,
} from './layers/attention.ts'
export { BatchNorm, type BatchNormOptions } from './layers/batch-norm.ts'
export { Conv1d, type Conv1dLayerOptions } from './layers/convolution.ts'
export { Conv2d, type Conv2dLayerOptions } from './layers/convolution2d.ts'
export { Dropout, type DropoutOptions } from './layers/dropout.ts'
export { Embedding, type EmbeddingOptions } from './layers/embedding.ts'
export { EncoderDecoder, type EncoderDecoderOptions } from './layers/encoder-decoder.ts'
export { LastStep, lastStep } from './layers/last-step.ts'
export {
  buffersOf,
  type ForwardOptions,
  Layer,
  type LayerConfig,
  type Model,
  type Output,
  parametersOf,
  type State,
  setTraining,
} from './layers/layer.ts'
export { Linear, type LinearOptions } from './layers/linear.ts'
export { LSTM, type LSTMForwardOptions, type LSTMOptions } from './layers/lstm.ts'
export { LSTMCell } from './layers/lstm-cell.ts'
export type { LSTMCellOptions } from './layers/lstm-parameters.ts'
export { MultiHeadAttention, type MultiHeadAttentionOptions } from './layers/multi-head-attention.ts'
export { LayerNorm, type LayerNormOptions } from './layers/normalization.ts'
export {
  AveragePool1d,
  type AveragePool1dOptions,
  GlobalAveragePool1d,
  GlobalMaxPool1d,
  MaxPool1d,
} from './layers/pooling.ts'
export {
  AveragePool2d,
  type AveragePool2dOptions,
  GlobalAveragePool2d,
  GlobalMaxPool2d,
  MaxPool2d,
} from './layers/pooling2d.ts'
export { RNN, type RNNForwardOptions, type RNNOptions, type RNNState } from './layers/rnn.ts'
export { Sequential } from './layers/sequential.ts'
export { detachState, type LSTMState } from './layers/state.ts'
export {
  Flatten,
  Masking,
  type MaskingOptions,
  Reverse,
  type ReverseOptions,
  TimeDistributed,
} from './layers/steps.ts'
export {
  elu,
  geluTanh,
  hardSigmoid,
  hardSilu,
  leakyRelu,
  mish,
  relu6,
  selu,
  silu,
  softsign,
} from './operations/activations.ts'
export { type AttentionOptions, attention, causalMask } from './operations/attention.ts'
export { type BatchNormInputs, batchNorm } from './operations/batch-norm.ts'
export { type CtcLossOptions, ctcLoss } from './operations/ctc.ts'
export type { Distribution, DistributionHead } from './operations/distributions/distribution.ts'
export { gaussian } from './operations/distributions/gaussian.ts'
export {
  type CountHead,
  negativeBinomial,
  negativeBinomialNegativeLogLikelihood,
} from './operations/distributions/negative-binomial.ts'
export { studentT, studentTNegativeLogLikelihood } from './operations/distributions/student-t.ts'
export { dropout, dropSymbols } from './operations/dropout.ts'
export { embedding } from './operations/embedding.ts'
export {
  averagePool2d,
  type Conv2dOptions,
  conv2d,
  type Each,
  globalAveragePool2d,
  globalMaxPool2d,
  maxPool2d,
  type Pool2dOptions,
} from './operations/images.ts'
export { linear, matmul } from './operations/linear.ts'
export {
  binaryCrossEntropy,
  crossEntropy,
  gaussianNegativeLogLikelihood,
  huber,
  type Loss,
  type LossContext,
  type LossOptions,
  maskOf,
  meanAbsoluteError,
  meanSquaredError,
  quantileLoss,
} from './operations/losses.ts'
export { type LstmCall, type LstmWeights, lstm } from './operations/lstm.ts'
export {
  type LstmActivationOption,
  type LstmVariantOptions,
  lstmVariant,
} from './operations/lstm-variant.ts'
export { layerNorm, logSoftmax, softmax } from './operations/normalization.ts'
export {
  abs,
  add,
  divide,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  multiply,
  negate,
  type Operand,
  relu,
  sigmoid,
  softplus,
  sqrt,
  square,
  subtract,
  tanh,
} from './operations/pointwise.ts'
export { mean, sum } from './operations/reductions.ts'
export { type RnnCall, type RnnWeights, rnn } from './operations/rnn.ts'
export {
  broadcastTo,
  concat,
  lastValidStep,
  reshape,
  select,
  slice,
  stack,
  transpose,
} from './operations/shape.ts'
export { maskSteps, reverseSteps } from './operations/steps.ts'
export {
  averagePool1d,
  type Conv1dOptions,
  conv1d,
  globalAveragePool1d,
  globalMaxPool1d,
  maxPool1d,
  type Pool1dOptions,
} from './operations/windows.ts'
export { Random, type RandomState, seedAll } from './random.ts'
export { noGrad, recycle } from './tape.ts'
export {
  type DataType,
  ModelBuffer,
  type Nested,
  Parameter,
  Tensor,
  type TensorArray,
  tensor,
  zeros,
} from './tensor.ts'

export { type BatchSource, batches, type Data, type EpochStart } from './training/batching.ts'
export { type Bleu, corpusBleu } from './training/bleu.ts'
export { type ClassOptions, f1, precision, recall } from './training/classification.ts'
export { clipByNorm, clipByValue, gradientNorm } from './training/clipping.ts'
export {
  type Batch,
  type DataSet,
  type DataSetOptions,
  type DataSetSource,
  dataSet,
  type Sequence,
} from './training/dataset.ts'
export type { EarlyStoppingOptions } from './training/early-stopping.ts'
export type { BatchProgress, Epoch } from './training/epoch.ts'
export {
  characterErrorRate,
  type ErrorRate,
  labelErrorRate,
  wordErrorRate,
} from './training/error-rates.ts'
export { type EvaluateOptions, type Evaluation, evaluate } from './training/evaluate.ts'
export { fit } from './training/fit.ts'
export { type Fold, type FoldOptions, kFold, subset } from './training/folds.ts'
export {
  accuracy,
  binaryAccuracy,
  type Contribution,
  type Metric,
  type MetricFunction,
  type MetricOptions,
  mae,
  metric,
  mse,
  perplexity,
  rmse,
  within,
} from './training/metrics.ts'
export {
  type AdamOptions,
  adam,
  adamW,
  type Optimizer,
  type OptimizerFactory,
  rmsprop,
  sgd,
} from './training/optimizers.ts'
export type { FitOptions } from './training/options.ts'
export { type ParallelTextSource, parallelText } from './training/parallel-text.ts'
export {
  cosine,
  type Position,
  plateau,
  type Schedule,
  stepDecay,
  type Unit,
  warmUp,
} from './training/schedules.ts'
export type { ConfigurationOf, Range, SearchSpace } from './training/tuning/space.ts'
export {
  type Trial,
  type TrialBudget,
  type TuneOptions,
  type TuneResult,
  tune,
} from './training/tuning/tune.ts'
export { type WindowOptions, type Windows, windows } from './training/windows.ts'
