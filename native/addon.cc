// The boundary to JavaScript: every function reads its arguments, checks them, and makes one call. What the arguments mean
// is said in lib/kernels/contract.ts. State belongs to an environment (a JavaScript thread), never to the process.
#include <napi.h>

#include <vector>

#include "arena.h"
#include "arguments.h"
#include "dispatch.h"
#include "gemm/openblas.h"
#include "kernels.h"
#include "thread_pool.h"

namespace lstm_native {
namespace {

struct Environment {
  Arena arena;
  const Kernels* kernels = available_kernels().front();
  int threads = default_threads();
};

// One native call: the environment's scratch memory, given back when it ends, and denormals flushed.
class Call {
 public:
  explicit Call(const Napi::CallbackInfo& info)
      : environment(*info.Env().GetInstanceData<Environment>()),
        kernels(*environment.kernels),
        context{&environment.arena, &ThreadPool::instance(), environment.threads},
        scope_(environment.arena) {}

  Environment& environment;
  const Kernels& kernels;
  const Context context;

 private:
  ArenaScope scope_;
  FlushDenormals flush_;
};

Arguments object_argument(const Napi::CallbackInfo& info, const char* place, std::size_t index = 0) {
  if (info.Length() <= index || !info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an object");
  }
  return Arguments(place, info[index].As<Napi::Object>());
}

std::size_t area(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

template <typename Kind, std::size_t N>
Kind kind_argument(const Napi::CallbackInfo& info, const char* place, const char* const (&names)[N]) {
  const std::string given = info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  for (std::size_t i = 0; i < N; i++) {
    if (given == names[i]) return static_cast<Kind>(i);
  }
  throw Napi::TypeError::New(info.Env(), std::string(place) + ": no function is called \"" + given + "\"");
}

// In the order of the enums of kernels.h.
const char* const kUnaryNames[] = {"exp",      "log",    "sigmoid", "tanh", "relu",  "gelu",
                                   "softplus", "square", "sqrt",    "abs",  "negate"};
const char* const kBinaryNames[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum"};
const char* const kReductionNames[] = {"sum", "sumOfSquares", "maxAbs"};

// The positional Float32Array arguments of the elementwise functions, all of one length.
std::vector<float*> array_arguments(const Napi::CallbackInfo& info, const char* place, std::size_t first,
                                    std::size_t count, std::size_t* length) {
  std::vector<float*> arrays;
  for (std::size_t i = first; i < first + count; i++) {
    if (info.Length() <= i || !info[i].IsTypedArray() ||
        info[i].As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
      throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected a Float32Array");
    }
    const Napi::Float32Array array = info[i].As<Napi::Float32Array>();
    if (i > first && array.ElementLength() != *length) {
      throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected arrays of one length, got " +
                                                 std::to_string(*length) + " and " +
                                                 std::to_string(array.ElementLength()));
    }
    *length = array.ElementLength();
    arrays.push_back(const_cast<float*>(array.Data()));
  }
  return arrays;
}

void gemm(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "gemm");
  GemmArgs args = {};
  args.M = a.integer("M");
  args.N = a.integer("N");
  args.K = a.integer("K");
  args.transpose_a = a.flag("transposeA");
  args.transpose_b = a.flag("transposeB");
  args.accumulate = a.flag("accumulate");
  args.A = a.floats("A", area(args.M, args.K));
  args.B = a.floats("B", area(args.K, args.N));
  args.C = a.floats("C", area(args.M, args.N));
  args.lda = args.transpose_a ? args.M : args.K;
  args.ldb = args.transpose_b ? args.K : args.N;
  args.ldc = args.N;
  const Call call(info);
  call.kernels.gemm(call.context, args);
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
    if (args.indices[n] < 0) throw Napi::RangeError::New(info.Env(), "embedding: expected indices of at least 0");
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
  args.eps = static_cast<float>(a.number("eps"));
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
  args.dlogits = a.optional_floats("dlogits", area(args.N, args.C));
  for (int n = 0; n < args.N; n++) {
    const std::int32_t target = args.targets[n];
    if (target != args.ignore_index && (target < 0 || target >= args.C)) {
      throw Napi::RangeError::New(info.Env(), "softmaxCrossEntropy: expected targets[" + std::to_string(n) + "] in [0, " +
                                                  std::to_string(args.C) + "), got " + std::to_string(target));
    }
  }
  const Call call(info);
  call.kernels.softmax_cross_entropy(call.context, args);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("sum", args.sum);
  result.Set("weight", args.weight);
  return result;
}

void unary_forward(const Napi::CallbackInfo& info) {
  const Unary kind = kind_argument<Unary>(info, "unaryForward", kUnaryNames);
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "unaryForward", 1, 2, &n);
  const Call call(info);
  call.kernels.unary_forward(call.context, kind, n, arrays[0], arrays[1]);
}

void unary_backward(const Napi::CallbackInfo& info) {
  const Unary kind = kind_argument<Unary>(info, "unaryBackward", kUnaryNames);
  const Arguments a = object_argument(info, "unaryBackward", 1);
  UnaryBackwardArgs args = {};
  a.floats("dx", 0);
  args.n = info[1].As<Napi::Object>().Get("dx").As<Napi::TypedArray>().ElementLength();
  args.x = a.floats("x", args.n);
  args.y = a.floats("y", args.n);
  args.dy = a.floats("dy", args.n);
  args.dx = a.floats("dx", args.n);
  const Call call(info);
  call.kernels.unary_backward(call.context, kind, args);
}

void binary(const Napi::CallbackInfo& info) {
  const Binary kind = kind_argument<Binary>(info, "binary", kBinaryNames);
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "binary", 1, 3, &n);
  const Call call(info);
  call.kernels.binary(call.context, kind, n, arrays[0], arrays[1], arrays[2]);
}

void axpy(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "axpy: expected a number");
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "axpy", 1, 2, &n);
  const Call call(info);
  call.kernels.axpy(call.context, n, info[0].As<Napi::Number>().FloatValue(), arrays[0], arrays[1]);
}

void multiply_add(const Napi::CallbackInfo& info) {
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "multiplyAdd", 0, 3, &n);
  const Call call(info);
  call.kernels.multiply_add(call.context, n, arrays[0], arrays[1], arrays[2]);
}

// A matrix [N, F] and a row [F], in either order; N follows from the lengths.
void rows_and_row(const Napi::CallbackInfo& info, const char* place, int row_index,
                  void (*kernel)(const Context&, int, int, const float*, float*)) {
  std::size_t x_length = 0, y_length = 0;
  const float* x = array_arguments(info, place, 0, 1, &x_length)[0];
  float* y = array_arguments(info, place, 1, 1, &y_length)[0];
  const std::size_t F = row_index == 0 ? x_length : y_length, whole = row_index == 0 ? y_length : x_length;
  if (F == 0 || whole % F != 0) {
    throw Napi::RangeError::New(info.Env(), std::string(place) + ": expected whole rows of " + std::to_string(F) +
                                                " elements, got " + std::to_string(whole));
  }
  const Call call(info);
  kernel(call.context, static_cast<int>(whole / F), static_cast<int>(F), x, y);
}

const Kernels& kernels_of(const Napi::CallbackInfo& info) {
  return *info.Env().GetInstanceData<Environment>()->kernels;
}

void add_rows(const Napi::CallbackInfo& info) { rows_and_row(info, "addRows", 0, kernels_of(info).add_rows); }
void sum_rows(const Napi::CallbackInfo& info) { rows_and_row(info, "sumRows", 1, kernels_of(info).sum_rows); }

Napi::Value reduce(const Napi::CallbackInfo& info) {
  const Reduction kind = kind_argument<Reduction>(info, "reduce", kReductionNames);
  std::size_t n = 0;
  const float* x = array_arguments(info, "reduce", 1, 1, &n)[0];
  const Call call(info);
  return Napi::Number::New(info.Env(), call.kernels.reduce(call.context, kind, n, x));
}

void bernoulli(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "bernoulli");
  float* out = a.floats("out", 0);
  const std::size_t n = info[0].As<Napi::Object>().Get("out").As<Napi::TypedArray>().ElementLength();
  const auto seed = static_cast<std::uint32_t>(static_cast<std::int64_t>(a.number("seed")));
  const Call call(info);
  call.kernels.bernoulli(call.context, n, out, seed, a.number("probability"), static_cast<float>(a.number("value")));
}

// The weight decides the length of an optimizer's step.
std::size_t weight_length(const Napi::CallbackInfo& info, const Arguments& a) {
  a.floats("weight", 0);
  return info[0].As<Napi::Object>().Get("weight").As<Napi::TypedArray>().ElementLength();
}

float real(const Arguments& a, const char* name) { return static_cast<float>(a.number(name)); }

void sgd_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "sgdStep");
  SgdArgs args = {};
  args.n = weight_length(info, a);
  args.weight = a.floats("weight", args.n);
  args.gradient = a.floats("gradient", args.n);
  args.velocity = a.optional_floats("velocity", args.n);
  args.learning_rate = a.number("learningRate");
  args.momentum = a.number("momentum");
  args.weight_decay = a.number("weightDecay");
  args.gradient_scale = a.number("gradientScale");
  args.nesterov = a.flag("nesterov");
  const Call call(info);
  call.kernels.sgd_step(call.context, args);
}

void rmsprop_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "rmspropStep");
  RmspropArgs args = {};
  args.n = weight_length(info, a);
  args.weight = a.floats("weight", args.n);
  args.gradient = a.floats("gradient", args.n);
  args.square_average = a.floats("squareAverage", args.n);
  args.velocity = a.optional_floats("velocity", args.n);
  args.learning_rate = a.number("learningRate");
  args.alpha = a.number("alpha");
  args.eps = a.number("eps");
  args.momentum = a.number("momentum");
  args.weight_decay = a.number("weightDecay");
  args.gradient_scale = a.number("gradientScale");
  const Call call(info);
  call.kernels.rmsprop_step(call.context, args);
}

void adam_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "adamStep");
  AdamArgs args = {};
  args.n = weight_length(info, a);
  args.weight = a.floats("weight", args.n);
  args.gradient = a.floats("gradient", args.n);
  args.moment1 = a.floats("moment1", args.n);
  args.moment2 = a.floats("moment2", args.n);
  args.step = a.integer("step");
  args.learning_rate = a.number("learningRate");
  args.beta1 = a.number("beta1");
  args.beta2 = a.number("beta2");
  args.eps = a.number("eps");
  args.weight_decay = a.number("weightDecay");
  args.decoupled = a.flag("decoupled");
  args.gradient_scale = a.number("gradientScale");
  const Call call(info);
  call.kernels.adam_step(call.context, args);
}

LstmShape lstm_shape(const Arguments& a) {
  LstmShape shape = {};
  shape.B = a.integer("B");
  shape.T = a.integer("T");
  shape.I = a.integer("I");
  shape.H = a.integer("H");
  shape.P = a.integer("P");
  shape.layer_norm = a.flag("layerNorm");
  if (shape.H == 0) a.fail("H", "a positive integer", "0");
  return shape;
}

// Parameters, or their gradients, of which all may be absent.
template <typename Float>
LstmWeights<Float> lstm_weights(const Arguments& a, const LstmShape& shape, bool gradients) {
  const std::size_t G = 4 * static_cast<std::size_t>(shape.H), H = shape.H, R = shape.R();
  LstmWeights<Float> weights = {};
  weights.weight_ih = a.optional_floats("weightIh", G * shape.I);
  weights.weight_hh = a.optional_floats("weightHh", G * R);
  weights.bias_ih = a.optional_floats("biasIh", G);
  weights.bias_hh = a.optional_floats("biasHh", G);
  weights.weight_hr = a.optional_floats("weightHr", R * H);
  weights.peephole = a.optional_floats("peephole", 3 * H);
  weights.norm_ih = a.optional_floats("normIh", G);
  weights.norm_hh = a.optional_floats("normHh", G);
  weights.norm_cell = a.optional_floats("normCell", 2 * H);
  if (gradients) return weights;
  if (!weights.weight_ih) a.fail("weightIh", "a Float32Array", "nothing");
  if (!weights.weight_hh) a.fail("weightHh", "a Float32Array", "nothing");
  if (shape.P > 0 && !weights.weight_hr) a.fail("weightHr", "a Float32Array where P > 0", "nothing");
  if (shape.layer_norm && !(weights.norm_ih && weights.norm_hh && weights.norm_cell)) {
    a.fail("normIh, normHh and normCell", "Float32Arrays where layerNorm is set", "nothing");
  }
  return weights;
}

// Elements that strided [B, T, width] access reaches.
std::size_t strided_length(int B, int T, int width, std::ptrdiff_t batch_stride, std::ptrdiff_t time_stride) {
  if (B == 0 || T == 0) return 0;
  return static_cast<std::size_t>((B - 1) * batch_stride + (T - 1) * time_stride + width);
}

Zoneout lstm_zoneout(const Arguments& a, const char* name, std::size_t length) {
  if (a.is_number(name)) return {nullptr, static_cast<float>(a.number(name))};
  return {a.optional_floats(name, length), 0};
}

// What forward and backward calls have in common.
LstmArgs lstm_arguments(const Arguments& a) {
  LstmArgs args = {};
  static_cast<LstmShape&>(args) = lstm_shape(a);
  const int B = args.B, T = args.T, R = args.R();
  args.reverse = a.flag("reverse");
  args.lengths = a.optional_integers("lengths", B);
  for (int b = 0; args.lengths && b < B; b++) {
    if (args.lengths[b] < 0 || args.lengths[b] > T) {
      a.fail("lengths", "integers from 0 to " + std::to_string(T), std::to_string(args.lengths[b]));
    }
  }
  args.weights = lstm_weights<const float>(a.object("parameters"), args, false);
  args.x_batch_stride = a.integer("xBatchStride");
  args.x_time_stride = a.integer("xTimeStride");
  args.x = a.floats("x", strided_length(B, T, args.I, args.x_batch_stride, args.x_time_stride));
  args.h0 = a.optional_floats("h0", area(B, R));
  args.c0 = a.optional_floats("c0", area(B, args.H));
  args.recurrent_mask = a.optional_floats("recurrentMask", area(B, R));
  args.zoneout_cell = lstm_zoneout(a, "zoneoutCell", area(B, T) * args.H);
  args.zoneout_hidden = lstm_zoneout(a, "zoneoutHidden", area(B, T) * R);
  args.eps = real(a, "eps");
  args.y_batch_stride = a.integer("yBatchStride");
  args.y_time_stride = a.integer("yTimeStride");
  args.y = a.floats("y", strided_length(B, T, R, args.y_batch_stride, args.y_time_stride));
  return args;
}

Napi::Value lstm_cache_length(const Napi::CallbackInfo& info) {
  const LstmShape shape = lstm_shape(object_argument(info, "lstmCacheLength"));
  return Napi::Number::New(info.Env(), static_cast<double>(kernels_of(info).lstm_cache_length(shape)));
}

using Direction = LstmArgs (*)(const Arguments&, const Kernels&);

std::vector<LstmArgs> lstm_directions(const Napi::CallbackInfo& info, const char* place, Direction read) {
  if (info.Length() < 1 || !info[0].IsArray()) throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an array");
  const Napi::Array calls = info[0].As<Napi::Array>();
  std::vector<LstmArgs> directions;
  for (std::uint32_t d = 0; d < calls.Length(); d++) {
    const Napi::Value each = calls.Get(d);
    if (!each.IsObject()) throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an array of objects");
    directions.push_back(read(Arguments(place, each.As<Napi::Object>()), kernels_of(info)));
  }
  return directions;
}

LstmArgs forward_direction(const Arguments& a, const Kernels& kernels) {
  LstmArgs args = lstm_arguments(a);
  args.hn = a.floats("hn", area(args.B, args.R()));
  args.cn = a.floats("cn", area(args.B, args.H));
  args.cache = a.optional_floats("cache", kernels.lstm_cache_length(args));
  return args;
}

LstmArgs backward_direction(const Arguments& a, const Kernels& kernels) {
  LstmArgs args = lstm_arguments(a);
  const int B = args.B, T = args.T, R = args.R();
  args.cache = a.floats("cache", kernels.lstm_cache_length(args));
  args.dy = a.optional_floats("dy", strided_length(B, T, R, args.y_batch_stride, args.y_time_stride));
  args.dhn = a.optional_floats("dhn", area(B, R));
  args.dcn = a.optional_floats("dcn", area(B, args.H));
  args.dx = a.optional_floats("dx", strided_length(B, T, args.I, args.x_batch_stride, args.x_time_stride));
  args.dh0 = a.optional_floats("dh0", area(B, R));
  args.dc0 = a.optional_floats("dc0", area(B, args.H));
  args.dweights = lstm_weights<float>(a.object("dparameters"), args, true);
  return args;
}

void lstm_forward(const Napi::CallbackInfo& info) {
  const std::vector<LstmArgs> directions = lstm_directions(info, "lstmForward", forward_direction);
  const Call call(info);
  call.kernels.lstm_forward(call.context, directions.data(), static_cast<int>(directions.size()));
}

void lstm_backward(const Napi::CallbackInfo& info) {
  const std::vector<LstmArgs> directions = lstm_directions(info, "lstmBackward", backward_direction);
  const Call call(info);
  call.kernels.lstm_backward(call.context, directions.data(), static_cast<int>(directions.size()));
}

void activation(const Napi::CallbackInfo& info) {
  const Unary kind = kind_argument<Unary>(info, "activation", kUnaryNames);
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "activation", 1, 2, &n);
  const Call call(info);
  call.kernels.activation(kind, n, arrays[0], arrays[1]);
}

Napi::Value available(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const Kernels* kernels : available_kernels()) names.Set(names.Length(), kernels->name);
  return names;
}

void set_target(const Napi::CallbackInfo& info) {
  std::string why;
  const std::string name = info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  const Kernels* kernels = find_kernels(name, &why);
  if (kernels == nullptr) throw Napi::Error::New(info.Env(), why);
  info.Env().GetInstanceData<Environment>()->kernels = kernels;
}

// 0 asks for the default.
void set_threads(const Napi::CallbackInfo& info) {
  const int count = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  if (count < 0 || count > 256) throw Napi::RangeError::New(info.Env(), "setThreads: expected an integer from 0 to 256");
  info.Env().GetInstanceData<Environment>()->threads = count == 0 ? default_threads() : count;
}

Napi::Value report(const Napi::CallbackInfo& info) {
  const Environment& environment = *info.Env().GetInstanceData<Environment>();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("target", environment.kernels->name);
  result.Set("available", available(info));
  result.Set("gemm", gemm_description());
  result.Set("threads", environment.threads);
  return result;
}

// std::bad_alloc and its kind become JavaScript errors; Napi::Error already is one.
template <auto function>
auto guarded(const Napi::CallbackInfo& info) -> decltype(function(info)) {
  try {
    return function(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string("lstm-native: ") + error.what());
  }
}

template <auto function>
void export_function(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New(env, guarded<function>, name));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment());
  export_function<available>(env, exports, "available");
  export_function<set_target>(env, exports, "setTarget");
  export_function<set_threads>(env, exports, "setThreads");
  export_function<report>(env, exports, "report");
  export_function<activation>(env, exports, "activation");
  export_function<gemm>(env, exports, "gemm");
  export_function<linear_forward>(env, exports, "linearForward");
  export_function<linear_backward>(env, exports, "linearBackward");
  export_function<embedding_forward>(env, exports, "embeddingForward");
  export_function<embedding_backward>(env, exports, "embeddingBackward");
  export_function<layer_norm_forward>(env, exports, "layerNormForward");
  export_function<layer_norm_backward>(env, exports, "layerNormBackward");
  export_function<softmax_forward>(env, exports, "softmaxForward");
  export_function<softmax_backward>(env, exports, "softmaxBackward");
  export_function<softmax_cross_entropy>(env, exports, "softmaxCrossEntropy");
  export_function<unary_forward>(env, exports, "unaryForward");
  export_function<unary_backward>(env, exports, "unaryBackward");
  export_function<binary>(env, exports, "binary");
  export_function<axpy>(env, exports, "axpy");
  export_function<multiply_add>(env, exports, "multiplyAdd");
  export_function<add_rows>(env, exports, "addRows");
  export_function<sum_rows>(env, exports, "sumRows");
  export_function<reduce>(env, exports, "reduce");
  export_function<bernoulli>(env, exports, "bernoulli");
  export_function<sgd_step>(env, exports, "sgdStep");
  export_function<rmsprop_step>(env, exports, "rmspropStep");
  export_function<adam_step>(env, exports, "adamStep");
  export_function<lstm_cache_length>(env, exports, "lstmCacheLength");
  export_function<lstm_forward>(env, exports, "lstmForward");
  export_function<lstm_backward>(env, exports, "lstmBackward");
  return exports;
}

}  // namespace
}  // namespace lstm_native

namespace {
Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) { return lstm_native::initialize(env, exports); }
}  // namespace

NODE_API_MODULE(lstm_native, initialize_addon)
