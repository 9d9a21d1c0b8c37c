// The thread pool and the barrier under load, from one and from several threads at once.
#include <atomic>
#include <chrono>
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

TEST("tasks do without workers that came late, for longer the more often they do") {
  using std::chrono::milliseconds;
  Relief relief;
  Relief::Clock::time_point now{std::chrono::hours(1)};
  expect(relief.granted(8, now) == 8, "before any delay: %d of 8", relief.granted(8, now));
  for (int length : {1, 2, 4, 8, 16, 32, 50, 50}) {
    relief.delayed(8, 3, milliseconds(2), now);
    const auto end = now + length * milliseconds(2);
    expect(relief.granted(8, end - milliseconds(1)) == 5, "within %d delays: not 5 of 8", length);
    expect(relief.granted(4, now) == 4, "a task of fewer threads than are left");
    expect(relief.granted(8, end) == 8, "after %d delays: not all of 8", length);
    now = end + Relief::kSoon / 2;
  }
  now += 2 * Relief::kSoon;
  relief.delayed(8, 7, milliseconds(2), now);
  expect(relief.granted(8, now) == 1, "all workers late: not 1 of 8");
  expect(relief.granted(8, now + milliseconds(2)) == 8, "a single delay counts for longer than it was");
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
