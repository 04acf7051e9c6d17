#include "persistence/aof_manifest.h"

#include <algorithm>

#include "base/number_text.h"
#include "protocol/request_parser.h"

namespace larder {
namespace {

constexpr size_t kLineBytesMax = 1024;

// A part is called <appendfilename>.<number><end>.
constexpr Bytes kIncrementalEnd = ".incr.aof";
constexpr Bytes kRdbBaseEnd = ".base.rdb";
constexpr Bytes kAofBaseEnd = ".base.aof";
constexpr Bytes kManifestEnd = ".manifest";
// Behind all of that; no part of any log ends so.
constexpr Bytes kUnnamedEnd = ".new";

std::string part_name(const std::string& file_name, uint64_t sequence, Bytes end) {
  return file_name + "." + std::to_string(sequence) + std::string(end);
}

Error malformed(size_t line_number, Bytes why) {
  return {ErrorCode::kCorruption, "line " + std::to_string(line_number) + ": " + std::string(why)};
}

bool needs_quotes(Bytes name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    return c <= ' ' || c == '"' || c == '\'' || c == '\\' || static_cast<unsigned char>(c) >= 0x7f;
  });
}

void append_line(std::string& text, const AofManifest::File& file, char type) {
  text += "file ";
  if (needs_quotes(file.name)) {
    append_quoted(&text, file.name);
  } else {
    text += file.name;
  }
  text += " seq " + std::to_string(file.sequence) + " type " + type + "\n";
}

struct Line {
  AofManifest::File file;
  char type = 0;
};

Result<Line> parse_line(Bytes text, size_t number) {
  RequestArgs args;
  if (!split_quoted_words(text, args)) return malformed(number, "unbalanced quotes");
  if (args.size() == 0 || args.size() % 2 != 0) return malformed(number, "not pairs of a key and a value");
  Line line;
  for (uint32_t i = 0; i < args.size(); i += 2) {
    const Bytes value = args[i + 1];
    if (equals_ignore_case(args[i], "file")) {
      const bool is_name = value.find('/') == Bytes::npos && value.find('\0') == Bytes::npos && value != "..";
      if (value.empty() || !is_name) return malformed(number, "a file's name must be without a folder");
      line.file.name = value;
    } else if (equals_ignore_case(args[i], "seq")) {
      const auto sequence = parse_int64(value);
      if (!sequence || *sequence <= 0) return malformed(number, "the number of a file must be positive");
      line.file.sequence = static_cast<uint64_t>(*sequence);
    } else if (equals_ignore_case(args[i], "type")) {
      line.type = value.size() == 1 ? value[0] : '?';
    }
    // Other keys may come with later versions.
  }
  if (line.file.name.empty() || line.file.sequence == 0 || line.type == 0) {
    return malformed(number, "file, seq and type are needed");
  }
  // Bytes that were quoted by no other server are quoted when it is written again.
  std::string written;
  append_line(written, line.file, line.type);
  if (written.size() > kLineBytesMax) return malformed(number, "the file's name is too long");
  return line;
}

Status add(AofManifest& manifest, Line line, size_t number) {
  switch (line.type) {
    case 'b':
      if (manifest.base) return malformed(number, "a second base file");
      manifest.base = std::move(line.file);
      return {};
    case 'i':
      if (!manifest.incremental.empty() && line.file.sequence <= manifest.incremental.back().sequence) {
        return malformed(number, "the numbers of incremental files must rise");
      }
      manifest.incremental.push_back(std::move(line.file));
      return {};
    case 'h':
      manifest.history.push_back(std::move(line.file));
      return {};
    default:
      return malformed(number, "unknown type of file");
  }
}

}  // namespace

std::string aof_manifest_name(const std::string& file_name) { return file_name + std::string(kManifestEnd); }

std::string aof_base_name(const std::string& file_name, uint64_t sequence, bool is_rdb) {
  return part_name(file_name, sequence, is_rdb ? kRdbBaseEnd : kAofBaseEnd);
}

std::string aof_incr_name(const std::string& file_name, uint64_t sequence) {
  return part_name(file_name, sequence, kIncrementalEnd);
}

std::string unnamed_aof_incr_name(const std::string& file_name, uint64_t sequence) {
  return aof_incr_name(file_name, sequence) + std::string(kUnnamedEnd);
}

std::optional<AofPart> aof_part_of_name(const std::string& file_name, Bytes name) {
  if (!name.starts_with(file_name + ".")) return std::nullopt;
  name.remove_prefix(file_name.size());
  for (const Bytes end : {kIncrementalEnd, kRdbBaseEnd, kAofBaseEnd}) {
    if (!name.ends_with(end) || name.size() == end.size()) continue;
    const std::optional<uint64_t> sequence = parse_uint64(name.substr(1, name.size() - end.size() - 1));
    return sequence ? std::optional<AofPart>({*sequence, end != kIncrementalEnd}) : std::nullopt;
  }
  return std::nullopt;
}

bool is_unnamed_aof_incr(const std::string& file_name, Bytes name) {
  if (!name.ends_with(kUnnamedEnd)) return false;
  const std::optional<AofPart> part = aof_part_of_name(file_name, name.substr(0, name.size() - kUnnamedEnd.size()));
  return part && !part->is_base;
}

Result<AofManifest> AofManifest::parse(Bytes text) {
  AofManifest manifest;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    if (end == Bytes::npos) return malformed(number, "the last line has no end");
    if (end >= kLineBytesMax) return malformed(number, "the line is too long");
    const Bytes line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with("#")) continue;
    LARDER_TRY_ASSIGN(Line parsed, parse_line(line, number));
    LARDER_TRY(add(manifest, std::move(parsed), number));
  }
  if (number == 0) return malformed(1, "the manifest is empty");
  return manifest;
}

std::string AofManifest::text() const {
  std::string text;
  if (base) append_line(text, *base, 'b');
  for (const File& file : history) append_line(text, file, 'h');
  for (const File& file : incremental) append_line(text, file, 'i');
  return text;
}

std::string log_of_aof_name(Bytes name) {
  if (name.ends_with(kManifestEnd)) return std::string(name.substr(0, name.size() - kManifestEnd.size()));
  for (const Bytes end : {kIncrementalEnd, kRdbBaseEnd, kAofBaseEnd}) {
    if (!name.ends_with(end)) continue;
    const std::string log(name.substr(0, name.substr(0, name.size() - end.size()).rfind('.')));
    if (aof_part_of_name(log, name)) return log;
  }
  return {};
}

Result<AofManifest> read_aof_manifest(FileSystem& files, const std::string& directory, const std::string& file_name) {
  const std::string path = join_path(directory, aof_manifest_name(file_name));
  LARDER_TRY_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return AofManifest();
  LARDER_TRY_ASSIGN(const std::string text, read_file(files, path, AofManifest::kTextBytesMax));
  Result<AofManifest> manifest = AofManifest::parse(text);
  if (!manifest) return Error{manifest.error().code, path + ": " + manifest.error().message};
  return manifest;
}

Status write_aof_manifest(FileSystem& files, const std::string& directory, const std::string& file_name,
                          const AofManifest& manifest) {
  const std::string text = manifest.text();
  // What cannot be read is not written: an odd name takes up to four times its length.
  LARDER_TRY(AofManifest::parse(text).status());
  return replace_file(files, join_path(directory, aof_manifest_name(file_name)), text);
}

// In the order of Redis: the manifest names the file before it is there, and a start in between finishes the move.
Result<bool> adopt_single_file_aof(FileSystem& files, const std::string& old_directory, const std::string& directory,
                                   const std::string& file_name) {
  const std::string old_path = join_path(old_directory, file_name);
  const std::string new_path = join_path(directory, file_name);
  LARDER_TRY_ASSIGN(const bool old_exists, files.exists(old_path));
  if (!old_exists) return false;
  LARDER_TRY_ASSIGN(AofManifest manifest, read_aof_manifest(files, directory, file_name));
  const bool half_moved = manifest.base && manifest.base->name == file_name && manifest.incremental.empty();
  if (!manifest.empty() && !half_moved) return false;
  LARDER_TRY_ASSIGN(const bool moved, files.exists(new_path));
  if (moved) return false;
  LARDER_TRY_ASSIGN(const bool folder_exists, files.exists(directory));
  if (!folder_exists) {
    LARDER_TRY(files.make_directory(directory));
    LARDER_TRY(files.sync_directory(old_directory));
  }
  manifest.base = AofManifest::File{file_name, 1};
  LARDER_TRY(write_aof_manifest(files, directory, file_name, manifest));
  LARDER_TRY(files.rename(old_path, new_path));
  LARDER_TRY(files.sync_directory(directory));
  LARDER_TRY(files.sync_directory(old_directory));
  return true;
}

Result<std::shared_ptr<FileLock>> lock_aof(FileSystem& files, const std::string& directory, const AofManifest& manifest,
                                           int64_t wait_ms) {
  if (manifest.incremental.empty()) return std::shared_ptr<FileLock>();
  const std::string path = join_path(directory, manifest.incremental.back().name);
  const Result<bool> exists = files.exists(path);
  if (!exists || !*exists) return std::shared_ptr<FileLock>();  // to lock it would be to make it
  Result<std::unique_ptr<FileLock>> lock = files.lock(path, wait_ms);
  if (lock) return std::shared_ptr<FileLock>(std::move(*lock));
  if (lock.error().code != ErrorCode::kBusy) return std::shared_ptr<FileLock>();
  return Error{ErrorCode::kBusy, "another server keeps the log: " + path + " is locked"};
}

}  // namespace larder
