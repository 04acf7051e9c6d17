#pragma once

// Loading data at the start while clients may connect already: they are answered with LOADING, and INFO tells how far it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "persistence/rdb_loader.h"

namespace larder {

class Dispatcher;
struct Services;
struct Settings;

// What is being loaded.
class LoadTask {
 public:
  virtual ~LoadTask() = default;
  // About a millisecond of work. True: there is more. An error ends the load.
  virtual Result<bool> step() = 0;
  virtual uint64_t bytes_total() const = 0;
  virtual uint64_t bytes_done() const = 0;
  // Keys that came into the store, and keys that were over already.
  virtual uint64_t keys_loaded() const = 0;
  virtual uint64_t keys_expired() const { return 0; }
  // Called now and then inside of step(), maybe in the middle of a value.
  virtual void on_progress(std::function<void()>) {}
};

class Loading {
 public:
  using Done = std::function<void(const Status&)>;

  explicit Loading(const Clock& clock) : clock_(clock) {}

  bool active() const { return task_ != nullptr; }
  // `done` is called when the task has ended, well or not; active() is false by then. Requires: !active().
  void begin(std::unique_ptr<LoadTask> task, Done done);
  // Works until `deadline_us` of the monotonic clock. Requires: active().
  void work(int64_t deadline_us);
  // Works to the end.
  void finish() {
    while (active()) work(INT64_MAX);
  }

  // ---- For INFO. Requires: active().
  const LoadTask& task() const { return *task_; }
  int64_t started_ms() const { return started_ms_; }
  int64_t elapsed_s() const;
  int64_t remaining_s() const;
  // Of the last load that ended.
  uint64_t last_keys_loaded() const { return last_keys_loaded_; }
  uint64_t last_keys_expired() const { return last_keys_expired_; }

  // What should be in the store is not, or only a part of it, and the server ends: see end_unloaded().
  bool failed() const { return failed_; }
  void set_failed() { failed_ = true; }

 private:
  const Clock& clock_;
  std::unique_ptr<LoadTask> task_;
  Done done_;
  int64_t started_ms_ = 0;
  int64_t started_us_ = 0;
  uint64_t last_keys_loaded_ = 0;
  uint64_t last_keys_expired_ = 0;
  bool failed_ = false;
};

// Ends the server without saving: nobody is to see, change or save what was loaded so far.
void end_unloaded(Services& services, Dispatcher& dispatcher);

// The thresholds of the configuration, for values that are loaded.
RdbLimits rdb_limits(const Settings& settings);

// The longest string that a command may make: proto-max-bulk-len, but what a log brings back was allowed once.
size_t string_bytes_max(const Services& services);

// Has the libraries of functions in the file loaded by the script engine. The services outlive the loader.
void load_functions_too(RdbLoader& loader, Services& services);

// Loads an RDB file into the store.
class RdbLoadTask final : public LoadTask {
 public:
  // kNotFound if there is no such file. Store and files outlive the task.
  static Result<std::unique_ptr<RdbLoadTask>> open(FileSystem& files, const std::string& path, Store& store,
                                                   const RdbLoadOptions& options);

  Result<bool> step() override;
  uint64_t bytes_total() const override { return size_bytes_; }
  uint64_t bytes_done() const override { return loader_.offset(); }
  uint64_t keys_loaded() const override { return loader_.counts().keys_loaded; }
  uint64_t keys_expired() const override { return loader_.counts().keys_expired; }
  void on_progress(std::function<void()> call) override { loader_.on_progress(std::move(call)); }
  RdbLoader& loader() { return loader_; }

 private:
  RdbLoadTask(std::unique_ptr<File> file, uint64_t size_bytes, Store& store, const RdbLoadOptions& options);

  std::unique_ptr<File> file_;
  uint64_t size_bytes_;
  RdbLoader loader_;
};

}  // namespace larder
