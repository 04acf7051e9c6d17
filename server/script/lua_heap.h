#pragma once

// The memory of one Lua state: counted, limited, and given back as a whole.
//
// Small blocks come from size classes 16 bytes apart, carved out of regions of a megabyte that are mapped, and go back to
// the system with the state; larger ones are blocks of malloc kept in a list. Three things are won over malloc: a script
// cannot take more than its limit (Lua then raises "not enough memory" at the very allocation, also in the middle of
// string.rep), the sum is exact, and a state that a hostile script has filled with ten million tables is dropped with its
// regions instead of object by object: 256 MB in a few milliseconds.
//
// One piece may have an eighth of the limit, or 32 MB when that is more: a table's part, or what `..` makes. Nothing can
// interrupt LuaJIT while it moves a table into a larger one or copies a text, and others wait that long. Functions of ours that
// make large texts say so first: those are copied once, and scripts do read large values.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace larder {

class LuaHeap {
 public:
  explicit LuaHeap(size_t bytes_max) : bytes_max_(bytes_max) {}
  ~LuaHeap();
  LuaHeap(const LuaHeap&) = delete;
  LuaHeap& operator=(const LuaHeap&) = delete;

  // lua_Alloc: `heap` is a LuaHeap.
  static void* allocate(void* heap, void* block, size_t old_bytes, size_t new_bytes);

  size_t used_bytes() const { return used_bytes_; }
  size_t bytes_max() const { return bytes_max_; }
  size_t room_bytes() const { return bytes_max_ > used_bytes_ ? bytes_max_ - used_bytes_ : 0; }
  void set_bytes_max(size_t bytes_max) { bytes_max_ = bytes_max; }
  // The next allocation is refused: for memory that a script takes elsewhere.
  void refuse_next() {
    refused_bytes_max_ = bytes_max_;
    bytes_max_ = 0;
  }
  // Whether an allocation was refused because of the limit since the heap was made. What is refused as one piece takes
  // nothing from the others.
  bool exhausted() const { return exhausted_; }
  size_t piece_bytes_max() const { return std::max(kPieceBytesLeast, bytes_max_ / kPiecePart); }
  // The next piece may be as large.
  void expect_piece(size_t bytes) { expected_piece_bytes_ = bytes; }

  // Calls on_growth(owner), once, when more than `bytes` are in use. It may do nothing that allocates.
  void watch_growth(size_t bytes) { watched_bytes_ = bytes; }

  // Who owns the state; found again from a lua_State through lua_getallocf().
  void* owner = nullptr;
  void (*on_growth)(void* owner) = nullptr;

 private:
  static constexpr size_t kClassBytes = 16;
  static constexpr size_t kSmallBytesMax = 512;
  static constexpr size_t kClasses = kSmallBytesMax / kClassBytes + 1;
  static constexpr size_t kRegionBytes = 1024 * 1024;
  static constexpr size_t kPieceBytesLeast = size_t{32} * 1024 * 1024;
  static constexpr size_t kPiecePart = 8;
  static constexpr size_t kPieceHeaderBytes = 64;  // what LuaJIT puts around a text, or in front of an array
  struct Free {
    Free* next;
  };
  // In front of a large block; 16 bytes, so that the block is aligned as malloc aligns.
  struct alignas(16) Large {
    Large* previous;
    Large* next;
  };

  static size_t class_of(size_t bytes) { return (bytes + kClassBytes - 1) / kClassBytes; }
  void* take(size_t bytes);
  void give(void* block, size_t bytes);
  void* resize(void* block, size_t old_bytes, size_t new_bytes);
  void* carve(size_t bytes);
  void link(Large* large);
  static void unlink(Large* large);

  void* refuse();
  bool admits_piece(size_t bytes);

  size_t bytes_max_;
  size_t refused_bytes_max_ = 0;  // the limit behind refuse_next()
  size_t expected_piece_bytes_ = 0;
  size_t used_bytes_ = 0;
  size_t watched_bytes_ = SIZE_MAX;
  bool exhausted_ = false;
  Free* free_[kClasses] = {};
  std::vector<char*> regions_;
  char* next_ = nullptr;
  char* limit_ = nullptr;
  Large large_{&large_, &large_};
};

}  // namespace larder
