#include "server/script/lua_heap.h"

#include <cstdlib>
#include <cstring>

#include "storage/os_memory.h"

namespace larder {

LuaHeap::~LuaHeap() {
  for (Large* large = large_.next; large != &large_;) {
    Large* next = large->next;
    std::free(large);
    large = next;
  }
  for (char* region : regions_) unmap(region, kRegionBytes);
}

void* LuaHeap::allocate(void* heap, void* block, size_t old_bytes, size_t new_bytes) {
  auto& self = *static_cast<LuaHeap*>(heap);
  if (block == nullptr) old_bytes = 0;
  if (new_bytes == 0) {
    if (block != nullptr) self.give(block, old_bytes);
    self.used_bytes_ -= old_bytes;
    return nullptr;
  }
  if (new_bytes > old_bytes && new_bytes - old_bytes > self.bytes_max_ - std::min(self.bytes_max_, self.used_bytes_)) {
    return self.refuse();
  }
  if (new_bytes > kPieceBytesLeast && new_bytes > old_bytes && !self.admits_piece(new_bytes)) [[unlikely]]
    return nullptr;
  void* result = block == nullptr ? self.take(new_bytes) : self.resize(block, old_bytes, new_bytes);
  if (result == nullptr) return self.refuse();
  self.used_bytes_ += new_bytes - old_bytes;
  if (self.used_bytes_ > self.watched_bytes_) [[unlikely]] {
    self.watched_bytes_ = SIZE_MAX;
    self.on_growth(self.owner);
  }
  return result;
}

bool LuaHeap::admits_piece(size_t bytes) {
  if (bytes <= piece_bytes_max() + kPieceHeaderBytes) return true;
  const bool is_expected = bytes <= expected_piece_bytes_ + kPieceHeaderBytes;
  expected_piece_bytes_ = 0;
  return is_expected;
}

void* LuaHeap::refuse() {
  if (bytes_max_ == 0) bytes_max_ = refused_bytes_max_;
  exhausted_ = true;
  return nullptr;
}

void* LuaHeap::take(size_t bytes) {
  if (bytes > kSmallBytesMax) {
    auto* large = static_cast<Large*>(std::malloc(sizeof(Large) + bytes));
    if (large == nullptr) return nullptr;
    link(large);
    return large + 1;
  }
  Free*& head = free_[class_of(bytes)];
  if (head == nullptr) return carve(class_of(bytes) * kClassBytes);
  void* block = head;
  head = head->next;
  return block;
}

void* LuaHeap::carve(size_t bytes) {
  if (static_cast<size_t>(limit_ - next_) < bytes) {
    // What is left of the old region is less than one small block: it waits for the end with the rest.
    auto* region = static_cast<char*>(map_aligned(kRegionBytes));
    regions_.push_back(region);
    next_ = region;
    limit_ = region + kRegionBytes;
  }
  char* block = next_;
  next_ += bytes;
  return block;
}

void LuaHeap::give(void* block, size_t bytes) {
  if (bytes > kSmallBytesMax) {
    Large* large = static_cast<Large*>(block) - 1;
    unlink(large);
    std::free(large);
    return;
  }
  Free*& head = free_[class_of(bytes)];
  auto* free_block = static_cast<Free*>(block);
  free_block->next = head;
  head = free_block;
}

void* LuaHeap::resize(void* block, size_t old_bytes, size_t new_bytes) {
  const bool both_small = old_bytes <= kSmallBytesMax && new_bytes <= kSmallBytesMax;
  if (both_small && class_of(old_bytes) == class_of(new_bytes)) return block;
  if (old_bytes > kSmallBytesMax && new_bytes > kSmallBytesMax) {
    Large* large = static_cast<Large*>(block) - 1;
    unlink(large);
    auto* moved = static_cast<Large*>(std::realloc(large, sizeof(Large) + new_bytes));
    link(moved != nullptr ? moved : large);
    return moved != nullptr ? moved + 1 : nullptr;
  }
  void* fresh = take(new_bytes);
  if (fresh == nullptr) return nullptr;
  std::memcpy(fresh, block, std::min(old_bytes, new_bytes));
  give(block, old_bytes);
  return fresh;
}

void LuaHeap::link(Large* large) {
  large->previous = &large_;
  large->next = large_.next;
  large_.next->previous = large;
  large_.next = large;
}

void LuaHeap::unlink(Large* large) {
  large->previous->next = large->next;
  large->next->previous = large->previous;
}

}  // namespace larder
