// The boundary to JavaScript: every exported function reads its arguments, checks them, and makes one call.
// This folder alone knows of Node-API.
#include "../gemm/openblas.h"
#include "call.h"

namespace lstm_native {
namespace {

Napi::Value available(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const Kernels* kernels : available_kernels()) names.Set(names.Length(), kernels->name);
  return names;
}

void set_target(const Napi::CallbackInfo& info) {
  std::string why;
  const std::string name =
      info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  const Kernels* kernels = find_kernels(name, &why);
  if (kernels == nullptr) throw Napi::Error::New(info.Env(), why);
  info.Env().GetInstanceData<Environment>()->kernels = kernels;
}

// 0 asks for the default.
void set_threads(const Napi::CallbackInfo& info) {
  const int count = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  if (count < 0 || count > 256)
    throw Napi::RangeError::New(info.Env(), "setThreads: expected an integer from 0 to 256");
  info.Env().GetInstanceData<Environment>()->threads = count == 0 ? default_threads() : count;
}

// For measuring the cost model: "automatic" leaves the choice to it, the others overrule it.
void set_sharing(const Napi::CallbackInfo& info) {
  const std::string name =
      info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  Sharing& sharing = info.Env().GetInstanceData<Environment>()->sharing;
  if (name == "automatic") {
    sharing = Sharing::automatic;
  } else if (name == "rows") {
    sharing = Sharing::rows;
  } else if (name == "units") {
    sharing = Sharing::units;
  } else if (name == "layers") {
    sharing = Sharing::layers;
  } else {
    throw Napi::TypeError::New(info.Env(), "setSharing: expected automatic, rows, units or layers");
  }
}

Napi::Value report(const Napi::CallbackInfo& info) {
  const Environment& environment = *info.Env().GetInstanceData<Environment>();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("target", environment.kernels->name);
  result.Set("available", available(info));
  result.Set("gemm", gemm_description());
  result.Set("threads", environment.threads);
  return result;
}

}  // namespace

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment());
  export_function<available>(env, exports, "available");
  export_function<set_target>(env, exports, "setTarget");
  export_function<set_threads>(env, exports, "setThreads");
  export_function<set_sharing>(env, exports, "setSharing");
  export_function<report>(env, exports, "report");
  export_attention(env, exports);
  export_batch_norm(env, exports);
  export_ctc(env, exports);
  export_dense(env, exports);
  export_elementwise(env, exports);
  export_likelihood(env, exports);
  export_lstm(env, exports);
  export_plan(env, exports);
  export_plan_async(env, exports);
  export_rnn(env, exports);
  export_windows(env, exports);
  return exports;
}

}  // namespace lstm_native

namespace {
Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  return lstm_native::initialize(env, exports);
}
}  // namespace

NODE_API_MODULE(lstm_native, initialize_addon)
