#pragma once

// Frees big memory on a thread of its own, so that giving pages back to the system never stalls the loop.
//
// What it has before it is bounded by kQueuedMax and kQueuedBytesMax; beyond them memory is freed on the caller's thread, which
// only happens when values are freed faster than a thread that gives way to all others can free them. One value of any size
// is taken when there is nothing else.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/disposal.h"

namespace larder {

class DisposalThread final : public Disposal {
 public:
  static constexpr size_t kQueuedMax = 64 * 1024;
  static constexpr size_t kQueuedBytesMax = 8 * 1024 * 1024;

  DisposalThread();
  // Frees what is queued, then ends the thread.
  ~DisposalThread() override;

  void dispose(void* memory, size_t size_bytes, void (*release)(void*)) override;
  bool assist(void* what, void (*work)(void*)) override { return enqueue({what, 0, work}); }

 private:
  struct Item {
    void* memory;
    size_t bytes;
    void (*release)(void*);
  };
  void run();
  bool enqueue(const Item& item);

  std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Item> queue_;
  bool stopping_ = false;
  std::atomic<size_t> bytes_ = 0;  // queued or being freed
  std::thread thread_;
};

}  // namespace larder
