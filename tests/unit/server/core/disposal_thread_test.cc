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

// One item of any size is taken; while it is there, nothing goes beyond the bound with it.
TEST(DisposalThread, WhatAwaitsItIsBoundedInBytes) {
  static std::atomic<bool> may_end;
  may_end = false;
  std::atomic<int> freed{0};
  {
    DisposalThread disposal;
    disposal.dispose(&freed, 4 * DisposalThread::kQueuedBytesMax, [](void* memory) {
      may_end.wait(false);
      ++*static_cast<std::atomic<int>*>(memory);
    });
    EXPECT_EQ(freed, 0);
    disposal.dispose(&freed, 1, [](void* memory) { ++*static_cast<std::atomic<int>*>(memory); });
    EXPECT_EQ(freed, 1);  // here, as the thread is still at the first
    may_end = true;
    may_end.notify_one();
  }
  EXPECT_EQ(freed, 2);
}

}  // namespace
}  // namespace larder
