#pragma once

// Under `appendfsync always`: whether the next sync waits for the clients that the last one has answered.
//
// Clients that wait for each reply come back together when a sync has answered them. Were the next sync begun with the first of
// them, it would serve that one alone, all others would wait for the one behind it, and from then on two crowds would take
// turns, each waiting for two syncs. So the next sync waits until as many commands are there as the last one made durable and
// left waiting, at most as long as that one took.
//
// Where commands come from whoever likes, at their own times, that would only make them wait longer. There some came during the last sync
// as well; in a crowd that waits for its replies none did, as all of it waited. And whoever was expected and did not come is
// not waited for again. So that two crowds become one, and clients that have changed are seen, now and then a sync tries it all the
// same; the less often, the longer it fails.

#include <algorithm>
#include <cstdint>

namespace larder {

class SyncPatience {
 public:
  // When more than one command in so many came during the sync that made them durable, they do not wait for replies.
  static constexpr uint64_t kCrowdPart = 4;
  // Syncs; twice as many after each trial that failed.
  static constexpr uint64_t kTrialEvery = 16;
  static constexpr uint64_t kTrialEveryMax = 256;
  static constexpr int64_t kWaitUsMax = 5000;
  static constexpr int64_t kWaitUsMin = 20;  // not worth a timer below it

  // A sync has ended: how many commands it made durable, and how many wait for the next one by now.
  void synced(uint64_t commands, uint64_t waiting, int64_t took_us, int64_t now_us) {
    expected_ = commands + waiting;
    end_us_ = now_us + std::min(took_us, kWaitUsMax);
    const bool is_crowd = waiting * kCrowdPart <= commands;
    waits_ = is_crowd && !was_let_down_;
    if (waits_ || --to_trial_ > 0) return;
    waits_ = true;
    to_trial_ = trial_every_;
  }
  // So many commands are expected before the next sync.
  uint64_t expected() const { return expected_; }
  // How long to wait for them, 0 for not at all.
  int64_t wait_us(int64_t now_us) const {
    const int64_t left_us = waits_ ? end_us_ - now_us : 0;
    return left_us < kWaitUsMin ? 0 : left_us;
  }
  // It was waited for: whether those that were expected came. Twice in a row it is no accident.
  void waited(bool all_came) {
    if (!all_came) {
      to_trial_ = trial_every_;
      trial_every_ = std::min(trial_every_ * 2, kTrialEveryMax);
    } else if (!was_let_down_) {
      trial_every_ = kTrialEvery;
    }
    was_let_down_ = !all_came;
  }

 private:
  uint64_t expected_ = 0;
  uint64_t trial_every_ = kTrialEvery;
  uint64_t to_trial_ = kTrialEvery;
  int64_t end_us_ = 0;
  bool waits_ = false;
  bool was_let_down_ = false;
};

}  // namespace larder
