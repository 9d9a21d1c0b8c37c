// Large arrays on large pages, where the system leaves that to the program (Linux): streaming weights or a
// training cache through pages of 4 KB misses the TLB every few dozen lines, and on a virtual machine each
// miss walks two tables. Measured: 3 to 8 % of whole calls (docs/performance.md).
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lstm_native {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// A wish: it holds for the pages of the array that have not been touched yet, and failing changes nothing but
// speed. Small arrays are left alone.
inline void prefer_huge_pages([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  if (bytes < 2 * kHugePage) return;
  const auto first = (reinterpret_cast<std::uintptr_t>(memory) + kHugePage - 1) / kHugePage * kHugePage;
  const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / kHugePage * kHugePage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

}  // namespace lstm_native
