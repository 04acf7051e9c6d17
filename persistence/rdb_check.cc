#include "persistence/rdb_check.h"

#include <algorithm>
#include <memory>

#include "persistence/crc64.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_look.h"

namespace larder {
namespace {

constexpr size_t kCopyBytes = 256 * 1024;

std::string counts_text(const RdbLoader& loader) {
  const RdbLoadCounts& counts = loader.counts();
  std::string text = "[info] " + std::to_string(counts.keys_loaded + counts.keys_expired) + " keys read\n";
  text += "[info] " + std::to_string(counts.volatile_keys + counts.keys_expired) + " expires\n";
  text += "[info] " + std::to_string(counts.keys_expired) + " already expired\n";
  if (counts.functions > 0) text += "[info] " + std::to_string(counts.functions) + " libraries of functions\n";
  if (counts.module_parts > 0) text += "[info] " + std::to_string(counts.module_parts) + " parts of modules, skipped\n";
  return text;
}

// A new file of the first `whole_bytes` and an end; the old one is kept beside it.
Status cut_rdb_file(FileSystem& files, const std::string& path, uint64_t whole_bytes, const std::string& saved) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  const std::string temporary = path + ".tmp";
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> out, files.open(temporary, OpenMode::kTruncate));
  std::string piece(kCopyBytes, '\0');
  uint64_t checksum = 0;
  for (uint64_t offset = 0; offset < whole_bytes;) {
    LARDER_TRY_ASSIGN(const size_t got,
                      file->read_at(offset, piece.data(), std::min<uint64_t>(kCopyBytes, whole_bytes - offset)));
    if (got == 0) return {ErrorCode::kTruncated, path + " became shorter while it was read"};
    checksum = crc64(checksum, {piece.data(), got});
    LARDER_TRY(out->append({piece.data(), got}));
    offset += got;
  }
  std::string end(1, static_cast<char>(RdbOpcode::kEof));
  checksum = crc64(checksum, end);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) end += static_cast<char>(checksum >> (8 * i));
  LARDER_TRY(out->append(end));
  LARDER_TRY(out->sync());
  LARDER_TRY(out->close());
  LARDER_TRY(files.rename(path, saved));
  LARDER_TRY(files.rename(temporary, path));
  return files.sync_directory(parent_path(path));
}

// Says what is wrong, and mends it if asked.
Status report_damage(FileSystem& files, const std::string& path, bool fix, const Status& damage,
                     const RdbLoader& loader, std::string* report) {
  *report += "--- RDB ERROR DETECTED ---\n" + damage.to_string() + "\n" + counts_text(loader);
  const uint64_t whole_bytes = loader.whole_offset();
  *report +=
      "[info] " + std::to_string(whole_bytes) + " bytes in front of it can be read; no checksum vouches for them\n";
  if (!fix) return damage;
  // A disk that fails, or a value of a kind that is not known here, is no damage.
  if (damage.code() != ErrorCode::kCorruption && damage.code() != ErrorCode::kTruncated) return damage;
  if (whole_bytes < kRdbHeaderBytes) return {damage.code(), path + ": nothing of it can be read"};
  const std::string saved = path + ".damaged";
  LARDER_TRY_ASSIGN(const bool is_there, files.exists(saved));
  if (is_there) return {ErrorCode::kInvalidArgument, saved + " is there already: move it away first"};
  LARDER_TRY(cut_rdb_file(files, path, whole_bytes, saved));
  *report += "[info] " + path + " is now a file of these bytes; the damaged one is " + saved + "\n";
  return {};
}

}  // namespace

Status check_rdb_file(FileSystem& files, const std::string& path, bool fix, int64_t now_ms, std::string* report) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  LARDER_TRY_ASSIGN(const uint64_t size_bytes, file->size());
  RdbLook look(*file, size_bytes, now_ms);
  RdbLoader& loader = look.loader();
  *report += "[offset 0] Checking RDB file " + path + "\n";
  loader.on_aux = [&](Bytes name, Bytes value) {
    *report +=
        "[offset " + std::to_string(loader.offset()) + "] AUX FIELD " + quoted(name) + " = " + quoted(value) + "\n";
  };
  if (const Status read = look.run(); !read.ok()) return report_damage(files, path, fix, read, loader, report);
  *report += "[offset " + std::to_string(loader.offset()) + "] Checksum OK\n";
  if (loader.offset() < size_bytes) {
    *report +=
        "[info] " + std::to_string(size_bytes - loader.offset()) + " bytes follow: commands of an append-only log\n";
  }
  *report += "[offset " + std::to_string(loader.offset()) + "] \\o/ RDB looks OK! \\o/\n" + counts_text(loader);
  return Status();
}

}  // namespace larder
