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
  const bool too_much = before > 0 && before + size_bytes > kQueuedBytesMax;
  if (too_much || !enqueue({memory, size_bytes, release})) release(memory);
}

bool DisposalThread::enqueue(const Item& item) {
  bool wake;  // else it is awake, or about to be
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueuedMax) return false;
    wake = queue_.empty();
    queue_.push_back(item);
    bytes_ += item.bytes;
  }
  if (wake) work_.notify_one();
  return true;
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
