#pragma once

// Gives big memory back to the system, and makes it, on a thread of its own, so that neither ever stalls the loop.
//
// The thread gives way to all others: on a busy machine it may be without a processor for a tenth of a second, in the middle of
// whatever it does. So it shares no lock with the loop. What is handed to it goes through a ring without one (`queued_` is the loop's to
// write, `done_` the thread's), and where free() itself is short (the allocator gives pages back by itself) dispose() calls it at once:
// it would take the allocator's locks on this thread, and the loop waited 10 to 30 ms for them.
//
// What it has before it is bounded by kQueuedMax and kQueuedBytesMax; beyond them memory is freed on the caller's thread, which
// only happens when values are freed faster than a thread that gives way to all others can free them. One value of any size
// is taken when there is nothing else.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "storage/disposal.h"

namespace larder {

class DisposalThread final : public Disposal {
 public:
  static constexpr size_t kQueuedMax = 4096;
  static constexpr size_t kQueuedBytesMax = 8 * 1024 * 1024;

  // `free_is_short`: see os_free_is_short().
  explicit DisposalThread(bool free_is_short = false);
  // Frees what is queued, then ends the thread.
  ~DisposalThread() override;

  // To be called from one thread at a time, as the others.
  void dispose(void* memory, size_t size_bytes, void (*release)(void*)) override;
  bool assist(void* what, size_t size_bytes, void (*work)(void*)) override;
  bool has_room(size_t size_bytes) const override {
    const size_t before = bytes_;
    return before == 0 || before + size_bytes <= kQueuedBytesMax;
  }

 private:
  struct Item {
    void* memory;
    size_t bytes;
    void (*release)(void*);  // null: the end
  };
  void run();
  bool enqueue(const Item& item);

  const bool free_is_short_;
  std::vector<Item> ring_;
  // How many items were ever put in, and taken out and done with.
  std::atomic<uint32_t> queued_ = 0;
  std::atomic<uint32_t> done_ = 0;
  std::atomic<size_t> bytes_ = 0;  // queued or being freed
  std::thread thread_;
};

}  // namespace larder
