// The process's threads for work that nobody waits for: jobs begin in the order in which they come, each on
// one of these threads, which sleep while there is none.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "arena.h"

namespace lstm_native {

// Runs once. Whoever submits it keeps it until it has run or was withdrawn; `run` may delete it.
class Job {
 public:
  explicit Job(const void* job_owner) : owner(job_owner) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // `alone`: nothing else runs or waits.
  virtual void run(Arena& arena, bool alone) = 0;

  const void* const owner;
};

class Executor {
 public:
  // Never destroyed, as the thread pool.
  static Executor& instance();

  // `most` threads are at work at once, as far as the system gives that many; at least one must be had, or
  // std::system_error.
  void submit(Job* job, int most);

  // The same, not before `delay` has passed.
  void submit_after(Job* job, std::chrono::microseconds delay, int most);

  // Takes back a job that has not begun: true if it was, and is the caller's again.
  bool withdraw(Job* job);

  // Forgets the owner's jobs that have not begun, and waits for those that have.
  void abandon(const void* owner);

 private:
  using Clock = std::chrono::steady_clock;

  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  void start_thread(int most);
  Job* next(std::unique_lock<std::mutex>& lock);
  void work();

  std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<Job*> ready_;
  std::multimap<Clock::time_point, Job*> later_;
  std::multimap<const void*, Job*> running_;  // by owner
  int threads_ = 0, idle_ = 0;
};

}  // namespace lstm_native
