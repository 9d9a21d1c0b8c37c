// Plans: packing weights for them, and running them on the caller's thread.
#include "../plan/plan.h"

#include "call.h"
#include "plan_call.h"

namespace lstm_native {
namespace {

Napi::Value linear_packed_length(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "linearPackedLength");
  const std::size_t length = kernels_of(info).linear_packed_length(a.integer("I"), a.integer("O"));
  return Napi::Number::New(info.Env(), static_cast<double>(length));
}

void linear_pack(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "linearPack");
  const int I = a.integer("I"), O = a.integer("O");
  const Kernels& kernels = kernels_of(info);
  const float* weight = a.floats("weight", static_cast<std::size_t>(I) * O);
  kernels.linear_pack(I, O, weight, a.floats("packed", kernels.linear_packed_length(I, O)));
}

// Floats from the start of an array's memory to the next cache line.
Napi::Value line_offset(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsTypedArray())
    throw Napi::TypeError::New(info.Env(), "lineOffset: expected a Float32Array");
  const auto address = reinterpret_cast<std::uintptr_t>(info[0].As<Napi::Float32Array>().Data());
  return Napi::Number::New(info.Env(), static_cast<double>((64 - address % 64) % 64 / sizeof(float)));
}

void run(const Napi::CallbackInfo& info) {
  Call call(info);
  PlanCall given;
  given.read(info, call.kernels);
  run_plan(call.kernels, call.context, given.plan, given.run);
}

}  // namespace

void export_plan(Napi::Env env, Napi::Object exports) {
  export_function<linear_packed_length>(env, exports, "linearPackedLength");
  export_function<linear_pack>(env, exports, "linearPack");
  export_function<line_offset>(env, exports, "lineOffset");
  export_function<run>(env, exports, "runPlan");
}

}  // namespace lstm_native
