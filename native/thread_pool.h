// The process's one pool of worker threads. Idle workers sleep; nothing spins between calls.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lstm_native {

// How many threads a task gets where other programs want the cores too. A worker that is woken onto a core in
// use begins milliseconds late, and the others wait: two threads beside one busy program take three times as
// long as one. So after workers were late the next tasks do without as many of them: at first for as long as
// the delay was, which may have been a single hiccup, and for twice as long each time that trying again soon
// fails, until trying costs one part in kLongest.
class Relief {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kLate{500};  // waking a sleeping core takes less
  static constexpr std::chrono::milliseconds kSoon{100};
  static constexpr int kLongest = 50;

  int granted(int count, Clock::time_point now) const {
    return count > most_ && now < until_ ? most_ : count;
  }

  // A task of `count` threads had `late` workers that began up to `lateness` late.
  void delayed(int count, int late, Clock::duration lateness, Clock::time_point now) {
    const bool again = now - until_ < kSoon;
    length_ = !again ? 1 : 2 * length_ < kLongest ? 2 * length_ : kLongest;
    most_ = count - late;
    until_ = now + length_ * lateness;
  }

 private:
  int most_ = 1;
  int length_ = 1;
  Clock::time_point until_{};
};

// A task runs on `count` threads at once, each told its index; index 0 is the caller.
using Task = void (*)(void* data, int index, int count);

class ThreadPool {
 public:
  // Never destroyed: when the process exits, a worker may still be inside a task of a JavaScript thread that
  // was ended.
  static ThreadPool& instance();

  // Runs task(data, 0..count-1) and returns when all have ended. If the pool is at work for another
  // JavaScript thread, has fewer workers, or the cores have other work, it runs on fewer threads: `count` as
  // the task sees it says how many.
  void run(int count, Task task, void* data);

  // Whether this many workers are awake and looking for a task: handing them one costs next to nothing, where
  // waking them takes as long as a small call.
  bool awake(int workers) const { return looking_.load(std::memory_order_relaxed) >= workers; }

 private:
  struct Job {
    Task task;
    void* data;
    int count;
    int caller_cpu;
    Relief::Clock::time_point posted;
  };
  // A worker sleeps on its own slot, so that a task wakes only those it needs.
  struct Worker {
    alignas(64) std::atomic<const Job*> job{nullptr};
    std::thread thread;
  };

  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  int start_workers(int count);
  void work(Worker& worker, int index);
  void note_start(const Job& job);

  std::mutex busy_;  // held by the JavaScript thread that uses the workers
  std::vector<std::unique_ptr<Worker>> workers_;
  Relief relief_;
  alignas(64) std::atomic<int> running_{0};
  std::atomic<int> looking_{0};
  // Of the task that runs: how many workers began late, and how late the last of them.
  std::atomic<int> late_{0};
  std::atomic<Relief::Clock::rep> lateness_{0};
};

// Tells the CPU that this is a loop that waits.
inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How a thread waits for another of its task. It spins, since the wait is shorter than a sleep would be, and
// yields once it has spun longer than a step should take.
class Patience {
 public:
  void wait_a_moment() {
    if (spins_ < kSpins) {
      spins_++;
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int kSpins = 2000;  // some 40 µs, after which the peer has probably lost its core

  int spins_ = 0;
};

// Where the threads of one task wait for each other between dependent steps.
class Barrier {
 public:
  Barrier() = default;

  void wait(int count) {
    if (count == 1) return;
    const unsigned phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (Patience patience; phase_.load(std::memory_order_acquire) == phase;) patience.wait_a_moment();
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> phase_{0};
};

// How far one thread of a task has come, for another that works on what it leaves behind.
class Progress {
 public:
  // Everything written before is there for whoever waits for `done` or less.
  void reach(int done) { done_.store(done, std::memory_order_release); }

  void wait_for(int done) const {
    for (Patience patience; done_.load(std::memory_order_acquire) < done;) patience.wait_a_moment();
  }

 private:
  alignas(64) std::atomic<int> done_{0};
};

}  // namespace lstm_native
