#include "base/file_system.h"

namespace larder {

namespace {
constexpr size_t kReadBytesMin = 4096;
constexpr size_t kReadBytesMax = 1024 * 1024;
}  // namespace

Result<std::string> read_file(FileSystem& files, const std::string& path, uint64_t size_bytes_max) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  std::string content;
  size_t step_bytes = kReadBytesMin;
  // The size that the system reports is not trusted: files under /proc report 0, and a file may grow while it is read.
  for (;;) {
    const size_t before = content.size();
    content.resize(before + step_bytes);
    LARDER_TRY_ASSIGN(const size_t got, file->read(content.data() + before, step_bytes));
    content.resize(before + got);
    if (content.size() > size_bytes_max) {
      return Error{ErrorCode::kResourceLimit, "read " + path + ": the file is too large"};
    }
    if (got == 0) return content;
    if (step_bytes < kReadBytesMax) step_bytes *= 2;
  }
}

Status replace_file(FileSystem& files, const std::string& path, Bytes content) {
  const std::string temporary = path + ".tmp";
  {
    LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(temporary, OpenMode::kTruncate));
    LARDER_TRY(file->append(content));
    LARDER_TRY(file->sync());
    LARDER_TRY(file->close());
  }
  LARDER_TRY(files.rename(temporary, path));
  return files.sync_directory(parent_path(path));
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty() || (!name.empty() && name.front() == '/')) return name;
  if (directory.back() == '/') return directory + name;
  return directory + "/" + name;
}

std::string parent_path(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace larder
