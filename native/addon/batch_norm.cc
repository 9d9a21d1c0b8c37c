// Batch normalisation: what the arguments mean is said in lib/kernels/contract-batch-norm.ts.
#include "call.h"

namespace lstm_native {
namespace {

BatchNormArgs batch_norm_arguments(const Arguments& a) {
  BatchNormArgs args = {};
  args.N = a.integer("N");
  args.C = a.integer("C");
  args.mask = a.optional_bytes("mask", args.N);
  args.x = a.floats("x", area(args.N, args.C));
  args.mean = a.floats("mean", args.C);
  args.variance = a.floats("variance", args.C);
  return args;
}

void batch_norm_statistics(const Napi::CallbackInfo& info) {
  const BatchNormArgs args = batch_norm_arguments(object_argument(info, "batchNormStatistics"));
  const Call call(info);
  call.kernels.batch_norm_statistics(call.context, args);
}

void batch_norm_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "batchNormForward");
  BatchNormArgs args = batch_norm_arguments(a);
  args.gain = a.optional_floats("gain", args.C);
  args.shift = a.optional_floats("shift", args.C);
  args.eps = a.real("eps");
  args.y = a.floats("y", area(args.N, args.C));
  const Call call(info);
  call.kernels.batch_norm_forward(call.context, args);
}

void batch_norm_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "batchNormBackward");
  BatchNormArgs args = batch_norm_arguments(a);
  args.gain = a.optional_floats("gain", args.C);
  args.eps = a.real("eps");
  args.of_batch = a.flag("ofBatch");
  args.dy = a.floats("dy", area(args.N, args.C));
  args.dx = a.optional_floats("dx", area(args.N, args.C));
  args.dgain = a.optional_floats("dgain", args.C);
  args.dshift = a.optional_floats("dshift", args.C);
  const Call call(info);
  call.kernels.batch_norm_backward(call.context, args);
}

}  // namespace

void export_batch_norm(Napi::Env env, Napi::Object exports) {
  export_function<batch_norm_statistics>(env, exports, "batchNormStatistics");
  export_function<batch_norm_forward>(env, exports, "batchNormForward");
  export_function<batch_norm_backward>(env, exports, "batchNormBackward");
}

}  // namespace lstm_native
