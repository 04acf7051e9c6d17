#include "persistence/aof_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/persistence/aof_test_log.h"

namespace larder {
namespace {

using Ending = AofReader::Ending;

// A writer that gets a random but repeatable course of work, and what is known of its log: commands 1, 2, 3, ... in their order.
class Course {
 public:
  Course(uint64_t seed, AofSyncRule rule, bool heals)
      : random_(seed), rule_(rule), heals_(heals), fills_blocks_(seed % 4 == 0) {}

  MemoryFileSystem& files() { return files_; }
  uint64_t written() const { return next_ - 1; }
  // Every command up to this one has been acknowledged as durable.
  uint64_t durable() const { return durable_; }
  AofWriter& writer() { return *writer_; }

  // Begins a log, or goes on with what there is.
  Status open() {
    if (!files_.exists("/log").value_or(false)) files_.set_content("/other", "");
    LARDER_TRY_ASSIGN(AofManifest manifest, read_aof_manifest(files_, kTestDirectory, kTestName));
    const ReadLog found = read_aof_folder(files_);
    AofWriter::Options options{kTestDirectory, kTestName, random_.next()};
    if (fills_blocks_) options.uncached_bytes_min = kAofGroupLineBytes + 100;
    writer_ = std::make_unique<AofWriter>(files_, options);
    writer_->set_sync_rule(rule_);
    next_ = found.numbers.empty() ? 1 : found.numbers.back() + 1;
    durable_ = next_ - 1;  // open() syncs what was found
    rotated_to_ = 0;
    const AofWriter::Resume resume = manifest.incremental.empty() ? AofWriter::Resume() : found.resume;
    return writer_->open(std::move(manifest), resume);
  }

  void work(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (heals_ && writer_->failed()) (void)writer_->heal();
      durable_ = std::max(durable_, writer_->durable_number());
    }
  }

  void append() {
    AofGroup group{AofGroup::with_room()};
    for (uint64_t i = 0, count = 1 + random_.uniform(3); i < count; ++i) {
      append_numbered(group.bytes, next_++, random_.uniform(60));
    }
    group.number = next_ - 1;
    (void)writer_->append(std::move(group));
  }

 private:
  void step() {
    switch (random_.uniform(10)) {
      case 0:
        (void)writer_->claim();
        return;
      case 1:
      case 2:
        (void)writer_->sync();
        return;
      case 3:
        if (random_.one_in(2)) rotate();
        return;
      case 4:
        adopt();
        return;
      default:
        append();
    }
  }

  void rotate() {
    const Result<uint64_t> rotated = writer_->rotate();
    rotated_to_ = rotated ? *rotated : 0;
    in_base_ = written();
  }

  // The base of everything in front of the last rotation.
  void adopt() {
    if (rotated_to_ == 0) return;
    Buffer base;
    for (uint64_t number = 1; number <= in_base_; ++number) append_numbered(base, number);
    const auto write_base = [&]() -> Status {
      LARDER_TRY_ASSIGN(const auto file, files_.open("/log/temporary", OpenMode::kTruncate));
      LARDER_TRY(file->append(base.bytes()));
      return file->sync();
    };
    if (write_base().ok()) (void)writer_->adopt_base("temporary", false, rotated_to_);
    rotated_to_ = 0;
  }

  MemoryFileSystem files_;
  Random random_;
  const AofSyncRule rule_;
  const bool heals_;
  const bool fills_blocks_;  // some of the groups
  std::unique_ptr<AofWriter> writer_;
  uint64_t next_ = 1;
  uint64_t durable_ = 0;
  uint64_t rotated_to_ = 0;
  uint64_t in_base_ = 0;
};

// What a start finds is 1, 2, ... n: a prefix of what was appended, with everything that was durable.
void expect_history(const ReadLog& log, uint64_t durable, uint64_t written, const std::string& where) {
  EXPECT_EQ(log.broken_file, "") << where;
  for (size_t i = 0; i < log.numbers.size(); ++i) ASSERT_EQ(log.numbers[i], i + 1) << where;
  EXPECT_GE(log.numbers.size(), durable) << where;
  EXPECT_LE(log.numbers.size(), written) << where;
}

// What AofLoad does with a torn tail.
void cut_torn_tail(MemoryFileSystem& files, const ReadLog& log) {
  if (log.end.ending != Ending::kTorn) return;
  const Result<AofManifest> manifest = read_aof_manifest(files, kTestDirectory, kTestName);
  const std::string path = join_path(kTestDirectory, manifest->incremental.back().name);
  const auto file = files.open(path, OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->truncate(log.end.offset).ok() && (*file)->sync().ok());
}

void cut_power_everywhere(uint64_t seed, AofSyncRule rule) {
  for (uint64_t cut = 1;; ++cut) {
    const std::string where = "seed " + std::to_string(seed) + ", cut at call " + std::to_string(cut);
    Course course(seed, rule, false);
    course.files().fail_call(cut, ErrorCode::kIo, true);
    course.files().set_torn_bytes((seed + cut) % 50);
    const bool opened = course.open().ok();
    if (opened) course.work(40);
    const bool is_past_the_end = course.files().call_count() < cut;
    const uint64_t durable = opened ? course.durable() : 0;
    const uint64_t written = opened ? course.written() : 0;
    course.files().fail_call(0);
    course.files().power_cut((seed * 31 + cut * 7) % 200, seed * 1000 + cut);
    const ReadLog log = read_aof_folder(course.files());
    expect_history(log, durable, written, where);
    if (::testing::Test::HasFailure()) return;
    // The next start goes on with it.
    cut_torn_tail(course.files(), log);
    ASSERT_TRUE(course.open().ok()) << where;
    course.append();
    ASSERT_TRUE(course.writer().sync().ok()) << where;
    expect_history(read_aof_folder(course.files()), course.written(), course.written(), where + ", went on");
    if (::testing::Test::HasFailure() || is_past_the_end) return;
  }
}

TEST(AofWriter, NothingDurableIsLostWhereverThePowerIsCut) {
  const uint64_t seed = test_seed();
  for (uint64_t i = 0; i < 20; ++i) {
    for (const AofSyncRule rule : {AofSyncRule::kAlways, AofSyncRule::kEverySecond, AofSyncRule::kNever}) {
      cut_power_everywhere(seed + i, rule);
      if (HasFailure()) return;
    }
  }
}

// One call fails, the disk works again, the writer heals; then the power is cut.
TEST(AofWriter, HealsFromAFailureOfEachCall) {
  const uint64_t seed = test_seed();
  for (uint64_t i = 0; i < 20; ++i) {
    for (uint64_t failing = 1;; ++failing) {
      const std::string where = "seed " + std::to_string(seed + i) + ", call " + std::to_string(failing) + " fails";
      Course course(seed + i, AofSyncRule::kEverySecond, true);
      ASSERT_TRUE(course.open().ok());
      const uint64_t calls_before = course.files().call_count();
      course.files().set_torn_bytes((i + failing) % 90);
      course.files().fail_call(failing);
      course.work(40);
      const bool is_past_the_end = course.files().call_count() - calls_before < failing;
      expect_history(read_aof_folder(course.files()), course.written(), course.written(), where + ", still running");
      EXPECT_FALSE(course.writer().failed()) << where;
      course.files().power_cut(failing % 100, failing);
      expect_history(read_aof_folder(course.files()), course.durable(), course.written(), where + ", power cut");
      if (HasFailure()) return;
      if (is_past_the_end) break;
    }
  }
}

// The calls that heal fail too, one after the other.
TEST(AofWriter, AFailureWhileHealingIsHealedLater) {
  for (uint64_t failing = 1; failing < 14; ++failing) {
    MemoryFileSystem files;
    files.set_content("/other", "");
    AofWriter writer(files, {kTestDirectory, kTestName, 1});
    ASSERT_TRUE(writer.open({}, {}).ok());
    const auto append = [&](uint64_t number) {
      AofGroup group{AofGroup::with_room()};
      append_numbered(group.bytes, number);
      group.number = number;
      return writer.append(std::move(group));
    };
    ASSERT_TRUE(append(1).ok());
    ASSERT_TRUE(writer.sync().ok());
    ASSERT_TRUE(append(2).ok());
    files.fail_call(1);
    ASSERT_FALSE(writer.sync().ok());
    EXPECT_TRUE(writer.failed());
    EXPECT_FALSE(append(3).ok());
    EXPECT_FALSE(writer.sync().ok()) << "a sync that failed is not tried again";
    EXPECT_EQ(writer.durable_number(), 1u);
    files.fail_call(failing);
    const bool healed_at_once = writer.heal().ok();
    if (!healed_at_once) {
      EXPECT_EQ(writer.durable_number(), 1u) << failing;
      EXPECT_FALSE(append(4).ok());
      ASSERT_TRUE(writer.heal().ok()) << failing;
    }
    const uint64_t written = healed_at_once ? 3 : 4;
    EXPECT_EQ(writer.durable_number(), written) << failing;
    files.power_cut();
    expect_history(read_aof_folder(files), written, written, "call " + std::to_string(failing));
  }
}

constexpr const char* kFirst = "/log/a.1.incr.aof";

void append_one(AofWriter& writer, uint64_t number, size_t filler_bytes = 10) {
  AofGroup group{AofGroup::with_room()};
  append_numbered(group.bytes, number, filler_bytes);
  group.number = number;
  EXPECT_TRUE(writer.append(std::move(group)).ok() && writer.sync().ok());
}

// With `always` the file is written over padding, whose last line another server can go on behind; it is cut off in the end.
TEST(AofWriter, PaddingIsAheadOfTheGroups) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  writer.set_sync_rule(AofSyncRule::kAlways);
  ASSERT_TRUE(writer.open({}, {}).ok());
  size_t lengths = 0;
  size_t length_before = 0;
  size_t short_lines = 0;
  uint64_t number = 0;
  while (number < 3000) {
    ++number;
    append_one(writer, number, number % 37);
    const std::string text = files.content(kFirst);
    lengths += text.size() != length_before ? 1 : 0;
    length_before = text.size();
    const size_t end = writer.log_bytes();
    const size_t run = text.find('\n', end) - end;
    ASSERT_NE(run % 1023, 0u) << number;
    ASSERT_EQ(text.find_first_not_of('#', end), end + run) << number;
    ASSERT_EQ(text.size(), end + run + kAofPaddingEndBytes) << number;
    ASSERT_EQ(text.size() % 512, 504u) << number;
    short_lines += text.compare(end - 3, 3, "#.\n") == 0 ? 1 : 0;
  }
  EXPECT_LT(lengths, 60u);
  EXPECT_GT(short_lines, 0u);
  EXPECT_EQ(read_aof_folder(files).numbers.size(), number);
  // Groups that nobody waits for use up what is there.
  writer.set_sync_rule(AofSyncRule::kEverySecond);
  while (files.content(kFirst).size() != writer.log_bytes()) append_one(writer, ++number, 300);
  writer.set_sync_rule(AofSyncRule::kAlways);
  append_one(writer, ++number);
  EXPECT_GT(files.content(kFirst).size(), writer.log_bytes());
  ASSERT_TRUE(writer.close().ok());
  EXPECT_EQ(files.content(kFirst).size(), writer.log_bytes());
  EXPECT_EQ(read_aof_folder(files).numbers.size(), number);
}

TEST(AofWriter, FillerIsLinesOfALengthThatAllCanRead) {
  for (size_t bytes = 0; bytes < 5000; bytes = bytes == 0 ? 2 : bytes + 1) {
    Buffer filler;
    append_aof_filler(filler, bytes);
    ASSERT_EQ(filler.size(), bytes);
    for (Bytes rest = filler.bytes(); !rest.empty();) {
      const size_t line = rest.find('\n');
      ASSERT_TRUE(line != Bytes::npos && line > 0 && line < kAofAnnotationBytesMax - 1) << bytes;
      ASSERT_EQ(rest.find_first_not_of('#'), line) << bytes;
      rest.remove_prefix(line + 1);
    }
  }
}

// Lines that everybody skips, inside of the group and its checksum. A file that is written anew has none.
TEST(AofWriter, AGroupIsFilledUpToTheEndOfABlock) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files,
                   {.directory = kTestDirectory, .file_name = kTestName, .random_seed = 1, .uncached_bytes_min = 200});
  ASSERT_TRUE(writer.open({}, {}).ok());
  uint64_t number = 0;
  while (number < 500) {
    ++number;
    append_one(writer, number, 150 + number * 13 % 5000);
    ASSERT_EQ(files.content(kFirst).size() % kBlockBytes, 0u) << number;
    append_one(writer, ++number, 10);
    const std::string text = files.content(kFirst);
    ASSERT_EQ(text.size(), writer.log_bytes());
    ASSERT_NE(text.size() % kBlockBytes, 0u);
  }
  writer.set_avoids_cache(false);
  append_one(writer, ++number, 1000);
  ASSERT_NE(writer.log_bytes() % kBlockBytes, 0u);
  writer.set_avoids_cache(true);
  const uint64_t bytes_before = writer.log_bytes();
  files.fail_call(1);
  AofGroup group{AofGroup::with_room()};
  append_numbered(group.bytes, ++number, 1000);
  group.number = number;
  ASSERT_FALSE(writer.append(std::move(group)).ok());
  ASSERT_TRUE(writer.heal().ok());
  EXPECT_GT(writer.log_bytes(), bytes_before + 1000);
  files.power_cut();
  expect_history(read_aof_folder(files), number, number, "after the failed write");
  EXPECT_EQ(read_aof_folder(files).numbers.size(), number);
}

TEST(AofWriter, WithoutRoomForPaddingItAppends) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  writer.set_sync_rule(AofSyncRule::kAlways);
  ASSERT_TRUE(writer.open({}, {}).ok());
  files.set_capacity(3000);
  for (uint64_t number = 1; number <= 10; ++number) append_one(writer, number);
  EXPECT_FALSE(writer.failed());
  EXPECT_EQ(files.content(kFirst).size(), writer.log_bytes());
  EXPECT_EQ(read_aof_folder(files).numbers.size(), 10u);
}

// Appends groups, numbered from 1, of a command with 50 bytes of filler, with a sync behind each or without, until one fails, or there are so many.
// Returns the number of the last.
uint64_t append_until_it_fails(AofWriter& writer, bool syncs, uint64_t groups_max) {
  uint64_t number = 0;
  while (!writer.failed() && number < groups_max) {
    AofGroup group{AofGroup::with_room()};
    append_numbered(group.bytes, ++number, 50);
    group.number = number;
    (void)writer.append(std::move(group));
    if (syncs) (void)writer.sync();
  }
  return number;
}

TEST(AofWriter, AFullDiskHealsWhenThereIsRoomAgain) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  ASSERT_TRUE(writer.open({}, {}).ok());
  files.set_capacity(600);
  const uint64_t number = append_until_it_fails(writer, true, 20);
  ASSERT_LT(number, 20u);
  EXPECT_EQ(writer.failure().code(), ErrorCode::kNoSpace);
  EXPECT_EQ(writer.durable_number(), number - 1);
  EXPECT_FALSE(writer.heal().ok());
  files.set_capacity(1000000);
  EXPECT_TRUE(writer.heal().ok());
  EXPECT_EQ(writer.durable_number(), number);
  files.power_cut();
  expect_history(read_aof_folder(files), number, number, "after the full disk");
}

// What was written whole before the disk was full is there for whoever starts before it is mended.
TEST(AofWriter, AFullDiskCostsOnlyWhatCouldNotBeWritten) {
  for (const AofSyncRule rule : {AofSyncRule::kAlways, AofSyncRule::kEverySecond, AofSyncRule::kNever}) {
    MemoryFileSystem files;
    files.set_content("/other", "");
    AofWriter writer(files, {kTestDirectory, kTestName, 1});
    writer.set_sync_rule(rule);
    ASSERT_TRUE(writer.open({}, {}).ok());
    files.set_capacity(1500);
    const uint64_t number = append_until_it_fails(writer, false, 40);
    ASSERT_LT(number, 40u);
    EXPECT_FALSE(writer.heal().ok());
    EXPECT_EQ(writer.durable_number(), number - 1);
    expect_history(read_aof_folder(files), number - 1, number - 1, "killed");
    files.power_cut();
    expect_history(read_aof_folder(files), number - 1, number - 1, "power cut");
  }
}

// What a failed sync may have lost and nobody has kept comes back with a base only.
TEST(AofWriter, WhatWasNotKeptNeedsABase) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  writer.set_sync_rule(AofSyncRule::kNever);
  ASSERT_TRUE(writer.open({}, {}).ok());
  Buffer base;
  for (uint64_t number = 1; number <= 2; ++number) {
    AofGroup group{AofGroup::with_room()};
    append_numbered(group.bytes, number);
    append_numbered(base, number);
    group.number = number;
    ASSERT_TRUE(writer.append(std::move(group)).ok());
  }
  files.fail_call(1);
  EXPECT_FALSE(writer.sync().ok());
  EXPECT_TRUE(writer.heal().ok());
  EXPECT_TRUE(writer.sync().ok());
  EXPECT_TRUE(writer.needs_base());
  EXPECT_EQ(writer.durable_number(), 0u);
  const Result<uint64_t> first = writer.rotate();
  ASSERT_TRUE(first.ok());
  files.set_content("/log/temporary", base.bytes());
  ASSERT_TRUE(writer.adopt_base("temporary", false, *first).ok());
  EXPECT_FALSE(writer.needs_base());
  EXPECT_EQ(writer.durable_number(), 2u);
  files.power_cut();
  expect_history(read_aof_folder(files), 2, 2, "after the base");
}

TEST(AofWriter, AFileOfAnotherServerIsGoneOnWith) {
  MemoryFileSystem files;
  Buffer plain;
  append_numbered(plain, 1);
  files.set_content("/log/a.1.incr.aof", plain.bytes());
  files.set_content("/log/a.manifest", "file a.1.incr.aof seq 1 type i\n");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  ASSERT_TRUE(writer.open(*read_aof_manifest(files, kTestDirectory, kTestName), {}).ok());
  AofGroup group{AofGroup::with_room()};
  append_numbered(group.bytes, 2);
  group.number = 1;
  ASSERT_TRUE(writer.append(std::move(group)).ok());
  ASSERT_TRUE(writer.close().ok());
  const ReadLog log = read_aof_folder(files);
  EXPECT_EQ(log.numbers, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(log.end.ending, Ending::kComplete);
}

// With a base to come, nothing is named before it is there.
TEST(AofWriter, ALogWithoutItsBaseIsNotNamed) {
  MemoryFileSystem files;
  files.set_content("/other", "");
  AofWriter writer(files, {kTestDirectory, kTestName, 1});
  ASSERT_TRUE(writer.open_without_base({}).ok());
  AofGroup group{AofGroup::with_room()};
  append_numbered(group.bytes, 2);
  group.number = 1;
  ASSERT_TRUE(writer.append(std::move(group)).ok());
  ASSERT_TRUE(writer.sync().ok());
  EXPECT_TRUE(read_aof_manifest(files, kTestDirectory, kTestName)->empty());
  Buffer base;
  append_numbered(base, 1);
  files.set_content("/log/temporary", base.bytes());
  const uint64_t first = writer.manifest().incremental.back().sequence;
  ASSERT_TRUE(writer.adopt_base("temporary", false, first).ok());
  EXPECT_EQ(read_aof_folder(files).numbers, (std::vector<uint64_t>{1, 2}));
}

}  // namespace
}  // namespace larder
