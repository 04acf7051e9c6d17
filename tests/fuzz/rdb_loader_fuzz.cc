// The RDB reader on arbitrary bytes: as a file, and as the payload of RESTORE. Nothing may crash, and what was built must
// keep the invariants of its type.

#include <cstddef>
#include <cstdint>
#include <string>

#include "persistence/crc64.h"
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
  {
    Store store(options);
    RdbLoadOptions load;
    load.check_checksum = false;
    RdbLoader loader(store, input, load);
    Result<bool> more = true;
    while (more.ok() && *more) more = loader.step(16);
    check(store);
  }
  Store store(options);
  std::string payload(input);
  payload.append("\x0b\x00", 2);
  const uint64_t sum = crc64(0, payload);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) payload.push_back(static_cast<char>(sum >> (8 * i)));
  if (check_dump_payload(payload)) {
    (void)read_dump_payload(payload, {}, store.database(0), store.hashed("k"), 1000);
  }
  check(store);
  return 0;
}
