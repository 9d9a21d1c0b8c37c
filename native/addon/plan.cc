// Plans: packing weights for them and running them. A run takes its arguments by position: it may last a
// microsecond, and reading fields of an object would cost as much.
#include "../plan/plan.h"

#include "call.h"

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

[[noreturn]] void refuse(const Napi::CallbackInfo& info, const std::string& what) {
  throw Napi::TypeError::New(info.Env(), "runPlan: " + what);
}

// Memory of the typed array at `index`, of that type and at least that long; null where the argument is
// undefined.
template <typename T>
T* optional_array(const Napi::CallbackInfo& info, std::size_t index, napi_typedarray_type type,
                  std::size_t length, std::size_t* actual = nullptr) {
  napi_valuetype kind;
  napi_typeof(info.Env(), info[index], &kind);
  if (kind == napi_undefined) return nullptr;
  napi_typedarray_type found;
  std::size_t elements = 0, offset = 0;
  void* data = nullptr;
  napi_value buffer;
  if (napi_get_typedarray_info(info.Env(), info[index], &found, &elements, &data, &buffer, &offset) !=
          napi_ok ||
      found != type) {
    refuse(info, "argument " + std::to_string(index) + " is not of the type expected");
  }
  if (elements < length) {
    refuse(info, "expected argument " + std::to_string(index) + " to have at least " +
                     std::to_string(length) + " elements, got " + std::to_string(elements));
  }
  if (actual != nullptr) *actual = elements;
  static T empty;
  return data != nullptr ? static_cast<T*>(data) : &empty;
}

int count_argument(const Napi::CallbackInfo& info, std::size_t index) {
  std::int64_t value = -1;
  napi_get_value_int64(info.Env(), info[index], &value);
  if (value < 0 || value > (1 << 30))
    refuse(info, "expected argument " + std::to_string(index) + " to be a size");
  return static_cast<int>(value);
}

// runPlan(program, weights, B, T, x, y, lengths, initialState, finalState, mask)
void run(const Napi::CallbackInfo& info) {
  Call call(info);
  std::size_t ints = 0;
  const std::int32_t* program =
      optional_array<std::int32_t>(info, 0, napi_int32_array, 1 + PlanStep::kInts, &ints);
  Plan plan = {};
  plan.weights = optional_array<float>(info, 1, napi_float32_array, 0, &plan.weights_length);
  if (program == nullptr || plan.weights == nullptr) refuse(info, "expected a program and its weights");
  plan.state_width = program[0];
  plan.count = static_cast<int>((ints - 1) / PlanStep::kInts);
  plan.steps = reinterpret_cast<const PlanStep*>(program + 1);
  const std::string wrong = check_plan(call.kernels, plan);
  if (!wrong.empty()) refuse(info, wrong + " (a plan runs on the target that it was compiled for)");

  PlanRun arguments = {};
  arguments.B = count_argument(info, 2);
  arguments.T = count_argument(info, 3);
  const std::size_t rows = static_cast<std::size_t>(arguments.B) * arguments.T;
  const PlanStep& first = plan.steps[0];
  if (first.kind == static_cast<std::int32_t>(PlanKind::embedding)) {
    arguments.indices = optional_array<std::int32_t>(info, 4, napi_int32_array, rows);
    if (arguments.indices == nullptr) refuse(info, "expected x");
    for (std::size_t n = 0; n < rows; n++) {
      if (arguments.indices[n] < 0 || arguments.indices[n] >= first.input)
        refuse(info, "expected indices below " + std::to_string(first.input));
    }
  } else {
    arguments.x = optional_array<float>(info, 4, napi_float32_array, rows * first.input);
    if (arguments.x == nullptr) refuse(info, "expected x");
  }
  const int steps = plan_output_steps(plan, arguments.T);
  if (steps < 0)
    refuse(info, "a step of the plan cannot take " + std::to_string(arguments.T) + " time steps");
  const std::size_t outputs = area(arguments.B, steps) * plan.steps[plan.count - 1].output;
  arguments.y = optional_array<float>(info, 5, napi_float32_array, outputs);
  arguments.lengths = optional_array<std::int32_t>(info, 6, napi_int32_array, arguments.B);
  for (int b = 0; arguments.lengths != nullptr && b < arguments.B; b++) {
    if (arguments.lengths[b] < 0 || arguments.lengths[b] > arguments.T)
      refuse(info, "expected lengths from 0 to " + std::to_string(arguments.T));
  }
  const std::size_t state = static_cast<std::size_t>(arguments.B) * plan.state_width;
  arguments.initial_state = optional_array<float>(info, 7, napi_float32_array, state);
  arguments.final_state = optional_array<float>(info, 8, napi_float32_array, state);
  if (arguments.final_state == nullptr) arguments.final_state = call.environment.arena.take<float>(state);
  arguments.mask = optional_array<std::uint8_t>(info, 9, napi_uint8_array, rows);
  if (arguments.y == nullptr) refuse(info, "expected y");
  run_plan(call.kernels, call.context, plan, arguments);
}

}  // namespace

void export_plan(Napi::Env env, Napi::Object exports) {
  export_function<linear_packed_length>(env, exports, "linearPackedLength");
  export_function<linear_pack>(env, exports, "linearPack");
  export_function<line_offset>(env, exports, "lineOffset");
  export_function<run>(env, exports, "runPlan");
}

}  // namespace lstm_native
