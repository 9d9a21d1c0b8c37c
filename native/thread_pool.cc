#include "thread_pool.h"

#include <system_error>

#include "denormals.h"

namespace lstm_native {

ThreadPool& ThreadPool::instance() {
  // Never destroyed: at process exit a worker may still be inside a task of a terminated JavaScript thread,
  // and static destructors would pull the mutexes from under it.
  static ThreadPool* pool = new ThreadPool();
  return *pool;
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int count, Task task, void* data) {
  std::unique_lock<std::mutex> busy(busy_, std::defer_lock);
  if (count <= 1 || !busy.try_lock()) {
    task(data, 0, 1);
    return;
  }
  start_workers(count - 1);
  count = static_cast<int>(workers_.size()) + 1 < count ? static_cast<int>(workers_.size()) + 1 : count;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    task_ = task;
    data_ = data;
    count_ = count;
    running_.store(count - 1, std::memory_order_relaxed);
    generation_++;
  }
  wake_.notify_all();
  task(data, 0, count);
  for (int left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire)) {
    running_.wait(left, std::memory_order_acquire);
  }
}

void ThreadPool::start_workers(int count) {
  while (static_cast<int>(workers_.size()) < count) {
    const int index = static_cast<int>(workers_.size()) + 1;
    try {
      workers_.emplace_back(&ThreadPool::work, this, index);
    } catch (const std::system_error&) {
      return;  // the system has no more threads to give: `run` goes on with those it has
    }
  }
}

void ThreadPool::work(int index) {
  const FlushDenormals flush;
  unsigned long seen = 0;
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [&] { return stopping_ || (generation_ != seen && index < count_); });
    if (stopping_) return;
    seen = generation_;
    const Task task = task_;
    void* data = data_;
    const int count = count_;
    lock.unlock();
    task(data, index, count);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

}  // namespace lstm_native
