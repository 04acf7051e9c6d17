// Time as an injected thing. Nothing in the server asks the operating system for the time but SystemClock, so that a
// test owns time and a simulation repeats.
#pragma once

#include <cstdint>

namespace larder {

class Clock {
 public:
  virtual ~Clock() = default;

  // Since 1970-01-01 UTC. May jump when the machine's clock is set.
  virtual int64_t wall_us() const = 0;
  // Since an arbitrary start. Never goes back.
  virtual int64_t mono_ns() const = 0;
  // Seconds east of UTC that local time is at the given moment: for log lines only.
  virtual int32_t local_offset_s(int64_t wall_s) const = 0;

  int64_t wall_ms() const { return wall_us() / 1000; }
  int64_t wall_s() const { return wall_us() / 1000000; }
  int64_t mono_us() const { return mono_ns() / 1000; }
  int64_t mono_ms() const { return mono_ns() / 1000000; }
};

// The machine's clocks (os_clock.cc).
class SystemClock final : public Clock {
 public:
  int64_t wall_us() const override;
  int64_t mono_ns() const override;
  int32_t local_offset_s(int64_t wall_s) const override;
};

// A clock that moves only when told to. Both times advance together.
class SimulatedClock final : public Clock {
 public:
  static constexpr int64_t kDefaultStartUs = 1'700'000'000'000'000;  // 2023-11-14 22:13:20 UTC

  explicit SimulatedClock(int64_t wall_start_us = kDefaultStartUs) : wall_us_(wall_start_us) {}

  int64_t wall_us() const override { return wall_us_; }
  int64_t mono_ns() const override {
    pass_ns(look_ns_);
    return mono_ns_;
  }
  int32_t local_offset_s(int64_t) const override { return 0; }

  void advance_ns(int64_t ns) { pass_ns(ns); }
  void advance_us(int64_t us) { advance_ns(us * 1000); }
  void advance_ms(int64_t ms) { advance_ns(ms * 1000000); }
  // Sets the wall clock, as an operator may: the monotonic clock does not notice.
  void set_wall_us(int64_t us) { wall_us_ = us; }
  // So much time passes with every look at the monotonic clock (0): what works until a time is up then does a little
  // and goes on at its next turn, as on a machine.
  void set_look_us(int64_t us) { look_ns_ = us * 1000; }

 private:
  void pass_ns(int64_t ns) const {
    mono_ns_ += ns;
    rest_ns_ += ns;
    wall_us_ += rest_ns_ / 1000;
    rest_ns_ %= 1000;
  }

  mutable int64_t wall_us_;
  mutable int64_t mono_ns_ = 1;
  mutable int64_t rest_ns_ = 0;
  int64_t look_ns_ = 0;
};

}  // namespace larder
