#include "persistence/rdb_check.h"

#include <gtest/gtest.h>

#include <string>

#include "base/memory_file_system.h"
#include "persistence/rdb_look.h"
#include "tests/unit/persistence/rdb_sample.h"

namespace larder {
namespace {

constexpr const char* kDumpPath = "/dump.rdb";

std::string sample_file() {
  StoreOptions options;
  options.database_count = 2;
  Store store(options);
  RdbSample(store, 70).fill();
  return make_rdb_file(store, {.version = kRdbVersionFieldDeadlines}, true);
}

class RdbCheck : public ::testing::Test {
 protected:
  Status check(bool fix = false) {
    report_.clear();
    return check_rdb_file(files_, kDumpPath, fix, kSampleNowMs, &report_);
  }
  uint64_t keys_in_file() {
    const auto file = *files_.open(kDumpPath, OpenMode::kRead);
    RdbLook look(*file, *file->size(), 0);
    EXPECT_TRUE(look.run().ok());
    return look.loader().counts().keys_loaded;
  }

  const std::string whole_ = sample_file();
  MemoryFileSystem files_;
  std::string report_;
};

TEST_F(RdbCheck, AWholeFileIsLeftAlone) {
  files_.set_content(kDumpPath, whole_);
  EXPECT_TRUE(check(true).ok()) << report_;
  EXPECT_NE(report_.find("RDB looks OK"), std::string::npos) << report_;
  EXPECT_EQ(files_.content(kDumpPath), whole_);
}

// Cut anywhere behind its header, the file is mended to one of the keys in front.
TEST_F(RdbCheck, WhatIsInFrontOfTheDamageIsKept) {
  files_.set_content(kDumpPath, whole_);
  const uint64_t all_keys = keys_in_file();
  uint64_t keys_before = 0;
  for (size_t size = kRdbHeaderBytes; size < whole_.size(); size += 37) {
    const std::string torn = whole_.substr(0, size);
    files_.set_content(kDumpPath, torn);
    ASSERT_FALSE(check().ok()) << size;
    ASSERT_EQ(files_.content(kDumpPath), torn) << "nothing is changed unasked";
    ASSERT_TRUE(check(true).ok()) << size << "\n" << report_;
    ASSERT_EQ(files_.content("/dump.rdb.damaged"), torn);
    ASSERT_TRUE(files_.remove("/dump.rdb.damaged").ok());
    ASSERT_TRUE(check().ok()) << size << "\n" << report_;
    const uint64_t keys = keys_in_file();
    ASSERT_GE(keys, keys_before);
    ASSERT_LE(keys, all_keys);
    keys_before = keys;
  }
  EXPECT_GE(keys_before + 1, all_keys);
}

TEST_F(RdbCheck, AnOlderDamagedFileIsNotWrittenOver) {
  files_.set_content(kDumpPath, whole_.substr(0, whole_.size() / 2));
  files_.set_content("/dump.rdb.damaged", "older");
  EXPECT_FALSE(check(true).ok());
  EXPECT_EQ(files_.content("/dump.rdb.damaged"), "older");
  EXPECT_EQ(files_.content(kDumpPath), whole_.substr(0, whole_.size() / 2));
}

TEST_F(RdbCheck, AFileOfSomethingElseIsNotMended) {
  files_.set_content(kDumpPath, "nonsense");
  EXPECT_FALSE(check(true).ok());
  EXPECT_EQ(files_.content(kDumpPath), "nonsense");
}

}  // namespace
}  // namespace larder
