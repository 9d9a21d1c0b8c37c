// The thread pool and the barrier under load, from one and from several threads at once.
#include <atomic>
#include <thread>

#include "check.h"

namespace lstm_native::test {

namespace {
struct Shares {
  std::atomic<int> seen[64];
  std::atomic<int> count;
};

void note(void* data, int index, int count) {
  Shares& shares = *static_cast<Shares*>(data);
  shares.seen[index]++;
  shares.count = count;
}
}  // namespace

TEST("the pool runs every index exactly once, whatever the count and however often") {
  for (int round = 0; round < 2000; round++) {
    const int wanted = 1 + round % 6;
    Shares shares = {};
    ThreadPool::instance().run(wanted, note, &shares);
    const int count = shares.count;
    expect(count >= 1 && count <= wanted, "asked for %d threads, the task saw %d", wanted, count);
    for (int i = 0; i < 64; i++) {
      const int times = shares.seen[i];
      expect(times == (i < count ? 1 : 0), "round %d: index %d of %d ran %d times", round, i, count, times);
    }
  }
}

TEST("the pool serves several JavaScript threads at once") {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 4; caller++) {
    callers.emplace_back([&wrong] {
      for (int round = 0; round < 1000; round++) {
        Shares shares = {};
        ThreadPool::instance().run(3, note, &shares);
        int total = 0;
        for (auto& times : shares.seen) total += times;
        if (total != shares.count) wrong++;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  expect(wrong == 0, "%d calls lost or repeated an index", wrong.load());
}

TEST("a barrier lets nobody through before everyone has come") {
  struct Steps {
    Barrier barrier;
    std::atomic<int> done[300];
    std::atomic<int> early;
  };
  for (int wanted = 1; wanted <= 4; wanted++) {
    Steps steps = {};
    const auto task = [](void* data, int, int count) {
      Steps& shared = *static_cast<Steps*>(data);
      for (std::atomic<int>& done : shared.done) {
        done++;
        shared.barrier.wait(count);
        if (done != count) shared.early++;
      }
    };
    ThreadPool::instance().run(wanted, task, &steps);
    expect(steps.early == 0, "%d passages were early with %d threads", steps.early.load(), wanted);
  }
}

}  // namespace lstm_native::test
