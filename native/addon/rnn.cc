// The Elman network: what the arguments mean is said in lib/kernels/contract-rnn.ts.
#include "call.h"

namespace lstm_native {
namespace {

// What forward and backward calls have in common.
RnnArgs rnn_arguments(const Arguments& a) {
  RnnArgs args = {};
  args.B = a.integer("B");
  args.T = a.integer("T");
  args.H = a.integer("H");
  const std::string activation = a.text("activation");
  args.relu = activation == "relu";
  if (!args.relu && activation != "tanh") a.fail("activation", "tanh or relu", activation);
  args.reverse = a.flag("reverse");
  args.lengths = a.optional_lengths("lengths", args.B, args.T);
  args.weight_hh = a.floats("weightHh", area(args.H, args.H));
  args.bias_hh = a.optional_floats("biasHh", args.H);
  args.h0 = a.optional_floats("h0", area(args.B, args.H));
  args.y_batch_stride = a.integer("yBatchStride");
  args.y_time_stride = a.integer("yTimeStride");
  args.y = a.floats("y", strided_length(args.B, args.T, args.H, args.y_batch_stride, args.y_time_stride));
  return args;
}

void rnn_forward(const Napi::CallbackInfo& info) {
  const Call call(info);
  const Arguments a = object_argument(info, "rnnForward");
  RnnArgs args = rnn_arguments(a);
  args.a = a.floats("a", area(args.B, args.T) * args.H);
  args.hn = a.floats("hn", area(args.B, args.H));
  call.kernels.rnn_forward(call.context, args);
}

void rnn_backward(const Napi::CallbackInfo& info) {
  const Call call(info);
  const Arguments a = object_argument(info, "rnnBackward");
  RnnArgs args = rnn_arguments(a);
  args.dy = a.optional_floats(
      "dy", strided_length(args.B, args.T, args.H, args.y_batch_stride, args.y_time_stride));
  args.dhn = a.optional_floats("dhn", area(args.B, args.H));
  args.da = a.optional_floats("da", area(args.B, args.T) * args.H);
  args.dh0 = a.optional_floats("dh0", area(args.B, args.H));
  args.dweight_hh = a.optional_floats("dweightHh", area(args.H, args.H));
  args.dbias_hh = a.optional_floats("dbiasHh", args.H);
  call.kernels.rnn_backward(call.context, args);
}

}  // namespace

void export_rnn(Napi::Env env, Napi::Object exports) {
  export_function<rnn_forward>(env, exports, "rnnForward");
  export_function<rnn_backward>(env, exports, "rnnBackward");
}

}  // namespace lstm_native
