// Work away from the loop: jobs that wait for a disk or compress, run one after the other in the order they were posted.
//
// Behind an interface so that a test runs them at once and in its own order of events. A job may touch only what was
// handed to it; results come back through state of its own that the loop looks at.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace larder {

class Worker {
 public:
  using Job = std::function<void()>;
  virtual ~Worker() = default;
  // Never blocks. Whoever posts bounds how much it has outstanding.
  virtual void post(Job job) = 0;
  // Returns when everything posted so far has run.
  virtual void drain() = 0;
};

// Runs each job where it is posted.
class InlineWorker final : public Worker {
 public:
  void post(Job job) override { job(); }
  void drain() override {}
};

// Runs the jobs on a thread of its own, which starts with the first job. It gives way to other threads (os_give_way).
class ThreadWorker final : public Worker {
 public:
  ThreadWorker() = default;
  // Runs what is posted, then ends the thread.
  ~ThreadWorker() override;
  void post(Job job) override;
  void drain() override;

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Job> jobs_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace larder
