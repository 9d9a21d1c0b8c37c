#include "plan_call.h"

#include <string>

namespace lstm_native {
namespace {

[[noreturn]] void refuse(const Napi::CallbackInfo& info, const std::string& what) {
  throw Napi::TypeError::New(info.Env(), "runPlan: " + what);
}

// Memory of a typed array of that type, at least that long; null where `value` is something else.
template <typename T>
T* array_memory(napi_env env, napi_value value, napi_typedarray_type type, std::size_t* elements) {
  napi_typedarray_type found;
  std::size_t offset = 0;
  void* data = nullptr;
  napi_value buffer;
  if (napi_get_typedarray_info(env, value, &found, elements, &data, &buffer, &offset) != napi_ok ||
      found != type) {
    return nullptr;
  }
  static T empty;
  return data != nullptr ? static_cast<T*>(data) : &empty;
}

// Of argument `index`; null where it is undefined.
template <typename T>
T* optional_array(const Napi::CallbackInfo& info, std::size_t index, napi_typedarray_type type,
                  std::size_t length, std::size_t* actual = nullptr) {
  napi_valuetype kind;
  napi_typeof(info.Env(), info[index], &kind);
  if (kind == napi_undefined) return nullptr;
  std::size_t elements = 0;
  T* data = array_memory<T>(info.Env(), info[index], type, &elements);
  if (data == nullptr) refuse(info, "argument " + std::to_string(index) + " is not of the type expected");
  if (elements < length) {
    refuse(info, "expected argument " + std::to_string(index) + " to have at least " +
                     std::to_string(length) + " elements, got " + std::to_string(elements));
  }
  if (actual != nullptr) *actual = elements;
  return data;
}

int count_argument(const Napi::CallbackInfo& info, std::size_t index) {
  std::int64_t value = -1;
  napi_get_value_int64(info.Env(), info[index], &value);
  if (value < 0 || value > (1 << 30))
    refuse(info, "expected argument " + std::to_string(index) + " to be a size");
  return static_cast<int>(value);
}

}  // namespace

void PlanCall::read(const Napi::CallbackInfo& info, const Kernels& kernels) {
  std::size_t ints = 0;
  const std::int32_t* program =
      optional_array<std::int32_t>(info, kProgram, napi_int32_array, 1 + PlanStep::kInts, &ints);
  plan.weights = optional_array<float>(info, kWeights, napi_float32_array, 0, &plan.weights_length);
  if (program == nullptr || plan.weights == nullptr) refuse(info, "expected a program and its weights");
  plan.state_width = program[0];
  plan.count = static_cast<int>((ints - 1) / PlanStep::kInts);
  plan.steps = reinterpret_cast<const PlanStep*>(program + 1);
  const std::string wrong = check_plan(kernels, plan);
  if (!wrong.empty()) refuse(info, wrong + " (a plan runs on the target that it was compiled for)");

  run.B = count_argument(info, kB);
  run.T = count_argument(info, kT);
  read_offsets(info);
  read_input(info);
  run.lengths = optional_array<std::int32_t>(info, kLengths, napi_int32_array, run.B);
  for (int b = 0; run.lengths != nullptr && b < run.B; b++) {
    if (run.lengths[b] < 0 || run.lengths[b] > run.T)
      refuse(info, "expected lengths from 0 to " + std::to_string(run.T));
  }
  const std::size_t states = static_cast<std::size_t>(run.B) * plan.state_width;
  run.initial_state = optional_array<float>(info, kInitialState, napi_float32_array, states);
  run.final_state = optional_array<float>(info, kFinalState, napi_float32_array, states);
  read_slots(info);
  const std::size_t rows = static_cast<std::size_t>(run.B) * run.T;
  run.mask = optional_array<std::uint8_t>(info, kMask, napi_uint8_array, rows);
  if (run.offsets != nullptr && (run.lengths != nullptr || run.mask != nullptr))
    refuse(info, "expected either offsets, or lengths and a mask");
}

void PlanCall::read_offsets(const Napi::CallbackInfo& info) {
  run.offsets =
      optional_array<std::int32_t>(info, kOffsets, napi_int32_array, static_cast<std::size_t>(run.B) + 1);
  if (run.offsets == nullptr) return;
  if (!runs_ragged(plan)) refuse(info, "a step of the plan does not take sequences one behind the other");
  bool ascends = run.offsets[0] == 0;
  for (int b = 0; b < run.B && ascends; b++) {
    const std::int64_t steps = static_cast<std::int64_t>(run.offsets[b + 1]) - run.offsets[b];
    ascends = steps >= 0 && steps <= run.T;
  }
  if (!ascends) refuse(info, "expected offsets to ascend from 0, by no more than the time steps");
}

void PlanCall::read_input(const Napi::CallbackInfo& info) {
  const std::size_t rows =
      run.offsets != nullptr ? run.offsets[run.B] : static_cast<std::size_t>(run.B) * run.T;
  const PlanStep& first = plan.steps[0];
  if (first.kind == static_cast<std::int32_t>(PlanKind::embedding)) {
    run.indices = optional_array<std::int32_t>(info, kX, napi_int32_array, rows);
    if (run.indices == nullptr) refuse(info, "expected x");
    for (std::size_t n = 0; n < rows; n++) {
      if (run.indices[n] < 0 || run.indices[n] >= first.input)
        refuse(info, "expected indices below " + std::to_string(first.input));
    }
  } else {
    run.x = optional_array<float>(info, kX, napi_float32_array, rows * first.input);
    if (run.x == nullptr) refuse(info, "expected x");
  }
  const std::int64_t outputs = plan_output_rows(plan, run);
  if (outputs < 0) refuse(info, "a step of the plan cannot take " + std::to_string(run.T) + " time steps");
  const std::size_t length = static_cast<std::size_t>(outputs) * plan.steps[plan.count - 1].output;
  run.y = optional_array<float>(info, kY, napi_float32_array, length);
  if (run.y == nullptr) refuse(info, "expected y");
}

void PlanCall::read_slots(const Napi::CallbackInfo& info) {
  const std::int32_t* slots = optional_array<std::int32_t>(info, kSlots, napi_int32_array, run.B);
  if (slots == nullptr) return;
  if (run.initial_state != nullptr || run.final_state != nullptr)
    refuse(info, "expected either slots, or an initial and a final state");
  const int slab_rows = count_argument(info, kSlabRows);
  std::uint32_t count = 0;
  if (napi_get_array_length(info.Env(), info[kSlabs], &count) != napi_ok)
    refuse(info, "expected slabs for the slots");
  std::vector<float*> slabs(count);
  for (std::uint32_t i = 0; i < count; i++) {
    napi_value slab = nullptr;
    std::size_t elements = 0;
    napi_get_element(info.Env(), info[kSlabs], i, &slab);
    slabs[i] = array_memory<float>(info.Env(), slab, napi_float32_array, &elements);
    if (slabs[i] == nullptr || elements < static_cast<std::size_t>(slab_rows) * plan.state_width)
      refuse(info, "expected slabs of " + std::to_string(slab_rows) + " states");
  }
  state_rows_.resize(run.B + 1);
  for (int b = 0; b < run.B; b++) {
    if (slots[b] < 0 || slab_rows < 1 || static_cast<std::uint32_t>(slots[b] / slab_rows) >= count)
      refuse(info, "expected slots inside the slabs");
    const std::size_t row = slots[b] % slab_rows;
    state_rows_[b] = slabs[slots[b] / slab_rows] + row * plan.state_width;
  }
  run.state_rows = state_rows_.data();
}

}  // namespace lstm_native
