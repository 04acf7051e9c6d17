#include "persistence/aof_check.h"

#include <gtest/gtest.h>

#include <string>

#include "persistence/aof_format.h"
#include "tests/unit/persistence/aof_test_log.h"

namespace larder {
namespace {

// Two incremental files of three commands each.
class AofCheck : public ::testing::Test {
 protected:
  void SetUp() override {
    files_.set_content("/other", "");
    AofWriter writer(files_, {kTestDirectory, kTestName, 1});
    ASSERT_TRUE(writer.open({}, {}).ok());
    for (uint64_t number = 1; number <= 6; ++number) {
      AofGroup group{AofGroup::with_room()};
      append_numbered(group.bytes, number);
      group.number = number;
      ASSERT_TRUE(writer.append(std::move(group)).ok() && writer.sync().ok());
      const bool rotated = number != 3 || writer.rotate().ok();
      ASSERT_TRUE(rotated);
    }
    ASSERT_TRUE(writer.close().ok());
  }
  Status check(bool fix = false) {
    report_.clear();
    return check_aof(files_, "/log/a.manifest", fix, 0, &report_);
  }

  MemoryFileSystem files_;
  std::string report_;
};

TEST_F(AofCheck, AWholeLog) {
  EXPECT_TRUE(check().ok()) << report_;
  EXPECT_NE(report_.find("3 commands, 3 groups with checksums\n  complete\n"), std::string::npos) << report_;
}

TEST_F(AofCheck, DamageInTheLastFileIsCutOnRequest) {
  std::string text = files_.content("/log/a.2.incr.aof");
  const size_t last_group = text.rfind("#LG:");
  text[last_group + 80] ^= 1;
  files_.set_content("/log/a.2.incr.aof", text);
  const Status checked = check();
  EXPECT_EQ(checked.code(), ErrorCode::kCorruption);
  EXPECT_NE(report_.find("whole up to offset " + std::to_string(last_group)), std::string::npos) << report_;
  EXPECT_EQ(files_.content("/log/a.2.incr.aof"), text);
  EXPECT_TRUE(check(true).ok()) << report_;
  EXPECT_EQ(files_.content("/log/a.2.incr.aof.cut-" + std::to_string(last_group)), text.substr(last_group));
  EXPECT_TRUE(check().ok()) << report_;
  EXPECT_EQ(read_aof_folder(files_).numbers, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(AofCheck, NothingIsCutOffALogThatAServerKeeps) {
  const std::string torn = files_.content("/log/a.2.incr.aof").substr(0, 100);
  files_.set_content("/log/a.2.incr.aof", torn);
  {
    const auto manifest = read_aof_manifest(files_, kTestDirectory, kTestName);
    ASSERT_TRUE(manifest);
    const auto lock = lock_aof(files_, kTestDirectory, *manifest);
    ASSERT_TRUE(lock && *lock);
    EXPECT_EQ(check(true).code(), ErrorCode::kBusy);
    EXPECT_EQ(check_aof(files_, "/log/a.2.incr.aof", true, 0, &report_).code(), ErrorCode::kBusy);
    EXPECT_EQ(files_.content("/log/a.2.incr.aof"), torn);
    EXPECT_EQ(check().code(), ErrorCode::kCorruption) << "looking is allowed";
  }
  EXPECT_TRUE(check(true).ok()) << report_;
}

TEST_F(AofCheck, DamageInFrontOfOtherFilesIsNotCut) {
  std::string text = files_.content("/log/a.1.incr.aof");
  text[100] ^= 1;
  files_.set_content("/log/a.1.incr.aof", text);
  EXPECT_FALSE(check(true).ok());
  EXPECT_EQ(files_.content("/log/a.1.incr.aof"), text);
  // As a file by itself it is cut.
  EXPECT_TRUE(check_aof(files_, "/log/a.1.incr.aof", true, 0, &report_).ok());
  EXPECT_LT(files_.content("/log/a.1.incr.aof").size(), text.size());
}

TEST_F(AofCheck, ABaseWithoutItsEndIsFoundAndGivenOneOnRequest) {
  char line[kAofFileLineBytes];
  write_aof_file_line(line, AofFileKind::kBase, 7);
  Buffer commands;
  append_numbered(commands, 1);
  char group[kAofGroupLineBytes];
  write_aof_group_line(group, 7, 1, 0, commands.bytes());
  const std::string base =
      std::string(line, sizeof line) + std::string(group, sizeof group) + std::string(commands.bytes());
  files_.set_content("/log/a.1.base.aof", base);
  files_.set_content("/log/a.manifest", "file a.1.base.aof seq 1 type b\n" + files_.content("/log/a.manifest"));
  EXPECT_EQ(check(true).code(), ErrorCode::kCorruption);
  EXPECT_NE(report_.find("cut short: the end of the base is missing at offset " + std::to_string(base.size())),
            std::string::npos)
      << report_;
  EXPECT_EQ(files_.content("/log/a.1.base.aof"), base);
  EXPECT_TRUE(check_aof(files_, "/log/a.1.base.aof", true, 0, &report_).ok());
  EXPECT_TRUE(check().ok()) << report_;
  // A base that is cut is given one, too.
  files_.set_content("/log/a.1.base.aof", base + "#LG:");
  EXPECT_TRUE(check_aof(files_, "/log/a.1.base.aof", true, 0, &report_).ok());
  EXPECT_TRUE(check().ok()) << report_;
}

// One that another file follows, cut exactly behind a group.
TEST_F(AofCheck, AFileWithoutItsEndIsFoundAndGivenOneOnRequest) {
  const std::string whole = files_.content("/log/a.1.incr.aof");
  const std::string cut = whole.substr(0, whole.rfind("#LG:"));
  files_.set_content("/log/a.1.incr.aof", cut);
  EXPECT_EQ(check().code(), ErrorCode::kCorruption);
  EXPECT_NE(report_.find("  cut short: the end of the file is missing\n"), std::string::npos) << report_;
  EXPECT_EQ(files_.content("/log/a.1.incr.aof"), cut);
  EXPECT_TRUE(check(true).ok()) << report_;
  EXPECT_NE(report_.find("  given an end"), std::string::npos) << report_;
  EXPECT_TRUE(check().ok()) << report_;
  EXPECT_EQ(read_aof_folder(files_).numbers, (std::vector<uint64_t>{1, 2, 4, 5, 6}));
  // By itself it is a file that may go on.
  files_.set_content("/log/a.1.incr.aof", cut);
  EXPECT_TRUE(check_aof(files_, "/log/a.1.incr.aof", false, 0, &report_).ok());
}

TEST_F(AofCheck, AnEmptyFileInFrontOfOneOfOursIsFound) {
  files_.set_content("/log/a.1.incr.aof", "");
  for (const bool fix : {false, true}) {
    EXPECT_EQ(check(fix).code(), ErrorCode::kCorruption);
    EXPECT_NE(report_.find("begun behind groups that /log/a.1.incr.aof has lost"), std::string::npos) << report_;
  }
  files_.set_content("/log/a.2.incr.aof", "*1\r\n$4\r\nPING\r\n");
  EXPECT_TRUE(check().ok()) << report_;
}

TEST_F(AofCheck, WhereAnotherServerWentOnIsTold) {
  const std::string whole = files_.content("/log/a.2.incr.aof");
  const size_t last_group = whole.rfind("#LG:");
  files_.set_content("/log/a.2.incr.aof",
                     whole.substr(0, last_group + kAofGroupLineBytes) +
                         "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\n7\r\n$1\r\nx\r\n");
  EXPECT_TRUE(check().ok()) << report_;
  EXPECT_NE(
      report_.find("another server has gone on behind an unfinished group at offset " + std::to_string(last_group)),
      std::string::npos)
      << report_;
  EXPECT_EQ(read_aof_folder(files_).numbers, (std::vector<uint64_t>{1, 2, 3, 4, 5, 7}));
}

TEST_F(AofCheck, WhatIsNoLogIsSaidSo) {
  files_.set_content("/log/a.manifest", "what is this\n");
  EXPECT_EQ(check().code(), ErrorCode::kCorruption);
  EXPECT_EQ(check_aof(files_, "/log/none", false, 0, &report_).code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace larder
