#include "server/core/aof_load.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "persistence/aof_cut.h"
#include "persistence/aof_format.h"
#include "persistence/rdb_format.h"
#include "server/config/settings.h"
#include "server/core/registry.h"
#include "server/core/server_stats.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

constexpr size_t kBatchCommands = 32;
constexpr size_t kBatchKeys = 512;
// The first so many replies that are errors are logged; a log is usually right or altogether wrong.
constexpr uint64_t kLoggedErrorsMax = 3;
// A server that was killed may still be on its way out: until a sync that was going on has ended.
constexpr int64_t kLockWaitMs = 3000;

}  // namespace

AofLoad::AofLoad(Services& services, Dispatcher& dispatcher)
    : services_(services),
      dispatcher_(dispatcher),
      directory_(join_path(services.settings.dir, services.settings.append_directory)) {
  client_.flags |= kClientDenyBlocking | kClientNoTouch;
  services_.store.set_expiry_mode(ExpiryMode::kKeep);
}

AofLoad::~AofLoad() { services_.store.set_expiry_mode(ExpiryMode::kRemove); }

uint64_t AofLoad::bytes_done() const {
  return bytes_before_ + (base_loader_ ? base_loader_->offset() : reader_ ? reader_->offset() : 0);
}

Error AofLoad::refused(const std::string& why) const {
  return {ErrorCode::kCorruption, parts_.empty() ? why : parts_[part_].path + ": " + why};
}

std::string AofLoad::name() const {
  return join_path(directory_, aof_manifest_name(services_.settings.append_file_name));
}

uint64_t AofLoad::keys_loaded() const {
  uint64_t keys = 0;
  for (int db = 0; db < services_.store.database_count(); ++db) keys += services_.store.database(db).size();
  return keys;
}

Result<bool> AofLoad::open() {
  FileSystem& files = services_.files;
  const std::string& file_name = services_.settings.append_file_name;
  LARDER_TRY_ASSIGN(const bool adopted, adopt_single_file_aof(files, services_.settings.dir, directory_, file_name));
  if (adopted) services_.log.notice("The append only file {} was moved into {} as its base", file_name, directory_);
  LARDER_TRY_ASSIGN(place_->manifest, read_aof_manifest(files, directory_, file_name));
  LARDER_TRY_ASSIGN(place_->resume.lock, lock_aof(files, directory_, place_->manifest, kLockWaitMs));
  LARDER_TRY(list_parts());
  return !parts_.empty();
}

Result<bool> AofLoad::step() {
  if (part_ == parts_.size()) return false;
  const int64_t end_us = services_.clock.mono_us() + kStepUs;
  const int64_t now_ms = services_.clock.wall_ms();
  dispatcher_.set_now_ms(now_ms);
  services_.store.set_now(now_ms);
  if (!file_) LARDER_TRY(open_part());
  if (base_loader_) {
    Result<bool> more = base_loader_->step(kBatchKeys);
    if (!more) return refused(more.error().message);
    if (*more) return true;
    reader_ = std::make_unique<AofReader>(*file_, parts_[part_].bytes, base_loader_->offset());
    base_loader_.reset();
  }
  do {
    LARDER_TRY_ASSIGN(const bool more, reader_->next(kBatchCommands));
    LARDER_TRY(run_batch());
    if (!more) {
      LARDER_TRY(finish_part());
      return part_ < parts_.size();
    }
  } while (services_.clock.mono_us() < end_us);
  return true;
}

Status AofLoad::list_parts() {
  const auto add = [this](const AofManifest::File& file, bool is_base) -> Status {
    Part part;
    part.path = join_path(directory_, file.name);
    part.is_base = is_base;
    LARDER_TRY_ASSIGN(part.bytes, services_.files.file_size(part.path));
    bytes_total_ += part.bytes;
    parts_.push_back(std::move(part));
    return {};
  };
  if (place_->manifest.base) LARDER_TRY(add(*place_->manifest.base, true));
  for (const AofManifest::File& file : place_->manifest.incremental) LARDER_TRY(add(file, false));
  if (!parts_.empty()) parts_.back().is_last = true;
  return {};
}

Status AofLoad::open_part() {
  const Part& part = parts_[part_];
  LARDER_TRY_ASSIGN(file_, services_.files.open(part.path, OpenMode::kRead));
  char magic[kRdbMagicBytes];
  LARDER_TRY_ASSIGN(const size_t got, file_->read_at(0, magic, sizeof magic));
  if (part_ > 0 && !parts_[part_ - 1].is_base && parts_[part_ - 1].bytes == 0 && begins_aof_file({magic, got})) {
    return Error{ErrorCode::kCorruption, parts_[part_ - 1].path +
                                             ": the file is empty, and one that follows it was begun "
                                             "behind its groups. Restore it"};
  }
  client_.db = 0;
  in_transaction_ = false;
  queued_.clear();
  if (!begins_rdb({magic, got})) {
    reader_ = std::make_unique<AofReader>(*file_, part.bytes);
    return {};
  }
  RdbLoadOptions options;
  options.now_ms = services_.clock.wall_ms();
  options.drop_expired = false;  // the log says when they went
  options.limits = rdb_limits(services_.settings);
  base_loader_ = std::make_unique<RdbLoader>(services_.store, *file_, 0, part.bytes, options);
  load_functions_too(*base_loader_, services_);
  base_loader_->on_progress(on_progress_);
  return {};
}

// ---- The end of a file

Status AofLoad::finish_part() {
  const Part& part = parts_[part_];
  const AofReader::End end = reader_->end();
  if (end.ending != AofReader::Ending::kComplete) LARDER_TRY(cut(part, end));
  if (!part.is_last && !part.is_base && reader_->end_is_missing()) {
    return refused(
        "the end of the file is missing behind offset " + std::to_string(end.offset) +
        ", and more files follow; how much is lost cannot be said. Restore the file, or let larder-check-aof "
        "--fix make what is left of it the whole file");
  }
  if (part.is_last && !part.is_base) {
    place_->resume = {reader_->salt(), reader_->last_sequence(), end.offset, std::move(place_->resume.lock)};
  }
  if (const auto offset = reader_->taken_over()) {
    services_.log.warning(
        "{}: the group at offset {} is unfinished, and another server has gone on behind it: what that took of it is "
        "taken",
        part.path, *offset);
  }
  command_count_ += reader_->command_count();
  bytes_before_ += part.bytes;
  reader_.reset();
  file_.reset();
  if (++part_ < parts_.size()) return {};
  if (failed_commands_ > 0) {
    services_.log.warning("{} of the log's {} commands were answered with an error", failed_commands_, command_count_);
  }
  return {};
}

// Whether the file may be cut where its end says, and if so the cutting.
Status AofLoad::cut(const Part& part, const AofReader::End& end) {
  const Settings& settings = services_.settings;
  if (reader_->base_end_is_missing()) {
    return refused(end.reason +
                   "; how much is lost cannot be said. Restore the file, or let larder-check-aof --fix make "
                   "what is left of it the whole base");
  }
  const uint64_t lost_bytes = part.bytes - end.offset;
  const std::string facts = end.reason + "; the " + std::to_string(end.offset) + " bytes in front of it are whole, " +
                            std::to_string(lost_bytes) + " bytes are behind";
  const bool torn = end.ending == AofReader::Ending::kTorn;
  if (!part.is_last) return refused(facts + ", and more files follow. larder-check-aof tells more");
  const bool allowed = (torn && settings.aof_load_truncated) ||
                       lost_bytes <= static_cast<uint64_t>(settings.aof_load_corrupt_tail_bytes_max);
  if (!allowed) {
    return refused(facts +
                   (torn ? ". Start with --aof-load-truncated yes to cut the file there"
                         : ". The file is damaged: restore it, or repair it with larder-check-aof --fix, or start "
                           "with --aof-load-corrupt-tail-max-size of at least that many bytes"));
  }
  services_.log.warning("{}: {}", part.path, facts);
  LARDER_TRY_ASSIGN(const std::string saved, cut_aof_file(services_.files, part.path, *reader_));
  services_.log.warning("{} was cut at offset {}; what was behind is in {}", part.path, end.offset, saved);
  return {};
}

// ---- Commands

Status AofLoad::run_batch() {
  for (const AofReader::Command& command : reader_->commands()) LARDER_TRY(run(command));
  return {};
}

Status AofLoad::run(const AofReader::Command& at) {
  const std::span<const Bytes> argv = reader_->argv(at);
  const Command* command = services_.registry.resolve_logged(argv);
  if (command == nullptr || command->spec->run == nullptr || !arity_matches(*command->spec, argv.size())) {
    return refused("unknown command '" + std::string(argv[0].substr(0, 128)) + "' at offset " +
                   std::to_string(at.offset));
  }
  if (command->full_name == "multi") {
    in_transaction_ = true;
    return {};
  }
  if (command->full_name == "exec") return run_transaction();
  if (in_transaction_) {
    queued_.push_back({command, {argv.begin(), argv.end()}, at.offset});
    return {};
  }
  return replay(*command, argv, at.offset);
}

Status AofLoad::run_transaction() {
  in_transaction_ = false;
  std::vector<Bytes> argv;
  for (const Queued& request : queued_) {
    argv.assign(request.words.begin(), request.words.end());
    LARDER_TRY(replay(*request.command, argv, request.offset));
  }
  queued_.clear();
  return {};
}

Status AofLoad::replay(const Command& command, std::span<const Bytes> argv, uint64_t offset) {
  const uint32_t errors_before = reply_.error_count();
  dispatcher_.replay(client_, command, argv, reply_);
  if (reply_.error_count() != errors_before) {
    const Bytes answer = trim(output_.bytes());
    // What follows would come into another database.
    if (command.full_name == "select") {
      return refused("'select' at offset " + std::to_string(offset) + " was answered: " + std::string(answer) +
                     ". Start with as many --databases as the log was written with");
    }
    if (++failed_commands_ <= kLoggedErrorsMax) {
      services_.log.warning("'{}' at offset {} of {} was answered: {}", command.full_name, offset, parts_[part_].path,
                            answer);
    }
  }
  output_.clear();
  return {};
}

}  // namespace larder
