// What every exported function needs: the state of its environment, its arguments, and a place among the
// exports. State belongs to an environment (a JavaScript thread), never to the process.
#pragma once
#include <napi.h>

#include <string>

#include "../arena.h"
#include "../denormals.h"
#include "../dispatch.h"
#include "../kernels.h"
#include "../thread_pool.h"
#include "arguments.h"

namespace lstm_native {

struct Environment {
  Arena arena;
  const Kernels* kernels = available_kernels().front();
  int threads = default_threads();
  Sharing sharing = Sharing::automatic;
  std::size_t l2 = l2_bytes();
  void* runs = nullptr;  // plan_async.cc's
};

// One native call: the environment's scratch memory, given back when it ends, and denormals flushed.
class Call {
 public:
  explicit Call(const Napi::CallbackInfo& info)
      : environment(*info.Env().GetInstanceData<Environment>()),
        kernels(*environment.kernels),
        context{&environment.arena, &ThreadPool::instance(), environment.threads, environment.sharing,
                environment.l2},
        scope_(environment.arena) {}

  Environment& environment;
  const Kernels& kernels;
  const Context context;

 private:
  ArenaScope scope_;
  FlushDenormals flush_;
};

inline Arguments object_argument(const Napi::CallbackInfo& info, const char* place, std::size_t index = 0) {
  if (info.Length() <= index || !info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string(place) + ": expected an object");
  }
  return Arguments(place, info[index].As<Napi::Object>());
}

inline std::size_t area(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

// Elements that strided [B, T, width] access reaches.
inline std::size_t strided_length(int B, int T, int width, std::ptrdiff_t batch_stride,
                                  std::ptrdiff_t time_stride) {
  if (B == 0 || T == 0) return 0;
  return static_cast<std::size_t>((B - 1) * batch_stride + (T - 1) * time_stride + width);
}

template <typename Kind, std::size_t N>
Kind kind_argument(const Napi::CallbackInfo& info, const char* place, const char* const (&names)[N]) {
  const std::string given =
      info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  for (std::size_t i = 0; i < N; i++) {
    if (given == names[i]) return static_cast<Kind>(i);
  }
  throw Napi::TypeError::New(info.Env(), std::string(place) + ": no function is called \"" + given + "\"");
}

inline const Kernels& kernels_of(const Napi::CallbackInfo& info) {
  return *info.Env().GetInstanceData<Environment>()->kernels;
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

// The parts of the addon, each a file.
void export_attention(Napi::Env env, Napi::Object exports);
void export_batch_norm(Napi::Env env, Napi::Object exports);
void export_ctc(Napi::Env env, Napi::Object exports);
void export_dense(Napi::Env env, Napi::Object exports);
void export_elementwise(Napi::Env env, Napi::Object exports);
void export_likelihood(Napi::Env env, Napi::Object exports);
void export_lstm(Napi::Env env, Napi::Object exports);
void export_plan(Napi::Env env, Napi::Object exports);
void export_plan_async(Napi::Env env, Napi::Object exports);
void export_rnn(Napi::Env env, Napi::Object exports);
void export_windows(Napi::Env env, Napi::Object exports);

}  // namespace lstm_native
