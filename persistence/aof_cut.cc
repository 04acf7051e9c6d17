#include "persistence/aof_cut.h"

#include <memory>

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

}  // namespace

Result<std::string> cut_aof_file(FileSystem& files, const std::string& path, uint64_t offset) {
  const std::string saved = path + ".cut-" + std::to_string(offset);
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kReadWrite));
  LARDER_TRY(copy_rest(*file, offset, files, saved));
  LARDER_TRY(files.sync_directory(parent_path(path)));
  LARDER_TRY(file->truncate(offset));
  LARDER_TRY(file->sync());
  return saved;
}

}  // namespace larder
