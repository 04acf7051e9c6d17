#pragma once

// The loop: libuv behind a small interface. Descriptors become readable or writable, timers fire, signals arrive, and
// once per turn, after all descriptors were looked at, the tick runs.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace larder {

// Watches one descriptor. Owned by whoever watches; close() hands the memory back to the loop's own pace.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // The descriptor is readable, writable, or has failed (then both).
  virtual void on_ready(bool readable, bool writable) = 0;

  // Starts or changes what is watched; nothing when both are false. Returns false when the system refuses to watch the
  // descriptor, which can only happen the first time; the descriptor is then still the caller's.
  bool watch(uv_loop_t* loop, int fd, bool readable, bool writable);
  // Ends watching and destroys this object, in a later turn. Closes the descriptor at once.
  void close_and_destroy();
  int fd() const { return fd_; }

 protected:
  bool closed() const { return closed_; }
  // Tell of input only when more of it arrives, instead of in every turn in which some is there: who watches reads until
  // nothing is left. Spares the system a look at the descriptor in each turn after one with input.
  void tell_of_input_once() { tells_once_ = true; }
  // The other side sends no more. Behind the input that is there comes its end, of which nobody tells again.
  bool input_ends() const { return input_ends_; }

 private:
  static void on_poll(uv_poll_t* handle, int status, int events);
  void watch_edges();

  uv_poll_t handle_;
  int fd_ = -1;
  int events_ = 0;
  bool initialised_ = false;
  bool closed_ = false;
  bool tells_once_ = false;
  bool watches_edges_ = false;
  bool input_ends_ = false;
};

// A repeating or single timer. Stopped and given back to the loop when destroyed.
class Timer {
 public:
  Timer(uv_loop_t* loop, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(int64_t first_ms, int64_t repeat_ms);
  void stop();

 private:
  struct State {
    uv_timer_t handle;
    std::function<void()> callback;
  };
  State* state_;  // owned by the loop once closing has begun
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  uv_loop_t* raw() { return &loop_; }
  // Called once per turn, after the descriptors. Return true to have the next turn at once instead of waiting.
  void on_turn(std::function<bool()> callback) { turn_ = std::move(callback); }
  // Calls back when the signal arrives.
  void on_signal(int signal_number, std::function<void(int)> callback);
  // From any thread: a turn comes soon.
  void wake() { uv_async_send(&async_); }
  // Makes the coming turn not wait.
  void hurry();
  void run();
  // Leaves run() after this turn.
  void stop();

 private:
  struct SignalState {
    uv_signal_t handle;
    std::function<void(int)> callback;
  };

  uv_loop_t loop_;
  uv_check_t check_;
  uv_idle_t idle_;
  uv_async_t async_;
  bool idle_active_ = false;
  std::function<bool()> turn_;
  std::vector<std::unique_ptr<SignalState>> signals_;
};

}  // namespace larder
