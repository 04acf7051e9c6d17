#include "server/core/disposal_thread.h"

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

void DisposalThread::dispose(void* memory, size_t, void (*release)(void*)) {
  bool wake;  // else it is awake, or about to be
  {
    const std::lock_guard lock(mutex_);
    wake = queue_.empty();
    if (queue_.size() < kQueuedMax) {
      queue_.push_back({memory, release});
      memory = nullptr;
    }
  }
  if (memory != nullptr) return release(memory);
  if (wake) work_.notify_one();
}

void DisposalThread::run() {
  std::vector<Item> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    for (const Item& item : batch) item.release(item.memory);
    batch.clear();
  }
}

}  // namespace larder
