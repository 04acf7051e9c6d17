#pragma once

// What clients leave behind when they go, or when they give up something of which they had very much: a hundred thousand watched
// keys, subscriptions or keys that they waited for, a long queue of output, a cache of scripts. Nobody but the server's memory is
// waiting for it to be undone, so it is done in pieces by the background work (Server::background()).
//
// Whoever leaves something makes sure that others see none of it any more from that moment on: a leftover is only work.
//
// Small leftovers are undone at once, which is the usual case and costs a comparison. So are those that come while very much is
// waiting already (kStepsMax): clients cannot leave things faster than they are undone without end.

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

namespace larder {

class Leftover {
 public:
  virtual ~Leftover() = default;
  // How many steps it takes, each of them about a look-up and a free.
  virtual size_t steps_left() const = 0;
  // Takes `steps_max` of them, or about as many.
  virtual void undo_some(size_t steps_max) = 0;
};

class LeftoverQueue {
 public:
  // Some 20 us.
  static constexpr size_t kAtOnceMax = 64;
  // Half a second of work and, with names of 50 bytes, some 300 MB.
  static constexpr size_t kStepsMax = 2'000'000;

  // Null is nothing.
  void add(std::unique_ptr<Leftover> leftover) {
    if (leftover == nullptr) return;
    const size_t steps = leftover->steps_left();
    const bool has_room = waiting_.empty() || steps_ + steps <= kStepsMax;
    if (steps > kAtOnceMax && has_room) {
      steps_ += steps;
      waiting_.push_back(std::move(leftover));
      return;
    }
    while (const size_t left = leftover->steps_left()) leftover->undo_some(left);
  }
  bool empty() const { return waiting_.empty(); }
  // In all that waits.
  size_t steps() const { return steps_; }

  // Takes about `steps_max` steps. True when more are waiting.
  bool undo_some(size_t steps_max) {
    if (waiting_.empty()) return false;
    Leftover& first = *waiting_.front();
    const size_t before = first.steps_left();
    first.undo_some(steps_max);
    const size_t after = first.steps_left();
    steps_ -= before - after;
    if (after == 0) waiting_.pop_front();
    return !waiting_.empty();
  }
  // Drops what waits without undoing it: what it refers to goes, too.
  void clear() {
    waiting_.clear();
    steps_ = 0;
  }

 private:
  std::deque<std::unique_ptr<Leftover>> waiting_;
  size_t steps_ = 0;
};

}  // namespace larder
