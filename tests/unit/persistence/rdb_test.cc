// RDB: the primitives, files of every kind that the writer makes, and bytes that nobody should trust.

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "persistence/crc64.h"
#include "persistence/lzf.h"
#include "persistence/rdb_legacy.h"
#include "persistence/rdb_loader.h"
#include "persistence/rdb_writer.h"
#include "storage/string_value.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(Crc64Test, KnownValues) {
  EXPECT_EQ(crc64(0, "123456789"), 0xe9c6d914c4b8d9caU);
  EXPECT_EQ(crc64(0, ""), 0U);
}

TEST(Crc64Test, PiecesGiveTheSameSum) {
  Random random(1);
  std::string bytes(1000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  const uint64_t whole = crc64(0, bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 37) {
    EXPECT_EQ(crc64(crc64(0, Bytes(bytes).substr(0, cut)), Bytes(bytes).substr(cut)), whole);
  }
}

// Every length has its own way through lanes, words and bytes.
TEST(Crc64Test, IsTheRemainderBitByBit) {
  Random random(2);
  std::string bytes(700, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  for (size_t offset = 0; offset < 3; offset++) {
    uint64_t plain = offset * 0x123456789abcdefU;
    const uint64_t begin = plain;
    for (size_t size = 0; offset + size < bytes.size(); size++) {
      ASSERT_EQ(crc64(begin, Bytes(bytes).substr(offset, size)), plain) << size;
      plain ^= static_cast<uint8_t>(bytes[offset + size]);
      for (int bit = 0; bit < 8; bit++) plain = (plain & 1) != 0 ? (plain >> 1) ^ 0x95ac9329ac4bc9b5U : plain >> 1;
    }
  }
}

TEST(LzfTest, PacksAndUnpacks) {
  std::string text;
  for (int i = 0; i < 200; i++) text += "the same again and ";
  std::string packed(text.size(), '\0');
  const size_t size = lzf_pack(text, packed.data(), packed.size());
  ASSERT_GT(size, 0U);
  ASSERT_LT(size, text.size() / 10);
  std::string back(text.size(), '\0');
  EXPECT_TRUE(lzf_unpack(Bytes(packed).substr(0, size), back.data(), back.size()));
  EXPECT_EQ(back, text);
  EXPECT_FALSE(lzf_unpack(Bytes(packed).substr(0, size), back.data(), back.size() - 1));
  EXPECT_FALSE(lzf_unpack(Bytes(packed).substr(0, size - 1), back.data(), back.size()));
}

// The format, read a byte at a time. Nothing: it does not stand for `size` bytes.
std::optional<std::string> unpacked_plainly(Bytes packed, size_t size) {
  std::string out;
  size_t at = 0;
  const auto next = [&] { return at < packed.size() ? static_cast<int>(static_cast<uint8_t>(packed[at++])) : -1; };
  while (at < packed.size() && out.size() <= size) {
    const auto control = static_cast<size_t>(next());
    if (control < 32) {
      if (packed.size() - at < control + 1) return {};
      out += packed.substr(at, control + 1);
      at += control + 1;
      continue;
    }
    const int more = control >> 5 == 7 ? next() : 0;
    const int low = next();
    const size_t distance = ((control & 31) << 8) + static_cast<size_t>(low) + 1;
    if (more < 0 || low < 0 || distance > out.size()) return {};
    for (size_t i = 0; i < (control >> 5) + 2 + static_cast<size_t>(more); i++) out += out[out.size() - distance];
  }
  if (out.size() != size) return {};
  return out;
}

TEST(LzfTest, UnpacksWhatTheFormatSays) {
  Random random(test_seed());
  for (int round = 0; round < 20'000; round++) {
    // Repetitions at every distance, cut off and changed now and then.
    std::string text;
    while (text.size() < 300) {
      if (text.empty() || random.one_in(3)) text.append(random.uniform(40), static_cast<char>(random.next()));
      if (text.empty()) text += 'a';
      const size_t distance = 1 + random.uniform(text.size());
      for (size_t left = random.uniform(60); left > 0; left--) text += text[text.size() - distance];
      if (random.one_in(4)) text += static_cast<char>(random.next());
    }
    std::string packed(text.size(), '\0');
    packed.resize(lzf_pack(text, packed.data(), packed.size()));
    if (packed.empty()) continue;
    if (random.one_in(3)) packed[random.uniform(packed.size())] ^= static_cast<char>(1 << random.uniform(8));
    if (random.one_in(10)) packed.resize(random.uniform(packed.size()) + 1);
    const size_t size = random.one_in(8) ? 1 + random.uniform(2 * text.size()) : text.size();
    const std::optional<std::string> expected = unpacked_plainly(packed, size);
    std::string unpacked(size, '\0');
    ASSERT_EQ(lzf_unpack(packed, unpacked.data(), size), expected.has_value());
    if (expected) {
      ASSERT_EQ(unpacked, *expected);
    }
  }
}

// One string through encoder, chunk and input.
std::string through(Bytes text, bool compress, size_t* encoded_bytes = nullptr) {
  RdbChunk chunk;
  RdbEncoder(chunk).text(text);
  Buffer finished;
  finish_rdb_chunk(chunk, compress, &finished);
  if (encoded_bytes != nullptr) *encoded_bytes = finished.size();
  RdbInput in(finished.bytes());
  RdbText read;
  EXPECT_TRUE(in.text(&read));
  EXPECT_EQ(in.bytes_left(), 0U);
  return std::string(read.bytes());
}

TEST(RdbEncoderTest, StringsOfEveryLengthAndKind) {
  for (const Bytes text : {"", "0", "-1", "127", "128", "-128", "-129", "32767", "32768", "2147483647", "2147483648",
                           "-2147483648", "007", "-0", "+1", "9223372036854775807", "abc"}) {
    EXPECT_EQ(through(text, true), text);
  }
  for (const size_t size : {1U, 20U, 21U, 63U, 64U, 100U, 16383U, 16384U, 70000U, 300000U}) {
    EXPECT_EQ(through(std::string(size, 'x'), true), std::string(size, 'x'));
    EXPECT_EQ(through(std::string(size, 'x'), false), std::string(size, 'x'));
  }
  size_t bytes = 0;
  through("2147483647", true, &bytes);
  EXPECT_EQ(bytes, 5U);
  through(std::string(10000, 'x'), true, &bytes);
  EXPECT_LT(bytes, 300U);
}

TEST(RdbInputTest, ClaimsBeyondTheDataAreRefused) {
  RdbText text;
  for (const Bytes bytes : {Bytes("\x81\xff\xff\xff\xff\xff\xff\xff\xff", 9), Bytes("\x80\x7f\xff\xff\xff", 5),
                            Bytes("\x05"
                                  "abc",
                                  4),
                            Bytes("\xc3\x01\x80\x7f\xff\xff\xff"
                                  "a",
                                  8),
                            Bytes("\xc4", 1), Bytes("\x82", 1), Bytes("", 0), Bytes("\xc1\x00", 2)}) {
    RdbInput in(bytes);
    EXPECT_FALSE(in.text(&text)) << to_hex(bytes);
    EXPECT_FALSE(in.ok());
    EXPECT_NE(in.error().message.find("offset"), std::string::npos);
  }
}

TEST(RdbLegacyTest, Ziplist) {
  // "hello", 5, -200, 70000 and the end.
  const std::string entries = std::string("\x00\x05hello", 7) + std::string("\x07\xf6", 2) +
                              std::string("\x02\xc0\x38\xff", 4) + std::string("\x04\xf0\x70\x11\x01", 5);
  std::string ziplist(10, '\0');
  ziplist += entries + "\xff";
  ziplist[0] = static_cast<char>(ziplist.size());
  ziplist[4] = static_cast<char>(10 + 7 + 2 + 4);
  ziplist[8] = 4;
  Buffer sequence;
  size_t count = 0;
  ASSERT_TRUE(read_ziplist(ziplist, &sequence, &count));
  EXPECT_EQ(count, 4U);
  std::vector<std::string> texts;
  char digits[kInt64TextBytesMax];
  for (const PackedElement& element : PackedRange(sequence.bytes())) texts.emplace_back(element.text(digits));
  EXPECT_EQ(texts, (std::vector<std::string>{"hello", "5", "-200", "70000"}));
  for (size_t i = 0; i < ziplist.size(); i++) {
    Buffer ignored;
    (void)read_ziplist(Bytes(ziplist).substr(0, i), &ignored, &count);
    EXPECT_FALSE(read_ziplist(Bytes(ziplist).substr(0, i), &ignored, &count)) << i;
  }
}

TEST(RdbLegacyTest, Zipmap) {
  const std::string zipmap(
      "\x02\x03"
      "foo"
      "\x03\x00"
      "bar"
      "\x05"
      "hello"
      "\x05\x02"
      "world"
      "..\xff",
      26);
  Buffer sequence;
  size_t count = 0;
  ASSERT_TRUE(read_zipmap(zipmap, &sequence, &count));
  EXPECT_EQ(count, 4U);
  EXPECT_FALSE(read_zipmap(Bytes(zipmap).substr(0, 20), &sequence, &count));
}

int pauses = 0;

TEST(RdbChunkTest, PausesWhileItIsFinished) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  constexpr size_t kStrings = 1000;
  const std::string text(200, 'v');
  for (size_t i = 0; i < kStrings; i++) out.text(text);
  Buffer with_pauses;
  Buffer without;
  pauses = 0;
  finish_rdb_chunk(chunk, true, &with_pauses, [] { ++pauses; });
  finish_rdb_chunk(chunk, true, &without);
  EXPECT_EQ(with_pauses.bytes(), without.bytes());
  EXPECT_EQ(pauses, static_cast<int>(kStrings * text.size() / kRdbPauseBytes));
}

std::string make_file(Store& store) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  const RdbWriter writer(store, {});
  writer.header(out);
  writer.aux(out, "redis-ver", "7.2.4");
  for (int db = 0; db < store.database_count(); db++) {
    writer.select(out, db, store.database(db).size(), 0);
    store.database(db).for_each([&](const Entry& entry) { writer.entry(out, entry); });
  }
  writer.end(out);
  Buffer finished;
  finish_rdb_chunk(chunk, true, &finished);
  std::string file(finished.bytes());
  const uint64_t sum = crc64(0, file);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) file.push_back(static_cast<char>(sum >> (8 * i)));
  return file;
}

void fill(Store& store) {
  const auto set = [&](int db, Bytes key, Bytes value, DeadlineRule deadline = DeadlineRule::none()) {
    store.database(db).assign_string(store.hashed(key), value, deadline, 0);
  };
  set(0, "a", "1");
  set(0, "b", "hello");
  set(0, "c", std::string(500, 'z'));
  set(1, "d", std::string(30000, 'y'), DeadlineRule::at(5000));
  set(1, "e", "", DeadlineRule::at(900));
}

StoreOptions two_databases() {
  StoreOptions options;
  options.database_count = 2;
  return options;
}

TEST(RdbLoaderTest, ReadsWhatTheWriterWrites) {
  Store store(two_databases());
  fill(store);
  const std::string file = make_file(store);
  Store loaded(two_databases());
  RdbLoadOptions options;
  options.now_ms = 1000;
  RdbLoader loader(loaded, file, options);
  for (bool more = true; more;) {
    const Result<bool> step = loader.step(1);
    ASSERT_TRUE(step.ok()) << step.error().to_string();
    more = *step;
  }
  EXPECT_EQ(loader.offset(), file.size());
  EXPECT_EQ(loader.counts().keys_loaded, 4U);
  EXPECT_EQ(loader.counts().keys_expired, 1U);
  EXPECT_EQ(loaded.database(0).size(), 3U);
  const Entry* entry = loaded.database(1).find(loaded.hashed("d"), 1000);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->deadline_ms(), 5000);
}

// Any byte flipped or missing: refused with an offset, or harmless.
TEST(RdbLoaderTest, DamageIsFound) {
  Store store(two_databases());
  fill(store);
  const std::string file = make_file(store);
  RdbLoadOptions options;
  for (size_t at = 0; at < file.size(); at++) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      Store loaded(two_databases());
      RdbLoader loader(loaded, damaged, options);
      const Result<bool> outcome = loader.step(SIZE_MAX);
      EXPECT_FALSE(outcome.ok()) << "byte " << at << " xor " << change;
    }
  }
  for (size_t size = 0; size < file.size(); size++) {
    Store loaded(two_databases());
    RdbLoader loader(loaded, Bytes(file).substr(0, size), options);
    EXPECT_FALSE(loader.step(SIZE_MAX).ok()) << size;
  }
}

// Who waits is answered also while a large sorted set is put in order, which reads nothing.
TEST(RdbLoaderTest, ASortedSetTellsOfItsProgressToTheEnd) {
  constexpr int kMembers = 50000;
  constexpr size_t kScoreBytes = 8;
  std::string file = "REDIS0009\x05\x01z\x80";
  for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(kMembers >> shift);
  for (int i = 0; i < kMembers; i++) {
    const std::string member = std::to_string(i);
    file += static_cast<char>(member.size());
    file += member;
    const auto score = static_cast<double>((i * 7919) % kMembers);
    char bytes[kScoreBytes];
    std::memcpy(bytes, &score, sizeof bytes);
    file.append(bytes, sizeof bytes);
  }
  const size_t value_end = file.size();
  file += "\xff" + std::string(8, '\0');
  Store loaded(two_databases());
  RdbLoader loader(loaded, file, {});
  int calls_behind_the_members = 0;
  loader.on_progress([&] { calls_behind_the_members += loader.offset() == value_end; });
  const Result<bool> more = loader.step(SIZE_MAX);
  ASSERT_TRUE(more.ok()) << more.error().to_string();
  EXPECT_GT(calls_behind_the_members, 10);
}

// What the file says of its number of keys makes room for no more than the file could hold.
TEST(RdbLoaderTest, NumbersOfKeysThatLie) {
  const auto number = [](uint64_t value) {
    std::string text = "\x81";
    for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
    return text;
  };
  std::string keys;
  for (int i = 0; i < 3000; i++) keys += std::string("\x00\x04", 2) + std::to_string(1000 + i) + "\x01v";
  for (const uint64_t told : {uint64_t{0}, uint64_t{10}, uint64_t{3000}, uint64_t{1} << 40, UINT64_MAX}) {
    const std::string sizes = "\xfb" + number(told) + number(told);
    const std::string file = "REDIS0011" + sizes + sizes + keys + "\xfe\x01" + sizes + "\xff" + std::string(8, '\0');
    Store loaded(two_databases());
    RdbLoader loader(loaded, file, {});
    ASSERT_TRUE(*loader.step(10));
    EXPECT_LT(loaded.table_account().bytes, 5 * static_cast<int64_t>(file.size()));
    ASSERT_FALSE(*loader.step(SIZE_MAX));
    loaded.database(0).check_integrity();
    loaded.database(1).check_integrity();
    EXPECT_EQ(loaded.database(0).size(), 3000U);
    EXPECT_LT(loaded.table_account().bytes, 16 * 3000);
  }
}

}  // namespace
}  // namespace larder
