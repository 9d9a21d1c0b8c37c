// Scratch memory of one JavaScript environment: bump allocation, 64-byte aligned, given back as a whole when
// a call ends. It grows to the largest call and stays, so that a warmed-up call allocates nothing.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include "huge_pages.h"

namespace lstm_native {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (Block& block : blocks_) std::free(block.memory);
  }

  // Uninitialised room for `count` values of T. Throws std::bad_alloc.
  template <typename T>
  T* take(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
    if (blocks_.empty() || blocks_.back().used + bytes > blocks_.back().size) grow(bytes);
    Block& block = blocks_.back();
    void* memory = static_cast<char*>(block.memory) + block.used;
    block.used += bytes;
    return static_cast<T*>(memory);
  }

  // What stands before it lives on when what is taken after it is given back.
  struct Mark {
    std::size_t blocks, used;
  };

  Mark mark() const { return {blocks_.size(), blocks_.empty() ? 0 : blocks_.back().used}; }

  // Ends the life of everything taken since.
  void release(const Mark& mark) {
    if (!blocks_.empty()) blocks_.back().used = blocks_.size() == mark.blocks ? mark.used : 0;
  }

  // Ends the life of everything taken. Several blocks become one, so that the next call of this size finds
  // room.
  void reset() {
    if (blocks_.size() > 1) {
      std::size_t total = 0;
      for (Block& block : blocks_) {
        total += block.size;
        std::free(block.memory);
      }
      blocks_.clear();
      grow(total);
    }
    if (!blocks_.empty()) blocks_.back().used = 0;
  }

 private:
  struct Block {
    void* memory;
    std::size_t size, used;
  };

  void grow(std::size_t bytes) {
    constexpr std::size_t kGrain = std::size_t{1} << 16;
    const std::size_t grain = bytes < 2 * kHugePage ? kGrain : kHugePage;
    const std::size_t size = (bytes / grain + 1) * grain;
    blocks_.reserve(blocks_.size() + 1);
    void* memory = std::aligned_alloc(size < 2 * kHugePage ? 64 : kHugePage, size);
    if (memory == nullptr) throw std::bad_alloc();
    prefer_huge_pages(memory, size);
    blocks_.push_back({memory, size, 0});
  }

  std::vector<Block> blocks_;
};

// Resets an arena when a call ends, however it ends.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena) {}
  ~ArenaScope() { arena_.reset(); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
};

}  // namespace lstm_native
