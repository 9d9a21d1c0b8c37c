// Runs every test, or those whose sentence contains the argument; --exhaustive leaves no case out.
#include <cstring>

#include "check.h"

namespace lstm_native::test {

namespace {
bool every_case = false;
int failures = 0;  // of the running test
}  // namespace

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

bool exhaustive() { return every_case; }

bool expect(bool fact, const char* format, ...) {
  if (fact) return true;
  constexpr int kShown = 8;  // a wrong kernel is wrong in many places; the first few say enough
  if (failures++ < kShown) {
    va_list arguments;
    va_start(arguments, format);
    std::printf("      ");
    std::vprintf(format, arguments);
    std::printf("\n");
    va_end(arguments);
  }
  return false;
}

const std::vector<const Kernels*>& targets() {
  static const std::vector<const Kernels*> runnable = [] {
    std::vector<const Kernels*> found = {scalar_kernels()};
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (avx2) found.push_back(avx2_kernels());
    if (avx512) found.push_back(avx512_kernels());
    if (!avx2) std::printf("this CPU lacks avx2: not tested\n");
    if (!avx512) std::printf("this CPU lacks avx512: not tested\n");
    std::printf("neon is for AArch64: not tested\n");
#elif defined(__aarch64__)
    found.push_back(neon_kernels());
    std::printf("avx2 and avx512 are for x86-64: not tested\n");
#endif
    return found;
  }();
  return runnable;
}

static int run_all(const char* filter) {
  int passed = 0, failed = 0;
  for (const Test& test : tests()) {
    if (std::strstr(test.sentence, filter) == nullptr) continue;
    failures = 0;
    test.run();
    std::printf("%s  %s\n", failures == 0 ? "ok  " : "FAIL", test.sentence);
    if (failures > 0) std::printf("      %d facts of it are wrong\n", failures);
    std::fflush(stdout);
    (failures == 0 ? passed : failed)++;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace lstm_native::test

int main(int count, char** arguments) {
  const char* filter = "";
  for (int i = 1; i < count; i++) {
    if (std::strcmp(arguments[i], "--exhaustive") == 0) {
      lstm_native::test::every_case = true;
    } else {
      filter = arguments[i];
    }
  }
  return lstm_native::test::run_all(filter);
}
