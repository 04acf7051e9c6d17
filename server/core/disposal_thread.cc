#include "server/core/disposal_thread.h"

#include "base/os_process.h"

namespace larder {

DisposalThread::DisposalThread(bool free_is_short)
    : free_is_short_(free_is_short), ring_(kQueuedMax), thread_([this] { run(); }) {}

DisposalThread::~DisposalThread() {
  while (!enqueue({})) std::this_thread::yield();
  thread_.join();
}

void DisposalThread::dispose(void* memory, size_t size_bytes, void (*release)(void*)) {
  if (free_is_short_ || !has_room(size_bytes) || !enqueue({memory, size_bytes, release})) release(memory);
}

bool DisposalThread::assist(void* what, size_t size_bytes, void (*work)(void*)) {
  return has_room(size_bytes) && enqueue({what, size_bytes, work});
}

bool DisposalThread::enqueue(const Item& item) {
  const uint32_t queued = queued_.load(std::memory_order_relaxed);
  if (queued - done_ == kQueuedMax) return false;
  ring_[queued % kQueuedMax] = item;
  bytes_ += item.bytes;
  queued_ = queued + 1;
  // The thread looks at `queued_` behind its last write of `done_`, and this is the other way around: one of the two sees the other's.
  if (done_ == queued) queued_.notify_one();
  return true;
}

void DisposalThread::run() {
  os_give_way();
  for (uint32_t done = 0;; done++) {
    queued_.wait(done);
    const Item item = ring_[done % kQueuedMax];
    if (item.release == nullptr) return;
    item.release(item.memory);
    bytes_ -= item.bytes;
    done_ = done + 1;
  }
}

}  // namespace larder
