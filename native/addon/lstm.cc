// The LSTM: what the arguments mean is said in lib/kernels/contract-lstm.ts.
#include <vector>

#include "../huge_pages.h"
#include "call.h"
#include "lstm_weights.h"

namespace lstm_native {
namespace {

// Of the weights alone.
LstmShape weight_shape(const Arguments& a) {
  LstmShape shape = {};
  shape.I = a.integer("I");
  shape.H = a.integer("H");
  shape.P = a.integer("P");
  shape.layer_norm = a.flag("layerNorm");
  return shape;
}

LstmShape lstm_shape(const Arguments& a) {
  LstmShape shape = weight_shape(a);
  shape.B = a.integer("B");
  shape.T = a.integer("T");
  if (shape.H == 0) a.fail("H", "a positive integer", "0");
  return shape;
}

Zoneout lstm_zoneout(const Arguments& a, const char* name, std::size_t length) {
  if (a.is_number(name)) return {nullptr, a.real(name)};
  return {a.optional_floats(name, length), 0};
}

LstmActivation lstm_activation(const Arguments& a) {
  static const char* const kNames[kActivations] = {
      "linear",          "sigmoid",    "tanh",       "relu", "softplus", "gelu",   "exponential",
      "softsign",        "silu",       "mish",       "selu", "elu",      "affine", "leakyRelu",
      "thresholdedRelu", "scaledTanh", "hardSigmoid"};
  const std::string kind = a.text("kind");
  for (int i = 0; i < kActivations; i++) {
    if (kind == kNames[i]) return {static_cast<Activation>(i), a.real("alpha"), a.real("beta")};
  }
  a.fail("kind", "a function of an LSTM", kind);
}

LstmVariant lstm_variant(const Arguments& a) {
  const float clip = a.real("clip");
  return {lstm_activation(a.object("gate")), lstm_activation(a.object("cell")),
          lstm_activation(a.object("output")), clip > 0 ? clip : std::numeric_limits<float>::infinity(),
          a.flag("coupledInputForget")};
}

// What forward and backward calls have in common.
LstmArgs lstm_arguments(const Arguments& a) {
  LstmArgs args = {};
  static_cast<LstmShape&>(args) = lstm_shape(a);
  const int B = args.B, T = args.T, R = args.R();
  args.reverse = a.flag("reverse");
  args.varied = a.has("variant");
  if (args.varied) args.variant = lstm_variant(a.object("variant"));
  args.lengths = a.optional_lengths("lengths", B, T);
  args.weights = lstm_weights<const float>(a.object("parameters"), args, false);
  args.x_batch_stride = a.integer("xBatchStride");
  args.x_time_stride = a.integer("xTimeStride");
  args.x = a.floats("x", strided_length(B, T, args.I, args.x_batch_stride, args.x_time_stride));
  args.peepholes = args.weights.peephole != nullptr;
  args.h_stride = R;
  args.c_stride = args.H;
  args.h0 = a.optional_floats("h0", area(B, R));
  args.c0 = a.optional_floats("c0", area(B, args.H));
  args.recurrent_mask = a.optional_floats("recurrentMask", area(B, R));
  args.zoneout_cell = lstm_zoneout(a, "zoneoutCell", area(B, T) * args.H);
  args.zoneout_hidden = lstm_zoneout(a, "zoneoutHidden", area(B, T) * R);
  args.eps = a.real("eps");
  args.y_batch_stride = a.integer("yBatchStride");
  args.y_time_stride = a.integer("yTimeStride");
  args.y = a.floats("y", strided_length(B, T, R, args.y_batch_stride, args.y_time_stride));
  return args;
}

Napi::Value lstm_cache_length(const Napi::CallbackInfo& info) {
  const LstmShape shape = lstm_shape(object_argument(info, "lstmCacheLength"));
  return Napi::Number::New(info.Env(), static_cast<double>(kernels_of(info).lstm_cache_length(shape)));
}

const char* const kPassNames[] = {"forward", "backward", "backwardToInput"};

LstmShape packed_shape(const Arguments& a) {
  LstmShape shape = weight_shape(a);
  shape.peepholes = a.flag("peepholes");
  return shape;
}

Napi::Value lstm_packed_length(const Napi::CallbackInfo& info) {
  const auto pass = kind_argument<LstmPass>(info, "lstmPackedLength", kPassNames);
  const LstmShape shape = packed_shape(object_argument(info, "lstmPackedLength", 1));
  return Napi::Number::New(info.Env(), static_cast<double>(kernels_of(info).lstm_packed_length(shape, pass)));
}

void lstm_pack(const Napi::CallbackInfo& info) {
  const auto pass = kind_argument<LstmPass>(info, "lstmPack", kPassNames);
  const Arguments a = object_argument(info, "lstmPack", 1);
  const LstmShape shape = packed_shape(a);
  const LstmWeights<const float> weights = lstm_weights<const float>(a.object("parameters"), shape, false);
  const Call call(info);
  float* packed = a.floats("packed", call.kernels.lstm_packed_length(shape, pass));
  prefer_huge_pages(packed, sizeof(float) * call.kernels.lstm_packed_length(shape, pass));
  call.kernels.lstm_pack(call.context, shape, pass, weights, packed);
}

using Direction = LstmArgs (*)(const Arguments&, const Kernels&);

std::vector<LstmArgs> lstm_directions(const Napi::CallbackInfo& info, const char* place, Direction read) {
  if (info.Length() < 1 || !info[0].IsArray())
    throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an array");
  const Napi::Array calls = info[0].As<Napi::Array>();
  std::vector<LstmArgs> directions;
  for (std::uint32_t d = 0; d < calls.Length(); d++) {
    const Napi::Value each = calls.Get(d);
    if (!each.IsObject())
      throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an array of objects");
    directions.push_back(read(Arguments(place, each.As<Napi::Object>()), kernels_of(info)));
  }
  return directions;
}

LstmArgs forward_direction(const Arguments& a, const Kernels& kernels) {
  LstmArgs args = lstm_arguments(a);
  args.packed = a.optional_floats("packed", kernels.lstm_packed_length(args, LstmPass::forward));
  args.hn = a.floats("hn", area(args.B, args.R()));
  args.cn = a.floats("cn", area(args.B, args.H));
  args.cache = a.optional_floats("cache", kernels.lstm_cache_length(args));
  if (args.cache != nullptr) prefer_huge_pages(args.cache, sizeof(float) * kernels.lstm_cache_length(args));
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
  const LstmPass pass = args.dx != nullptr ? LstmPass::backward_to_input : LstmPass::backward;
  args.packed = a.optional_floats("packed", kernels.lstm_packed_length(args, pass));
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

}  // namespace

void export_lstm(Napi::Env env, Napi::Object exports) {
  export_function<lstm_cache_length>(env, exports, "lstmCacheLength");
  export_function<lstm_packed_length>(env, exports, "lstmPackedLength");
  export_function<lstm_pack>(env, exports, "lstmPack");
  export_function<lstm_forward>(env, exports, "lstmForward");
  export_function<lstm_backward>(env, exports, "lstmBackward");
}

}  // namespace lstm_native
