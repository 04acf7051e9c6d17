// Crowds of clients on a disk, in simulated time: how many commands a second become durable, and how long they wait for it.

#include "server/core/sync_patience.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

struct Outcome {
  double commands_per_sync = 0;
  double commands_per_second = 0;
  double mean_wait_us = 0;
};

// A disk whose syncs take `sync_us`, and commands that arrive at their times.
class Disk {
 public:
  Disk(int64_t sync_us, bool is_patient) : sync_us_(sync_us), is_patient_(is_patient) {}

  void arrives(int64_t at_us) { arrivals_.insert(std::ranges::upper_bound(arrivals_, at_us), at_us); }
  // The next sync: returns how many commands it made durable.
  size_t sync() {
    int64_t begin_us = std::max(end_us_, arrivals_.front());
    const int64_t wait_us = is_patient_ ? patience_.wait_us(begin_us) : 0;
    if (wait_us > 0) {
      const size_t expected = patience_.expected();
      const bool all_came = arrivals_.size() >= expected && arrivals_[expected - 1] <= begin_us + wait_us;
      begin_us = all_came ? std::max(begin_us, arrivals_[expected - 1]) : begin_us + wait_us;
      patience_.waited(all_came);
    }
    end_us_ = begin_us + sync_us_;
    const size_t count = arrived_by(begin_us);
    for (size_t i = 0; i < count; ++i) waited_us_ += static_cast<double>(end_us_ - arrivals_[i]);
    arrivals_.erase(arrivals_.begin(), arrivals_.begin() + static_cast<ptrdiff_t>(count));
    patience_.synced(count, arrived_by(end_us_), sync_us_, end_us_);
    commands_ += count;
    ++syncs_;
    return count;
  }
  int64_t end_us() const { return end_us_; }
  Outcome outcome() const {
    const auto commands = static_cast<double>(commands_);
    return {commands / static_cast<double>(syncs_), commands * 1e6 / static_cast<double>(end_us_),
            waited_us_ / commands};
  }

 private:
  size_t arrived_by(int64_t time_us) const {
    return static_cast<size_t>(std::ranges::upper_bound(arrivals_, time_us) - arrivals_.begin());
  }

  const int64_t sync_us_;
  const bool is_patient_;
  SyncPatience patience_;
  std::vector<int64_t> arrivals_;  // in order
  int64_t end_us_ = 0;
  size_t commands_ = 0;
  size_t syncs_ = 0;
  double waited_us_ = 0;
};

constexpr int kSyncs = 3000;

// Clients that ask again when they are answered, one after the other: the loop takes so long for each.
Outcome of_crowd(int clients, int64_t each_us, int64_t sync_us, bool is_patient = true) {
  Disk disk(sync_us, is_patient);
  for (int i = 0; i < clients; ++i) disk.arrives(i * each_us);
  int64_t loop_us = clients * each_us;
  for (int i = 0; i < kSyncs; ++i) {
    const size_t answered = disk.sync();
    loop_us = std::max(loop_us, disk.end_us());
    for (size_t client = 0; client < answered; ++client) disk.arrives(loop_us += each_us);
  }
  return disk.outcome();
}

// Commands that come when they like, on average each so long after the one before it.
Outcome of_stream(int64_t mean_us, int64_t sync_us, bool is_patient, uint64_t seed) {
  Disk disk(sync_us, is_patient);
  Random random(seed);
  int64_t next_us = 0;
  for (int i = 0; i < kSyncs; ++i) {
    while (next_us <= disk.end_us() + 2 * sync_us + SyncPatience::kWaitUsMax) {
      next_us += static_cast<int64_t>(random.uniform(static_cast<uint64_t>(2 * mean_us))) + 1;
      disk.arrives(next_us);
    }
    disk.sync();
  }
  return disk.outcome();
}

TEST(SyncPatience, CrowdThatIsBackWithinASyncSharesOne) {
  for (const int64_t sync_us : {300, 1000, 10'000}) {
    const Outcome patient = of_crowd(50, 4, sync_us);
    const Outcome hasty = of_crowd(50, 4, sync_us, false);
    EXPECT_GT(patient.commands_per_sync, 49.0) << sync_us;
    EXPECT_GT(patient.commands_per_second, hasty.commands_per_second * 1.1) << sync_us;
    EXPECT_GT(patient.commands_per_second, 0.98 * 50e6 / static_cast<double>(sync_us + 50 * 4)) << sync_us;
  }
}

// Its beginning is synced while its end is on its way: the disk and the loop work side by side.
TEST(SyncPatience, CrowdThatNeedsLongerThanASyncIsNotWaitedFor) {
  for (const int64_t each_us : {5, 8, 20}) {
    const Outcome patient = of_crowd(50, each_us, 200);
    const Outcome hasty = of_crowd(50, each_us, 200, false);
    EXPECT_GT(patient.commands_per_second, hasty.commands_per_second * 0.98) << each_us;
  }
}

TEST(SyncPatience, LoneClientIsNeverWaitedFor) { EXPECT_EQ(of_crowd(1, 30, 200).mean_wait_us, 200.0); }

TEST(SyncPatience, CommandsThatComeWhenTheyLikeHardlyWaitLonger) {
  const uint64_t seed = test_seed();
  for (const int64_t mean_us : {5, 20, 100, 1000}) {
    const Outcome patient = of_stream(mean_us, 200, true, seed);
    const Outcome hasty = of_stream(mean_us, 200, false, seed);
    EXPECT_LT(patient.mean_wait_us, hasty.mean_wait_us * 1.06) << mean_us;
  }
}

TEST(SyncPatience, WhoDoesNotComeIsWaitedForOnce) {
  SyncPatience patience;
  patience.synced(50, 0, 1000, 10'000);
  EXPECT_EQ(patience.expected(), 50u);
  EXPECT_EQ(patience.wait_us(10'100), 900);
  patience.waited(false);
  for (uint64_t i = 1; i < SyncPatience::kTrialEvery; ++i) {
    patience.synced(49, 0, 1000, 20'000);
    EXPECT_EQ(patience.wait_us(20'000), 0) << i;
  }
  patience.synced(49, 0, 1000, 30'000);
  EXPECT_EQ(patience.wait_us(30'000), 1000);
  patience.waited(true);
  patience.synced(49, 0, 60'000'000, 40'000);
  EXPECT_EQ(patience.wait_us(40'000), SyncPatience::kWaitUsMax);
}

}  // namespace
}  // namespace larder
