#include "server/core/disposal_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace larder {
namespace {

// More than the queue holds, so that some are freed by the caller; the thread is idle and busy by turns.
TEST(DisposalThread, EverythingIsFreedOnce) {
  std::vector<std::atomic<int>> freed(3 * DisposalThread::kQueuedMax);
  {
    DisposalThread disposal;
    for (std::atomic<int>& each : freed) {
      disposal.dispose(&each, 1, [](void* memory) { ++*static_cast<std::atomic<int>*>(memory); });
    }
  }
  for (const std::atomic<int>& each : freed) ASSERT_EQ(each, 1);
}

TEST(DisposalThread, AnIdleThreadIsWoken) {
  DisposalThread disposal;
  for (int i = 0; i < 200; i++) {
    std::atomic<bool> freed{false};
    disposal.dispose(&freed, 1, [](void* memory) {
      *static_cast<std::atomic<bool>*>(memory) = true;
      static_cast<std::atomic<bool>*>(memory)->notify_one();
    });
    freed.wait(false);
  }
}

}  // namespace
}  // namespace larder
