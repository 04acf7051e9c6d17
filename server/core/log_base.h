#pragma once

// The base of a rewritten log, made by a snapshot.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/core/append_log.h"
#include "server/core/snapshot.h"
#include "storage/keyspace.h"

namespace larder {

class SnapshotBase final : public LogBaseProducer {
 public:
  // All outlive this.
  SnapshotBase(Snapshots& snapshots, FileSystem& files, Store& store)
      : snapshots_(snapshots), files_(files), store_(store) {}

  Status start(const std::string& path, std::function<void(const Status&)> done) override {
    SnapshotRequest request;
    request.kind = SnapshotKind::kRewrite;
    request.output = std::make_unique<FileSnapshotOutput>(files_, path, std::string());
    request.aof_base = true;
    const uint64_t turn = ++turn_;
    request.done = [this, turn, done = std::move(done)](const Status& status) {
      if (turn == turn_) done(status);
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
    for (int db = 0; db < store_.database_count(); ++db) {
      if (store_.database(db).size() > 0) return false;
    }
    return true;
  }

 private:
  Snapshots& snapshots_;
  FileSystem& files_;
  Store& store_;
  uint64_t turn_ = 0;  // whoever was cancelled is of an earlier one
};

}  // namespace larder
