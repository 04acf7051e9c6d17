// The log when it is turned on, off, moved or ended in the middle of something.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "persistence/aof_manifest.h"
#include "tests/command/log_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using testing::log_options;
using testing::persistence_field;
using testing::started;
using Connection = InProcessServer::Connection;

std::string value_at_the_next_start(MemoryFileSystem& files, const std::string& rule, const std::string& key) {
  InProcessServer server(log_options(files, rule));
  return started(server).call("GET", key);
}

// Leaves a log of a base, in which k is 1, and a file behind it, in which it is 2.
void write_around_a_rewrite(MemoryFileSystem& files) {
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  client.call("SET", "k", "1");
  client.call("BGREWRITEAOF");
  server.advance_ms(200);
  client.call("SET", "k", "2");
}

// ---- The end of the process

TEST(LogTurns, WhatIsHalfLoadedIsNotSavedOverTheFile) {
  for (const char* word : {"SAVE", "NOSAVE", "NOW"}) {
    MemoryFileSystem files;
    const std::vector<std::string> save = {"--appendonly", "no", "--save", "3600 1"};
    {
      InProcessServer server(log_options(files, "no", save));
      Connection& client = started(server);
      client.call("SET", "k", "v");
      client.call("SAVE");
    }
    const std::string before = files.content("/dump.rdb");
    {
      InProcessServer server(log_options(files, "no", save));
      server.connect().send_request({"SHUTDOWN", word});
      server.run_turn();
      EXPECT_TRUE(server.shutdown_requested());
    }
    EXPECT_EQ(files.content("/dump.rdb"), before) << word;
    InProcessServer server(log_options(files, "no", save));
    EXPECT_TRUE(server.server().prepare_shutdown()) << "a signal";
    EXPECT_EQ(files.content("/dump.rdb"), before);
  }
}

TEST(LogTurns, NothingIsExecutedBehindAShutdown) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "everysec", {"--save", "3600 1"}));
    Connection& first = started(server);
    Connection& second = server.connect();
    first.call("SET", "k", "1");
    first.send_request({"SHUTDOWN"});
    second.send_request({"SET", "k", "2"});
    server.run();
    EXPECT_TRUE(server.shutdown_requested());
    EXPECT_EQ(second.take(), "");
    EXPECT_EQ(second.call("SET", "k", "3"), "");
    server.server().finish();
  }
  EXPECT_EQ(value_at_the_next_start(files, "everysec", "k"), "$1\r\n1\r\n");
}

// ---- The first base

TEST(LogTurns, LibrariesAloneAreData) {
  for (const char* as_rdb : {"yes", "no"}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, "always", {"--appendonly", "no", "--aof-use-rdb-preamble", as_rdb}));
      Connection& client = started(server);
      client.call("FUNCTION", "LOAD", "#!lua name=m\nredis.register_function('f', function() return 7 end)");
      EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
      server.advance_ms(200);
    }
    InProcessServer server(log_options(files, "always"));
    EXPECT_EQ(started(server).call("FCALL", "f", "0"), ":7\r\n");
  }
}

// What is written meanwhile can be loaded only when the base is there.
TEST(LogTurns, UnderAlwaysRepliesWaitForTheFirstBase) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    Connection& writer = server.connect();
    client.call("SET", "before", "1");
    client.send_request({"CONFIG", "SET", "appendonly", "yes"});
    writer.send_request({"SET", "k", "v"});
    server.run_turn();
    EXPECT_EQ(writer.take(), "");
    server.run();
    EXPECT_EQ(writer.take(), "+OK\r\n");
    files.power_cut();
  }
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\nv\r\n");
}

TEST(LogTurns, WithoutItsFirstBaseTheLogTakesNoWritesAndTheServerDoesNotEnd) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--appendonly", "no", "--rdbcompression", "no"}));
  Connection& client = started(server);
  client.call("SET", "k", std::string(2000, 'x'));
  files.set_capacity(1000);
  EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  server.advance_ms(200);
  EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "err");
  const std::string refusal = client.call("SET", "j", "1");
  EXPECT_TRUE(refusal.starts_with("-MISCONF ")) << refusal;
  for (const char* word : {"NOSAVE", "NOW"}) {
    EXPECT_EQ(client.call("SHUTDOWN", word), "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
  }
  EXPECT_FALSE(server.server().prepare_shutdown());
  EXPECT_NE(server.log_text().find("Writing initial AOF, can't exit"), std::string::npos);
  EXPECT_EQ(client.call("GET", "j"), "$-1\r\n");
  files.set_capacity(UINT64_MAX);
  server.advance_ms(65000);
  EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
  EXPECT_EQ(client.call("SET", "j", "1"), "+OK\r\n");
  EXPECT_EQ(client.call("SHUTDOWN", "NOSAVE"), "");
  EXPECT_TRUE(server.shutdown_requested());
}

// A kill would cost what was answered while the base is made: the next start knows the snapshot alone.
// Under everysec, changes were answered that are in memory alone.
TEST(LogTurns, AServerWhoseLogFailsDoesNotEnd) {
  for (const bool is_known : {true, false}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, "everysec", {"--save", "3600 1"}));
      Connection& client = started(server);
      EXPECT_EQ(client.call("SET", "k", "1"), "+OK\r\n");
      server.advance_ms(2000);
      files.set_capacity(300);
      client.send_request({"SET", "j", std::string(300, 'x')});
      client.send_request({"SHUTDOWN"});
      server.run_turn();
      EXPECT_EQ(client.take(), "+OK\r\n-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
      if (is_known) server.advance_ms(100);
      for (const char* word : {"NOSAVE", "SAVE", "NOW"}) {
        EXPECT_EQ(client.call("SHUTDOWN", word), "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
      }
      EXPECT_FALSE(server.server().prepare_shutdown());
      EXPECT_FALSE(server.shutdown_requested());
      EXPECT_NE(server.log_text().find("can't exit: what it lacks would be lost"), std::string::npos);
      files.set_capacity(UINT64_MAX);
      server.advance_ms(2000);
      EXPECT_EQ(client.call("SHUTDOWN", "NOSAVE"), "");
      EXPECT_TRUE(server.shutdown_requested());
    }
    EXPECT_EQ(value_at_the_next_start(files, "everysec", "k"), "$1\r\n1\r\n");
    EXPECT_NE(value_at_the_next_start(files, "everysec", "j"), "$-1\r\n");
  }
}

TEST(LogTurns, AServerWhoseLogFailsIsEndedByForce) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec"));
  Connection& client = started(server);
  client.call("SET", "k", "1");
  files.set_capacity(10);
  client.call("SET", "j", "1");
  server.advance_ms(1500);
  EXPECT_EQ(client.call("SHUTDOWN", "FORCE"), "");
  EXPECT_TRUE(server.shutdown_requested());
}

TEST(LogTurns, AStartWithASnapshotAloneTakesNoWritesBeforeItsBase) {
  for (const char* rule : {"always", "everysec", "no"}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, rule, {"--appendonly", "no"}));
      Connection& client = started(server);
      for (int i = 0; i < 300; ++i) client.call("SET", "k" + std::to_string(i), std::string(100, 'x'));
      client.call("SAVE");
    }
    InProcessServer server(log_options(files, rule));
    server.clock().set_look_us(300);
    for (int turns = 0; turns < 100 && !server.services().append_log.is_beginning(); ++turns) server.run_turn();
    ASSERT_TRUE(server.services().append_log.is_beginning());
    Connection& writer = server.connect();
    Connection& reader = server.connect();
    writer.send_request({"SET", "new", "v"});
    reader.send_request({"GET", "k7"});
    int turns = 0;
    for (; server.services().append_log.is_beginning() && turns < 1000; ++turns) {
      EXPECT_EQ(writer.arrived(), "") << rule;
      server.run_turn();
    }
    EXPECT_GT(turns, 3);
    server.run();
    EXPECT_EQ(reader.take().size(), 108u);
    EXPECT_EQ(writer.take(), "+OK\r\n") << rule;
    server.advance_ms(1200);
    EXPECT_EQ(writer.call("SET", "later", "v"), "+OK\r\n");
    EXPECT_EQ(writer.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
    files.power_cut();
    InProcessServer next(log_options(files, rule));
    EXPECT_EQ(started(next).call("EXISTS", "k7", "new", "later"), ":3\r\n") << rule;
  }
}

TEST(LogTurns, WritesThatWaitForTheFirstBaseAreRefusedWhenItFails) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "everysec", {"--appendonly", "no", "--rdbcompression", "no"}));
    Connection& client = started(server);
    client.call("SET", "k", std::string(2000, 'x'));
    client.call("SAVE");
  }
  files.set_capacity(3000);
  InProcessServer server(log_options(files, "everysec", {"--rdbcompression", "no"}));
  Connection& writer = server.connect();
  server.run();
  EXPECT_TRUE(writer.call("SET", "j", "1").starts_with("-MISCONF "));
  files.set_capacity(UINT64_MAX);
  server.advance_ms(65000);
  EXPECT_EQ(writer.call("SET", "j", "1"), "+OK\r\n");
  // Another base is made while requests are served.
  server.clock().set_look_us(300);
  writer.send_request({"BGREWRITEAOF"});
  writer.send_request({"SET", "j", "2"});
  server.run_turn();
  EXPECT_TRUE(writer.take().ends_with("+OK\r\n"));
}

std::vector<std::string> names_in(MemoryFileSystem& files, const std::string& directory) {
  std::vector<std::string> names;
  for (const DirectoryEntry& entry : files.list(directory).value_or({})) names.push_back(entry.name);
  return names;
}

// A log that has not come to a base leaves nothing, and neither does one that was killed on the way.
TEST(LogTurns, OfALogWithoutABaseNothingIsLeft) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--appendonly", "no", "--rdbcompression", "no"}));
  Connection& client = started(server);
  client.call("SET", "k", std::string(2000, 'x'));
  files.set_capacity(1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
    server.advance_ms(200);
    EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "no"), "+OK\r\n");
    EXPECT_EQ(names_in(files, "/appendonlydir"), std::vector<std::string>());
  }
  files.set_capacity(UINT64_MAX);
  const std::string killed = "/appendonlydir/temp-rewriteaof-appendonly.aof-123.aof";
  files.set_content(killed, "half of a base");
  EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  EXPECT_FALSE(*files.exists(killed));
  server.advance_ms(200);
  EXPECT_EQ(names_in(files, "/appendonlydir").size(), 3u);
}

// Killed between the manifest and the removal of what it has ceased to name.
TEST(LogTurns, AStartRemovesTheHistory) {
  MemoryFileSystem files;
  write_around_a_rewrite(files);
  const std::string old = "/appendonlydir/appendonly.aof.1.incr.aof";
  const std::string path = "/appendonlydir/appendonly.aof.manifest";
  files.set_content(old, "what was before the base");
  files.set_content(path, files.content(path) + "file appendonly.aof.1.incr.aof seq 1 type h\n");
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\n2\r\n");
  EXPECT_FALSE(*files.exists(old));
  EXPECT_EQ(files.content(path).find("type h"), std::string::npos);
}

// Whatever call fails: what is in the folder afterwards is what the manifest names, and all of it.
TEST(LogTurns, ARewriteThatFailsLeavesNoFiles) {
  for (uint64_t failing = 1; failing < 40; ++failing) {
    MemoryFileSystem files;
    InProcessServer server(log_options(files, "everysec"));
    Connection& client = started(server);
    client.call("SET", "k", "v");
    server.advance_ms(1500);
    files.fail_call(failing);
    client.call("BGREWRITEAOF");
    server.advance_ms(1500);
    files.fail_call(0);
    client.call("BGREWRITEAOF");
    server.advance_ms(1500);
    ASSERT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok") << failing;
    std::set<std::string> expected = {"appendonly.aof.manifest"};
    const auto manifest = read_aof_manifest(files, "/appendonlydir", "appendonly.aof");
    ASSERT_TRUE(manifest.ok());
    expected.insert(manifest->base->name);
    for (const auto& file : manifest->incremental) expected.insert(file.name);
    const std::vector<std::string> names = names_in(files, "/appendonlydir");
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), expected) << failing;
  }
}

TEST(LogTurns, AFolderThatIsRemovedIsMadeAgainByARewrite) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "everysec"));
    Connection& client = started(server);
    client.call("SET", "a", "1");
    server.advance_ms(1500);
    for (const std::string& name : names_in(files, "/appendonlydir")) {
      ASSERT_TRUE(files.remove("/appendonlydir/" + name).ok());
    }
    ASSERT_TRUE(files.remove("/appendonlydir").ok());
    client.call("SET", "b", "1");
    server.advance_ms(1500);
    client.call("BGREWRITEAOF");
    server.advance_ms(500);
    EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
    client.call("SET", "c", "1");
    EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "everysec"));
  EXPECT_EQ(started(server).call("EXISTS", "a", "b", "c"), ":3\r\n");
}

// Killed between the base's new name and the manifest: the old history is whole, and the base is in nobody's way.
TEST(LogTurns, ABaseThatNoManifestNamesIsNotTaken) {
  MemoryFileSystem files;
  write_around_a_rewrite(files);
  const std::string orphan = "/appendonlydir/appendonly.aof.2.base.rdb";
  files.set_content(orphan, "not what the manifest means");
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("GET", "k"), "$1\r\n2\r\n");
    client.call("BGREWRITEAOF");
    server.advance_ms(200);
    EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
    EXPECT_EQ(client.call("SET", "k", "3"), "+OK\r\n");
  }
  EXPECT_EQ(files.content(orphan), "not what the manifest means");
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\n3\r\n");
}

TEST(LogTurns, AnEmptyFileBeforeOneOfOursIsRefused) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    started(server).call("SET", "k", "1");
  }
  const std::string first = "/appendonlydir/appendonly.aof.1.incr.aof";
  const std::string second = "appendonly.aof.2.incr.aof";
  const std::string whole = files.content(first);
  const std::string manifest = "file appendonly.aof.1.incr.aof seq 1 type i\nfile " + second + " seq 2 type i\n";
  files.set_content("/appendonlydir/appendonly.aof.manifest", manifest);
  files.set_content("/appendonlydir/" + second, whole);
  files.set_content(first, "");
  InProcessServer server(log_options(files, "always"));
  server.run();
  EXPECT_TRUE(server.server().load_failed());
  EXPECT_NE(server.log_text().find("the file is empty, and one that follows it was begun"), std::string::npos)
      << server.log_text();
  // One that another server has left empty is taken.
  files.set_content("/appendonlydir/" + second, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n2\r\n");
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\n2\r\n");
}

TEST(LogTurns, OffAndOnAgainItBeginsAtOnce) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    client.call("SET", "k", "v");
    for (const char* word : {"yes", "no", "yes"}) client.send_request({"CONFIG", "SET", "appendonly", word});
    server.run();
    server.advance_ms(300);
    EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
    EXPECT_EQ(persistence_field(client, "aof_rewrite_in_progress"), "0");
    files.power_cut();
  }
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\nv\r\n");
}

TEST(LogTurns, WhoAsksForARewriteDoesNotWaitForEarlierFailures) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--rdbcompression", "no"}));
  Connection& client = started(server);
  client.call("SET", "k", std::string(2000, 'x'));
  server.advance_ms(1500);
  files.set_capacity(2300);
  for (int i = 0; i < 5; ++i) {
    client.call("BGREWRITEAOF");
    server.advance_ms(200);
  }
  EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "err");
  files.set_capacity(UINT64_MAX);
  client.call("MULTI");
  client.call("BGREWRITEAOF");
  client.call("EXEC");
  server.advance_ms(2000);
  EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
}

// ---- The rule, and what waits

struct LogAlone final : ProcessControl {
  explicit LogAlone(const std::string& rule) {
    settings.dir = "/";
    settings.append_fsync = rule;
    files.set_content("/x", "");
    EXPECT_TRUE(append_log.start({}, {}).ok());
  }
  void request_shutdown() override {}
  void wake_loop() override {}
  void sleep_us(int64_t) override {}
  uint64_t resident_bytes() const override { return 0; }
  void write(size_t bytes) {
    const std::string value(bytes, 'x');
    const Bytes argv[] = {"SET", "k", value};
    append_log.command(0, argv);
    append_log.end_group();
  }
  void work() {
    while (append_log.step()) {
    }
    append_log.poll();
  }

  SimulatedClock clock;
  MemoryFileSystem files;
  MemoryLogSink sink;
  Log log{sink, clock, LogLevel::kNotice};
  Settings settings;
  AppendLog append_log{{clock, files, log, *this, settings, 1, false}};
};

TEST(LogTurns, WhatWaitsUnderAlwaysIsSyncedWhateverTheRuleIsThen) {
  for (const char* rule : {"no", "everysec"}) {
    LogAlone alone("always");
    alone.write(10);
    EXPECT_NE(alone.append_log.reply_group(), 0u);
    alone.settings.append_fsync = rule;
    alone.append_log.settings_changed();
    alone.work();
    EXPECT_EQ(alone.append_log.durable_group(), alone.append_log.current_group()) << rule;
  }
}

TEST(LogTurns, TurnedOffItIsNotBehindAnyMore) {
  LogAlone alone("everysec");
  for (int i = 0; i < 3; ++i) alone.write(30 * 1024 * 1024);
  EXPECT_TRUE(alone.append_log.is_behind());
  alone.append_log.turn_off();
  EXPECT_FALSE(alone.append_log.is_behind());
}

// ---- Folders

TEST(LogTurns, ARewriteAfterAChangeOfDirBeginsInTheNewFolder) {
  MemoryFileSystem files;
  files.set_content("/other/x", "");
  {
    InProcessServer server(log_options(files, "always", {"--enable-protected-configs", "yes"}));
    Connection& client = started(server);
    client.call("SET", "k", "1");
    EXPECT_EQ(client.call("CONFIG", "SET", "dir", "/other"), "+OK\r\n");
    EXPECT_EQ(client.call("SET", "k", "2"), "+OK\r\n");
    EXPECT_FALSE(files.exists("/other/appendonlydir").value_or(true)) << "it goes on where it is";
    client.call("BGREWRITEAOF");
    EXPECT_EQ(client.call("SET", "k", "3"), "+OK\r\n");
    server.advance_ms(200);
    EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
    EXPECT_EQ(client.call("SET", "j", "3"), "+OK\r\n");
    files.power_cut();
  }
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\n3\r\n") << "as it was left";
  EXPECT_EQ(value_at_the_next_start(files, "always", "j"), "$-1\r\n");
  InProcessServer server(log_options(files, "always", {"--dir", "/other"}));
  EXPECT_EQ(started(server).call("MGET", "k", "j"), "*2\r\n$1\r\n3\r\n$1\r\n3\r\n");
}

TEST(LogTurns, FilesThatNoManifestNamesAreLeftAlone) {
  MemoryFileSystem files;
  write_around_a_rewrite(files);
  const std::string base = "/appendonlydir/appendonly.aof.1.base.rdb";
  const std::string incremental = "/appendonlydir/appendonly.aof.2.incr.aof";
  const std::string base_before = files.content(base);
  const std::string before = files.content(incremental);
  ASSERT_TRUE(files.remove("/appendonlydir/appendonly.aof.manifest").ok());
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("DBSIZE"), ":0\r\n");
  EXPECT_NE(server.log_text().find("has no manifest, but files of an append only log"), std::string::npos);
  client.call("SET", "k", "3");
  client.call("BGREWRITEAOF");
  server.advance_ms(200);
  EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
  EXPECT_EQ(files.content(base), base_before);
  EXPECT_EQ(files.content(incremental), before);
}

// ---- Files that another one follows

// A log of two files: the second was begun by a rewrite that failed, or because the first could not be written.
void make_two_files(MemoryFileSystem& files, bool heals, uint64_t failing) {
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  client.call("SET", "a", "1");
  client.call("SET", "b", "1");
  client.call("SET", "c", "1");
  files.fail_call(failing, ErrorCode::kIo, heals);
  heals ? client.send_request({"SET", "d", "1"}) : client.send_request({"BGREWRITEAOF"});
  server.run();
  server.advance_ms(200);
  files.fail_call(0);
  server.advance_ms(1500);
  client.call("SET", "d", "1");
}

TEST(LogTurns, AFileThatLostItsEndIsNotServedAsWhole) {
  size_t tried = 0;
  for (uint64_t failing = 1; failing < 16; ++failing) {
    MemoryFileSystem files;
    make_two_files(files, failing < 3, failing);
    const auto manifest = read_aof_manifest(files, "/appendonlydir", "appendonly.aof");
    ASSERT_TRUE(manifest.ok());
    if (manifest->incremental.size() < 2) continue;
    ++tried;
    EXPECT_EQ(value_at_the_next_start(files, "always", "d"), "$1\r\n1\r\n") << failing;
    const std::string path = "/appendonlydir/" + manifest->incremental[0].name;
    const std::string whole = files.content(path);
    for (size_t size = 0; size < whole.size(); ++size) {
      // A bare first line, padding behind it or not, is what is left of a file without groups.
      const size_t begin = whole.find('\n') + 1;
      if (size == begin || size == begin + 1) continue;
      MemoryFileSystem cut;
      for (const auto& file : manifest->incremental) {
        cut.set_content("/appendonlydir/" + file.name, files.content("/appendonlydir/" + file.name));
      }
      cut.set_content("/appendonlydir/appendonly.aof.manifest", manifest->text());
      cut.set_content(path, whole.substr(0, size));
      InProcessServer server(log_options(cut, "always"));
      server.run();
      ASSERT_TRUE(server.server().load_failed()) << failing << ", " << size;
      EXPECT_EQ(cut.content(path), whole.substr(0, size));
    }
  }
  EXPECT_GE(tried, 3u);
}

// ---- Two servers on one folder

// The second one would write over what the first one writes.
TEST(LogTurns, ALogHasOneServer) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    client.call("SET", "k", "1");
    {
      InProcessServer second(log_options(files, "always"));
      second.run();
      EXPECT_TRUE(second.server().load_failed());
      EXPECT_NE(second.log_text().find("another server keeps the log"), std::string::npos) << second.log_text();
      InProcessServer third(log_options(files, "always", {"--appendonly", "no"}));
      EXPECT_EQ(started(third).call("CONFIG", "SET", "appendonly", "yes").substr(0, 4), "-ERR");
      third.connect().call("BGREWRITEAOF");
      InProcessServer other(log_options(files, "always", {"--appendfilename", "other.aof"}));
      EXPECT_EQ(started(other).call("SET", "j", "1"), "+OK\r\n") << "a log of another name may be beside it";
    }
    client.call("BGREWRITEAOF");
    server.run();
    {
      InProcessServer second(log_options(files, "always"));
      second.run();
      EXPECT_TRUE(second.server().load_failed()) << "its file is another one now";
    }
    client.call("INCR", "k");
    EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "no"), "+OK\r\n");
    server.run();
    InProcessServer second(log_options(files, "always"));
    EXPECT_EQ(started(second).call("GET", "k"), "$1\r\n2\r\n");
    EXPECT_FALSE(second.server().load_failed());
  }
  EXPECT_EQ(value_at_the_next_start(files, "always", "k"), "$1\r\n2\r\n");
}

}  // namespace
}  // namespace larder
