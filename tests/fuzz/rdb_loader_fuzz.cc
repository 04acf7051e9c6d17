// The RDB reader on arbitrary bytes as a file. Nothing may crash, and what was built must keep the invariants of its type.
// Payloads of RESTORE: rdb_payload_fuzz.cc.

#include <cstddef>
#include <cstdint>

#include "persistence/rdb_loader.h"
#include "persistence/rdb_writer.h"

namespace {

using namespace larder;

void check(Store& store) {
  for (int db = 0; db < store.database_count(); db++) {
    store.database(db).check_integrity();
    store.database(db).for_each([&](const Entry& entry) {
      if (entry.encoding() == Encoding::kStructure) entry.structure()->check_integrity();
      // Whatever was read can be written.
      (void)dump_entry(store, entry, {}, false);
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input(reinterpret_cast<const char*>(data), size);
  StoreOptions options;
  options.database_count = 2;
  Store store(options);
  RdbLoadOptions load;
  load.now_ms = 1000;
  load.check_checksum = false;
  RdbLoader loader(store, input, load);
  Result<bool> more = true;
  while (more.ok() && *more) more = loader.step(16);
  check(store);
  return 0;
}
