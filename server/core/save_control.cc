#include "server/core/save_control.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/number_text.h"
#include "base/os_process.h"
#include "server/config/settings.h"
#include "server/core/append_log.h"
#include "server/core/loading.h"
#include "server/core/server_stats.h"

namespace larder {
namespace {

// After a failed save the next try by a save point waits this long.
constexpr int64_t kRetryMs = 5000;

// A file that is being saved is called temp-<number of the process>.rdb.
constexpr Bytes kTemporaryPrefix = "temp-";
constexpr Bytes kTemporarySuffix = ".rdb";

std::optional<int64_t> process_in_temporary_name(Bytes name) {
  if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix)) return {};
  const std::optional<uint64_t> number = parse_uint64(
      name.substr(kTemporaryPrefix.size(), name.size() - kTemporaryPrefix.size() - kTemporarySuffix.size()));
  if (!number || *number == 0 || *number > INT32_MAX) return {};
  return static_cast<int64_t>(*number);
}

}  // namespace

SaveControl::SaveControl(Services& services, Snapshots& snapshots)
    : services_(services),
      snapshots_(snapshots),
      last_save_ms_(services.clock.wall_ms()),
      last_save_mono_ms_(services.clock.mono_ms()) {}

std::string SaveControl::path() const { return join_path(services_.settings.dir, services_.settings.db_filename); }

std::string SaveControl::temporary_path() const {
  return join_path(
      services_.settings.dir,
      std::string(kTemporaryPrefix) + std::to_string(services_.identity.process_id) + std::string(kTemporarySuffix));
}

uint64_t SaveControl::changes() const { return services_.stats.dirty - saved_dirty_; }

bool SaveControl::in_progress() const { return snapshots_.active() && snapshots_.kind() == SnapshotKind::kSave; }

int64_t SaveControl::running_s() const { return in_progress() ? (services_.clock.mono_ms() - started_ms_) / 1000 : -1; }

void SaveControl::note_saved(uint64_t dirty_at_start) {
  saved_dirty_ = dirty_at_start;
  last_save_ms_ = services_.clock.wall_ms();
  last_save_mono_ms_ = services_.clock.mono_ms();
  last_ok_ = true;
}

void SaveControl::note_loaded() { saved_dirty_ = services_.stats.dirty; }

// A save has its file locked, wherever it runs. Other servers call theirs alike and lock nothing, but their number shows that
// they live.
void SaveControl::remove_unfinished() {
  FileSystem& files = services_.files;
  const Result<std::vector<DirectoryEntry>> entries = files.list(services_.settings.dir);
  if (!entries) return;
  for (const DirectoryEntry& entry : *entries) {
    const std::optional<int64_t> process = process_in_temporary_name(entry.name);
    if (!process || (*process != services_.identity.process_id && os_process_exists(*process))) continue;
    const std::string path = join_path(services_.settings.dir, entry.name);
    if (!files.lock(path) || !files.remove(path).ok()) continue;
    services_.log.notice("Removed {}, a snapshot that did not come to its end", path);
  }
}

Status SaveControl::save_now() {
  snapshots_.finish();
  FileSnapshotOutput output(services_.files, temporary_path(), path());
  const Status saved = snapshots_.write_now(output, false);
  if (!saved.ok()) {
    services_.log.warning("Saving to {} failed: {}", path(), saved.to_string());
    return saved;
  }
  services_.log.notice("DB saved on disk");
  ++saves_;
  note_saved(services_.stats.dirty);
  return saved;
}

void SaveControl::save_in_background() {
  follows_flush_ = false;
  begin();
}

void SaveControl::end() {
  (void)cancel();
  if (in_progress()) snapshots_.finish();
}

void SaveControl::schedule() {
  follows_flush_ &= in_progress();
  scheduled_ = true;
}

void SaveControl::begin() {
  scheduled_ = false;
  SnapshotRequest request;
  request.kind = SnapshotKind::kSave;
  request.output = std::make_unique<FileSnapshotOutput>(services_.files, temporary_path(), path());
  started_ms_ = last_try_mono_ms_ = services_.clock.mono_ms();
  request.done = [this, started_ms = started_ms_, dirty = services_.stats.dirty](const Status& status) {
    finished(status, started_ms, dirty);
  };
  const bool started = snapshots_.start(std::move(request));
  LARDER_ASSERT(started);
  services_.log.notice("Background saving started");
}

void SaveControl::finished(const Status& status, int64_t started_ms, uint64_t dirty_at_start) {
  last_duration_s_ = (services_.clock.mono_ms() - started_ms) / 1000;
  follows_flush_ &= scheduled_;
  if (status.ok()) {
    services_.log.notice("Background saving terminated with success");
    ++saves_;
    note_saved(dirty_at_start);
  } else if (status.code() == ErrorCode::kCancelled) {
    services_.log.notice("Background saving was given up");
  } else {
    services_.log.warning("Background saving to {} failed: {}", path(), status.to_string());
    last_ok_ = false;
  }
}

bool SaveControl::cancel() {
  if (follows_flush_ && (in_progress() || scheduled_)) return false;
  if (in_progress()) {
    snapshots_.cancel();
    return true;
  }
  return std::exchange(scheduled_, false);
}

void SaveControl::data_flushed(bool at_once) {
  // One of nothing is left to end, or FLUSHALLs in a row would keep the old file.
  if (in_progress() && snapshots_.keys_total() > 0) snapshots_.cancel();
  if (services_.settings.save_points.empty()) return;
  follows_flush_ |= !scheduled_;
  if (at_once && !snapshots_.active()) return begin();
  scheduled_ = true;
}

void SaveControl::cron() {
  if (snapshots_.active()) return;
  if (scheduled_) return begin();
  const int64_t now_ms = services_.clock.mono_ms();
  for (const SavePoint& point : services_.settings.save_points) {
    const bool is_time = now_ms - last_save_mono_ms_ > point.seconds * 1000;
    const bool due = changes() >= static_cast<uint64_t>(point.changes) && is_time;
    if (!due || (!last_ok_ && now_ms - last_try_mono_ms_ <= kRetryMs)) continue;
    services_.log.notice("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    return save_in_background();
  }
}

Status SaveControl::save_at_shutdown(const AtShutdown& how) {
  if (services_.loading.active()) return Status();
  if (services_.append_log.is_beginning()) {
    services_.log.warning("Writing initial AOF, {}.", how.forced ? "exiting anyway" : "can't exit");
    if (!how.forced) return {ErrorCode::kBusy, "the append only log has no complete base yet"};
  } else if (Status settled = services_.append_log.settle(); !settled.ok()) {
    services_.log.warning("Writing the append only log fails ({}), {}.", settled.message(),
                          how.forced ? "exiting anyway" : "can't exit: what it lacks would be lost");
    if (!how.forced) return settled;
  }
  if (snapshots_.active()) {
    if (!in_progress() || !follows_flush_) snapshots_.cancel();
    snapshots_.finish();
  }
  if (how.never || (!how.always && services_.settings.save_points.empty())) return Status();
  services_.log.notice("Saving the final RDB snapshot before exiting.");
  return save_now();
}

bool SaveControl::refuses_writes() const {
  return !last_ok_ && services_.settings.stop_writes_on_bgsave_error && !services_.settings.save_points.empty();
}

}  // namespace larder
