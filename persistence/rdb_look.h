// Reading an RDB file without keeping anything: what checkers and converters need around an RdbLoader.
#pragma once

#include <cstdint>

#include "base/file_system.h"
#include "base/result.h"
#include "persistence/rdb_loader.h"
#include "storage/keyspace.h"

namespace larder {

class RdbLook {
 public:
  // The file's bytes from its beginning; the file outlives this. Keys past their deadline at `now_ms` are counted as
  // expired; with 0 none is.
  RdbLook(File& file, uint64_t file_bytes, int64_t now_ms);

  // Its callbacks may be set before run().
  RdbLoader& loader() { return loader_; }
  const RdbLoader& loader() const { return loader_; }
  Store& store() { return store_; }
  // Reads to the end. `goes_on` is asked every few keys, if set: false ends it early, without an error.
  Status run(const std::function<bool()>& goes_on = nullptr);

 private:
  static StoreOptions store_options();
  static RdbLoadOptions load_options(int64_t now_ms);

  Store store_;
  RdbLoader loader_;
};

}  // namespace larder
