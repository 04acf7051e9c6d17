#include "server/core/loading.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "server/config/settings.h"
#include "server/core/dispatcher.h"
#include "server/core/scripting.h"
#include "server/core/services.h"

namespace larder {
namespace {

// Keys between two looks at the clock: well below a millisecond of small ones.
constexpr size_t kKeysPerStep = 512;

// Beyond it a log is believed to be damaged rather than written under a higher limit than is configured now.
constexpr size_t kLoadedStringBytesMax = size_t{4} * 1024 * 1024 * 1024;

}  // namespace

void Loading::begin(std::unique_ptr<LoadTask> task, Done done) {
  LARDER_ASSERT(!active());
  task_ = std::move(task);
  done_ = std::move(done);
  started_ms_ = clock_.wall_ms();
  started_us_ = clock_.mono_us();
}

void Loading::work(int64_t deadline_us) {
  while (true) {
    const Result<bool> more = task_->step();
    if (!more || !*more) {
      last_keys_loaded_ = task_->keys_loaded();
      last_keys_expired_ = task_->keys_expired();
      task_.reset();
      const Done done = std::exchange(done_, nullptr);
      if (done) done(more.status());
      return;
    }
    if (clock_.mono_us() >= deadline_us) return;
  }
}

void end_unloaded(Services& services, Dispatcher& dispatcher) {
  services.loading.set_failed();
  dispatcher.set_gate(kServerEnding, true);
  services.process.request_shutdown();
}

int64_t Loading::elapsed_s() const { return (clock_.mono_us() - started_us_) / 1000000; }

int64_t Loading::remaining_s() const {
  const uint64_t done = task_->bytes_done();
  if (elapsed_s() == 0 || done == 0) return 1;
  const uint64_t left = task_->bytes_total() - std::min(task_->bytes_total(), done);
  return elapsed_s() * static_cast<int64_t>(left / 1024) / static_cast<int64_t>(done / 1024 + 1);
}

RdbLimits rdb_limits(const Settings& settings) {
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  RdbLimits limits;
  limits.list = {settings.list_max_listpack_size};
  limits.set = {size(settings.set_max_intset_entries), size(settings.set_max_listpack_entries),
                size(settings.set_max_listpack_value_bytes)};
  limits.hash = {size(settings.hash_max_listpack_entries), size(settings.hash_max_listpack_value_bytes)};
  limits.zset = {size(settings.zset_max_listpack_entries), size(settings.zset_max_listpack_value_bytes)};
  return limits;
}

size_t string_bytes_max(const Services& services) {
  const auto configured = static_cast<size_t>(services.settings.bulk_bytes_max);
  return services.loading.active() ? std::max(configured, kLoadedStringBytesMax) : configured;
}

void load_functions_too(RdbLoader& loader, Services& services) {
  loader.on_function = [&services](Bytes source) {
    return services.scripting != nullptr ? services.scripting->load_library(source) : Status();
  };
}

Result<std::unique_ptr<RdbLoadTask>> RdbLoadTask::open(FileSystem& files, const std::string& path, Store& store,
                                                       const RdbLoadOptions& options) {
  LARDER_TRY_ASSIGN(std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  LARDER_TRY_ASSIGN(const uint64_t size_bytes, file->size());
  return std::unique_ptr<RdbLoadTask>(new RdbLoadTask(std::move(file), size_bytes, store, options));
}

RdbLoadTask::RdbLoadTask(std::unique_ptr<File> file, uint64_t size_bytes, Store& store, const RdbLoadOptions& options)
    : file_(std::move(file)), size_bytes_(size_bytes), loader_(store, *file_, 0, size_bytes, options) {}

Result<bool> RdbLoadTask::step() { return loader_.step(kKeysPerStep); }

}  // namespace larder
