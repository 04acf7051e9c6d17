#include "persistence/aof_cut.h"

#include <cstdint>
#include <memory>

#include "base/assert.h"
#include "persistence/aof_format.h"

namespace larder {
namespace {

constexpr size_t kCopyBytes = 1024 * 1024;

Status copy_rest(File& from, uint64_t offset, FileSystem& files, const std::string& to) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> out, files.open(to, OpenMode::kTruncate));
  std::string piece(kCopyBytes, '\0');
  while (true) {
    LARDER_TRY_ASSIGN(const size_t got, from.read_at(offset, piece.data(), piece.size()));
    if (got == 0) break;
    LARDER_TRY(out->append({piece.data(), got}));
    offset += got;
  }
  LARDER_TRY(out->sync());
  return out->close();
}

Status append_base_end(File& file, const AofReader& reader) {
  char line[kAofDurableLineBytes];
  write_aof_durable_line(line, *reader.salt(), reader.last_sequence());
  return file.append({line, sizeof line});
}

}  // namespace

Result<std::string> cut_aof_file(FileSystem& files, const std::string& path, const AofReader& reader) {
  const uint64_t offset = reader.end().offset;
  const std::string saved = path + ".cut-" + std::to_string(offset);
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kReadWrite));
  Status copied = copy_rest(*file, offset, files, saved);
  if (copied.ok()) copied = files.sync_directory(parent_path(path));
  if (!copied.ok()) {
    (void)files.remove(saved);
    return copied.error();
  }
  LARDER_TRY(file->truncate(offset));
  if (reader.is_base()) LARDER_TRY(append_base_end(*file, reader));
  LARDER_TRY(file->sync());
  return saved;
}

Status end_aof_base(FileSystem& files, const std::string& path, const AofReader& reader) {
  LARDER_ASSERT(reader.end().ending == AofReader::Ending::kCutShort || reader.end_is_missing());
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kReadWrite));
  LARDER_TRY(append_base_end(*file, reader));
  return file->sync();
}

}  // namespace larder
