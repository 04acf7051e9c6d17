// Every type of value through files and payloads: what comes back is what was written, damage is found, and bytes from
// elsewhere (older versions, other servers) are read.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "persistence/dump_payload.h"
#include "tests/unit/persistence/rdb_sample.h"

namespace larder {
namespace {

StoreOptions options_of_two() {
  StoreOptions options;
  options.database_count = 2;
  return options;
}

RdbLoadOptions at_sample_time() {
  RdbLoadOptions options;
  options.now_ms = kSampleNowMs;
  return options;
}

TEST(RdbTypesTest, FilesOfEveryVersionComeBack) {
  Store store(options_of_two());
  RdbSample(store, 600).fill();
  const std::vector<std::string> expected = describe_store(store);
  for (const int version : {10, 11, 12}) {
    for (const bool compress : {false, true}) {
      RdbWriteOptions options;
      options.version = version;
      const std::string file = make_rdb_file(store, options, compress);
      Store loaded(options_of_two());
      RdbLoader loader(loaded, file, at_sample_time());
      std::string library;
      loader.on_function = [&](Bytes source) {
        library = source;
        return Status();
      };
      Result<bool> more = true;
      while (more.ok() && *more) more = loader.step(1);
      ASSERT_TRUE(more.ok()) << more.error().to_string();
      EXPECT_EQ(loader.offset(), file.size());
      EXPECT_EQ(library, "#!lua name=library");
      std::vector<std::string> seen = describe_store(loaded);
      if (version == 10) {
        // The activity times of consumers are not in the file.
        EXPECT_EQ(seen.size(), expected.size());
      } else {
        EXPECT_EQ(seen, expected);
      }
      check_store(loaded);
    }
  }
}

TEST(RdbTypesTest, PayloadsComeBack) {
  Store store(options_of_two());
  RdbSample(store, 600).fill();
  store.database(0).for_each([&](const Entry& entry) {
    const std::string payload = dump_entry(store, entry, {}, true);
    ASSERT_TRUE(check_dump_payload(payload));
    Store restored(options_of_two());
    const HashedKey key = restored.hashed(entry.key());
    const Status status = read_dump_payload(payload, {}, restored.database(0), key, kSampleNowMs);
    ASSERT_TRUE(status.ok()) << entry.key() << ": " << status.to_string();
    if (entry.has_deadline()) restored.database(0).set_deadline(key, entry.deadline_ms(), kSampleNowMs);
    EXPECT_EQ(describe_entry(restored, *restored.database(0).find(key, kSampleNowMs)), describe_entry(store, entry));
    check_store(restored);
    // One byte too few or too many: refused, and nothing is left.
    for (const std::string& damaged :
         {payload.substr(0, payload.size() - 11), payload.substr(0, payload.size() - 10) + "x"}) {
      Store none(options_of_two());
      EXPECT_FALSE(read_dump_payload(damaged + "0123456789", {}, none.database(0), key, kSampleNowMs).ok());
      EXPECT_EQ(none.database(0).size(), 0U);
    }
  });
}

// Calls visit(file) for files of one key each, whose length is squared by what is done with them.
template <class Visit>
void for_each_small_file(Store& store, int version, bool compress, Visit visit) {
  RdbWriteOptions options;
  options.version = version;
  std::vector<std::string> keys;
  for (int db = 0; db < store.database_count(); db++) {
    store.database(db).for_each([&](const Entry& entry) { keys.emplace_back(entry.key()); });
  }
  for (const std::string& key : keys) visit(make_rdb_file(store, options, compress, key));
}

std::string with_changed_byte(const std::string& file, size_t at) {
  std::string damaged = file;
  damaged[at] = static_cast<char>(damaged[at] ^ (at % 3 == 0 ? 0xff : 1 << (at % 8)));
  return damaged;
}

// Any byte of a snapshot changed: the load fails, or what it loads is what was saved.
TEST(RdbTypesTest, EveryChangedByteIsFoundOrHarmless) {
  Store store(options_of_two());
  RdbSample(store, 70).fill();
  for_each_small_file(store, 12, true, [&](const std::string& file) {
    Store whole(options_of_two());
    ASSERT_TRUE(RdbLoader(whole, file, at_sample_time()).step(SIZE_MAX).ok());
    const std::vector<std::string> expected = describe_store(whole);
    size_t found = 0;
    for (size_t at = 0; at < file.size(); at++) {
      const std::string damaged = with_changed_byte(file, at);
      Store loaded(options_of_two());
      RdbLoader loader(loaded, damaged, at_sample_time());
      const Result<bool> outcome = loader.step(SIZE_MAX);
      found += !outcome.ok();
      if (outcome.ok()) {
        EXPECT_EQ(describe_store(loaded), expected) << "byte " << at;
      }
    }
    EXPECT_GE(found, file.size() - 1);
  });
}

// The same without the help of the checksum: whatever is loaded then keeps every invariant.
TEST(RdbTypesTest, WithoutAChecksumDamageStaysHarmless) {
  Store store(options_of_two());
  RdbSample(store, 70).fill();
  RdbLoadOptions options = at_sample_time();
  options.check_checksum = false;
  for_each_small_file(store, 11, false, [&](const std::string& file) {
    for (size_t at = kRdbHeaderBytes; at < file.size(); at++) {
      const std::string damaged = with_changed_byte(file, at);
      Store loaded(options_of_two());
      RdbLoader loader(loaded, damaged, options);
      if (loader.step(SIZE_MAX).ok()) check_store(loaded);
    }
  });
}

// ---- Bytes as other servers write them

std::string payload_of(std::string value, int version) {
  value.push_back(static_cast<char>(version));
  value.push_back('\0');
  const uint64_t sum = crc64(0, value);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) value.push_back(static_cast<char>(sum >> (8 * i)));
  return value;
}

std::string restored(const std::string& value, int version = 11) {
  const std::string payload = payload_of(value, version);
  if (!check_dump_payload(payload)) return "no payload";
  Store store(options_of_two());
  const HashedKey key = store.hashed("key");
  const Status status = read_dump_payload(payload, {}, store.database(0), key, kSampleNowMs);
  if (!status.ok()) return "error";
  check_store(store);
  const Entry* entry = store.database(0).find(key, kSampleNowMs);
  return entry == nullptr ? "empty" : describe_entry(store, *entry);
}

std::string string_of(const std::string& bytes) { return std::string(1, static_cast<char>(bytes.size())) + bytes; }
std::string time_of(uint64_t ms) {
  std::string bytes;
  for (int i = 0; i < 8; i++) bytes.push_back(static_cast<char>(ms >> (8 * i)));
  return bytes;
}
const std::string kNever = std::to_string(kNoDeadline);

TEST(RdbForeignTest, Lists) {
  EXPECT_EQ(restored(std::string("\x01\x02\x01") + "a\xc0\x07"), "1 until " + kNever + "\n1000000a\n10000017");
  const std::string ziplist("\x0e\0\0\0\x0a\0\0\0\x01\0\x00\xf6\xff", 13);
  EXPECT_EQ(restored("\x0a" + string_of(ziplist)), "error");  // its size is not what it says
  const std::string good("\x0d\0\0\0\x0a\0\0\0\x01\0\x00\xf6\xff", 13);
  EXPECT_EQ(restored("\x0a" + string_of(good)), "1 until " + kNever + "\n10000005");
  EXPECT_EQ(restored(std::string("\x0e\x02") + string_of(good) + string_of(good)),
            "1 until " + kNever + "\n10000005\n10000015");
  EXPECT_EQ(restored(std::string("\x12\x01\x03") + string_of("x")), "error");
  EXPECT_EQ(restored(std::string("\x12\0", 2)), "empty");
}

TEST(RdbForeignTest, HashesWithDeadlines) {
  const std::string expected = "4 until " + kNever + "\na=1@5000\nb=2@" + kNever + "\nc=3@5010";
  const auto field = [](const std::string& name, const std::string& value) {
    return string_of(name) + string_of(value);
  };
  // Redis 7.4: relative to the earliest.
  EXPECT_EQ(restored("\x18" + time_of(5000) + "\x03\x01" + field("a", "1") + std::string(1, '\0') + field("b", "2") +
                         "\x0b" + field("c", "3"),
                     12),
            expected);
  // Its release candidates: as they are. 5000 is 0x1388.
  EXPECT_EQ(restored("\x16\x03\x53\x88" + field("a", "1") + std::string(1, '\0') + field("b", "2") + "\x53\x92" +
                         field("c", "3"),
                     12),
            expected);
  // Valkey 9: behind each field, -1 for none.
  EXPECT_EQ(restored("\x16\x03" + field("a", "1") + time_of(5000) + field("b", "2") + time_of(UINT64_MAX) +
                         field("c", "3") + time_of(5010),
                     80),
            expected);
  // A field that is over is not loaded, and a hash of such fields is none.
  EXPECT_EQ(restored("\x16\x01" + field("a", "1") + time_of(999), 80), "empty");
  EXPECT_EQ(restored("\x18" + time_of(UINT64_MAX) + "\x01\x05" + field("a", "1"), 12), "error");
  EXPECT_EQ(restored("\x16\x02" + field("a", "1") + time_of(5000) + field("a", "2") + time_of(5000), 80), "error");
}

TEST(RdbForeignTest, PackedHashes) {
  const std::string zipmap(
      "\x01\x01"
      "f"
      "\x01\x00"
      "v\xff",
      7);
  EXPECT_EQ(restored("\x09" + string_of(zipmap)), "4 until " + kNever + "\nf=v@" + kNever);
  // A listpack of three is no pairs.
  const std::string three("\x0d\0\0\0\x03\0\x01\x01\x02\x01\x03\x01\xff", 13);
  EXPECT_EQ(restored("\x10" + string_of(three)), "error");
  // With deadlines it is one field, whose deadline, 3, is over.
  EXPECT_EQ(restored("\x19" + time_of(3) + string_of(three), 12), "empty");
}

TEST(RdbForeignTest, TypesAndVersions) {
  EXPECT_EQ(restored("\x08"), "error");
  EXPECT_EQ(restored("\x1a\x01"), "error");
  EXPECT_EQ(restored(std::string("\x07\x01\x00", 3)), "error");
  EXPECT_EQ(restored(""), "error");
  EXPECT_EQ(restored(std::string("\0\x01", 2) + "a", 12).substr(0, 1), "0");
  EXPECT_EQ(restored(std::string("\0\x01", 2) + "a", 13), "no payload");
  EXPECT_EQ(restored(std::string("\0\x01", 2) + "a", 79), "no payload");
}

TEST(RdbForeignTest, FilesOfValkey) {
  std::string file = "VALKEY080" + std::string("\xfe\x00\x16", 3) + string_of("h") + "\x01" + string_of("f") +
                     string_of("v") + time_of(5000) + "\xff";
  const uint64_t sum = crc64(0, file);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) file.push_back(static_cast<char>(sum >> (8 * i)));
  Store store(options_of_two());
  RdbLoader loader(store, file, at_sample_time());
  const Result<bool> outcome = loader.step(SIZE_MAX);
  ASSERT_TRUE(outcome.ok()) << outcome.error().to_string();
  EXPECT_EQ(describe_store(store), (std::vector<std::string>{"0 h 4 until " + kNever + "\nf=v@5000"}));
}

}  // namespace
}  // namespace larder
