// What ticks give to the log's writer is in the files as they gave it, however large it is, whatever rule holds, and whatever
// orders come in between.

#include "server/core/log_thread.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "persistence/aof_buffers.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/persistence/aof_test_log.h"

namespace larder {
namespace {

class LogThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    files_.set_content("/other", "");
    log_ = std::make_unique<LogThread>(files_, clock_, AofWriter::Options{kTestDirectory, kTestName, 1}, [] {});
    ASSERT_TRUE(log_->writer().open({}, {}).ok());
    building_.bytes = AofGroup::with_room();
  }
  // A tick with so many commands of so many bytes.
  void submit(uint64_t commands, size_t bytes) {
    for (uint64_t i = 0; i < commands; ++i) append_numbered(building_.bytes, ++number_, bytes);
    building_.commands = static_cast<uint32_t>(commands);
    building_.number = ++group_;
    log_->submit(building_);
    EXPECT_TRUE(building_.empty());
    EXPECT_EQ(building_.bytes.size(), kAofGroupLineBytes);
  }
  void expect_all() {
    const ReadLog found = read_aof_folder(files_);
    EXPECT_EQ(found.broken_file, "");
    ASSERT_EQ(found.numbers.size(), number_);
    for (size_t i = 0; i < found.numbers.size(); ++i) ASSERT_EQ(found.numbers[i], i + 1);
  }
  void write_all() {
    while (log_->step()) {
    }
  }

  MemoryFileSystem files_;
  SimulatedClock clock_;
  std::unique_ptr<LogThread> log_;
  AofGroup building_;
  uint64_t number_ = 0;
  uint64_t group_ = 0;
};

TEST_F(LogThreadTest, TicksGatherInOneGroupUntilItsMemoryIsFull) {
  log_->set_sync_rule(AofSyncRule::kEverySecond);
  log_->start(false);
  for (int i = 0; i < 100; ++i) submit(10, 100);
  submit(1, AofBuffers::kRoomBytes - 1000);
  submit(1, AofBuffers::kRoomBytes + 1000);  // larger than any memory that is kept
  submit(1, 10);
  int appends = 0;
  while (log_->step()) ++appends;
  EXPECT_TRUE(appends == 3 || appends == 4) << appends;
  EXPECT_EQ(log_->report().written_number, group_);
  expect_all();
}

TEST_F(LogThreadTest, MemoryIsUsedAgainAndFreedAtRest) {
  log_->set_sync_rule(AofSyncRule::kEverySecond);
  log_->start(false);
  AofBuffers& buffers = log_->writer().buffers();
  for (int round = 0; round < 5; ++round) {
    submit(2000, 200);
    write_all();
    EXPECT_EQ(buffers.spare_count(), 0u) << "kept until it is durable";
    clock_.advance_ms(1100);
    write_all();
    EXPECT_EQ(buffers.spare_count(), 1u);
    EXPECT_EQ(log_->outstanding_bytes(), 0u);
  }
  submit(1, 10);
  write_all();
  EXPECT_EQ(buffers.spare_count(), 1u) << "what is small is kept in memory of its own size";
  EXPECT_LT(log_->outstanding_bytes(), 200u);
  for (int i = 0; i < 3; ++i) {
    clock_.advance_ms(1100);
    write_all();
  }
  EXPECT_EQ(buffers.spare_count(), 0u);
  expect_all();
}

TEST_F(LogThreadTest, LargeGroupsEndWithABlock) {
  log_->set_sync_rule(AofSyncRule::kEverySecond);
  log_->start(false);
  const std::string path = std::string(kTestDirectory) + "/a.1.incr.aof";
  for (const size_t bytes : {100u, 300u, 1000u, 250u}) {
    submit(300, bytes);
    write_all();
    const uint64_t size = files_.file_size(path).value_or(1);
    EXPECT_EQ(size % kBlockBytes == 0, bytes > 200) << bytes;
    EXPECT_EQ(size, log_->report().log_bytes);
  }
  expect_all();
}

TEST_F(LogThreadTest, AnyCourseOfTicksRulesAndOrders) {
  Random random(test_seed());
  log_->start(false);
  for (int i = 0; i < 1500; ++i) {
    switch (random.uniform(12)) {
      case 0:
        log_->set_sync_rule(static_cast<AofSyncRule>(random.uniform(3)));
        break;
      case 1:
        log_->sync();
        break;
      case 2:
        if (random.one_in(20)) log_->rotate();
        break;
      case 3:
      case 4:
        (void)log_->step();
        break;
      case 5:
        clock_.advance_ms(static_cast<int64_t>(random.uniform(400)));
        break;
      case 6:
        if (random.one_in(10)) submit(1, 200'000 + random.uniform(400'000));
        break;
      default:
        submit(1 + random.uniform(20), random.uniform(random.one_in(5) ? 3000 : 200));
    }
  }
  ASSERT_TRUE(log_->finish().ok());
  EXPECT_EQ(log_->report().durable_number, group_);
  EXPECT_EQ(log_->outstanding_bytes(), 0u);
  expect_all();
}

}  // namespace
}  // namespace larder
