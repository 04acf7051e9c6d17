#include "server/core/disposal_thread.h"

#include "base/os_process.h"

namespace larder {

DisposalThread::DisposalThread() : thread_([this] { run(); }) {}

DisposalThread::~DisposalThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void DisposalThread::dispose(void* memory, size_t size_bytes, void (*release)(void*)) {
  const size_t before = bytes_;
  if (before > 0 && before + size_bytes > kQueuedBytesMax) return release(memory);
  bool wake;  // else it is awake, or about to be
  {
    const std::lock_guard lock(mutex_);
    wake = queue_.empty();
    if (queue_.size() < kQueuedMax) {
      queue_.push_back({memory, size_bytes, release});
      bytes_ += size_bytes;
      memory = nullptr;
    }
  }
  if (memory != nullptr) return release(memory);
  if (wake) work_.notify_one();
}

void DisposalThread::run() {
  os_give_way();
  std::vector<Item> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    for (const Item& item : batch) {
      item.release(item.memory);
      bytes_ -= item.bytes;
    }
    batch.clear();
  }
}

}  // namespace larder
