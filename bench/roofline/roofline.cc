// Measures what this machine can do at most: multiply-adds a second on each instruction set, and bytes read a
// second by the size of what is read again and again, with 1 thread and with N. Usage: roofline N. Prints one
// JSON object.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "kernels.h"
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#if defined(__x86_64__)
extern const Kernels kScalar, kAvx2, kAvx512;
#else
extern const Kernels kScalar, kNeon;
#endif

namespace {

struct Target {
  const char* name;
  const Kernels& kernels;
};

std::vector<Target> available_targets() {
  std::vector<Target> targets = {{"scalar", kScalar}};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) targets.push_back({"avx2", kAvx2});
  if (__builtin_cpu_supports("avx512f")) targets.push_back({"avx512", kAvx512});
#else
  targets.push_back({"neon", kNeon});
#endif
  return targets;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Shorter than a scheduler's time slice, so that on a busy machine some trials still pass undisturbed.
constexpr double kTrialSeconds = 0.003;
constexpr int kTrials = 40;

// Calls work(thread, amount) on every thread at once and returns the best rate seen, in units of work a
// second. The best and not the median: a limit is what nothing can exceed, and other tenants of the machine
// only ever slow it.
double best_rate(int threads, const std::function<double(int thread, long amount)>& work) {
  long amount = 1;
  for (double spent = 0; spent < kTrialSeconds;) {
    const auto start = Clock::now();
    work(0, amount);
    spent = seconds_since(start);
    if (spent < kTrialSeconds)
      amount = spent < 1e-4 ? amount * 8 : long(double(amount) * 1.2 * kTrialSeconds / spent) + 1;
  }
  double best = 0;
  for (int trial = 0; trial < kTrials; trial++) {
    std::atomic<int> waiting{threads};
    std::vector<double> done(threads), spent(threads);
    const auto member = [&](int thread) {
      waiting--;
      while (waiting > 0) {
      }
      const auto start = Clock::now();
      done[thread] = work(thread, amount);
      spent[thread] = seconds_since(start);
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads; thread++) others.emplace_back(member, thread);
    member(0);
    for (auto& other : others) other.join();
    double total = 0;
    for (double amount_done : done) total += amount_done;
    best = std::max(best, total / *std::max_element(spent.begin(), spent.end()));
  }
  return best;
}

// One cycle an addition on every core known, each waiting for the one before.
double gigahertz() {
  const auto additions = [](int, long amount) {
    long chain = 0;
    for (long i = 0; i < amount; i++) {
#pragma GCC unroll 64
      for (int k = 0; k < 64; k++) {
        chain += i;
        asm volatile("" : "+r"(chain));
      }
    }
    return 64.0 * double(amount);
  };
  return best_rate(1, additions) / 1e9;
}

struct Caches {
  long l1, l2, l3;
};

#if defined(__APPLE__)
long cache_size(int level) {
  const char* names[] = {"hw.perflevel0.l1dcachesize", "hw.perflevel0.l2cachesize",
                         "hw.perflevel0.l3cachesize"};
  long value = 0;
  size_t size = sizeof value;
  return sysctlbyname(names[level - 1], &value, &size, nullptr, 0) == 0 ? value : 0;
}
#else
// From sysfs: what glibc's sysconf works out from CPUID for a shared L3 is wrong in many virtual machines.
long cache_size(int level) {
  for (int index = 0; index < 8; index++) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int found = 0;
    long kilobytes = 0;
    std::string type;
    std::ifstream(folder + "level") >> found;
    std::ifstream(folder + "type") >> type;
    std::ifstream(folder + "size") >> kilobytes;
    if (found == level && type != "Instruction") return kilobytes << 10;
  }
  return 0;
}
#endif

Caches cache_sizes() {
  Caches caches{cache_size(1), cache_size(2), cache_size(3)};
  // Where the system does not say (some Arm kernels), sizes that any of today's cores has.
  if (caches.l1 == 0) caches.l1 = 32 << 10;
  if (caches.l2 == 0) caches.l2 = 512 << 10;
  return caches;
}

// Bytes read a second when `bytes` are shared out over the threads and each reads its part again and again.
double read_rate(const Kernels& kernels, int threads, long bytes) {
  const long bytes_each = bytes / threads;
  const long floats = bytes_each / long(sizeof(float));
  std::vector<float*> buffers;
  for (int thread = 0; thread < threads; thread++) {
    auto* buffer = static_cast<float*>(std::aligned_alloc(4096, (bytes_each + 4095) / 4096 * 4096));
    if (!buffer) throw std::bad_alloc();
    std::fill(buffer, buffer + floats, 0.0F);
    buffers.push_back(buffer);
  }
  const double rate = best_rate(
      threads, [&](int thread, long amount) { return kernels.read(buffers[thread], floats, amount); });
  for (float* buffer : buffers) std::free(buffer);
  return rate / 1e9;
}

// {"1": ..., "N": ...}
std::string by_threads(int threads, const std::function<double(int)>& measure) {
  char text[96];
  if (threads == 1) {
    std::snprintf(text, sizeof text, "{\"1\": %.2f}", measure(1));
  } else {
    std::snprintf(text, sizeof text, "{\"1\": %.2f, \"%d\": %.2f}", measure(1), threads, measure(threads));
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "roofline: expected a number of threads from 1 to 1024, got %s\n", argv[1]);
    return 2;
  }
  const auto targets = available_targets();
  const Caches caches = cache_sizes();
  std::printf("{\"gigahertz\": %.3f, \"caches\": {\"L1\": %ld, \"L2\": %ld, \"L3\": %ld}, \"fma\": {",
              gigahertz(), caches.l1, caches.l2, caches.l3);
  for (size_t i = 0; i < targets.size(); i++) {
    const Kernels& kernels = targets[i].kernels;
    const auto rate = by_threads(threads, [&](int n) {
      return best_rate(n, [&](int, long amount) { return kernels.fma(amount); }) / 1e9;
    });
    std::printf("%s\"%s\": %s", i ? ", " : "", targets[i].name, rate.c_str());
  }
  std::printf("}, \"read\": [");

  const Kernels& widest = targets.back().kernels;
  constexpr long kSmallest = 16L << 10;
  const long largest = std::min(std::max(4 * caches.l3, 256L << 20), 1L << 30);
  for (long bytes = kSmallest; bytes <= largest; bytes *= 2) {
    const auto rate = by_threads(threads, [&](int n) { return read_rate(widest, n, bytes); });
    std::printf("%s{\"bytes\": %ld, \"rate\": %s}", bytes == kSmallest ? "" : ", ", bytes, rate.c_str());
  }
  std::printf("]}\n");
  return 0;
}
