#include "server/core/disposal_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
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

// The thread would hold the allocator's locks without a processor, and the loop wait for them.
TEST(DisposalThread, WhatIsShortIsDoneByTheCallerAndTheRestIsNot) {
  struct Work {
    std::thread::id by;
    std::atomic<bool> done{false};
    static void run(void* what) {
      auto* work = static_cast<Work*>(what);
      work->by = std::this_thread::get_id();
      work->done = true;
      work->done.notify_one();
    }
  };
  DisposalThread disposal(true);
  Work freed;
  disposal.dispose(&freed, 100 * DisposalThread::kQueuedBytesMax, Work::run);
  EXPECT_TRUE(freed.done);
  EXPECT_EQ(freed.by, std::this_thread::get_id());
  Work assisted;
  ASSERT_TRUE(disposal.assist(&assisted, 1, Work::run));
  assisted.done.wait(false);
  EXPECT_NE(assisted.by, std::this_thread::get_id());
}

TEST(DisposalThread, WithTooMuchBeforeItItDoesNotAssist) {
  static std::atomic<bool> may_end;
  may_end = false;
  int called = 0;
  {
    DisposalThread disposal;
    EXPECT_TRUE(disposal.has_room(SIZE_MAX / 2));
    ASSERT_TRUE(disposal.assist(&called, DisposalThread::kQueuedBytesMax, [](void* count) {
      may_end.wait(false);
      ++*static_cast<int*>(count);
    }));
    EXPECT_FALSE(disposal.has_room(1));
    EXPECT_FALSE(disposal.assist(&called, 1, [](void* count) { ++*static_cast<int*>(count); }));
    EXPECT_TRUE(disposal.assist(&called, 0, [](void* count) { ++*static_cast<int*>(count); }));
    may_end = true;
    may_end.notify_one();
  }
  EXPECT_EQ(called, 2);
}

}  // namespace
}  // namespace larder
