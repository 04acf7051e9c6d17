// The append-only log as part of a server: what is acknowledged when, what a failing disk does, what a start makes of what it
// finds. The disk is in memory; any of its calls can be made to fail, and its power to go.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "persistence/aof_manifest.h"
#include "server/core/memory_limit.h"
#include "tests/command/log_server.h"
#include "tests/support/dataset.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::Dataset;
using testing::dataset_of;
using testing::difference_between;
using testing::InProcessServer;
using testing::log_options;
using testing::persistence_field;
using testing::started;
using Connection = InProcessServer::Connection;

constexpr const char* kIncremental = "/appendonlydir/appendonly.aof.1.incr.aof";

// ---- What is acknowledged

TEST(AppendLog, AlwaysAnswersWhatIsDurable) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
    EXPECT_EQ(client.call("RPUSH", "l", "a"), ":1\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.call("LLEN", "l"), ":1\r\n");
}

TEST(AppendLog, EverySecondLosesAtMostASecond) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "everysec"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("SET", "old", "v"), "+OK\r\n");
    server.advance_ms(1100);
    EXPECT_EQ(client.call("SET", "new", "v"), "+OK\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "everysec"));
  EXPECT_EQ(started(server).call("MGET", "old", "new"), "*2\r\n$1\r\nv\r\n$-1\r\n");
}

// What was written under the rule before is not durable yet, and nothing else comes that would make it so.
TEST(AppendLog, TheRuleMayChangeWhileItServes) {
  for (const char* before : {"no", "everysec"}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, before));
      Connection& client = started(server);
      EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
      EXPECT_EQ(client.call("CONFIG", "SET", "appendfsync", "always"), "+OK\r\n");
      EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
      files.power_cut();
    }
    InProcessServer server(log_options(files, before));
    EXPECT_EQ(started(server).call("GET", "k"), "$1\r\nv\r\n");
  }
}

TEST(AppendLog, WaitAofMakesARequestDurableAtOnce) {
  for (const char* rule : {"everysec", "no", "always"}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, rule));
      Connection& client = started(server);
      EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
      EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n") << rule;
      files.power_cut();
    }
    InProcessServer server(log_options(files, rule));
    EXPECT_EQ(started(server).call("GET", "k"), "$1\r\nv\r\n") << rule;
  }
}

// A request is accepted whatever bytes end its lines, as in Redis; the log has its encoding, for who reads it looks at them.
TEST(AppendLog, WhatCameWithOddLineEndsIsWrittenAsItIsUsuallyEncoded) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    client.send("\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    client.send("*3\rX$3\rYSET\r\n$1\r\nb\r\n$1\rZ2\r\n");
    client.send("*3\r\n$3\r\nSETQQ$1\r\ncWW$1\r\n3RR");
    client.send("SET d 4\r\n");
    client.send("*3\r\n$3\r\nSET\r\n$1\r\ne\r\n$1\r\n5\r\n");
    server.run();
    EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
  }
  const std::string log = files.content(kIncremental);
  size_t at = 0;
  for (const std::string pair : {"a1", "b2", "c3", "d4", "e5"}) {
    const std::string encoding = std::string("*3\r\n$3\r\nSET\r\n$1\r\n") + pair[0] + "\r\n$1\r\n" + pair[1] + "\r\n";
    const size_t found = log.find(encoding, at);
    ASSERT_NE(found, std::string::npos) << pair << " in " << log;
    at = found + encoding.size();
  }
}

TEST(AppendLog, WhoWaitsForTheLogIsAnsweredBehindAScriptThatMakesTheServerBusy) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--busy-reply-threshold", "5"}));
  Connection& waiting = started(server);
  Connection& script = server.connect();
  Connection& killer = server.connect();
  waiting.send_request({"SET", "k", "v"});
  waiting.send_request({"WAITAOF", "1", "0", "0"});
  script.send_request({"EVAL", "while true do end", "0"});
  killer.send_request({"SCRIPT", "KILL"});
  server.run();
  EXPECT_EQ(killer.take(), "+OK\r\n");
  EXPECT_TRUE(script.take().starts_with("-ERR Script killed"));
  EXPECT_EQ(waiting.take(), "+OK\r\n*2\r\n:1\r\n:0\r\n");
}

// ---- A disk that fails

TEST(AppendLog, NothingIsAnsweredThatCouldNotBeSynced) {
  for (const uint64_t failing : {1u, 2u}) {  // the write, the sync
    MemoryFileSystem files;
    InProcessServer server(log_options(files, "always"));
    Connection& writer = started(server);
    Connection& other = started(server);
    EXPECT_EQ(writer.call("SET", "k", "1"), "+OK\r\n");
    files.set_torn_bytes(7);
    files.fail_call(failing, ErrorCode::kIo, true);
    EXPECT_EQ(writer.call("SET", "k", "2"), "") << "held until it is durable";
    const std::string refusal = other.call("SET", "k", "3");
    EXPECT_TRUE(refusal.starts_with("-MISCONF Errors writing to the AOF file: ")) << refusal;
    EXPECT_TRUE(other.call("PING").starts_with("-MISCONF "));
    EXPECT_EQ(other.call("GET", "k"), "$1\r\n2\r\n");
    EXPECT_EQ(persistence_field(other, "aof_last_write_status"), "err");
    files.fail_call(0);
    server.advance_ms(1200);
    EXPECT_EQ(writer.take(), "+OK\r\n");
    EXPECT_EQ(persistence_field(other, "aof_last_write_status"), "ok");
    EXPECT_EQ(other.call("SET", "j", "4"), "+OK\r\n");
    files.power_cut();
    InProcessServer next(log_options(files, "always"));
    EXPECT_EQ(started(next).call("MGET", "k", "j"), "*2\r\n$1\r\n2\r\n$1\r\n4\r\n") << failing;
  }
}

// A script writes nothing that a request could not write.
TEST(AppendLog, ScriptsAreRefusedToWriteWhileTheDiskFails) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  client.call("FUNCTION", "LOAD",
              "#!lua name=m\nredis.register_function('f', function() return redis.call('set', 'k', 1) end)\n"
              "redis.register_function{function_name='r', callback=function() return 7 end, flags={'no-writes'}}");
  const std::string set = "return redis.call('set', 'k', 1)";
  files.fail_call(1, ErrorCode::kIo, true);
  EXPECT_EQ(server.connect().call("SET", "j", "1"), "") << "held until it is durable";
  const std::string refusal = client.call("EVAL", set, "0");
  EXPECT_TRUE(refusal.starts_with("-MISCONF Errors writing to the AOF file: ")) << refusal;
  EXPECT_TRUE(refusal.ends_with(", on @user_script:1.\r\n")) << refusal;
  const std::string before = client.call("EVAL", "#!lua\n" + set, "0");
  EXPECT_TRUE(before.starts_with("-MISCONF ") && !before.ends_with(":1.\r\n")) << "before it runs: " << before;
  EXPECT_TRUE(client.call("FCALL", "f", "0").starts_with("-MISCONF "));
  EXPECT_TRUE(client.call("EVAL", "return redis.pcall('set', 'k', 1).err", "0").find("MISCONF") != std::string::npos);
  EXPECT_EQ(client.call("FCALL", "r", "0"), ":7\r\n");
  EXPECT_EQ(client.call("EVAL", "return redis.call('get', 'k')", "0"), "$-1\r\n");
  client.call("MULTI");
  client.call("EVAL", set, "0");
  EXPECT_TRUE(client.call("EXEC").starts_with("*1\r\n-MISCONF "));
  client.call("MULTI");
  EXPECT_TRUE(client.call("EVAL", "#!lua\n" + set, "0").starts_with("-MISCONF "));
  EXPECT_TRUE(client.call("EXEC").starts_with("-EXECABORT "));
  files.fail_call(0);
  server.advance_ms(1200);
  EXPECT_EQ(client.call("EVAL", set, "0"), "+OK\r\n");
}

TEST(AppendLog, AFullDiskRefusesWritesUntilThereIsRoom) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("SELECT", "2"), "+OK\r\n");
  files.set_capacity(3000);
  std::string reply;
  int accepted = 0;
  for (; accepted < 100; ++accepted) {
    reply = client.call("SET", "k" + std::to_string(accepted), std::string(100, 'x'));
    if (reply != "+OK\r\n") break;
    server.advance_ms(20);
  }
  EXPECT_TRUE(reply.starts_with("-MISCONF ")) << reply;
  EXPECT_NE(server.log_text().find("Writing the append only log failed"), std::string::npos);
  files.set_capacity(1000000);
  server.advance_ms(1200);
  EXPECT_EQ(client.call("SET", "last", "v"), "+OK\r\n");
  EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
  files.power_cut();
  InProcessServer next(log_options(files, "everysec"));
  Connection& reader = started(next);
  EXPECT_EQ(reader.call("SELECT", "2"), "+OK\r\n");
  EXPECT_EQ(reader.call("DBSIZE"), ":" + std::to_string(accepted + 1) + "\r\n");
}

// ---- Rewriting

TEST(AppendLog, ARewriteThatFailsAnywhereLosesNothing) {
  for (uint64_t failing = 1;; ++failing) {
    MemoryFileSystem files;
    Dataset expected;
    bool reached = false;
    {
      InProcessServer server(log_options(files, "always"));
      Connection& client = started(server);
      for (int i = 0; i < 20; ++i) client.call("SET", "k" + std::to_string(i), "v");
      client.call("SADD", "s", "1", "2", "x");
      client.call("ZADD", "z", "1", "a");
      const uint64_t before = files.call_count();
      files.fail_call(failing);
      client.call("BGREWRITEAOF");
      server.advance_ms(3000);
      reached = files.call_count() - before >= failing;
      files.fail_call(0);
      EXPECT_EQ(client.call("SET", "after", "1"), "+OK\r\n") << failing;
      expected = dataset_of(server);
      files.power_cut();
    }
    InProcessServer next(log_options(files, "always"));
    next.run();
    EXPECT_EQ(difference_between(expected, dataset_of(next)), "") << "call " << failing << "\n" << next.log_text();
    if (HasFailure()) return;
    if (!reached) break;
  }
}

TEST(AppendLog, TheLogIsRewrittenWhenItHasGrown) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--auto-aof-rewrite-min-size", "10kb"}));
  Connection& client = started(server);
  for (int i = 0; i < 400; ++i) client.call("SET", "k", std::string(100, static_cast<char>('a' + i % 26)));
  server.advance_ms(2000);
  EXPECT_EQ(persistence_field(client, "aof_rewrites"), "1");
  EXPECT_EQ(persistence_field(client, "aof_base_size"), persistence_field(client, "aof_current_size"));
  server.advance_ms(5000);
  EXPECT_EQ(persistence_field(client, "aof_rewrites"), "1");
}

TEST(AppendLog, ABaseMayBeOfCommands) {
  MemoryFileSystem files;
  Dataset expected;
  {
    InProcessServer server(log_options(files, "always", {"--aof-use-rdb-preamble", "no"}));
    Connection& client = started(server);
    client.call("SELECT", "3");
    client.call("EVAL", "for i = 1, 700 do redis.call('RPUSH', 'l', i .. 'x') redis.call('SADD', 's', i) end", "0");
    client.call("HSET", "h", "f", "", "g", "2");
    client.call("HPEXPIREAT", "h", "2000000000000", "FIELDS", "1", "f");
    client.call("ZADD", "z", "0.1", "a", "-inf", "b", "1e300", "c");
    client.call("PEXPIREAT", "z", "2000000000001");
    client.call("XADD", "x", "1-1", "f", "v", "f", "w");
    client.call("XADD", "x", "1-2", "g", "v");
    client.call("XGROUP", "CREATE", "x", "group", "0");
    client.call("XREADGROUP", "GROUP", "group", "c", "COUNT", "1", "STREAMS", "x", ">");
    client.call("XGROUP", "CREATE", "empty", "group", "$", "MKSTREAM");
    client.call("BGREWRITEAOF");
    server.advance_ms(500);
    expected = dataset_of(server);
  }
  EXPECT_TRUE(files.content("/appendonlydir/appendonly.aof.1.base.aof").starts_with("#LB:01:"));
  EXPECT_FALSE(files.content("/appendonlydir/appendonly.aof.manifest").find("base.aof") == std::string::npos);
  InProcessServer server(log_options(files, "always"));
  server.run();
  EXPECT_EQ(difference_between(expected, dataset_of(server)), "");
}

// Every byte of it, one after the other, is another one.
TEST(AppendLog, AByteFlippedInABaseOfCommandsIsFound) {
  const std::string path = "/appendonlydir/appendonly.aof.1.base.aof";
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--aof-use-rdb-preamble", "no"}));
    Connection& client = started(server);
    for (const char* key : {"a", "b", "c"}) client.call("SET", key, "value");
    client.call("HSET", "h", "f", "1", "g", "2");
    client.call("BGREWRITEAOF");
    server.advance_ms(500);
  }
  const std::string whole = files.content(path);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    files.set_content(path, damaged);
    InProcessServer server(log_options(files, "always"));
    server.run();
    EXPECT_TRUE(server.server().load_failed()) << at;
  }
  files.set_content(path, whole);
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":4\r\n");
}

// Cut exactly behind one of its groups it looks whole, but for its end.
TEST(AppendLog, ABaseOfCommandsThatIsCutIsRefused) {
  const std::string path = "/appendonlydir/appendonly.aof.1.base.aof";
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--aof-use-rdb-preamble", "no"}));
    Connection& client = started(server);
    for (const char* key : {"a", "b", "c"}) client.call("SET", key, std::string(300'000, 'x'));
    client.call("BGREWRITEAOF");
    server.advance_ms(500);
  }
  const std::string whole = files.content(path);
  std::vector<size_t> cuts;
  for (size_t at = whole.find("#L", 1); at != std::string::npos; at = whole.find("#L", at + 1)) cuts.push_back(at);
  ASSERT_EQ(cuts.size(), 4u);  // three groups and the claim of the last
  for (const size_t cut : cuts) {
    files.set_content(path, whole.substr(0, cut));
    InProcessServer server(log_options(files, "always", {"--aof-load-corrupt-tail-max-size", "1000000"}));
    server.run();
    EXPECT_TRUE(server.server().load_failed()) << cut;
    EXPECT_NE(server.log_text().find("the end of the base is missing at offset " + std::to_string(cut)),
              std::string::npos)
        << server.log_text();
  }
  // Alone, and in the middle of a group.
  MemoryFileSystem other;
  other.set_content("/appendonly.aof", Bytes(whole).substr(0, cuts[1] + 1000));
  InProcessServer server(log_options(other, "always", {"--aof-load-corrupt-tail-max-size", "1000000"}));
  server.run();
  EXPECT_TRUE(server.server().load_failed());
  EXPECT_NE(server.log_text().find("how much is lost cannot be said"), std::string::npos) << server.log_text();
}

TEST(AppendLog, WhatAnUnfinishedRewriteLeftIsRemoved) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    started(server).call("SET", "k", "v");
  }
  const std::string left = "/appendonlydir/temp-rewriteaof-appendonly.aof-123.aof";
  files.set_content(left, "half of a base");
  files.set_content(left + ".rdb", "half of another");
  const std::string unnamed = "/appendonlydir/appendonly.aof.7.incr.aof.new";
  files.set_content(unnamed, "of a log that never had a base");
  // Of logs with unfortunate names, and what other servers write there now.
  const std::string others[] = {"/appendonlydir/temp-rewriteaof-appendonly.aof-1.aof.1.incr.aof",
                                "/appendonlydir/temp-rewriteaof-appendonly.aof-x-123.aof",
                                "/appendonlydir/temp-rewriteaof-appendonly.aof-2-123.aof",
                                "/appendonlydir/temp-rewriteaof-other.aof-123.aof",
                                "/appendonlydir/temp-rewriteaof-other.aof-123.aof.rdb",
                                "/appendonlydir/other.aof.7.incr.aof.new",
                                "/appendonlydir/appendonly.aof.incr.aof.new",
                                "/appendonlydir/temp-rewriteaof-bg-123.aof"};
  for (const std::string& other : others) files.set_content(other, "not ours");
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":1\r\n");
  EXPECT_FALSE(*files.exists(left));
  EXPECT_FALSE(*files.exists(left + ".rdb"));
  EXPECT_FALSE(*files.exists(unnamed));
  for (const std::string& other : others) EXPECT_TRUE(*files.exists(other)) << other;
}

TEST(AppendLog, ABaseOfCommandsKeepsWhatIsPendingOfDeletedEntries) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("CONFIG", "SET", "aof-use-rdb-preamble", "no"), "+OK\r\n");
    EXPECT_EQ(client.call("XADD", "s", "1-1", "f", "v"), "$3\r\n1-1\r\n");
    EXPECT_EQ(client.call("XADD", "s", "2-1", "f", "v"), "$3\r\n2-1\r\n");
    EXPECT_EQ(client.call("XGROUP", "CREATE", "s", "g", "0"), "+OK\r\n");
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">");
    EXPECT_EQ(client.call("XDEL", "s", "1-1"), ":1\r\n");
    client.call("BGREWRITEAOF");
    server.advance_ms(1000);
    EXPECT_EQ(persistence_field(client, "aof_rewrite_in_progress"), "0");
    EXPECT_EQ(persistence_field(client, "aof_last_bgrewrite_status"), "ok");
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("XPENDING", "s", "g"),
            "*4\r\n:2\r\n$3\r\n1-1\r\n$3\r\n2-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n2\r\n");
}

TEST(AppendLog, TurnedOnWithDataItBeginsWithThem) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    client.call("SET", "before", "1");
    EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
    client.call("SET", "after", "1");
    EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":2\r\n");
}

// What the log says next counts on the keys that it made before.
TEST(AppendLog, NothingIsEvictedWhileItIsLoaded) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    started(server).call("RPUSH", "list", "a", "b");
  }
  InProcessServer server(log_options(files, "always", {"--maxmemory", "1", "--maxmemory-policy", "allkeys-random"}));
  Connection& client = server.connect();
  EXPECT_FALSE(server.services().memory_limit.may_evict());
  EXPECT_TRUE(client.call("LLEN", "list").starts_with("-LOADING"));
  EXPECT_TRUE(server.services().memory_limit.may_evict());
}

// What is loaded and what is logged afterwards is of one folder.
TEST(AppendLog, WhileDataAreLoadedItIsNeitherTurnedOnNorOffNorMoved) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    started(server).call("SET", "k", "v");
  }
  InProcessServer server(log_options(files, "always", {"--enable-protected-configs", "yes"}));
  Connection& client = server.connect();
  const std::string loading = "-LOADING Redis is loading the dataset in memory\r\n";
  client.send_request({"CONFIG", "SET", "appendonly", "no"});
  client.send_request({"CONFIG", "SET", "dir", "/other"});
  client.send_request({"CONFIG", "SET", "appendfsync", "no", "dir", "/other"});
  EXPECT_EQ(client.call("CONFIG", "SET", "dbfilename", "x.rdb"), loading + loading + loading + "+OK\r\n");
  EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(persistence_field(client, "aof_enabled"), "1");
  EXPECT_EQ(client.call("CONFIG", "GET", "dir"), "*2\r\n$3\r\ndir\r\n$1\r\n/\r\n");
}

TEST(AppendLog, WhileItIsOffARewriteLeavesALogOfThePresentData) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    client.call("SET", "k", "1");
    EXPECT_EQ(client.call("BGREWRITEAOF"), "+Background append only file rewriting started\r\n");
    server.advance_ms(500);
    client.call("SET", "later", "1");
    EXPECT_EQ(persistence_field(client, "aof_enabled"), "0");
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("KEYS", "*"), "*1\r\n$1\r\nk\r\n");
}

// ---- What a start finds

// Writes a log of a few groups, the first of them durable beyond doubt. Returns the bytes of its file.
std::string make_log(MemoryFileSystem& files) {
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  for (int i = 0; i < 4; ++i) client.call("SET", "k" + std::to_string(i), "v");
  client.send("MULTI\r\nSET a 1\r\nSET b 2\r\nEXEC\r\n");
  server.run();
  server.server().finish();
  return files.content(kIncremental);
}

TEST(AppendLog, ATornTailIsCutAndKeptAside) {
  MemoryFileSystem files;
  const std::string whole = make_log(files);
  const size_t last_group = whole.rfind("#LG:");
  const std::string torn = whole.substr(0, last_group + 100);
  files.set_content(kIncremental, torn);
  InProcessServer refused(log_options(files, "always", {"--aof-load-truncated", "no"}));
  refused.run();
  EXPECT_TRUE(refused.server().load_failed());
  EXPECT_NE(refused.log_text().find("an unfinished group at offset " + std::to_string(last_group)), std::string::npos)
      << refused.log_text();
  EXPECT_EQ(files.content(kIncremental), torn) << "nothing is changed by a start that is refused";

  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("DBSIZE"), ":4\r\n");
    const std::string saved = std::string(kIncremental) + ".cut-" + std::to_string(last_group);
    EXPECT_EQ(files.content(saved), torn.substr(last_group));
    EXPECT_NE(server.log_text().find("was cut at offset " + std::to_string(last_group)), std::string::npos);
    EXPECT_EQ(client.call("SET", "more", "1"), "+OK\r\n");
  }
  InProcessServer next(log_options(files, "always"));
  EXPECT_EQ(started(next).call("DBSIZE"), ":5\r\n");
}

TEST(AppendLog, WithoutRoomForWhatIsCutNothingIsCut) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "no"));
    Connection& client = started(server);
    client.call("SET", "a", "1");
    client.call("SET", "b", "2");
  }
  const std::string path = "/appendonlydir/appendonly.aof.1.incr.aof";
  const std::string torn = files.content(path) + "#LG:00";
  files.set_content(path, torn);
  files.set_capacity(1);
  {
    InProcessServer server(log_options(files, "no"));
    server.run();
    EXPECT_TRUE(server.server().load_failed());
    EXPECT_NE(server.log_text().find("no space: "), std::string::npos) << server.log_text();
  }
  EXPECT_EQ(files.content(path), torn);
  EXPECT_EQ(files.list("/appendonlydir")->size(), 2u) << "the manifest and the file";
  files.set_capacity(UINT64_MAX);
  InProcessServer server(log_options(files, "no"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":2\r\n");
}

TEST(AppendLog, DamageIsRefusedWithItsPlace) {
  MemoryFileSystem files;
  std::string text = make_log(files);
  const size_t second_group = text.find("#LG:", text.find("#LG:") + 1);
  text[second_group + 90] ^= 4;
  files.set_content(kIncremental, text);
  InProcessServer server(log_options(files, "always"));
  server.run();
  EXPECT_TRUE(server.server().load_failed());
  EXPECT_NE(server.log_text().find(std::string(kIncremental) + ": a wrong checksum at offset " +
                                   std::to_string(second_group)),
            std::string::npos)
      << server.log_text();
  // Who asks for it gets what is in front.
  InProcessServer cut(log_options(files, "always", {"--aof-load-corrupt-tail-max-size", "1mb"}));
  EXPECT_EQ(started(cut).call("DBSIZE"), ":1\r\n");
}

TEST(AppendLog, ALogThatCannotBeLoadedAgainIsLeftAlone) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "always", {"--enable-debug-command", "yes"}));
  Connection& client = started(server);
  client.call("SET", "k", "v");
  EXPECT_EQ(client.call("DEBUG", "LOADAOF"), "+OK\r\n");
  client.call("SET", "l", "v");
  const std::string manifest = files.content("/appendonlydir/appendonly.aof.manifest");
  files.set_content("/appendonlydir/appendonly.aof.manifest", manifest + "file gone.2.incr.aof seq 2 type i\n");
  const std::string failed = "-ERR Error trying to load the AOF files, check server logs\r\n";
  EXPECT_EQ(client.call("DEBUG", "LOADAOF"), failed);
  EXPECT_EQ(client.call("CONFIG", "GET", "appendonly"), "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
  EXPECT_EQ(client.call("DBSIZE"), ":2\r\n");
  files.set_content("/appendonlydir/appendonly.aof.manifest", manifest);
  client.call("SET", "not logged", "v");
  EXPECT_EQ(client.call("DEBUG", "LOADAOF"), "+OK\r\n");
  EXPECT_EQ(client.call("DBSIZE"), ":2\r\n");
  // Turned on again it goes on with these data.
  EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  client.call("SET", "m", "v");
  EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
  files.power_cut();
  InProcessServer again(log_options(files, "always"));
  EXPECT_EQ(started(again).call("DBSIZE"), ":3\r\n");
}

TEST(AppendLog, ADamagedManifestOrAMissingFileIsRefused) {
  MemoryFileSystem files;
  make_log(files);
  const std::string manifest = files.content("/appendonlydir/appendonly.aof.manifest");
  files.set_content("/appendonlydir/appendonly.aof.manifest", "file appendonly.aof.1.incr.aof seq x type i\n");
  InProcessServer server(log_options(files, "always"));
  EXPECT_TRUE(server.server().load_failed());
  files.set_content("/appendonlydir/appendonly.aof.manifest", manifest + "file gone.2.incr.aof seq 2 type i\n");
  InProcessServer second(log_options(files, "always"));
  second.run();
  EXPECT_TRUE(second.server().load_failed());
  EXPECT_NE(second.log_text().find("gone.2.incr.aof"), std::string::npos) << second.log_text();
}

// Wherever the file ends, a transaction is there as a whole or not at all.
TEST(AppendLog, ATransactionIsNeverLoadedInPart) {
  MemoryFileSystem files;
  const std::string whole = make_log(files);
  const std::string plain =
      "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$"
      "4\r\nEXEC\r\n";
  for (const std::string& text : {whole, plain}) {
    for (size_t size = text.find("MULTI"); size <= text.size(); ++size) {
      MemoryFileSystem cut;
      cut.set_content("/appendonlydir/appendonly.aof.manifest",
                      files.content("/appendonlydir/appendonly.aof.manifest"));
      cut.set_content(kIncremental, text.substr(0, size));
      InProcessServer server(log_options(cut, "always"));
      const std::string count = started(server).call("EXISTS", "a", "b");
      ASSERT_TRUE(count == ":0\r\n" || count == ":2\r\n") << size << ": " << count;
    }
  }
}

}  // namespace
}  // namespace larder
