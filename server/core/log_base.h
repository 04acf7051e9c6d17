#pragma once

// The base of a rewritten log, made by a snapshot.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "persistence/rdb_commands.h"
#include "server/core/append_log.h"
#include "server/core/scripting.h"
#include "server/core/services.h"
#include "server/core/snapshot.h"
#include "storage/keyspace.h"

namespace larder {

// A file of commands: what comes is kept in an RDB file beside it, and said again as commands when it is complete.
class CommandsOutput final : public SnapshotOutput {
 public:
  // `files` outlives the output.
  CommandsOutput(FileSystem& files, const std::string& path)
      : files_(files),
        rdb_path_(path + std::string(LogBaseProducer::kRdbSuffix)),
        rdb_(files, rdb_path_, {}),
        commands_(files, path, {}) {}
  Status open() override { return rdb_.open(); }
  Status write(Bytes bytes) override { return rdb_.write(bytes); }
  Status finish() override {
    LARDER_TRY(rdb_.finish());
    LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files_.open(rdb_path_, OpenMode::kRead));
    LARDER_TRY_ASSIGN(const uint64_t rdb_bytes, file->size());
    LARDER_TRY(commands_.open());
    LARDER_TRY(write_rdb_as_commands(*file, rdb_bytes, os_entropy_u64(), [this](Bytes bytes) {
      return cancelled_ ? Status(ErrorCode::kCancelled, "the rewrite was given up") : commands_.write(bytes);
    }));
    LARDER_TRY(commands_.finish());
    rdb_.abandon();
    return {};
  }
  void abandon() override {
    rdb_.abandon();
    commands_.abandon();
  }
  void cancel() override { cancelled_ = true; }

 private:
  FileSystem& files_;
  const std::string rdb_path_;
  FileSnapshotOutput rdb_;
  FileSnapshotOutput commands_;
  std::atomic<bool> cancelled_{false};
};

class SnapshotBase final : public LogBaseProducer {
 public:
  // All outlive this.
  SnapshotBase(Snapshots& snapshots, Services& services) : snapshots_(snapshots), services_(services) {}

  Status start(const std::string& path, bool as_rdb, std::function<void(const Status&)> done) override {
    SnapshotRequest request;
    request.kind = SnapshotKind::kRewrite;
    if (as_rdb) {
      request.output = std::make_unique<FileSnapshotOutput>(services_.files, path, std::string());
    } else {
      request.output = std::make_unique<CommandsOutput>(services_.files, path);
    }
    request.aof_base = true;
    const uint64_t turn = ++turn_;
    request.done = [this, turn, path, done = std::move(done)](const Status& status) {
      if (turn == turn_) return done(status);
      // It was complete already when it was given up.
      if (status.ok()) (void)services_.files.remove(path);
    };
    if (snapshots_.start(std::move(request))) return {};
    return {ErrorCode::kBusy, "another snapshot is running"};
  }
  void cancel() override {
    ++turn_;
    if (snapshots_.active() && snapshots_.kind() == SnapshotKind::kRewrite) snapshots_.cancel();
  }
  bool is_busy() const override { return snapshots_.active(); }
  bool is_empty() const override {
    for (int db = 0; db < services_.store.database_count(); ++db) {
      if (services_.store.database(db).size() > 0) return false;
    }
    return services_.scripting == nullptr || services_.scripting->usage().libraries == 0;
  }

 private:
  Snapshots& snapshots_;
  Services& services_;
  uint64_t turn_ = 0;  // whoever was cancelled is of an earlier one
};

}  // namespace larder
