// The arguments of a run. They come by position: a run may last a microsecond, and reading fields of an
// object would cost as much.
#pragma once
#include <napi.h>

#include <vector>

#include "../plan/plan.h"

namespace lstm_native {

struct PlanCall {
  // Of JavaScript's arguments.
  enum Position {
    kProgram,
    kWeights,
    kB,
    kT,
    kX,
    kY,
    kLengths,
    kInitialState,
    kFinalState,
    kMask,
    kOffsets,
    kSlabs,
    kSlabRows,
    kSlots,
    kThreads,  // of runs on threads of our own, as what follows
    kDone
  };

  Plan plan = {};
  PlanRun run = {};

  // Points into the memory of JavaScript's arrays, each checked against the run's sizes. Throws a TypeError.
  void read(const Napi::CallbackInfo& info, const Kernels& kernels);

 private:
  void read_input(const Napi::CallbackInfo& info);
  void read_offsets(const Napi::CallbackInfo& info);
  void read_slots(const Napi::CallbackInfo& info);

  std::vector<float*> state_rows_;
};

}  // namespace lstm_native
