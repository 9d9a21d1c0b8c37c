// Products and rows: what the arguments mean is said in lib/kernels/contract.ts.
#include "call.h"

namespace lstm_native {
namespace {

// One product, or `batch` of them, whose matrices stand one behind the other.
void read_product(const Arguments& a, std::size_t batch, GemmArgs* args) {
  args->M = a.integer("M");
  args->N = a.integer("N");
  args->K = a.integer("K");
  args->transpose_a = a.flag("transposeA");
  args->transpose_b = a.flag("transposeB");
  args->accumulate = a.flag("accumulate");
  args->A = a.floats("A", batch * area(args->M, args->K));
  args->B = a.floats("B", batch * area(args->K, args->N));
  args->C = a.floats("C", batch * area(args->M, args->N));
  args->lda = args->transpose_a ? args->M : args->K;
  args->ldb = args->transpose_b ? args->K : args->N;
  args->ldc = args->N;
}

void gemm(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "gemm");
  GemmArgs args = {};
  read_product(a, 1, &args);
  const Call call(info);
  call.kernels.gemm(call.context, args);
}

void batched_gemm(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "batchedGemm");
  BatchedGemmArgs args = {};
  args.batch = a.integer("batch");
  read_product(a, args.batch, &args);
  const Call call(info);
  call.kernels.batched_gemm(call.context, args);
}

LinearArgs linear_arguments(const Arguments& a) {
  LinearArgs args = {};
  args.N = a.integer("N");
  args.I = a.integer("I");
  args.O = a.integer("O");
  args.x = a.floats("x", area(args.N, args.I));
  args.weight = a.floats("weight", area(args.O, args.I));
  return args;
}

void linear_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "linearForward");
  LinearArgs args = linear_arguments(a);
  args.bias = a.optional_floats("bias", args.O);
  args.y = a.floats("y", area(args.N, args.O));
  const Call call(info);
  args.packed = a.optional_floats("packed", call.kernels.linear_packed_length(args.I, args.O));
  call.kernels.linear_forward(call.context, args);
}

void linear_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "linearBackward");
  LinearArgs args = linear_arguments(a);
  args.dy = a.floats("dy", area(args.N, args.O));
  args.dx = a.optional_floats("dx", area(args.N, args.I));
  args.dweight = a.optional_floats("dweight", area(args.O, args.I));
  args.dbias = a.optional_floats("dbias", args.O);
  const Call call(info);
  call.kernels.linear_backward(call.context, args);
}

// The indices are within [0, V), V the rows that the weight has room for.
EmbeddingArgs embedding_arguments(const Napi::CallbackInfo& info, const Arguments& a, const char* weight) {
  EmbeddingArgs args = {};
  args.N = a.integer("N");
  args.E = a.integer("E");
  args.indices = a.integers("indices", args.N);
  std::int32_t largest = -1;
  for (int n = 0; n < args.N; n++) {
    if (args.indices[n] < 0)
      throw Napi::RangeError::New(info.Env(), "embedding: expected indices of at least 0");
    if (args.indices[n] > largest) largest = args.indices[n];
  }
  a.floats(weight, area(largest + 1, args.E));
  return args;
}

void embedding_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "embeddingForward");
  EmbeddingArgs args = embedding_arguments(info, a, "weight");
  args.weight = a.floats("weight", 0);
  args.y = a.floats("y", area(args.N, args.E));
  const Call call(info);
  call.kernels.embedding_forward(call.context, args);
}

void embedding_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "embeddingBackward");
  EmbeddingArgs args = embedding_arguments(info, a, "dweight");
  args.dweight = a.floats("dweight", 0);
  args.dy = a.floats("dy", area(args.N, args.E));
  const Call call(info);
  call.kernels.embedding_backward(call.context, args);
}

LayerNormArgs layer_norm_arguments(const Arguments& a) {
  LayerNormArgs args = {};
  args.N = a.integer("N");
  args.F = a.integer("F");
  args.x = a.floats("x", area(args.N, args.F));
  args.gain = a.optional_floats("gain", args.F);
  args.mean = a.floats("mean", args.N);
  args.rstd = a.floats("rstd", args.N);
  return args;
}

void layer_norm_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "layerNormForward");
  LayerNormArgs args = layer_norm_arguments(a);
  args.shift = a.optional_floats("shift", args.F);
  args.eps = a.real("eps");
  args.y = a.floats("y", area(args.N, args.F));
  const Call call(info);
  call.kernels.layer_norm_forward(call.context, args);
}

void layer_norm_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "layerNormBackward");
  LayerNormArgs args = layer_norm_arguments(a);
  args.dy = a.floats("dy", area(args.N, args.F));
  args.dx = a.optional_floats("dx", area(args.N, args.F));
  args.dgain = a.optional_floats("dgain", args.F);
  args.dshift = a.optional_floats("dshift", args.F);
  const Call call(info);
  call.kernels.layer_norm_backward(call.context, args);
}

void softmax_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "softmaxForward");
  SoftmaxArgs args = {};
  args.N = a.integer("N");
  args.C = a.integer("C");
  args.log = a.flag("log");
  args.x = a.floats("x", area(args.N, args.C));
  args.y = a.floats("y", area(args.N, args.C));
  const Call call(info);
  call.kernels.softmax_forward(call.context, args);
}

void softmax_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "softmaxBackward");
  SoftmaxArgs args = {};
  args.N = a.integer("N");
  args.C = a.integer("C");
  args.log = a.flag("log");
  args.y = a.floats("y", area(args.N, args.C));
  args.dy = a.floats("dy", area(args.N, args.C));
  args.dx = a.floats("dx", area(args.N, args.C));
  const Call call(info);
  call.kernels.softmax_backward(call.context, args);
}

Napi::Value softmax_cross_entropy(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "softmaxCrossEntropy");
  CrossEntropyArgs args = {};
  args.N = a.integer("N");
  args.C = a.integer("C");
  args.logits = a.floats("logits", area(args.N, args.C));
  args.targets = a.integers("targets", args.N);
  args.class_weights = a.optional_floats("classWeights", args.C);
  args.ignore_index = static_cast<std::int32_t>(a.number("ignoreIndex"));
  args.label_smoothing = a.has("labelSmoothing") ? a.number("labelSmoothing") : 0;
  args.dlogits = a.optional_floats("dlogits", area(args.N, args.C));
  for (int n = 0; n < args.N; n++) {
    const std::int32_t target = args.targets[n];
    if (target != args.ignore_index && (target < 0 || target >= args.C)) {
      throw Napi::RangeError::New(info.Env(), "softmaxCrossEntropy: expected targets[" + std::to_string(n) +
                                                  "] in [0, " + std::to_string(args.C) + "), got " +
                                                  std::to_string(target));
    }
  }
  const Call call(info);
  call.kernels.softmax_cross_entropy(call.context, args);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("sum", args.sum);
  result.Set("weight", args.weight);
  return result;
}

}  // namespace

void export_dense(Napi::Env env, Napi::Object exports) {
  export_function<gemm>(env, exports, "gemm");
  export_function<batched_gemm>(env, exports, "batchedGemm");
  export_function<linear_forward>(env, exports, "linearForward");
  export_function<linear_backward>(env, exports, "linearBackward");
  export_function<embedding_forward>(env, exports, "embeddingForward");
  export_function<embedding_backward>(env, exports, "embeddingBackward");
  export_function<layer_norm_forward>(env, exports, "layerNormForward");
  export_function<layer_norm_backward>(env, exports, "layerNormBackward");
  export_function<softmax_forward>(env, exports, "softmaxForward");
  export_function<softmax_backward>(env, exports, "softmaxBackward");
  export_function<softmax_cross_entropy>(env, exports, "softmaxCrossEntropy");
}

}  // namespace lstm_native
