// Jobs of the executor: each runs once, in order, beside others, and not after it was taken back.
#include "../executor.h"

#include <atomic>
#include <memory>
#include <vector>

#include "check.h"

namespace lstm_native::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Counts how often it ran, and waits inside while it is told to.
struct Counting : Job {
  explicit Counting(const void* job_owner) : Job(job_owner) {}

  void run(Arena& arena, bool is_alone) override {
    arena.take<float>(1000)[999] = 1;
    alone = is_alone;
    begun = true;
    while (held) std::this_thread::sleep_for(microseconds(100));
    if (order != nullptr) place = (*order)++;
    runs++;
  }

  void wait() const {
    while (runs == 0) std::this_thread::sleep_for(microseconds(50));
  }

  std::atomic<bool> held{false}, begun{false}, alone{false};
  std::atomic<int> runs{0}, place{-1};
  std::atomic<int>* order = nullptr;
};

TEST("the executor begins jobs in their order, two at a time") {
  Executor& executor = Executor::instance();
  const int owner = 0;
  Counting first(&owner), second(&owner);
  first.held = second.held = true;
  executor.submit(&first, 2);
  while (!first.begun) std::this_thread::yield();
  executor.submit(&second, 2);
  while (!second.begun) std::this_thread::yield();
  expect(first.alone && !second.alone, "the first job was alone, the second was not");

  std::atomic<int> order{0};
  std::vector<std::unique_ptr<Counting>> queue;
  for (int i = 0; i < 20; i++) {
    queue.push_back(std::make_unique<Counting>(&owner));
    queue.back()->order = &order;
    executor.submit(queue.back().get(), 2);
  }
  expect(!queue[0]->begun, "a third job waits");
  // With one thread held the other takes them one after the other.
  second.held = false;
  for (const auto& job : queue) job->wait();
  for (int i = 0; i < 20; i++)
    expect(queue[i]->place == i, "job %d came at place %d", i, queue[i]->place.load());
  first.held = false;
  executor.abandon(&owner);
  expect(first.runs == 1 && second.runs == 1, "both ran once");
}

TEST("a job that was taken back, or whose owner has gone, does not run") {
  Executor& executor = Executor::instance();
  const int owner = 0, other = 0;
  Counting first(&owner), second(&owner);
  for (Counting* each : {&first, &second}) {
    each->held = true;
    executor.submit(each, 2);
    while (!each->begun) std::this_thread::yield();
  }
  Counting withdrawn(&owner), abandoned(&other), later(&other);
  executor.submit(&withdrawn, 2);
  executor.submit(&abandoned, 2);
  executor.submit_after(&later, milliseconds(1), 2);
  expect(executor.withdraw(&withdrawn), "a job that waits can be taken back");
  expect(!executor.withdraw(&withdrawn), "not twice");
  expect(!executor.withdraw(&first), "nor one that has begun");
  executor.abandon(&other);
  first.held = second.held = false;
  executor.abandon(&owner);
  std::this_thread::sleep_for(milliseconds(5));
  expect(first.runs == 1 && second.runs == 1, "what had begun was waited for");
  expect(withdrawn.runs == 0 && abandoned.runs == 0 && later.runs == 0, "nothing else ran");
}

TEST("a delayed job waits for its time, and not for one with a later time") {
  Executor& executor = Executor::instance();
  const int owner = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&](int ms) { return std::chrono::steady_clock::now() - begin >= milliseconds(ms); };
  Counting late(&owner), soon(&owner);
  executor.submit_after(&late, milliseconds(40), 2);
  executor.submit_after(&soon, milliseconds(3), 2);
  soon.wait();
  expect(passed(3), "the first came too soon");
  expect(late.runs == 0 || passed(40), "the second came too soon");
  late.wait();
  expect(passed(40), "the second came too soon");
  executor.abandon(&owner);
}

}  // namespace
}  // namespace lstm_native::test
