// What both file systems promise, the machine's and the one in memory, and what only the latter can do.
#include "base/file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/memory_file_system.h"

namespace larder {
namespace {

class AnyFileSystem : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      files_ = make_os_file_system();
      const auto base = std::filesystem::temp_directory_path();
      root_ = (base / ("larder_files_test_" + std::to_string(os_process_id()))).string();
    } else {
      files_ = std::make_unique<MemoryFileSystem>();
      root_ = "/root";
    }
    ASSERT_TRUE(files_->make_directory(root_).ok());
  }
  void TearDown() override {
    if (GetParam()) std::filesystem::remove_all(root_);
  }
  std::string path(const std::string& name) const { return join_path(root_, name); }
  void write(const std::string& name, OpenMode mode, Bytes text) {
    auto file = files_->open(path(name), mode);
    ASSERT_TRUE(file) << file.error().to_string();
    ASSERT_TRUE((*file)->append(text).ok());
    ASSERT_TRUE((*file)->sync().ok());
    ASSERT_TRUE((*file)->close().ok());
  }
  std::string read(const std::string& name) {
    auto content = read_file(*files_, path(name), 1 << 20);
    return content ? *content : content.error().to_string();
  }

  std::unique_ptr<FileSystem> files_;
  std::string root_;
};

TEST_P(AnyFileSystem, ModesDoWhatTheySay) {
  EXPECT_EQ(files_->open(path("a"), OpenMode::kRead).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_->open(path("a"), OpenMode::kReadWrite).error().code, ErrorCode::kNotFound);
  write("a", OpenMode::kCreateNew, "one");
  EXPECT_EQ(files_->open(path("a"), OpenMode::kCreateNew).error().code, ErrorCode::kAlreadyExists);
  write("a", OpenMode::kAppend, "two");
  EXPECT_EQ(read("a"), "onetwo");
  write("a", OpenMode::kReadWrite, "three");
  EXPECT_EQ(read("a"), "onetwothree");
  write("a", OpenMode::kTruncate, "x");
  EXPECT_EQ(read("a"), "x");
  const auto file = files_->open(path("a"), OpenMode::kOverwrite);
  ASSERT_TRUE(file && (*file)->write_at(1, "0123").ok() && (*file)->write_at(2, "ab").ok() && (*file)->sync().ok());
  EXPECT_EQ(read("a"), "x0ab3");
  ASSERT_TRUE((*file)->write_at(5, "4").ok() && (*file)->truncate(3).ok() && (*file)->write_at(3, "z").ok());
  EXPECT_EQ(read("a"), "x0az");
}

TEST_P(AnyFileSystem, ReadsInOrderAndAtOffsets) {
  write("a", OpenMode::kTruncate, "0123456789");
  auto file = files_->open(path("a"), OpenMode::kReadWrite);
  ASSERT_TRUE(file);
  char out[8];
  EXPECT_EQ(*(*file)->read(out, 4), 4u);
  EXPECT_EQ(Bytes(out, 4), "0123");
  EXPECT_EQ(*(*file)->read_at(8, out, 8), 2u);
  EXPECT_EQ(Bytes(out, 2), "89");
  EXPECT_EQ(*(*file)->read(out, 8), 6u);
  EXPECT_EQ(Bytes(out, 6), "456789");
  EXPECT_EQ(*(*file)->read(out, 8), 0u);
  EXPECT_EQ(*(*file)->read_at(100, out, 8), 0u);
  EXPECT_EQ(*(*file)->size(), 10u);
  EXPECT_TRUE((*file)->truncate(3).ok());
  EXPECT_EQ(*(*file)->size(), 3u);
  EXPECT_TRUE((*file)->append("x").ok());
  EXPECT_EQ(read("a"), "012x");
}

// Aligned and other pieces, in any order, and what was written before read in between.
TEST_P(AnyFileSystem, WritesAroundTheCacheAndThroughIt) {
  const auto opened = files_->open(path("a"), OpenMode::kOverwrite);
  ASSERT_TRUE(opened);
  File& file = **opened;
  std::string expected;
  const std::string storage(8 * kBlockBytes, 'b');
  const size_t in_front = (kBlockBytes - reinterpret_cast<uintptr_t>(storage.data()) % kBlockBytes) % kBlockBytes;
  const Bytes aligned = Bytes(storage).substr(in_front, 6 * kBlockBytes);
  const auto put = [&](uint64_t offset, Bytes bytes, bool around) {
    ASSERT_TRUE((around ? file.write_uncached_at(offset, bytes) : file.write_at(offset, bytes)).ok());
    expected.resize(std::max(expected.size(), offset + bytes.size()));
    expected.replace(offset, bytes.size(), bytes);
  };
  put(0, aligned, true);
  put(expected.size(), aligned.substr(0, kBlockBytes), true);
  put(expected.size(), "unaligned", true);
  put(expected.size(), "small", false);
  put(2 * kBlockBytes, std::string(kBlockBytes, 'c'), true);
  char byte = 0;
  ASSERT_EQ(file.read_at(2 * kBlockBytes + 1, &byte, 1).value_or(0), 1u);
  EXPECT_EQ(byte, 'c');
  put(kBlockBytes, aligned.substr(0, 2 * kBlockBytes), true);
  put(expected.size(), "", true);
  ASSERT_TRUE(file.sync().ok() && file.truncate(8 * kBlockBytes).ok());
  expected.resize(8 * kBlockBytes);
  EXPECT_EQ(file.size().value_or(0), expected.size());
  EXPECT_EQ(read("a"), expected);
}

TEST_P(AnyFileSystem, NamesMoveAndGo) {
  write("a", OpenMode::kTruncate, "A");
  write("b", OpenMode::kTruncate, "B");
  EXPECT_TRUE(files_->rename(path("a"), path("b")).ok());
  EXPECT_EQ(read("b"), "A");
  EXPECT_FALSE(*files_->exists(path("a")));
  EXPECT_TRUE(*files_->exists(path("b")));
  EXPECT_EQ(*files_->file_size(path("b")), 1u);
  EXPECT_EQ(files_->rename(path("a"), path("c")).code(), ErrorCode::kNotFound);
  EXPECT_TRUE(files_->make_directory(path("sub")).ok());
  EXPECT_EQ(files_->make_directory(path("sub")).code(), ErrorCode::kAlreadyExists);
  auto entries = files_->list(root_);
  ASSERT_TRUE(entries);
  std::sort(entries->begin(), entries->end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].name, "b");
  EXPECT_FALSE((*entries)[0].is_directory);
  EXPECT_EQ((*entries)[1].name, "sub");
  EXPECT_TRUE((*entries)[1].is_directory);
  EXPECT_TRUE(files_->remove(path("b")).ok());
  EXPECT_EQ(files_->remove(path("b")).code(), ErrorCode::kNotFound);
  EXPECT_EQ(files_->list(path("nowhere")).error().code, ErrorCode::kNotFound);
}

TEST_P(AnyFileSystem, LockIsExclusiveUntilDropped) {
  auto lock = files_->lock(path("lock"));
  ASSERT_TRUE(lock);
  EXPECT_EQ(files_->lock(path("lock")).error().code, ErrorCode::kBusy);
  EXPECT_EQ(files_->lock(path("lock"), 20).error().code, ErrorCode::kBusy);
  lock->reset();
  EXPECT_TRUE(files_->lock(path("lock")));
}

TEST_P(AnyFileSystem, LockGoesWithItsFile) {
  write("a", OpenMode::kTruncate, "A");
  const auto lock = files_->lock(path("a"));
  ASSERT_TRUE(lock);
  EXPECT_TRUE(files_->rename(path("a"), path("b")).ok());
  EXPECT_EQ(files_->lock(path("b")).error().code, ErrorCode::kBusy);
  EXPECT_TRUE(files_->lock(path("a")));
}

TEST_P(AnyFileSystem, WhatIsForgottenIsStillThere) {
  auto file = files_->open(path("a"), OpenMode::kTruncate);
  ASSERT_TRUE(file && (*file)->append(std::string(10000, 'x')).ok() && (*file)->sync().ok());
  (*file)->forget_cached();
  ASSERT_TRUE((*file)->append("y").ok());
  (*file)->forget_cached();  // what is not synced yet is kept
  EXPECT_EQ(read("a"), std::string(10000, 'x') + "y");
}

TEST_P(AnyFileSystem, ReplaceFileAndReadLimit) {
  ASSERT_TRUE(replace_file(*files_, path("a"), "one").ok());
  ASSERT_TRUE(replace_file(*files_, path("a"), std::string(100000, 'y')).ok());
  EXPECT_EQ(read("a"), std::string(100000, 'y'));
  EXPECT_FALSE(*files_->exists(path("a.tmp")));
  EXPECT_EQ(read_file(*files_, path("a"), 99999).error().code, ErrorCode::kResourceLimit);
  EXPECT_EQ(read_file(*files_, path("none"), 10).error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnyFileSystem, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "os" : "memory"; });

TEST(Paths, JoinAndParent) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(parent_path("a/b"), "a");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
}

TEST(MemoryFileSystem, PowerCutDropsWhatWasNotSynced) {
  MemoryFileSystem files;
  files.set_content("/d/a", "old");
  auto file = *files.open("/d/a", OpenMode::kAppend);
  ASSERT_TRUE(file->append("-synced").ok());
  ASSERT_TRUE(file->sync().ok());
  ASSERT_TRUE(file->append("-lost").ok());
  auto other = *files.open("/d/b", OpenMode::kTruncate);  // its name is never synced
  ASSERT_TRUE(other->append("x").ok());
  ASSERT_TRUE(other->sync().ok());
  files.power_cut(2);
  EXPECT_EQ(files.content("/d/a"), "old-synced-l");
  EXPECT_FALSE(*files.exists("/d/b"));
  EXPECT_EQ(file->append("y").code(), ErrorCode::kIo);
}

TEST(MemoryFileSystem, OverwrittenSectorsReachTheDiskEachByItself) {
  constexpr size_t kBytes = MemoryFileSystem::kSectorBytes;
  size_t kept = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    MemoryFileSystem files;
    files.set_content("/f", std::string(10 * kBytes, 'o'));
    const auto file = files.open("/f", OpenMode::kOverwrite);
    ASSERT_TRUE((*file)->write_at(0, std::string(kBytes, 's')).ok() && (*file)->sync().ok());
    ASSERT_TRUE((*file)->write_at(kBytes, std::string(8 * kBytes, 'n')).ok());
    files.power_cut(0, seed);
    const std::string text = files.content("/f");
    ASSERT_EQ(text.size(), 10 * kBytes);
    for (size_t sector = 0; sector < 10; ++sector) {
      const char now = text[sector * kBytes];
      ASSERT_EQ(text.compare(sector * kBytes, kBytes, std::string(kBytes, now)), 0);
      ASSERT_TRUE(sector == 0 ? now == 's' : sector == 9 ? now == 'o' : now == 'o' || now == 'n');
      kept += now == 'n' ? 1 : 0;
    }
  }
  EXPECT_GT(kept, 40u);
  EXPECT_LT(kept, 120u);
}

TEST(MemoryFileSystem, RenameIsDurableAfterTheDirectorySync) {
  for (const bool synced : {false, true}) {
    MemoryFileSystem files;
    files.set_content("/d/a", "old");
    files.set_content("/d/b", "new");
    ASSERT_TRUE(files.rename("/d/b", "/d/a").ok());
    if (synced) {
      ASSERT_TRUE(files.sync_directory("/d").ok());
    }
    files.power_cut();
    EXPECT_EQ(files.content("/d/a"), synced ? "new" : "old");
    EXPECT_EQ(*files.exists("/d/b"), !synced);
  }
}

TEST(MemoryFileSystem, FailuresAreInjected) {
  MemoryFileSystem files;
  files.set_content("/d/a", "");
  auto file = *files.open("/d/a", OpenMode::kAppend);
  files.fail_call(2, ErrorCode::kNoSpace);
  files.set_torn_bytes(2);
  EXPECT_TRUE(file->append("one").ok());
  EXPECT_EQ(file->append("two").code(), ErrorCode::kNoSpace);
  EXPECT_TRUE(file->append("three").ok());
  EXPECT_EQ(files.content("/d/a"), "onetwthree");
  files.fail_call(1, ErrorCode::kIo, true);
  EXPECT_FALSE(file->sync().ok());
  EXPECT_FALSE(files.remove("/d/a").ok());
  files.fail_call(0);
  EXPECT_TRUE(file->sync().ok());
  files.set_capacity(12);
  EXPECT_EQ(file->append("four").code(), ErrorCode::kNoSpace);
  EXPECT_EQ(files.content("/d/a"), "onetwthreefo");
}

TEST(MemoryFileSystem, ReplaceFileSurvivesACrashAtEveryCall) {
  for (uint64_t n = 1;; n++) {
    MemoryFileSystem files;
    files.set_content("/d/a", "old");
    files.fail_call(n, ErrorCode::kIo, true);
    const Status status = replace_file(files, "/d/a", "new");
    files.power_cut(n % 3);
    const std::string content = files.content("/d/a");
    EXPECT_TRUE(content == "old" || content == "new") << content;
    if (status.ok()) {
      EXPECT_EQ(content, "new");
      EXPECT_GT(n, 4u);
      break;
    }
  }
}

}  // namespace
}  // namespace larder
