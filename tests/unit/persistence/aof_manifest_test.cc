#include "persistence/aof_manifest.h"

#include <gtest/gtest.h>

#include <string>

#include "base/memory_file_system.h"
#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

AofManifest parse(Bytes text) {
  Result<AofManifest> manifest = AofManifest::parse(text);
  EXPECT_TRUE(manifest.ok()) << (manifest ? "" : manifest.error().to_string());
  return manifest ? std::move(*manifest) : AofManifest();
}

std::string parse_error(Bytes text) {
  const Result<AofManifest> manifest = AofManifest::parse(text);
  EXPECT_FALSE(manifest.ok()) << text;
  return manifest ? std::string() : manifest.error().message;
}

TEST(AofManifest, ReadsWhatRedisWrites) {
  const AofManifest manifest = parse(
      "# written by hand\n"
      "file appendonly.aof.2.base.rdb seq 2 type b\n"
      "file appendonly.aof.1.incr.aof seq 1 type h\n"
      "file appendonly.aof.5.incr.aof seq 5 type i\n"
      "file \"a b.6.incr.aof\" seq 6 type i startoffset 17\n");
  ASSERT_TRUE(manifest.base);
  EXPECT_EQ(manifest.base->name, "appendonly.aof.2.base.rdb");
  EXPECT_EQ(manifest.base->sequence, 2u);
  ASSERT_EQ(manifest.history.size(), 1u);
  ASSERT_EQ(manifest.incremental.size(), 2u);
  EXPECT_EQ(manifest.incremental[1].name, "a b.6.incr.aof");
  EXPECT_EQ(manifest.next_base_sequence(), 3u);
  EXPECT_EQ(manifest.next_incremental_sequence(), 7u);
  EXPECT_EQ(parse(manifest.text()), manifest);
}

TEST(AofManifest, RefusesWhatIsNone) {
  EXPECT_EQ(parse_error(""), "line 1: the manifest is empty");
  EXPECT_EQ(parse_error("file a seq 1 type b"), "line 1: the last line has no end");
  EXPECT_EQ(parse_error("\n"), "line 1: not pairs of a key and a value");
  EXPECT_EQ(parse_error("file a seq 1 type b\nfile b seq 2 type b\n"), "line 2: a second base file");
  EXPECT_EQ(parse_error("file a seq 2 type i\nfile b seq 2 type i\n"),
            "line 2: the numbers of incremental files must rise");
  EXPECT_EQ(parse_error("file a seq 1 type x\n"), "line 1: unknown type of file");
  EXPECT_EQ(parse_error("file a seq 1\n"), "line 1: file, seq and type are needed");
  EXPECT_EQ(parse_error("file a seq 0 type b\n"), "line 1: the number of a file must be positive");
  EXPECT_EQ(parse_error("file a seq -1 type b\n"), "line 1: the number of a file must be positive");
  EXPECT_EQ(parse_error("file a seq 99999999999999999999 type b\n"), "line 1: the number of a file must be positive");
  EXPECT_EQ(parse_error("file \"a seq 1 type b\n"), "line 1: unbalanced quotes");
  EXPECT_EQ(parse_error("file " + std::string(2000, 'a') + " seq 1 type b\n"), "line 1: the line is too long");
  for (const char* name : {"../a", "/etc/passwd", "a/b", "..", "\"\"", "\"a\\x00b\""}) {
    EXPECT_EQ(parse_error("file " + std::string(name) + " seq 1 type b\n"),
              "line 1: a file's name must be without a folder")
        << name;
  }
}

TEST(AofManifest, AnyTextIsReadOrRefused) {
  const uint64_t seed = test_seed();
  Random random(seed);
  const std::string good =
      "file appendonly.aof.2.base.rdb seq 2 type b\nfile \"x \\\"y\" seq 5 type i\nfile z seq 7 type i\n";
  for (int round = 0; round < 20000; ++round) {
    std::string text = good;
    for (uint64_t i = 0, count = 1 + random.uniform(4); i < count; ++i) {
      const size_t at = random.uniform(text.size());
      switch (random.uniform(4)) {
        case 0:
          text[at] = static_cast<char>(random.uniform(256));
          break;
        case 1:
          text.erase(at, 1 + random.uniform(20));
          break;
        case 2:
          text.insert(at, good.substr(random.uniform(good.size()), random.uniform(30)));
          break;
        default:
          text.resize(at);
      }
      if (text.empty()) break;
    }
    const Result<AofManifest> manifest = AofManifest::parse(text);
    if (!manifest) continue;
    // Whatever was understood is written so that it is understood again.
    if (manifest->empty() && manifest->history.empty()) continue;
    EXPECT_EQ(parse(manifest->text()), *manifest) << "seed " << seed << ": " << text;
  }
}

TEST(AofManifest, OddNamesSurvive) {
  AofManifest manifest;
  std::string name;
  for (int c = 1; c < 256; ++c) {
    if (c != '/') name += static_cast<char>(c);
  }
  manifest.base = AofManifest::File{name.substr(0, 120), 1};
  manifest.incremental.push_back({name.substr(120), 2});
  EXPECT_EQ(parse(manifest.text()), manifest);
}

// An odd byte takes four when it is written, and a line that is too long cannot be read.
TEST(AofManifest, WhatCouldNotBeReadIsNotWritten) {
  MemoryFileSystem files;
  files.set_content("/log/x", "");
  AofManifest manifest;
  manifest.incremental.push_back({std::string(250, '\xff'), 1});
  ASSERT_TRUE(write_aof_manifest(files, "/log", "a", manifest).ok());
  EXPECT_EQ(*read_aof_manifest(files, "/log", "a"), manifest);
  manifest.incremental.push_back({std::string(251, '\xff'), 2});
  EXPECT_EQ(write_aof_manifest(files, "/log", "a", manifest).code(), ErrorCode::kCorruption);
  EXPECT_EQ(read_aof_manifest(files, "/log", "a")->incremental.size(), 1u);
  EXPECT_FALSE(AofManifest::parse("file " + std::string(251, '\xff') + " seq 1 type i\n").ok());
}

TEST(AofManifest, AReplacementIsOldOrNewAtEveryPowerCut) {
  AofManifest before;
  before.base = AofManifest::File{"x.1.base.rdb", 1};
  AofManifest after = before;
  after.incremental.push_back({"x.1.incr.aof", 1});
  for (uint64_t cut = 1;; ++cut) {
    MemoryFileSystem files;
    ASSERT_TRUE(files.make_directory("d").ok());
    ASSERT_TRUE(write_aof_manifest(files, "d", "x", before).ok());
    files.fail_call(cut, ErrorCode::kIo, true);
    const bool done = write_aof_manifest(files, "d", "x", after).ok();
    files.fail_call(0);
    files.power_cut(cut % 7);
    const Result<AofManifest> found = read_aof_manifest(files, "d", "x");
    ASSERT_TRUE(found.ok()) << cut;
    EXPECT_TRUE(*found == before || *found == after) << cut;
    if (!done) continue;
    EXPECT_EQ(*found, after);
    break;
  }
}

TEST(AofManifest, ALogOfOneFileIsTakenOver) {
  for (uint64_t cut = 1;; ++cut) {
    MemoryFileSystem files;
    files.set_content("/data/x", "*1\r\n$4\r\nPING\r\n");
    ASSERT_TRUE(files.sync_directory("/data").ok());
    files.fail_call(cut, ErrorCode::kIo, true);
    const Result<bool> first = adopt_single_file_aof(files, "/data", "/data/log", "x");
    files.fail_call(0);
    files.power_cut();
    // Whatever happened in between, the next start finds the whole log.
    const Result<bool> second = adopt_single_file_aof(files, "/data", "/data/log", "x");
    ASSERT_TRUE(second.ok()) << cut << ": " << second.error().to_string();
    EXPECT_EQ(files.content("/data/log/x"), "*1\r\n$4\r\nPING\r\n");
    const Result<AofManifest> manifest = read_aof_manifest(files, "/data/log", "x");
    ASSERT_TRUE(manifest.ok());
    EXPECT_EQ(manifest->base, (AofManifest::File{"x", 1}));
    if (!first) continue;
    EXPECT_TRUE(*first);
    EXPECT_FALSE(*second);
    break;
  }
}

}  // namespace
}  // namespace larder
