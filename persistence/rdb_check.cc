#include "persistence/rdb_check.h"

#include "persistence/rdb_loader.h"

namespace larder {
namespace {

constexpr int kDatabases = 16384;  // more than any server has
constexpr size_t kKeysPerStep = 4096;

std::string counts_text(const RdbLoader& loader) {
  const RdbLoadCounts& counts = loader.counts();
  std::string text = "[info] " + std::to_string(counts.keys_loaded + counts.keys_expired) + " keys read\n";
  text += "[info] " + std::to_string(counts.volatile_keys + counts.keys_expired) + " expires\n";
  text += "[info] " + std::to_string(counts.keys_expired) + " already expired\n";
  if (counts.functions > 0) text += "[info] " + std::to_string(counts.functions) + " libraries of functions\n";
  if (counts.module_parts > 0) text += "[info] " + std::to_string(counts.module_parts) + " parts of modules, skipped\n";
  return text;
}

}  // namespace

Status check_rdb_file(FileSystem& files, const std::string& path, int64_t now_ms, std::string* report) {
  LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  LARDER_TRY_ASSIGN(const uint64_t size_bytes, file->size());
  StoreOptions store_options;
  store_options.database_count = 1;
  Store store(store_options);
  RdbLoadOptions options;
  options.now_ms = now_ms;
  options.only_check = true;
  options.databases = kDatabases;
  RdbLoader loader(store, *file, 0, size_bytes, options);
  *report += "[offset 0] Checking RDB file " + path + "\n";
  loader.on_aux = [&](Bytes name, Bytes value) {
    *report +=
        "[offset " + std::to_string(loader.offset()) + "] AUX FIELD " + quoted(name) + " = " + quoted(value) + "\n";
  };
  Result<bool> more = true;
  while (more.ok() && *more) more = loader.step(kKeysPerStep);
  if (!more) {
    *report += "--- RDB ERROR DETECTED ---\n" + more.error().to_string() + "\n" + counts_text(loader);
    return more.status();
  }
  *report += "[offset " + std::to_string(loader.offset()) + "] Checksum OK\n";
  if (loader.offset() < size_bytes) {
    *report +=
        "[info] " + std::to_string(size_bytes - loader.offset()) + " bytes follow: commands of an append-only log\n";
  }
  *report += "[offset " + std::to_string(loader.offset()) + "] \\o/ RDB looks OK! \\o/\n" + counts_text(loader);
  return Status();
}

}  // namespace larder
