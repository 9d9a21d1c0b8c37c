#include "executor.h"

#include <algorithm>
#include <iterator>
#include <system_error>

#include "denormals.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lstm_native {
namespace {

// Where cores are short, the event loop goes first: it has little to do at a time, and everybody waits for
// it. As a terminal's `nice`: with 5 a request is refused 50 % later at the 99th percentile where the event
// loop shares its cores. Containers and services share a machine by their groups, whatever the niceness
// within.
void step_back() {
#if defined(__linux__)
  constexpr int kNiceness = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
#endif
}

}  // namespace

Executor& Executor::instance() {
  static Executor* executor = new Executor();
  return *executor;
}

void Executor::submit(Job* job, int most) {
  const std::lock_guard<std::mutex> lock(mutex_);
  start_thread(most);
  ready_.push_back(job);
  wake_.notify_one();
}

void Executor::submit_after(Job* job, std::chrono::microseconds delay, int most) {
  const std::lock_guard<std::mutex> lock(mutex_);
  start_thread(most);
  later_.emplace(Clock::now() + delay, job);
  // Whoever sleeps may sleep too long.
  wake_.notify_all();
}

// Where nobody is idle and one more is allowed.
void Executor::start_thread(int most) {
  if (idle_ > static_cast<int>(ready_.size()) || threads_ >= most) return;
  try {
    std::thread([this] { work(); }).detach();
    threads_++;
  } catch (const std::system_error&) {
    if (threads_ == 0) throw;
  }
}

bool Executor::withdraw(Job* job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find(ready_.begin(), ready_.end(), job);
  if (found == ready_.end()) return false;
  ready_.erase(found);
  return true;
}

void Executor::abandon(const void* owner) {
  std::unique_lock<std::mutex> lock(mutex_);
  ready_.erase(std::remove_if(ready_.begin(), ready_.end(), [&](Job* job) { return job->owner == owner; }),
               ready_.end());
  for (auto each = later_.begin(); each != later_.end();) {
    each = each->second->owner == owner ? later_.erase(each) : std::next(each);
  }
  ended_.wait(lock, [&] { return running_.find(owner) == running_.end(); });
}

Job* Executor::next(std::unique_lock<std::mutex>& lock) {
  idle_++;
  for (;;) {
    if (!later_.empty() && later_.begin()->first <= Clock::now()) {
      ready_.push_front(later_.begin()->second);
      later_.erase(later_.begin());
    }
    if (!ready_.empty()) break;
    if (later_.empty()) {
      wake_.wait(lock);
    } else {
      // A copy: another thread may take the job meanwhile.
      const Clock::time_point time = later_.begin()->first;
      wake_.wait_until(lock, time);
    }
  }
  idle_--;
  Job* job = ready_.front();
  ready_.pop_front();
  return job;
}

void Executor::work() {
  step_back();
  const FlushDenormals flush;
  Arena arena;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    Job* job = next(lock);
    const void* owner = job->owner;
    const bool alone = running_.empty() && ready_.empty();
    const auto place = running_.emplace(owner, job);
    lock.unlock();
    {
      const ArenaScope scope(arena);
      job->run(arena, alone);
    }
    lock.lock();
    running_.erase(place);
    ended_.notify_all();
  }
}

}  // namespace lstm_native
