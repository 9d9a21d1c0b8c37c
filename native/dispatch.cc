#include "dispatch.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif

namespace lstm_native {
namespace {

struct Candidate {
  const char* name;
  const Kernels* (*kernels)();
  bool (*supported)();
};

#if defined(__x86_64__)
bool has_avx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}
bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
#else
bool has_avx512() { return false; }
bool has_avx2() { return false; }
#endif
bool always() { return true; }

// The best first.
const Candidate kCandidates[] = {
    {"avx512", avx512_kernels, has_avx512},
    {"avx2", avx2_kernels, has_avx2},
    {"neon", neon_kernels, always},
    {"scalar", scalar_kernels, always},
};

// CPUs' worth of time a cgroup grants, or 0 for no limit: "quota period" in microseconds, or "max period".
double cgroup_quota() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
      v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double micros = 0;
  if (v1_quota >> micros && v1_period >> period && micros > 0 && period > 0) return micros / period;
  return 0;
}

}  // namespace

const std::vector<const Kernels*>& available_kernels() {
  static const std::vector<const Kernels*> available = [] {
    std::vector<const Kernels*> found;
    for (const Candidate& candidate : kCandidates) {
      if (candidate.kernels() != nullptr && candidate.supported()) found.push_back(candidate.kernels());
    }
    return found;
  }();
  return available;
}

const Kernels* find_kernels(const std::string& name, std::string* why) {
  for (const Kernels* kernels : available_kernels()) {
    if (name == kernels->name) return kernels;
  }
  *why = "no target is called \"" + name + "\"";
  for (const Candidate& candidate : kCandidates) {
    if (name != candidate.name) continue;
    *why = candidate.kernels() == nullptr
               ? "this build has no target \"" + name + "\", which is for another architecture"
               : "this CPU lacks the instructions of target \"" + name + "\"";
  }
  return nullptr;
}

int default_threads() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
  const double quota = cgroup_quota();
  if (quota > 0) count = std::min(count, static_cast<int>(std::ceil(quota)));
  return std::max(count, 1);
}

std::size_t l2_bytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return static_cast<std::size_t>(bytes);
#endif
  return std::size_t{1} << 20;
}

}  // namespace lstm_native
