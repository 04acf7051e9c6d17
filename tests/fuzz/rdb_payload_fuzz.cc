// RESTORE payloads of every type: the first byte chooses the version, the second is the type, the rest the value. Nothing
// may crash; what is refused leaves nothing behind; what is accepted keeps the invariants of its type, and comes out of a
// dump of it as the same again.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "persistence/crc64.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_loader.h"
#include "persistence/rdb_writer.h"

namespace {

using namespace larder;

constexpr int64_t kNowMs = 1000;
constexpr int kVersions[] = {11, 12, 80, 10};

std::string payload_of(Bytes value, int version) {
  std::string payload(value);
  payload.push_back(static_cast<char>(version));
  payload.push_back('\0');
  const uint64_t sum = crc64(0, payload);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) payload.push_back(static_cast<char>(sum >> (8 * i)));
  return payload;
}

void check_value(Store& store, const Entry& entry) {
  if (entry.encoding() == Encoding::kStructure) return entry.structure()->check_integrity();
  if (entry.type() == ValueType::kSet) RdbEntryHandle<SetValue>(store, entry)->check_integrity();
  if (entry.type() == ValueType::kHash) RdbEntryHandle<HashValue>(store, entry)->check_integrity();
  if (entry.type() == ValueType::kZset) RdbEntryHandle<ZsetValue>(store, entry)->check_integrity();
}

size_t size_of(Store& store, const Entry& entry) {
  switch (entry.type()) {
    case ValueType::kString:
      return 1;
    case ValueType::kList:
      return RdbEntryHandle<ListValue>(store, entry)->size();
    case ValueType::kSet:
      return RdbEntryHandle<SetValue>(store, entry)->size();
    case ValueType::kHash:
      return RdbEntryHandle<HashValue>(store, entry)->size();
    case ValueType::kZset:
      return RdbEntryHandle<ZsetValue>(store, entry)->size();
    case ValueType::kStream:
      return entry.structure()->size();
  }
  LARDER_UNREACHABLE();
}

// The element count of what the payload holds; nothing was built: -1.
int64_t restore(Store& store, Bytes payload) {
  Keyspace& keyspace = store.database(0);
  const HashedKey key = store.hashed("key");
  if (!check_dump_payload(payload)) return -1;
  const Status status = read_dump_payload(payload, {}, keyspace, key, kNowMs);
  keyspace.check_integrity();
  if (!status.ok()) LARDER_ASSERT(keyspace.size() == 0);
  const Entry* entry = keyspace.find(key, kNowMs);
  if (entry == nullptr) return -1;
  check_value(store, *entry);
  return static_cast<int64_t>(size_of(store, *entry));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes value(reinterpret_cast<const char*>(data) + 1, size - 1);
  StoreOptions options;
  options.database_count = 1;
  Store store(options);
  const int64_t count = restore(store, payload_of(value, kVersions[data[0] % 4]));
  if (count < 0) return 0;
  const Entry& entry = *store.database(0).find(store.hashed("key"), kNowMs);
  for (const int version : {10, 12}) {
    RdbWriteOptions write;
    write.version = version;
    Store again(options);
    const int64_t count_again = restore(again, dump_entry(store, entry, write, version == 10));
    LARDER_ASSERT(count_again == count);
  }
  return 0;
}
