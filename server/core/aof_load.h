#pragma once

// Brings the data back from the append-only log: the base, then what was written since, file by file as the manifest names
// them, each command through Dispatcher::replay(). In steps of about a millisecond, so that the loop can answer meanwhile.
//
//     AofLoad load(services, dispatcher);
//     if (load.open()) ...      whether there is a log
//     load.step() ...           an error: the server must not start; the text says where and why
//     load.place()              what AppendLog::start() goes on with
//
// Damage is judged as docs/design/append_log.md says. What is cut off the last file is saved beside it first.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/file_system.h"
#include "base/result.h"
#include "persistence/aof_manifest.h"
#include "persistence/aof_reader.h"
#include "persistence/aof_writer.h"
#include "persistence/rdb_loader.h"
#include "protocol/reply_writer.h"
#include "server/core/client.h"
#include "server/core/dispatcher.h"
#include "server/core/loading.h"
#include "server/core/services.h"

namespace larder {

class AofLoad final : public LoadTask {
 public:
  static constexpr int64_t kStepUs = 1000;

  AofLoad(Services& services, Dispatcher& dispatcher);
  ~AofLoad() override;
  AofLoad(const AofLoad&) = delete;
  AofLoad& operator=(const AofLoad&) = delete;

  // Finds the files, taking over a log of one file. False: there is no log.
  Result<bool> open();
  // The files' folder and name, for people.
  std::string name() const;
  Result<bool> step() override;
  uint64_t bytes_total() const override { return bytes_total_; }
  uint64_t bytes_done() const override;
  uint64_t keys_loaded() const override;
  void on_progress(std::function<void()> call) override { on_progress_ = std::move(call); }

  // Where the log goes on. Complete when step() has returned false; outlives this.
  struct Place {
    AofManifest manifest;
    AofWriter::Resume resume;
  };
  std::shared_ptr<const Place> place() const { return place_; }

 private:
  struct Part {
    std::string path;
    uint64_t bytes = 0;
    bool is_base = false;
    bool is_last = false;
  };
  class NoLink final : public ClientLink {
   public:
    void wake() override {}
  };

  Status list_parts();
  Status open_part();
  Status finish_part();
  Status cut(const Part& part, const AofReader::End& end);
  Status run_batch();
  Status run(const AofReader::Command& command);
  Status run_transaction();
  Status replay(const Command& command, std::span<const Bytes> argv, uint64_t offset);
  Error refused(const std::string& why) const;

  Services& services_;
  Dispatcher& dispatcher_;
  const std::string directory_;
  std::shared_ptr<Place> place_ = std::make_shared<Place>();
  std::vector<Part> parts_;
  size_t part_ = 0;
  std::unique_ptr<File> file_;
  std::unique_ptr<RdbLoader> base_loader_;  // of a base, or the beginning of one, that is an RDB
  std::unique_ptr<AofReader> reader_;
  std::function<void()> on_progress_;
  uint64_t bytes_total_ = 0;
  uint64_t bytes_before_ = 0;  // of the parts that are done
  uint64_t command_count_ = 0;
  uint64_t failed_commands_ = 0;

  NoLink link_;
  Client client_{0, link_};
  Buffer output_;
  ReplyWriter reply_{output_};
  // Requests between MULTI and EXEC, which run only when the EXEC is there.
  bool in_transaction_ = false;
  struct Queued {
    const Command* command;
    std::vector<std::string> words;
    uint64_t offset;
  };
  std::vector<Queued> queued_;
};

}  // namespace larder
