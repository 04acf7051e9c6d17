#include "persistence/aof_check.h"

#include <memory>
#include <vector>

#include "persistence/aof_cut.h"
#include "persistence/aof_format.h"
#include "persistence/aof_manifest.h"
#include "persistence/aof_reader.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_look.h"

namespace larder {
namespace {

constexpr size_t kCommandsPerStep = 4096;

std::string bytes_text(uint64_t count) { return std::to_string(count) + " bytes"; }

// The RDB that the file begins with, if it does. Returns where the commands begin.
Result<uint64_t> check_preamble(File& file, uint64_t file_bytes, int64_t now_ms, std::string* report) {
  char magic[kRdbMagicBytes];
  LARDER_TRY_ASSIGN(const size_t got, file.read_at(0, magic, sizeof magic));
  if (!begins_rdb({magic, got})) return uint64_t{0};
  RdbLook look(file, file_bytes, now_ms);
  LARDER_TRY(look.run());
  const RdbLoader& loader = look.loader();
  *report += "  an RDB of " + std::to_string(loader.counts().keys_loaded + loader.counts().keys_expired) + " keys, " +
             bytes_text(loader.offset()) + "\n";
  return loader.offset();
}

class Check {
 public:
  Check(FileSystem& files, bool fix, int64_t now_ms, std::string* report)
      : files_(files), fix_(fix), now_ms_(now_ms), report_(*report) {}

  // `more_follow`: files that are executed behind this one, so that nothing may be missing at its end.
  Status check_file(const std::string& path, bool more_follow) {
    LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files_.open(path, OpenMode::kRead));
    LARDER_TRY_ASSIGN(const uint64_t file_bytes, file->size());
    report_ += path + ": " + bytes_text(file_bytes) + "\n";
    if (!empty_before_.empty()) LARDER_TRY(check_behind_empty(*file));
    empty_before_ = file_bytes == 0 && more_follow ? path : std::string();
    const Result<uint64_t> begin = check_preamble(*file, file_bytes, now_ms_, &report_);
    if (!begin) return Error{ErrorCode::kCorruption, path + ": " + begin.error().message};
    AofReader reader(*file, file_bytes, *begin);
    while (true) {
      LARDER_TRY_ASSIGN(const bool more, reader.next(kCommandsPerStep));
      if (!more) break;
    }
    return judge(path, reader, more_follow);
  }

 private:
  // No file that we begin follows an empty one.
  Status check_behind_empty(File& file) {
    char magic[kRdbMagicBytes];
    LARDER_TRY_ASSIGN(const size_t got, file.read_at(0, magic, sizeof magic));
    if (!begins_aof_file({magic, got})) return {};
    report_ += "  begun behind groups that " + empty_before_ + " has lost\n";
    return {ErrorCode::kCorruption, empty_before_ + ": the file is empty, and was not when the next one was begun"};
  }

  Status judge(const std::string& path, const AofReader& reader, bool more_follow) {
    const AofReader::End& end = reader.end();
    report_ += "  " + std::to_string(reader.command_count()) + " commands";
    if (reader.salt()) report_ += ", " + std::to_string(reader.last_sequence()) + " groups with checksums";
    report_ += "\n";
    if (const auto offset = reader.taken_over()) {
      report_ += "  another server has gone on behind an unfinished group at offset " + std::to_string(*offset) + "\n";
    }
    const bool is_cut_short = end.ending == AofReader::Ending::kCutShort;
    if (is_cut_short || (more_follow && end.ending == AofReader::Ending::kComplete && reader.end_is_missing())) {
      return judge_cut_short(path, reader, more_follow);
    }
    if (end.ending == AofReader::Ending::kComplete) {
      const uint64_t padding_bytes = reader.file_bytes() - end.offset;
      if (padding_bytes > 0) report_ += "  " + bytes_text(padding_bytes) + " of padding behind them\n";
      report_ += "  complete\n";
      return {};
    }
    const std::string lost = bytes_text(reader.file_bytes() - end.offset);
    report_ += end.ending == AofReader::Ending::kTorn ? "  torn: " : "  damaged: ";
    report_ += end.reason + "\n  whole up to offset " + std::to_string(end.offset) + ", " + lost + " behind\n";
    if (!fix_) return {ErrorCode::kCorruption, path + ": " + end.reason};
    if (more_follow) return not_mended(path);
    LARDER_TRY_ASSIGN(const std::string saved, cut_aof_file(files_, path, reader));
    report_ += "  cut at offset " + std::to_string(end.offset) + "; the " + lost + " behind are in " + saved + "\n";
    return {};
  }

  Status judge_cut_short(const std::string& path, const AofReader& reader, bool more_follow) {
    const std::string reason = reader.is_base() ? reader.end().reason : "the end of the file is missing";
    report_ += "  cut short: " + reason + "\n  what is there is whole, how much is missing cannot be said\n";
    if (!fix_) return {ErrorCode::kCorruption, path + ": " + reason};
    if (more_follow && reader.is_base()) return not_mended(path);
    LARDER_TRY(end_aof_base(files_, path, reader));
    report_ += "  given an end: what is left of it is the whole file now\n";
    return {};
  }

  static Status not_mended(const std::string& path) {
    return {ErrorCode::kCorruption, path + ": not mended, because what other files hold happened after what is lost"};
  }

  FileSystem& files_;
  const bool fix_;
  std::string empty_before_;  // the incremental file in front is empty
  const int64_t now_ms_;
  std::string& report_;
};

}  // namespace

Status check_aof(FileSystem& files, const std::string& path, bool fix, int64_t now_ms, std::string* report) {
  // What a server is just writing looks torn.
  std::shared_ptr<FileLock> lock;
  const Bytes name = Bytes(path).substr(path.rfind('/') + 1);
  const std::string log = log_of_aof_name(name);
  if (fix && !log.empty()) {
    const Result<AofManifest> kept = read_aof_manifest(files, parent_path(path), log);
    if (kept) {
      LARDER_TRY_ASSIGN(lock, lock_aof(files, parent_path(path), *kept));
    }
  }
  Check check(files, fix, now_ms, report);
  if (name != aof_manifest_name(log)) return check.check_file(path, false);
  LARDER_TRY_ASSIGN(const std::string text, read_file(files, path, AofManifest::kTextBytesMax));
  const Result<AofManifest> manifest = AofManifest::parse(text);
  if (!manifest) return Error{manifest.error().code, path + ": " + manifest.error().message};
  std::vector<std::string> names;
  if (manifest->base) names.push_back(manifest->base->name);
  for (const AofManifest::File& file : manifest->incremental) names.push_back(file.name);
  Status outcome;
  for (size_t i = 0; i < names.size(); ++i) {
    const Status checked = check.check_file(join_path(parent_path(path), names[i]), i + 1 < names.size());
    if (!checked.ok() && outcome.ok()) outcome = checked;
  }
  return outcome;
}

}  // namespace larder
