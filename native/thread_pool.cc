#include "thread_pool.h"

#include <chrono>
#include <system_error>

#include "denormals.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace lstm_native {
namespace {

#if defined(__linux__)
int current_cpu() { return sched_getcpu(); }

// The scheduler may wake a worker on the CPU of the thread that called it, to save a cache miss. Threads that
// meet after every step cannot share one: the worker moves, and stays where it went, since it sleeps and
// wakes there.
void leave_cpu(int cpu) {
  cpu_set_t allowed, others;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
int current_cpu() { return -1; }
void leave_cpu(int) {}
#endif

// How long a thread looks for what it waits for before it sleeps: about as long as waking it would take, so
// that the two together never cost more than twice the better one (Karlin et al. 1991, "Empirical studies of
// competitive spinning"). Calls that follow each other closely find the workers awake; between calls further
// apart nobody spins.
constexpr std::chrono::microseconds kLookBeforeSleep{50};

template <typename Condition>
void look_for(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kLookBeforeSleep;
  do {
    for (int i = 0; i < 16; i++) {
      if (condition()) return;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
}

}  // namespace

ThreadPool& ThreadPool::instance() {
  static ThreadPool* pool = new ThreadPool();
  return *pool;
}

void ThreadPool::run(int count, Task task, void* data) {
  std::unique_lock<std::mutex> busy(busy_, std::defer_lock);
  if (count <= 1 || !busy.try_lock()) {
    task(data, 0, 1);
    return;
  }
  const auto now = Relief::Clock::now();
  const int helpers = start_workers(relief_.granted(count, now) - 1);
  if (helpers == 0) {
    task(data, 0, 1);
    return;
  }
  const Job job = {task, data, helpers + 1, current_cpu(), now};
  running_.store(helpers, std::memory_order_relaxed);
  late_.store(0, std::memory_order_relaxed);
  lateness_.store(0, std::memory_order_relaxed);
  for (int i = 0; i < helpers; i++) {
    workers_[i]->job.store(&job, std::memory_order_release);
    workers_[i]->job.notify_one();
  }
  task(data, 0, job.count);
  look_for([this] { return running_.load(std::memory_order_acquire) == 0; });
  for (int left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire)) {
    running_.wait(left, std::memory_order_acquire);
  }
  if (const int late = late_.load(std::memory_order_relaxed); late > 0) {
    const Relief::Clock::duration lateness(lateness_.load(std::memory_order_relaxed));
    relief_.delayed(job.count, late, lateness, Relief::Clock::now());
  }
}

// Starts workers up to `count`; returns how many of these there are, fewer if the system has no more threads
// to give.
int ThreadPool::start_workers(int count) {
  while (static_cast<int>(workers_.size()) < count) {
    auto worker = std::make_unique<Worker>();
    Worker& started = *worker;
    const int index = static_cast<int>(workers_.size()) + 1;
    workers_.push_back(std::move(worker));
    try {
      started.thread = std::thread([this, &started, index] { work(started, index); });
    } catch (const std::system_error&) {
      workers_.pop_back();
      break;
    }
  }
  const int have = static_cast<int>(workers_.size());
  return have < count ? have : count;
}

void ThreadPool::note_start(const Job& job) {
  const auto lateness = Relief::Clock::now() - job.posted;
  if (lateness < Relief::kLate) return;
  late_.fetch_add(1, std::memory_order_relaxed);
  auto known = lateness_.load(std::memory_order_relaxed);
  while (known < lateness.count() &&
         !lateness_.compare_exchange_weak(known, lateness.count(), std::memory_order_relaxed)) {
  }
}

void ThreadPool::work(Worker& worker, int index) {
  const FlushDenormals flush;
  for (;;) {
    looking_.fetch_add(1, std::memory_order_relaxed);
    look_for([&worker] { return worker.job.load(std::memory_order_acquire) != nullptr; });
    looking_.fetch_sub(1, std::memory_order_relaxed);
    worker.job.wait(nullptr, std::memory_order_acquire);
    const Job job = *worker.job.load(std::memory_order_acquire);
    worker.job.store(nullptr, std::memory_order_relaxed);
    if (job.caller_cpu >= 0 && current_cpu() == job.caller_cpu) leave_cpu(job.caller_cpu);
    note_start(job);
    job.task(job.data, index, job.count);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

}  // namespace lstm_native
