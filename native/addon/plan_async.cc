// Runs of plans on threads of the package's own. Everything that touches JavaScript happens on the
// environment's thread: a run borrows the memory of its arrays, which the `done` function it was given keeps
// alive, and that function is called from the event loop when the run has ended.
#include <chrono>
#include <cmath>
#include <memory>
#include <unordered_map>

#include "../executor.h"
#include "call.h"
#include "plan_call.h"

namespace lstm_native {
namespace {

using Clock = std::chrono::steady_clock;
class AsyncJob;

// What an environment has under way. Created with its first run, and gone when the environment ends.
class Runs {
 public:
  static Runs& of(Napi::Env env);

  // Takes the job; it lives until its function has been called, or it is cancelled.
  AsyncJob* submit(AsyncJob* job, std::chrono::microseconds delay, int most);
  bool cancel(std::int64_t number);
  // From an executor's thread, when the job has run.
  void deliver(AsyncJob* job) { napi_call_threadsafe_function(function_, job, napi_tsfn_nonblocking); }

 private:
  explicit Runs(Napi::Env env);
  void forget(AsyncJob* job);
  static void call_done(napi_env env, napi_value, void* context, void* data);
  static void close(void* context);

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::int64_t last_ = 0;
  std::unordered_map<std::int64_t, AsyncJob*> jobs_;
};

class AsyncJob : public Job {
 public:
  AsyncJob(Runs& runs, const Napi::CallbackInfo& info, std::size_t done)
      : Job(&runs), runs_(runs), done_(Napi::Persistent(info[done].As<Napi::Function>())) {}

  std::int64_t number = 0;

  void run(Arena& arena, bool alone) override {
    const auto begin = Clock::now();
    try {
      work(arena, alone);
    } catch (const std::exception& error) {
      error_ = std::string("lstm-native: ") + error.what();
    }
    microseconds_ = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    runs_.deliver(this);
  }

  // In the environment's thread.
  void finish(Napi::Env env) {
    const Napi::Value error = error_.empty() ? env.Undefined() : Napi::Error::New(env, error_).Value();
    const napi_value arguments[] = {error, Napi::Number::New(env, microseconds_)};
    napi_value result;
    // What it throws is the event loop's, as what any callback throws.
    napi_call_function(env, env.Global(), done_.Value(), 2, arguments, &result);
  }

 private:
  virtual void work(Arena&, bool) {}

  Runs& runs_;
  Napi::FunctionReference done_;
  std::string error_;
  double microseconds_ = 0;
};

class PlanJob : public AsyncJob {
 public:
  PlanJob(Runs& runs, const Napi::CallbackInfo& info) : AsyncJob(runs, info, PlanCall::kDone) {
    const Environment& environment = *info.Env().GetInstanceData<Environment>();
    kernels_ = environment.kernels;
    most_threads_ = environment.threads;
    sharing_ = environment.sharing;
    l2_ = environment.l2;
    call_.read(info, *kernels_);
    if (info[PlanCall::kThreads].IsNumber())
      threads_ = info[PlanCall::kThreads].As<Napi::Number>().Int32Value();
  }

 private:
  void work(Arena& arena, bool alone) override {
    const int threads = threads_ > 0 ? threads_ : alone ? most_threads_ : 1;
    const Context context = {&arena, &ThreadPool::instance(), threads, sharing_, l2_};
    run_plan(*kernels_, context, call_.plan, call_.run);
  }

  PlanCall call_;
  const Kernels* kernels_;
  int threads_ = 0, most_threads_;
  Sharing sharing_;
  std::size_t l2_;
};

Runs& Runs::of(Napi::Env env) {
  Environment& environment = *env.GetInstanceData<Environment>();
  if (environment.runs == nullptr) environment.runs = new Runs(env);
  return *static_cast<Runs*>(environment.runs);
}

// The function comes first and the hook after it: hooks run backwards, so that ours finds the function alive
// and, having waited, leaves nobody who could still call it.
Runs::Runs(Napi::Env env) : env_(env) {
  napi_value name;
  napi_create_string_utf8(env, "lstm-native run", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, call_done,
                                      &function_) != napi_ok) {
    throw Napi::Error::New(env, "lstm-native: the environment takes no more functions");
  }
  napi_unref_threadsafe_function(env, function_);
  napi_add_env_cleanup_hook(env, close, this);
}

AsyncJob* Runs::submit(AsyncJob* job, std::chrono::microseconds delay, int most) {
  std::unique_ptr<AsyncJob> guard(job);
  job->number = ++last_;
  jobs_.emplace(job->number, job);
  try {
    if (delay.count() == 0) {
      Executor::instance().submit(job, most);
    } else {
      Executor::instance().submit_after(job, delay, most);
    }
  } catch (...) {
    jobs_.erase(job->number);
    throw;
  }
  // The process stays while something is under way.
  if (jobs_.size() == 1) napi_ref_threadsafe_function(env_, function_);
  return guard.release();
}

void Runs::forget(AsyncJob* job) {
  jobs_.erase(job->number);
  delete job;
  if (jobs_.empty()) napi_unref_threadsafe_function(env_, function_);
}

bool Runs::cancel(std::int64_t number) {
  const auto found = jobs_.find(number);
  if (found == jobs_.end() || !Executor::instance().withdraw(found->second)) return false;
  forget(found->second);
  return true;
}

void Runs::call_done(napi_env env, napi_value, void* context, void* data) {
  AsyncJob* job = static_cast<AsyncJob*>(data);
  if (env == nullptr) return;  // the environment ends: `close` has the job
  job->finish(Napi::Env(env));
  static_cast<Runs*>(context)->forget(job);
}

void Runs::close(void* context) {
  Runs* runs = static_cast<Runs*>(context);
  Executor::instance().abandon(runs);
  for (const auto& [number, job] : runs->jobs_) delete job;
  napi_release_threadsafe_function(runs->function_, napi_tsfn_abort);
  delete runs;
}

int executors_of(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<Environment>()->threads;
}

// runPlanAsync(what runPlan takes, threads, done)
Napi::Value run_async(const Napi::CallbackInfo& info) {
  if (info.Length() <= PlanCall::kDone || !info[PlanCall::kDone].IsFunction())
    throw Napi::TypeError::New(info.Env(), "runPlan: expected a function to call when the run has ended");
  Runs& runs = Runs::of(info.Env());
  AsyncJob* job = runs.submit(new PlanJob(runs, info), std::chrono::microseconds(0), executors_of(info));
  return Napi::Number::New(info.Env(), static_cast<double>(job->number));
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  const std::int64_t number =
      info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int64Value() : 0;
  return Napi::Boolean::New(info.Env(), Runs::of(info.Env()).cancel(number));
}

// afterMicroseconds(delay, callback)
void after(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsFunction())
    throw Napi::TypeError::New(info.Env(), "afterMicroseconds: expected a delay and a function");
  const double delay = info[0].As<Napi::Number>().DoubleValue();
  if (!(delay >= 0 && delay < 1e12))
    throw Napi::RangeError::New(info.Env(), "afterMicroseconds: expected a delay from 0 to 1e12");
  Runs& runs = Runs::of(info.Env());
  const std::chrono::microseconds wait(1 + static_cast<std::int64_t>(delay));
  runs.submit(new AsyncJob(runs, info, 1), wait, executors_of(info));
}

}  // namespace

void export_plan_async(Napi::Env env, Napi::Object exports) {
  export_function<run_async>(env, exports, "runPlanAsync");
  export_function<cancel>(env, exports, "cancelPlan");
  export_function<after>(env, exports, "afterMicroseconds");
}

}  // namespace lstm_native
