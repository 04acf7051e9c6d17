#include "server/command/dataset_digest.h"

#include <cstdio>

#include "base/number_text.h"
#include "base/sha1.h"
#include "persistence/rdb_codecs.h"
#include "storage/hash_value.h"
#include "storage/list_value.h"
#include "storage/set_value.h"
#include "storage/stream_value.h"
#include "storage/string_value.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

constexpr Bytes kDeadlineMark = "!!expire!!";
constexpr Bytes kFieldDeadlineMark = "!!hexpire!!";

// The types' numbers as Redis counts them.
uint32_t type_number(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return 0;
    case ValueType::kList:
      return 1;
    case ValueType::kSet:
      return 2;
    case ValueType::kZset:
      return 3;
    case ValueType::kHash:
      return 4;
    case ValueType::kStream:
      return 6;
  }
  LARDER_UNREACHABLE();
}

void mix_number(Digest& digest, uint32_t number) {
  char big_endian[sizeof(number)];
  for (size_t i = 0; i < sizeof(number); i++) big_endian[i] = static_cast<char>(number >> (24 - 8 * i));
  digest.mix(Bytes(big_endian, sizeof(big_endian)));
}

void mix_list(Digest& digest, const ListValue& list) {
  list.visit_packed([&](Bytes sequence, size_t) {
    char digits[kInt64TextBytesMax];
    for (const PackedElement& element : PackedRange(sequence)) digest.mix(element.text(digits));
  });
}

void add_members(Digest& digest, const ZsetValue& zset) {
  zset.visit_all([&](Bytes member, double score) {
    char text[40];
    const int length = std::snprintf(text, sizeof(text), "%.17g", score);
    Digest element;
    element.mix(member);
    element.mix(Bytes(text, static_cast<size_t>(length)));
    digest.add(element);
  });
}

void add_fields(Digest& digest, const HashValue& hash) {
  hash.for_each([&](const HashFieldView& field) {
    Digest element;
    element.mix(field.name);
    element.mix(field.value);
    if (field.deadline_ms != kNoDeadline) element.add(kFieldDeadlineMark);
    digest.add(element);
  });
}

void mix_stream(Digest& digest, const StreamStructure& stream) {
  StreamIterator entries(stream, kStreamIdMin, kStreamIdMax);
  char digits[kInt64TextBytesMax];
  for (StreamEntry entry; entries.next(&entry);) {
    digest.mix(std::to_string(entry.id.ms) + "." + std::to_string(entry.id.seq));
    entry.for_each_field([&](const PackedElement& name, const PackedElement& value) {
      digest.mix(name.text(digits));
      digest.mix(value.text(digits));
    });
  }
}

}  // namespace

void Digest::add(Bytes bytes) {
  const auto sum = sha1(bytes);
  for (size_t i = 0; i < bytes_.size(); i++) bytes_[i] ^= sum[i];
}

void Digest::mix(Bytes bytes) {
  add(bytes);
  bytes_ = sha1(this->bytes());
}

void mix_value(Digest& digest, Store& store, const Entry& entry) {
  mix_number(digest, type_number(entry.type()));
  switch (entry.type()) {
    case ValueType::kString:
      digest.mix(RdbEntryHandle<StringValue>(store, entry)->text().bytes());
      break;
    case ValueType::kList:
      mix_list(digest, *RdbEntryHandle<ListValue>(store, entry));
      break;
    case ValueType::kSet:
      RdbEntryHandle<SetValue>(store, entry)->for_each([&](Bytes member) { digest.add(member); });
      break;
    case ValueType::kZset:
      add_members(digest, *RdbEntryHandle<ZsetValue>(store, entry));
      break;
    case ValueType::kHash:
      add_fields(digest, *RdbEntryHandle<HashValue>(store, entry));
      break;
    case ValueType::kStream:
      mix_stream(digest, RdbEntryHandle<StreamValue>(store, entry)->stream());
      break;
  }
  if (entry.has_deadline()) digest.add(kDeadlineMark);
}

Digest digest_of(Store& store) {
  Digest all;
  for (int db = 0; db < store.database_count(); db++) {
    const Keyspace& keyspace = store.database(db);
    if (keyspace.size() == 0) continue;
    mix_number(all, static_cast<uint32_t>(db));
    keyspace.for_each([&](const Entry& entry) {
      Digest one;
      one.mix(entry.key());
      mix_value(one, store, entry);
      all.add(one);
    });
  }
  return all;
}

}  // namespace larder
