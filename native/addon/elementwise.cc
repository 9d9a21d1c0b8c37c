// Elementwise functions, reductions and optimizers: what the arguments mean is said in
// lib/kernels/contract.ts.
#include <vector>

#include "call.h"

namespace lstm_native {
namespace {

// In the order of the enums of kernels/elementwise.h.
const char* const kUnaryNames[] = {"exp",       "log",    "sigmoid",    "tanh", "relu",     "gelu",
                                   "softplus",  "square", "sqrt",       "abs",  "negate",   "geluTanh",
                                   "relu6",     "selu",   "softsign",   "silu", "hardSilu", "mish",
                                   "leakyRelu", "elu",    "hardSigmoid"};
const char* const kBinaryNames[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum"};
const char* const kReductionNames[] = {"sum", "maxAbs"};

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

// An argument that may be left out.
float optional_number(const Napi::CallbackInfo& info, std::size_t index) {
  return info.Length() > index && info[index].IsNumber() ? info[index].As<Napi::Number>().FloatValue() : 0;
}

void unary_forward(const Napi::CallbackInfo& info) {
  const Unary kind = kind_argument<Unary>(info, "unaryForward", kUnaryNames);
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "unaryForward", 1, 2, &n);
  const UnaryNumbers numbers = {optional_number(info, 3), optional_number(info, 4)};
  const Call call(info);
  call.kernels.unary_forward(call.context, kind, numbers, n, arrays[0], arrays[1]);
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
  args.numbers = {a.optional_real("alpha"), a.optional_real("beta")};
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
  if (info.Length() < 1 || !info[0].IsNumber())
    throw Napi::TypeError::New(info.Env(), "axpy: expected a number");
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
    throw Napi::RangeError::New(info.Env(), std::string(place) + ": expected whole rows of " +
                                                std::to_string(F) + " elements, got " +
                                                std::to_string(whole));
  }
  const Call call(info);
  kernel(call.context, static_cast<int>(whole / F), static_cast<int>(F), x, y);
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

Napi::Value sum_of_squares(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsArray())
    throw Napi::TypeError::New(info.Env(), "sumOfSquares: expected an array of Float32Arrays");
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<Span> arrays(list.Length());
  for (std::uint32_t i = 0; i < arrays.size(); i++) {
    const Napi::Value each = list.Get(i);
    if (!each.IsTypedArray() || each.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
      throw Napi::TypeError::New(info.Env(), "sumOfSquares: expected a Float32Array");
    const Napi::Float32Array array = each.As<Napi::Float32Array>();
    arrays[i] = {array.Data(), array.ElementLength()};
  }
  const Call call(info);
  return Napi::Number::New(info.Env(),
                           call.kernels.sum_of_squares(call.context, arrays.data(), arrays.size()));
}

void bernoulli(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "bernoulli");
  float* out = a.floats("out", 0);
  const std::size_t n = info[0].As<Napi::Object>().Get("out").As<Napi::TypedArray>().ElementLength();
  const auto seed = static_cast<std::uint32_t>(static_cast<std::int64_t>(a.number("seed")));
  const Call call(info);
  call.kernels.bernoulli(call.context, n, out, seed, a.number("probability"), a.real("value"));
}

// The weight decides the length of an optimizer's step.
std::size_t weight_length(const Napi::CallbackInfo& info, const Arguments& a) {
  a.floats("weight", 0);
  return info[0].As<Napi::Object>().Get("weight").As<Napi::TypedArray>().ElementLength();
}

// What every optimizer reads.
template <typename Args>
Args step_arguments(const Napi::CallbackInfo& info, const Arguments& a) {
  Args args = {};
  args.n = weight_length(info, a);
  args.weight = a.floats("weight", args.n);
  args.gradient = a.floats("gradient", args.n);
  args.learning_rate = a.number("learningRate");
  args.weight_decay = a.number("weightDecay");
  args.gradient_scale = a.number("gradientScale");
  return args;
}

void sgd_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "sgdStep");
  SgdArgs args = step_arguments<SgdArgs>(info, a);
  args.velocity = a.optional_floats("velocity", args.n);
  args.momentum = a.number("momentum");
  args.nesterov = a.flag("nesterov");
  const Call call(info);
  call.kernels.sgd_step(call.context, args);
}

void rmsprop_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "rmspropStep");
  RmspropArgs args = step_arguments<RmspropArgs>(info, a);
  args.square_average = a.floats("squareAverage", args.n);
  args.velocity = a.optional_floats("velocity", args.n);
  args.alpha = a.number("alpha");
  args.eps = a.number("eps");
  args.momentum = a.number("momentum");
  const Call call(info);
  call.kernels.rmsprop_step(call.context, args);
}

void adam_step(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "adamStep");
  AdamArgs args = step_arguments<AdamArgs>(info, a);
  args.moment1 = a.floats("moment1", args.n);
  args.moment2 = a.floats("moment2", args.n);
  args.step = a.integer("step");
  args.beta1 = a.number("beta1");
  args.beta2 = a.number("beta2");
  args.eps = a.number("eps");
  args.decoupled = a.flag("decoupled");
  const Call call(info);
  call.kernels.adam_step(call.context, args);
}

void activation(const Napi::CallbackInfo& info) {
  const Unary kind = kind_argument<Unary>(info, "activation", kUnaryNames);
  std::size_t n = 0;
  const std::vector<float*> arrays = array_arguments(info, "activation", 1, 2, &n);
  const Call call(info);
  call.kernels.activation(kind, n, arrays[0], arrays[1]);
}

}  // namespace

void export_elementwise(Napi::Env env, Napi::Object exports) {
  export_function<activation>(env, exports, "activation");
  export_function<unary_forward>(env, exports, "unaryForward");
  export_function<unary_backward>(env, exports, "unaryBackward");
  export_function<binary>(env, exports, "binary");
  export_function<axpy>(env, exports, "axpy");
  export_function<multiply_add>(env, exports, "multiplyAdd");
  export_function<add_rows>(env, exports, "addRows");
  export_function<sum_rows>(env, exports, "sumRows");
  export_function<reduce>(env, exports, "reduce");
  export_function<sum_of_squares>(env, exports, "sumOfSquares");
  export_function<bernoulli>(env, exports, "bernoulli");
  export_function<sgd_step>(env, exports, "sgdStep");
  export_function<rmsprop_step>(env, exports, "rmspropStep");
  export_function<adam_step>(env, exports, "adamStep");
}

}  // namespace lstm_native
