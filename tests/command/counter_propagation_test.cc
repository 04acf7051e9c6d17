// What counters and rate limits give to the log and to replicas in their own place: never a request that reads the clock
// or a sum of floats.

#include "tests/command/effects_test.h"

namespace larder {
namespace {

using Lines = std::vector<std::string>;

class CounterPropagation : public testing::EffectsTest {
 protected:
  // The moment so many milliseconds from now, in milliseconds since 1970.
  std::string later(int64_t ms) { return std::to_string(server_.clock().wall_us() / 1000 + ms); }
};

TEST_F(CounterPropagation, IncrExTellsTheSum) {
  EXPECT_EQ(effect("INCREX k BYINT 7"), (Lines{"SET k 7 KEEPTTL"}));
  EXPECT_EQ(effect("INCREX k BYFLOAT 0.5"), (Lines{"SET k 7.5 KEEPTTL"}));
  EXPECT_EQ(effect("INCREX k BYFLOAT 100 UBOUND 42.5 SATURATE"), (Lines{"SET k 42.5 KEEPTTL"}));
  EXPECT_EQ(effect("INCREX k BYFLOAT 1 UBOUND 42.5"), Lines{});
  EXPECT_EQ(effect("INCREX k BYINT 1"), Lines{});  // an error
}

TEST_F(CounterPropagation, IncrExTellsTheDeadline) {
  EXPECT_EQ(effect("INCREX k EX 100"), (Lines{"SET k 1 PXAT " + later(100'000)}));
  EXPECT_EQ(effect("INCREX k PX 50 ENX"), (Lines{"SET k 2 KEEPTTL"}));
  EXPECT_EQ(effect("INCREX k PERSIST"), (Lines{"SET k 3"}));
  EXPECT_EQ(effect("INCREX k PERSIST"), (Lines{"SET k 4 KEEPTTL"}));
  EXPECT_EQ(effect("INCREX k PX 50 ENX"), (Lines{"SET k 5 PXAT " + later(50)}));
  EXPECT_EQ(effect("INCREX k EXAT 1"), (Lines{"DEL k"}));
  EXPECT_EQ(effect("INCREX k EXAT 1"), Lines{});
}

TEST_F(CounterPropagation, ThrottleTellsTheArrivalTime) {
  const std::string arrival = later(2000) + "000000";
  EXPECT_EQ(effect("CL.THROTTLE k 0 30 60"), (Lines{"SET k " + arrival + " PXAT " + later(2000)}));
  EXPECT_EQ(effect("CL.THROTTLE k 0 30 60"), Lines{});
  EXPECT_EQ(effect("CL.THROTTLE k 0 30 60 0"), Lines{});
}

TEST_F(CounterPropagation, LeasesAndRefundsTellTheirEffect) {
  EXPECT_EQ(
      effect("RL.ACQUIRE l me 2 1000"),
      (Lines{"ZADD l " + later(1000) + " me", "ZREMRANGEBYSCORE l -inf " + later(0), "PEXPIREAT l " + later(1000)}));
  EXPECT_EQ(effect("RL.RELEASE l me"), (Lines{"ZREM l me"}));
  EXPECT_EQ(effect("RL.TAKE 1 w FIXED 5 1000").size(), 1u);
  EXPECT_EQ(effect("RL.PEEK 1 w FIXED 5 1000"), Lines{});
  EXPECT_EQ(effect("RL.REFUND 1 w FIXED 5 1000"), (Lines{"DEL w"}));
}

}  // namespace
}  // namespace larder
