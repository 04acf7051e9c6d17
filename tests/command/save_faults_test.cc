// Snapshots on a disk that fails: the file that was there stays whole, writes are refused while saving is in trouble, and
// all is well again when the disk is.

#include <gtest/gtest.h>

#include <string>

#include "server/core/save_control.h"
#include "tests/support/in_process_server.h"

namespace larder::testing {
namespace {

const InProcessOptions kOptions{.arguments = {"--save", "3600 1"}};

std::string file_of(InProcessServer& server) { return server.files().content(server.services().saves.path()); }

bool has_field(InProcessServer::Connection& client, const std::string& field) {
  return client.call("INFO", "persistence").find(field + "\r\n") != std::string::npos;
}

bool is_refused(InProcessServer::Connection& client) {
  const bool refused = client.call("SET", "probe", "x").starts_with("-MISCONF");
  const std::string nested = client.call("EVAL", "return redis.call('set', 'probe', 'x')", "0");
  EXPECT_EQ(nested.starts_with("-MISCONF"), refused) << nested;
  return refused;
}

// What a server finds that starts on these files.
std::string value_after_restart(MemoryFileSystem& files) {
  InProcessOptions options = kOptions;
  options.files = &files;
  InProcessServer server(options);
  server.run();
  return server.connect().call("GET", "k");
}

void save_once(InProcessServer& server) {
  auto& client = server.connect();
  client.call("SET", "k", "old");
  EXPECT_EQ(client.call("SAVE"), "+OK\r\n");
}

// How many calls of the file system a snapshot makes.
uint64_t calls_of_a_save() {
  InProcessServer server(kOptions);
  save_once(server);
  auto& client = server.connect();
  const uint64_t before = server.files().call_count();
  client.call("BGSAVE");
  return server.files().call_count() - before;
}

TEST(SaveFaultTest, AnyFailingCallFailsTheSaveAndNothingElse) {
  const uint64_t calls = calls_of_a_save();
  ASSERT_GE(calls, 5U);  // open, append, sync, rename, sync of the directory
  for (const bool in_background : {true, false}) {
    for (uint64_t n = 1; n <= calls; n++) {
      SCOPED_TRACE("call " + std::to_string(n) + (in_background ? " of BGSAVE" : " of SAVE"));
      InProcessServer server(kOptions);
      save_once(server);
      const std::string old_file = file_of(server);
      auto& client = server.connect();
      client.call("SET", "k", "new");
      server.files().fail_call(n);
      if (in_background) {
        EXPECT_EQ(client.call("BGSAVE"), "+Background saving started\r\n");
        EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:err"));
        EXPECT_TRUE(is_refused(client));
        EXPECT_EQ(client.call("GET", "k"), "$3\r\nnew\r\n");
      } else {
        EXPECT_EQ(client.call("SAVE").substr(0, 4), "-ERR");
      }
      EXPECT_FALSE(has_field(client, "rdb_changes_since_last_save:0"));
      // Only when the last call failed, the sync of the directory, the new file is there already.
      if (n < calls) {
        EXPECT_EQ(file_of(server), old_file);
      }
      server.files().fail_call(0);
      EXPECT_EQ(client.call("BGSAVE"), "+Background saving started\r\n");
      EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:ok"));
      EXPECT_FALSE(is_refused(client));
      client.call("SAVE");
      EXPECT_EQ(value_after_restart(server.files()), "$3\r\nnew\r\n");
    }
  }
}

TEST(SaveFaultTest, AFullDiskHealsByItself) {
  InProcessServer server(kOptions);
  save_once(server);
  const std::string old_file = file_of(server);
  auto& client = server.connect();
  client.call("SET", "k", "new");
  server.files().set_capacity(old_file.size() + 20);
  client.call("BGSAVE");
  EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:err"));
  EXPECT_TRUE(is_refused(client));
  EXPECT_EQ(file_of(server), old_file);
  EXPECT_EQ(client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"), "+OK\r\n");
  EXPECT_FALSE(is_refused(client));
  EXPECT_EQ(client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"), "+OK\r\n");
  // A save point tries again by itself, and finds room.
  EXPECT_EQ(client.call("CONFIG", "SET", "save", "1 1"), "+OK\r\n");
  server.advance_ms(6000);
  EXPECT_TRUE(is_refused(client));
  server.files().set_capacity(UINT64_MAX);
  server.advance_ms(6000);
  EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:ok"));
  EXPECT_FALSE(is_refused(client));
  EXPECT_EQ(value_after_restart(server.files()), "$3\r\nnew\r\n");
}

TEST(SaveFaultTest, WithoutSavePointsWritesGoOn) {
  InProcessServer server({.arguments = {"--save", ""}});
  auto& client = server.connect();
  server.files().fail_call(1);
  client.call("BGSAVE");
  EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:err"));
  EXPECT_FALSE(is_refused(client));
}

// The power goes at every call: what a new server finds is the old snapshot or the new one.
TEST(SaveFaultTest, APowerCutLeavesOneWholeSnapshot) {
  const uint64_t calls = calls_of_a_save();
  for (uint64_t n = 1; n <= calls; n++) {
    for (const size_t kept_bytes : {size_t{0}, size_t{7}, SIZE_MAX}) {
      SCOPED_TRACE("call " + std::to_string(n) + ", " + std::to_string(kept_bytes) + " bytes kept");
      MemoryFileSystem files;
      {
        InProcessOptions options = kOptions;
        options.files = &files;
        InProcessServer server(options);
        save_once(server);
        auto& client = server.connect();
        client.call("SET", "k", "new");
        // From this call on nothing reaches the disk any more.
        files.fail_call(n, ErrorCode::kIo, true);
        client.call("BGSAVE");
        files.power_cut(kept_bytes);
      }
      files.fail_call(0);
      const std::string value = value_after_restart(files);
      EXPECT_TRUE(value == "$3\r\nold\r\n" || value == "$3\r\nnew\r\n") << value;
    }
  }
}

TEST(SaveFaultTest, SaveDoesNotMindARewriteOfTheLog) {
  MemoryFileSystem files;
  InProcessOptions options{.arguments = {"--save", "", "--appendonly", "yes", "--enable-debug-command", "yes"}};
  options.files = &files;
  {
    InProcessServer server(options);
    auto& client = server.connect();
    client.call("SET", "k", "v");
    for (const char* saving : {"SAVE", "DEBUG"}) {
      client.send_request({"BGREWRITEAOF"});
      saving[0] == 'S' ? client.send_request({"SAVE"}) : client.send_request({"DEBUG", "RELOAD"});
      server.run();
      EXPECT_EQ(client.take(), "+Background append only file rewriting started\r\n+OK\r\n");
      server.advance_ms(200);
      EXPECT_TRUE(has_field(client, "aof_last_bgrewrite_status:ok"));
    }
    EXPECT_TRUE(has_field(client, "aof_rewrites:2"));
  }
  for (const char* log : {"yes", "no"}) {
    options.arguments[3] = log;
    InProcessServer server(options);
    server.run();
    EXPECT_EQ(server.connect().call("GET", "k"), "$1\r\nv\r\n") << log;
  }
}

TEST(SaveFaultTest, AStartRemovesWhatDeadProcessesHaveLeft) {
  MemoryFileSystem files;
  const std::string left[] = {"/temp-4242.rdb", "/temp-2000000001.rdb"};
  const std::string others[] = {"/temp-1.rdb",           "/temp-x.rdb",  "/temp-.rdb",   "/temp-0.rdb",
                                "/temp-99999999999.rdb", "/temp-5.rdb1", "/xtemp-5.rdb", "/temp-2000000002.rdb"};
  for (const std::string& name : left) files.set_content(name, "half");
  for (const std::string& name : others) files.set_content(name, "half");
  const auto saved_elsewhere = files.lock("/temp-2000000002.rdb");
  InProcessOptions options{.arguments = {"--dir", "/"}};
  options.files = &files;
  InProcessServer server(options);
  for (const std::string& name : left) EXPECT_FALSE(*files.exists(name)) << name;
  for (const std::string& name : others) EXPECT_TRUE(*files.exists(name)) << name;
}

// A process of the same number, on another machine, in the same folder.
TEST(SaveFaultTest, WhatAnotherProcessIsSavingIsLeftAlone) {
  InProcessServer server(kOptions);
  auto& client = server.connect();
  const std::string temporary = join_path(parent_path(server.services().saves.path()), "temp-4242.rdb");
  server.files().set_content(temporary, "half");
  {
    const auto lock = server.files().lock(temporary);
    EXPECT_EQ(client.call("SAVE").substr(0, 4), "-ERR");
    client.call("BGSAVE");
    EXPECT_TRUE(has_field(client, "rdb_last_bgsave_status:err"));
    EXPECT_EQ(server.files().content(temporary), "half");
  }
  EXPECT_EQ(client.call("SAVE"), "+OK\r\n");
  EXPECT_FALSE(*server.files().exists(temporary));
}

// ---- FLUSHALL

// No time passes: nothing waits for the cron.
TEST(SaveFaultTest, WhatWasFlushedDoesNotComeBack) {
  for (const bool ends : {false, true}) {
    MemoryFileSystem files;
    InProcessOptions options = kOptions;
    options.files = &files;
    {
      InProcessServer server(options);
      save_once(server);
      auto& client = server.connect();
      EXPECT_EQ(client.call("FLUSHALL"), "+OK\r\n");
      if (ends) client.call("SHUTDOWN", "NOSAVE");
      files.power_cut();
    }
    EXPECT_EQ(value_after_restart(files), "$-1\r\n");
  }
}

TEST(SaveFaultTest, TheSaveOfAFlushIsInNobodysWay) {
  InProcessServer server(kOptions);
  save_once(server);
  auto& client = server.connect();
  for (const char* request : {"FLUSHALL", "SAVE", "FLUSHALL", "BGSAVE", "FLUSHALL"}) client.send_request({request});
  client.send_request({"BGSAVE", "CANCEL"});
  client.send_request({"SHUTDOWN", "NOSAVE"});
  server.run();
  EXPECT_EQ(client.take(),
            "+OK\r\n+OK\r\n+OK\r\n+Background saving started\r\n+OK\r\n"
            "-ERR Background saving is currently not in progress or scheduled\r\n");
  EXPECT_EQ(value_after_restart(server.files()), "$-1\r\n");
}

TEST(SaveFaultTest, FlushesInARowDoNotKeepTheOldFile) {
  InProcessServer server(kOptions);
  save_once(server);
  server.clock().set_look_us(200);
  auto& client = server.connect();
  for (int i = 0; i < 300; ++i) {
    client.send_request({"SET", "k", "new"});
    client.send_request({"FLUSHALL"});
    server.run_turn();
  }
  EXPECT_EQ(value_after_restart(server.files()), "$-1\r\n");
}

TEST(SaveFaultTest, ASavePointSavesInTime) {
  InProcessServer server({.arguments = {"--save", "10 2"}});
  auto& client = server.connect();
  client.call("SET", "a", "1");
  server.advance_ms(20000);
  EXPECT_FALSE(has_field(client, "rdb_saves:1"));
  client.call("SET", "b", "1");
  server.advance_ms(1000);
  EXPECT_TRUE(has_field(client, "rdb_saves:1"));
  EXPECT_TRUE(has_field(client, "rdb_changes_since_last_save:0"));
}

TEST(SaveFaultTest, ASavePointDoesNotMindAClockThatIsSetBack) {
  InProcessServer server({.arguments = {"--save", "10 2"}});
  auto& client = server.connect();
  server.clock().set_wall_us(server.clock().wall_us() - 86'400'000'000);
  client.call("MSET", "a", "1", "b", "1");
  client.call("SET", "c", "1");
  server.files().fail_call(1);
  server.advance_ms(11000);
  ASSERT_TRUE(is_refused(client));
  server.clock().set_wall_us(server.clock().wall_us() - 86'400'000'000);
  server.advance_ms(11000);
  EXPECT_TRUE(has_field(client, "rdb_saves:1"));
  EXPECT_FALSE(is_refused(client));
}

// What a log holds is loaded as it stands, also while nobody may write. Scripts are in logs of older servers.
TEST(SaveFaultTest, ScriptsOfALogAreLoadedWhileSnapshotsFail) {
  MemoryFileSystem files;
  const auto request = [](std::initializer_list<std::string> words) {
    std::string text = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    return text;
  };
  files.set_content("/appendonlydir/appendonly.aof.1.incr.aof",
                    request({"SELECT", "0"}) + request({"EVAL", "return redis.call('set', 'k', 'kept')", "0"}) +
                        request({"EVAL", "#!lua\nreturn redis.call('set', 'l', 'kept')", "0"}));
  files.set_content("/appendonlydir/appendonly.aof.manifest", "file appendonly.aof.1.incr.aof seq 1 type i\n");
  InProcessOptions options{
      .arguments = {"--dir", "/", "--save", "3600 1", "--appendonly", "yes", "--enable-debug-command", "yes"}};
  options.files = &files;
  InProcessServer server(options);
  server.run();
  auto& client = server.connect();
  EXPECT_EQ(client.call("MGET", "k", "l"), "*2\r\n$4\r\nkept\r\n$4\r\nkept\r\n");
  files.fail_call(1);
  client.call("BGSAVE");
  ASSERT_TRUE(is_refused(client));
  EXPECT_EQ(client.call("DEBUG", "LOADAOF"), "+OK\r\n");
  EXPECT_EQ(client.call("MGET", "k", "l"), "*2\r\n$4\r\nkept\r\n$4\r\nkept\r\n");
}

}  // namespace
}  // namespace larder::testing
