// Where big memory goes to be freed, and made. Giving memory back to the system can take hundreds of microseconds, so the owner
// of the loop passes in a Disposal that does it on another thread.
#pragma once

#include <cstddef>

namespace larder {

class Disposal {
 public:
  virtual ~Disposal() = default;
  // Calls release(memory), which is free() and little else, now or later, here or on another thread. Nothing else refers to the memory
  // any more, and it is not a block of a BlockAllocator (those belong to one thread).
  virtual void dispose(void* memory, size_t size_bytes, void (*release)(void*)) = 0;
  // Calls work(what) later on another thread. False when there is none, or it has too much before it: nothing is called then. Work that
  // gives memory back says how much, others nothing.
  virtual bool assist([[maybe_unused]] void* what, [[maybe_unused]] size_t size_bytes,
                      [[maybe_unused]] void (*work)(void*)) {
    return false;
  }
  // False while another thread has so much before it that it would not assist with such memory.
  virtual bool has_room([[maybe_unused]] size_t size_bytes) const { return true; }
};

// Frees at once, on the caller's thread.
class ImmediateDisposal final : public Disposal {
 public:
  void dispose(void* memory, size_t, void (*release)(void*)) override { release(memory); }
};

}  // namespace larder
