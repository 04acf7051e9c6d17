#include "server/net/event_loop.h"

#include <unistd.h>

#if defined(__linux__)
#include <sys/epoll.h>
#endif

#include "base/assert.h"

namespace larder {

bool Watcher::watch(uv_loop_t* loop, int fd, bool readable, bool writable) {
  LARDER_ASSERT(!closed_);
  if (!initialised_) {
    if (uv_poll_init(loop, &handle_, fd) != 0) return false;
    handle_.data = this;
    fd_ = fd;
    initialised_ = true;
  }
  const int events = (readable ? UV_READABLE | UV_DISCONNECT : 0) | (writable ? UV_WRITABLE : 0);
  if (events == events_) return true;
  events_ = events;
  watches_edges_ = false;
  if (events == 0) {
    uv_poll_stop(&handle_);
  } else {
    uv_poll_start(&handle_, events, on_poll);
  }
  return true;
}

void Watcher::on_poll(uv_poll_t* handle, int status, int events) {
  auto* watcher = static_cast<Watcher*>(handle->data);
  if (watcher->closed_) return;
  // libuv stops a watcher whose descriptor has an error. A reset must be seen once more, after the bytes before it were
  // read: only then does recv() report it, and the connection is closed.
  if (status < 0) {
    watcher->watches_edges_ = false;
    uv_poll_start(handle, watcher->events_, on_poll);
  } else {
    watcher->input_ends_ |= (events & UV_DISCONNECT) != 0;
    if (watcher->tells_once_ && !watcher->watches_edges_) watcher->watch_edges();
  }
  watcher->on_ready(status < 0 || (events & UV_READABLE), status < 0 || (events & UV_WRITABLE));
}

// libuv's own registration changed to epoll's edges, behind its back: it registers anew, without them, whenever what is watched
// changes. Only for input: what is written is not always written until the descriptor is full.
void Watcher::watch_edges() {
  watches_edges_ = true;
#if defined(__linux__)
  if (events_ & UV_WRITABLE) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.fd = fd_;
  epoll_ctl(uv_backend_fd(handle_.loop), EPOLL_CTL_MOD, fd_, &event);
#endif
}

void Watcher::close_and_destroy() {
  if (closed_) return;
  closed_ = true;
  if (!initialised_) {
    delete this;
    return;
  }
  uv_poll_stop(&handle_);
  close(fd_);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_),
           [](uv_handle_t* handle) { delete static_cast<Watcher*>(handle->data); });
}

Timer::Timer(uv_loop_t* loop, std::function<void()> callback) : state_(new State{{}, std::move(callback)}) {
  uv_timer_init(loop, &state_->handle);
  state_->handle.data = state_;
}

Timer::~Timer() {
  uv_timer_stop(&state_->handle);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void Timer::start(int64_t first_ms, int64_t repeat_ms) {
  uv_timer_start(
      &state_->handle, [](uv_timer_t* handle) { static_cast<State*>(handle->data)->callback(); },
      static_cast<uint64_t>(first_ms), static_cast<uint64_t>(repeat_ms));
}

void Timer::stop() { uv_timer_stop(&state_->handle); }

EventLoop::EventLoop() {
  LARDER_ASSERT(uv_loop_init(&loop_) == 0);
  uv_check_init(&loop_, &check_);
  check_.data = this;
  uv_idle_init(&loop_, &idle_);
  LARDER_ASSERT(uv_async_init(&loop_, &async_, [](uv_async_t*) {}) == 0);
  uv_check_start(&check_, [](uv_check_t* handle) {
    auto* loop = static_cast<EventLoop*>(handle->data);
    const bool more = loop->turn_ && loop->turn_();
    if (more == loop->idle_active_) return;
    loop->idle_active_ = more;
    if (more) {
      uv_idle_start(&loop->idle_, [](uv_idle_t*) {});
    } else {
      uv_idle_stop(&loop->idle_);
    }
  });
}

EventLoop::~EventLoop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
  for (auto& signal : signals_) uv_close(reinterpret_cast<uv_handle_t*>(&signal->handle), nullptr);
  while (uv_run(&loop_, UV_RUN_NOWAIT) != 0) {
  }
  LARDER_ASSERT(uv_loop_close(&loop_) == 0);
}

void EventLoop::on_signal(int signal_number, std::function<void(int)> callback) {
  auto state = std::make_unique<SignalState>();
  state->callback = std::move(callback);
  uv_signal_init(&loop_, &state->handle);
  state->handle.data = state.get();
  uv_signal_start(
      &state->handle,
      [](uv_signal_t* handle, int number) { static_cast<SignalState*>(handle->data)->callback(number); },
      signal_number);
  signals_.push_back(std::move(state));
}

void EventLoop::hurry() {
  if (idle_active_) return;
  idle_active_ = true;
  uv_idle_start(&idle_, [](uv_idle_t*) {});
}

void EventLoop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void EventLoop::stop() { uv_stop(&loop_); }

}  // namespace larder
