// Convolution and pooling: what the arguments mean is said in lib/kernels/windows.ts.
#include "call.h"

namespace lstm_native {
namespace {

const char* const kPoolNames[] = {"max", "average"};

// Positions of steps are computed as int: they must be far from its ends.
Windows windows_argument(const Arguments& a) {
  Windows w = {a.integer("T"),      a.integer("S"),        a.integer("size"),
               a.integer("stride"), a.integer("dilation"), a.integer("before")};
  if (w.size == 0 || w.stride == 0 || w.dilation == 0)
    a.fail("windows", "of a size, a stride and a dilation", "0");
  const double reach =
      static_cast<double>(w.S) * w.stride + static_cast<double>(w.size) * w.dilation + w.before + w.T;
  if (reach > (1 << 30)) a.fail("windows", "over at most 2^30 steps", std::to_string(reach));
  return w;
}

Windows windows_argument(const Arguments& a, const char* axis) { return windows_argument(a.object(axis)); }

void require_groups(const Arguments& a, int I, int O, int groups) {
  if (groups == 0 || I % groups != 0 || O % groups != 0)
    a.fail("groups", "a divisor of I and O", std::to_string(groups));
}

Conv1dShape conv1d_shape(const Arguments& a) {
  const Conv1dShape shape = {a.integer("I"), a.integer("O"), a.integer("groups"), a.integer("size")};
  require_groups(a, shape.I, shape.O, shape.groups);
  return shape;
}

Napi::Value conv1d_packed_length(const Napi::CallbackInfo& info) {
  const Conv1dShape shape = conv1d_shape(object_argument(info, "conv1dPackedLength"));
  return Napi::Number::New(info.Env(), static_cast<double>(kernels_of(info).conv1d_packed_length(shape)));
}

void conv1d_pack(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv1dPack");
  const Conv1dShape shape = conv1d_shape(a);
  const float* weight = a.floats("weight", area(shape.O, shape.width()) * shape.size);
  const Call call(info);
  float* packed = a.floats("packed", call.kernels.conv1d_packed_length(shape));
  call.kernels.conv1d_pack(call.context, shape, weight, packed);
}

Conv1dArgs conv1d_arguments(const Arguments& a) {
  Conv1dArgs args = {};
  args.windows = windows_argument(a);
  args.B = a.integer("B");
  args.I = a.integer("I");
  args.O = a.integer("O");
  args.groups = a.integer("groups");
  require_groups(a, args.I, args.O, args.groups);
  args.x = a.floats("x", area(args.B, args.windows.T) * args.I);
  args.weight = a.floats("weight", area(args.O, args.width()) * args.windows.size);
  return args;
}

void conv1d_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv1dForward");
  Conv1dArgs args = conv1d_arguments(a);
  args.bias = a.optional_floats("bias", args.O);
  args.y = a.floats("y", area(args.B, args.windows.S) * args.O);
  const Call call(info);
  call.kernels.conv1d_forward(call.context, args);
}

void conv1d_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv1dBackward");
  Conv1dArgs args = conv1d_arguments(a);
  args.dy = a.floats("dy", area(args.B, args.windows.S) * args.O);
  args.dx = a.optional_floats("dx", area(args.B, args.windows.T) * args.I);
  args.dweight = a.optional_floats("dweight", area(args.O, args.width()) * args.windows.size);
  args.dbias = a.optional_floats("dbias", args.O);
  const Call call(info);
  call.kernels.conv1d_backward(call.context, args);
}

Conv2dShape conv2d_shape(const Arguments& a) {
  const Conv2dShape shape = {a.integer("I"), a.integer("O"), a.integer("groups"), a.integer("size"),
                             a.integer("columnSize")};
  require_groups(a, shape.I, shape.O, shape.groups);
  return shape;
}

std::size_t taps(const Conv2dShape& shape) {
  return area(shape.O, shape.width()) * area(shape.rows, shape.columns);
}

Napi::Value conv2d_packed_length(const Napi::CallbackInfo& info) {
  const Conv2dShape shape = conv2d_shape(object_argument(info, "conv2dPackedLength"));
  return Napi::Number::New(info.Env(), static_cast<double>(kernels_of(info).conv2d_packed_length(shape)));
}

void conv2d_pack(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv2dPack");
  const Conv2dShape shape = conv2d_shape(a);
  const float* weight = a.floats("weight", taps(shape));
  const Call call(info);
  float* packed = a.floats("packed", call.kernels.conv2d_packed_length(shape));
  call.kernels.conv2d_pack(call.context, shape, weight, packed);
}

Conv2dArgs conv2d_arguments(const Arguments& a) {
  Conv2dArgs args = {};
  args.rows = windows_argument(a, "rows");
  args.columns = windows_argument(a, "columns");
  args.B = a.integer("B");
  args.I = a.integer("I");
  args.O = a.integer("O");
  args.groups = a.integer("groups");
  require_groups(a, args.I, args.O, args.groups);
  args.x = a.floats("x", area(args.B, args.rows.T) * args.columns.T * args.I);
  args.weight = a.floats("weight", taps(args.shape()));
  return args;
}

std::size_t result_length(const Conv2dArgs& args) {
  return area(args.B, args.rows.S) * area(args.columns.S, args.O);
}

void conv2d_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv2dForward");
  Conv2dArgs args = conv2d_arguments(a);
  args.bias = a.optional_floats("bias", args.O);
  args.y = a.floats("y", result_length(args));
  const Call call(info);
  call.kernels.conv2d_forward(call.context, args);
}

void conv2d_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "conv2dBackward");
  Conv2dArgs args = conv2d_arguments(a);
  args.dy = a.floats("dy", result_length(args));
  args.dx = a.optional_floats("dx", area(args.B, args.rows.T) * args.columns.T * args.I);
  args.dweight = a.optional_floats("dweight", taps(args.shape()));
  args.dbias = a.optional_floats("dbias", args.O);
  const Call call(info);
  call.kernels.conv2d_backward(call.context, args);
}

Pool1dArgs pool1d_arguments(const Arguments& a) {
  Pool1dArgs args = {};
  args.windows = windows_argument(a);
  args.B = a.integer("B");
  args.C = a.integer("C");
  args.mask = a.optional_bytes("mask", area(args.B, args.windows.T));
  args.count_padding = a.flag("countPadding");
  args.x = a.floats("x", area(args.B, args.windows.T) * args.C);
  args.y = a.floats("y", area(args.B, args.windows.S) * args.C);
  return args;
}

void pool1d_forward(const Napi::CallbackInfo& info) {
  const Pool kind = kind_argument<Pool>(info, "pool1dForward", kPoolNames);
  const Pool1dArgs args = pool1d_arguments(object_argument(info, "pool1dForward", 1));
  const Call call(info);
  call.kernels.pool1d_forward(call.context, kind, args);
}

void pool1d_backward(const Napi::CallbackInfo& info) {
  const Pool kind = kind_argument<Pool>(info, "pool1dBackward", kPoolNames);
  const Arguments a = object_argument(info, "pool1dBackward", 1);
  Pool1dArgs args = pool1d_arguments(a);
  args.dy = a.floats("dy", area(args.B, args.windows.S) * args.C);
  args.dx = a.floats("dx", area(args.B, args.windows.T) * args.C);
  const Call call(info);
  call.kernels.pool1d_backward(call.context, kind, args);
}

}  // namespace

void export_windows(Napi::Env env, Napi::Object exports) {
  export_function<conv1d_packed_length>(env, exports, "conv1dPackedLength");
  export_function<conv1d_pack>(env, exports, "conv1dPack");
  export_function<conv1d_forward>(env, exports, "conv1dForward");
  export_function<conv1d_backward>(env, exports, "conv1dBackward");
  export_function<conv2d_packed_length>(env, exports, "conv2dPackedLength");
  export_function<conv2d_pack>(env, exports, "conv2dPack");
  export_function<conv2d_forward>(env, exports, "conv2dForward");
  export_function<conv2d_backward>(env, exports, "conv2dBackward");
  export_function<pool1d_forward>(env, exports, "pool1dForward");
  export_function<pool1d_backward>(env, exports, "pool1dBackward");
}

}  // namespace lstm_native
