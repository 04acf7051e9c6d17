// What the loop does itself when the log is turned on and off: it calls for no sync.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_file_system.h"
#include "persistence/aof_manifest.h"
#include "server/core/append_log.h"

namespace larder {
namespace {

// Counts the calls that wait for a disk, which may be full in one folder.
class CountedFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    LARDER_TRY_ASSIGN(std::unique_ptr<File> file, memory.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<Counted>(std::move(file), *this, path));
  }
  Status rename(const std::string& from, const std::string& to) override { return memory.rename(from, to); }
  Status remove(const std::string& path) override { return memory.remove(path); }
  Status sync_directory(const std::string& path) override {
    ++syncs;
    return memory.sync_directory(path);
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return memory.list(path); }
  Status make_directory(const std::string& path) override { return memory.make_directory(path); }
  Result<bool> exists(const std::string& path) override { return memory.exists(path); }
  Result<uint64_t> file_size(const std::string& path) override { return memory.file_size(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, int64_t wait_ms) override {
    return memory.lock(path, wait_ms);
  }

  MemoryFileSystem memory;
  int syncs = 0;
  std::string full_directory;  // no room for writes there

 private:
  class Counted final : public File {
   public:
    Counted(std::unique_ptr<File> file, CountedFiles& owner, std::string path)
        : file_(std::move(file)), owner_(owner), path_(std::move(path)) {}
    Result<size_t> read(char* out, size_t n) override { return file_->read(out, n); }
    Result<size_t> read_at(uint64_t offset, char* out, size_t n) override { return file_->read_at(offset, out, n); }
    Status append(Bytes bytes) override { return file_->append(bytes); }
    Status write_at(uint64_t offset, Bytes bytes) override {
      const bool is_full = !owner_.full_directory.empty() && path_.starts_with(owner_.full_directory);
      return is_full ? Status(ErrorCode::kNoSpace, path_) : file_->write_at(offset, bytes);
    }
    Status sync() override {
      ++owner_.syncs;
      return file_->sync();
    }
    Status truncate(uint64_t size_bytes) override { return file_->truncate(size_bytes); }
    Result<uint64_t> size() const override { return file_->size(); }
    Status close() override { return file_->close(); }

   private:
    const std::unique_ptr<File> file_;
    CountedFiles& owner_;
    const std::string path_;
  };
};

// Data of one key, or none; a base of them is there at once.
class OneKey final : public LogBaseProducer {
 public:
  OneKey(FileSystem& files, bool is_empty) : files_(files), is_empty_(is_empty) {}
  Status start(const std::string& path, bool, std::function<void(const Status&)> done) override {
    LARDER_TRY_ASSIGN(const std::unique_ptr<File> file, files_.open(path, OpenMode::kTruncate));
    LARDER_TRY(file->append("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"));
    path_ = path;
    done_ = std::move(done);
    return {};
  }
  void cancel() override {
    done_ = nullptr;
    (void)files_.remove(path_);
  }
  bool is_busy() const override { return done_ != nullptr; }
  bool is_empty() const override { return is_empty_; }
  void fail() {
    const auto done = std::exchange(done_, nullptr);
    cancel();
    done({ErrorCode::kIo, "no base"});
  }
  // The helper has synced it.
  void finish() {
    if (done_) std::exchange(done_, nullptr)(Status());
  }

 private:
  FileSystem& files_;
  const bool is_empty_;
  std::string path_;
  std::function<void(const Status&)> done_;
};

struct Loop : ProcessControl {
  explicit Loop(bool is_empty) : producer(files, is_empty) {
    settings.dir = "/";
    settings.append_fsync = "everysec";
    append_log.set_base_producer(&producer);
  }
  void request_shutdown() override {}
  void wake_loop() override {}
  void sleep_us(int64_t) override {}
  uint64_t resident_bytes() const override { return 0; }

  void write(Bytes value = "v") {
    const Bytes argv[] = {"SET", "j", value};
    append_log.command(0, argv);
    append_log.end_group();
  }
  // The writer's part, and what the loop makes of it. Returns how often the loop has waited for the disk.
  int work() {
    int waits = 0;
    for (int rounds = 0; rounds < 3; ++rounds) {
      while (append_log.step()) {
      }
      const int before = files.syncs;
      append_log.poll();
      producer.finish();
      append_log.cron();
      waits += files.syncs - before;
    }
    return waits;
  }
  std::string log_text(const std::string& directory = "/appendonlydir") {
    std::string text;
    const auto entries = files.list(directory);
    for (const DirectoryEntry& entry : *entries) {
      if (entry.name.ends_with(".incr.aof")) text += files.memory.content(join_path(directory, entry.name));
    }
    return text;
  }
  AofManifest manifest(const std::string& directory = "/appendonlydir") {
    return *read_aof_manifest(files, directory, settings.append_file_name);
  }
  void step_all() {
    while (append_log.step()) {
    }
    append_log.poll();
  }

  SimulatedClock clock;
  CountedFiles files;
  MemoryLogSink sink;
  Log log{sink, clock, LogLevel::kNotice};
  Settings settings;
  OneKey producer;
  AppendLog append_log{{clock, files, log, *this, settings, 1, false}};
};

TEST(LogLoop, TurnsTheLogOnAndOffWithoutWaitingForTheDisk) {
  for (const bool is_empty : {true, false}) {
    Loop loop(is_empty);
    for (int turn = 0; turn < 3; ++turn) {
      int before = loop.files.syncs;
      ASSERT_TRUE(loop.append_log.turn_on().ok());
      loop.write();
      EXPECT_EQ(loop.files.syncs, before) << "on";
      EXPECT_EQ(loop.append_log.state(), AppendLog::State::kBeginning);
      EXPECT_EQ(loop.work(), 0);
      EXPECT_EQ(loop.append_log.state(), AppendLog::State::kOn);
      loop.write();
      before = loop.files.syncs;
      loop.append_log.turn_off();
      EXPECT_EQ(loop.files.syncs, before) << "off";
      EXPECT_TRUE(loop.append_log.is_leaving());
      EXPECT_EQ(loop.work(), 0);
      EXPECT_FALSE(loop.append_log.is_leaving());
    }
    // What was submitted before it was turned off is on the disk.
    loop.files.memory.power_cut();
    const std::string text = loop.log_text();
    EXPECT_NE(text.find("$1\r\nj\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("#LD:"), std::string::npos) << text;
  }
}

TEST(LogLoop, ARewriteOfALogThatIsOffDoesNotWaitForTheDisk) {
  Loop loop(false);
  for (int turn = 0; turn < 2; ++turn) {
    const int before = loop.files.syncs;
    ASSERT_TRUE(loop.append_log.rewrite(false).ok());
    EXPECT_EQ(loop.files.syncs, before);
    EXPECT_EQ(loop.work(), 0);
    EXPECT_EQ(loop.append_log.state(), AppendLog::State::kOff);
    EXPECT_EQ(loop.append_log.figures().rewrites, static_cast<uint64_t>(turn) + 1);
  }
}

// However far it was.
TEST(LogLoop, OfARewriteThatIsGivenUpNothingIsLeft) {
  Loop loop(false);
  const auto is_left = [&loop] {
    const auto entries = loop.files.list("/appendonlydir");
    return std::any_of(entries->begin(), entries->end(),
                       [](const DirectoryEntry& entry) { return entry.name.starts_with("temp-"); });
  };
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.work();
  for (const bool is_rotated : {false, true}) {
    ASSERT_TRUE(loop.append_log.rewrite(false).ok());
    if (is_rotated) {
      while (loop.append_log.step()) {
      }
      loop.append_log.poll();
    }
    loop.producer.finish();
    EXPECT_TRUE(is_left());
    loop.append_log.turn_off();
    loop.work();
    EXPECT_FALSE(is_left()) << is_rotated;
    ASSERT_TRUE(loop.append_log.turn_on().ok());
    loop.work();
  }
}

// The file that a rewrite has begun which failed is not taken for that of the next one: what is in it is in the next base.
TEST(LogLoop, ARewriteWaitsForItsOwnFile) {
  Loop loop(false);
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.work();
  ASSERT_TRUE(loop.append_log.rewrite(false).ok());
  loop.producer.fail();
  loop.write("in the base");
  ASSERT_TRUE(loop.append_log.rewrite(false).ok());
  ASSERT_TRUE(loop.append_log.step());
  loop.append_log.poll();
  loop.producer.finish();
  loop.work();
  EXPECT_EQ(loop.append_log.figures().rewrites, 2u);
  EXPECT_EQ(loop.manifest().incremental.size(), 1u);
  EXPECT_EQ(loop.log_text().find("in the base"), std::string::npos) << loop.log_text();
}

// A server that is killed before the base is there leaves nothing that looks like a part of a log.
TEST(LogLoop, BeforeItsBaseALogHasNamesOfItsOwn) {
  Loop loop(false);
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.write();
  loop.step_all();
  const auto entries = loop.files.list("/appendonlydir");
  for (const DirectoryEntry& entry : *entries) {
    EXPECT_FALSE(aof_part_of_name(loop.settings.append_file_name, entry.name)) << entry.name;
  }
  loop.work();
  const AofManifest named = loop.manifest();
  ASSERT_EQ(named.incremental.size(), 1u);
  EXPECT_TRUE(aof_part_of_name(loop.settings.append_file_name, named.incremental[0].name));
  EXPECT_EQ(loop.files.list("/appendonlydir")->size(), 3u) << "manifest, base, one file";
  loop.write();
  loop.append_log.turn_off();
  loop.work();
  EXPECT_NE(loop.log_text().find("#LG:"), std::string::npos);
}

// ---- To another folder

struct MovedLoop : Loop {
  explicit MovedLoop(const std::string& rule = "everysec") : Loop(false) {
    files.memory.set_content("/other/x", "");
    settings.append_fsync = rule;
    EXPECT_TRUE(append_log.turn_on().ok());
    work();
    settings.dir = "/other";
    EXPECT_TRUE(append_log.rewrite(false).ok());
  }
};

TEST(LogLoop, UntilTheBaseIsThereBothFoldersHaveWhatIsWritten) {
  for (const char* rule : {"always", "everysec", "no"}) {
    MovedLoop loop(rule);
    EXPECT_EQ(loop.append_log.state(), AppendLog::State::kOn);
    loop.write("meanwhile");
    loop.append_log.hasten(loop.append_log.current_group());
    loop.append_log.end_group();
    EXPECT_LT(loop.append_log.durable_group(), loop.append_log.current_group());
    loop.step_all();
    EXPECT_EQ(loop.append_log.durable_group(), loop.append_log.current_group()) << "nobody waits for the base";
    loop.files.memory.power_cut();
    EXPECT_NE(loop.log_text().find("meanwhile"), std::string::npos) << rule;
    EXPECT_TRUE(loop.manifest("/other/appendonlydir").empty());
  }
  MovedLoop loop;
  loop.write("meanwhile");
  loop.work();
  loop.write("behind");
  loop.append_log.turn_off();
  EXPECT_EQ(loop.work(), 0);
  loop.files.memory.power_cut();
  EXPECT_EQ(loop.log_text().find("behind"), std::string::npos) << "as it was left";
  EXPECT_NE(loop.log_text().find("#LD:"), std::string::npos);
  EXPECT_TRUE(loop.manifest("/other/appendonlydir").base);
  const std::string text = loop.log_text("/other/appendonlydir");
  EXPECT_NE(text.find("meanwhile"), std::string::npos) << text;
  EXPECT_NE(text.find("behind"), std::string::npos) << text;
}

TEST(LogLoop, AMoveThatFailsLeavesTheLogWhereItIs) {
  for (const bool of_the_base : {true, false}) {
    MovedLoop loop("always");
    if (of_the_base) {
      loop.producer.fail();
    } else {
      loop.files.full_directory = "/other";
      loop.write();
    }
    loop.step_all();
    loop.append_log.cron();
    loop.step_all();
    EXPECT_FALSE(loop.append_log.rewriting()) << of_the_base;
    EXPECT_EQ(loop.append_log.state(), AppendLog::State::kOn);
    EXPECT_FALSE(loop.append_log.failed());
    EXPECT_EQ(loop.files.list("/other/appendonlydir")->size(), 0u);
    loop.files.full_directory.clear();
    loop.write("later");
    loop.step_all();
    EXPECT_EQ(loop.append_log.durable_group(), loop.append_log.current_group());
    EXPECT_NE(loop.log_text().find("later"), std::string::npos);
    ASSERT_TRUE(loop.append_log.rewrite(false).ok());
    loop.work();
    EXPECT_TRUE(loop.manifest("/other/appendonlydir").base);
  }
}

TEST(LogLoop, TurnedOffInAMoveTheLogIsWhole) {
  MovedLoop loop;
  loop.write("meanwhile");
  loop.append_log.turn_off();
  loop.work();
  loop.files.memory.power_cut();
  EXPECT_NE(loop.log_text().find("meanwhile"), std::string::npos);
  EXPECT_TRUE(loop.manifest("/other/appendonlydir").empty());
}

// Replies wait until what was submitted before the end is durable, and one log follows the other.
TEST(LogLoop, WhoWaitsIsAnsweredWhenTheLogThatWasTurnedOffIsOnTheDisk) {
  Loop loop(true);
  loop.settings.append_fsync = "always";
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.work();
  loop.write();
  const uint64_t group = loop.append_log.current_group();
  loop.append_log.turn_off();
  EXPECT_LT(loop.append_log.durable_group(), group);
  EXPECT_EQ(loop.append_log.reply_group(), 0u);
  loop.work();
  EXPECT_EQ(loop.append_log.durable_group(), group);
  // On again at once: the same folder has one writer at a time.
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.work();
  loop.write();
  const uint64_t last = loop.append_log.current_group();
  loop.append_log.turn_off();
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  EXPECT_TRUE(loop.append_log.is_leaving());
  EXPECT_LT(loop.append_log.durable_group(), last);
  loop.write();
  EXPECT_EQ(loop.append_log.reply_group(), last + 1);
  loop.step_all();
  EXPECT_FALSE(loop.append_log.is_leaving());
  EXPECT_EQ(loop.append_log.durable_group(), last) << "what came since waits for the base";
  loop.work();
  EXPECT_EQ(loop.append_log.durable_group(), last + 1);
}

// ---- One after the other, on a slow disk

// Whatever is done next, what is still being written is not waited for.
TEST(LogLoop, AfterAMoveThatWasGivenUpNothingWaitsForTheDisk) {
  for (const bool turns_off : {true, false}) {
    MovedLoop loop("always");
    loop.write("meanwhile");
    loop.producer.fail();
    int before = loop.files.syncs;
    if (turns_off) {
      loop.append_log.turn_off();
      EXPECT_EQ(loop.files.syncs, before) << "off";
      ASSERT_TRUE(loop.append_log.turn_on().ok());
    } else {
      ASSERT_TRUE(loop.append_log.rewrite(false).ok());
      EXPECT_TRUE(loop.append_log.rewrite_scheduled());
    }
    loop.write("later");
    EXPECT_EQ(loop.files.syncs, before) << turns_off;
    EXPECT_TRUE(loop.append_log.is_leaving());
    EXPECT_EQ(loop.work(), 0);
    EXPECT_EQ(loop.work(), 0);
    EXPECT_FALSE(loop.append_log.is_leaving());
    EXPECT_TRUE(loop.append_log.on());
    EXPECT_EQ(loop.append_log.durable_group(), loop.append_log.current_group());
    EXPECT_TRUE(loop.manifest("/other/appendonlydir").base) << turns_off;
    before = loop.files.syncs;
    loop.append_log.turn_off();
    ASSERT_TRUE(loop.append_log.turn_on().ok());
    loop.append_log.turn_off();
    EXPECT_EQ(loop.files.syncs, before);
    EXPECT_EQ(loop.work(), 0);
    EXPECT_EQ(loop.append_log.durable_group(), loop.append_log.current_group()) << "nobody waits for a log that is off";
  }
}

// One that cannot begin in the folder refuses writes and tries again, as when its base cannot be written.
TEST(LogLoop, ALogThatIsWaitedForAndCannotBeginTriesAgain) {
  Loop loop(false);
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.work();
  loop.append_log.turn_off();
  ASSERT_TRUE(loop.append_log.turn_on().ok());
  loop.write();
  loop.settings.dir = "/other";
  loop.files.memory.set_content("/other/appendonlydir/appendonly.aof.manifest", "nonsense\n");
  loop.work();
  loop.work();
  EXPECT_TRUE(loop.append_log.failed());
  EXPECT_FALSE(loop.append_log.on());
  EXPECT_TRUE(loop.append_log.settle().ok());
  EXPECT_TRUE(loop.append_log.rewrite(false).ok());
  loop.settings.append_fsync = "always";
  loop.append_log.settings_changed();
  EXPECT_GT(loop.append_log.figures().rewrite_failures_in_a_row, 0u);
  ASSERT_TRUE(loop.files.remove("/other/appendonlydir/appendonly.aof.manifest").ok());
  loop.work();
  loop.work();
  EXPECT_FALSE(loop.append_log.failed());
  EXPECT_TRUE(loop.append_log.on());
  EXPECT_EQ(loop.append_log.durable_group(), loop.append_log.current_group());
}

}  // namespace
}  // namespace larder
