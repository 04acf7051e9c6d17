// The checks before a command runs, their order, and what is counted.

#include <gtest/gtest.h>

#include <string>

#include "server/core/memory_limit.h"
#include "server/core/server_stats.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

const CommandStats& stats_of(InProcessServer& server, Bytes name) {
  return server.services().registry.find_full_name(name)->stats;
}

TEST(Dispatcher, CountsCallsFailuresAndRejections) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("SET", "k", "text");
  client.call("INCR", "k");
  client.call("INCR", "n");
  client.call("INCR");
  client.call("NOSUCH");
  EXPECT_EQ(stats_of(server, "set").calls, 1u);
  EXPECT_EQ(stats_of(server, "incr").calls, 2u);
  EXPECT_EQ(stats_of(server, "incr").failed_calls, 1u);
  EXPECT_EQ(stats_of(server, "incr").rejected_calls, 1u);
  EXPECT_EQ(server.services().stats.commands_processed, 3u);
  EXPECT_EQ(server.services().stats.error_replies, 3u);
}

TEST(Dispatcher, SubcommandsCountForThemselves) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("CLIENT", "ID");
  client.call("client", "id");
  EXPECT_EQ(stats_of(server, "client|id").calls, 2u);
  EXPECT_EQ(stats_of(server, "client").calls, 0u);
}

TEST(Dispatcher, UnknownAndArityComeBeforeAuthentication) {
  InProcessServer server({.arguments = {"--requirepass", "x"}});
  Connection& client = server.connect();
  EXPECT_EQ(client.call("NOSUCH").rfind("-ERR unknown command", 0), 0u);
  EXPECT_EQ(client.call("GET").rfind("-ERR wrong number of arguments", 0), 0u);
  EXPECT_EQ(client.call("GET", "k"), "-NOAUTH Authentication required.\r\n");
}

// Others are served while a script is busy, but no key goes from under it.
TEST(Dispatcher, NothingIsEvictedWhileAScriptIsBusy) {
  InProcessServer server({.arguments = {"--maxmemory-policy", "allkeys-random", "--busy-reply-threshold", "1"}});
  Connection& caller = server.connect();
  Connection& other = server.connect();
  for (int i = 0; i < 200; ++i) caller.call("SET", "k" + std::to_string(i), "v");
  const uint64_t limit = server.services().memory_limit.used_bytes() + 50'000;
  caller.call("CONFIG", "SET", "maxmemory", std::to_string(limit));
  caller.send_request({"EVAL",
                       "redis.call('SET', 'big', string.rep('x', 500000)) local before = redis.call('DBSIZE') "
                       "local i = 0 while i < 30000000 do i = i + 1 end return before - redis.call('DBSIZE')",
                       "0"});
  other.send_request({"PING"});
  server.run();
  EXPECT_EQ(caller.take(), ":0\r\n");
  EXPECT_TRUE(other.take().starts_with("-BUSY"));
  caller.call("PING");
  EXPECT_LE(server.services().memory_limit.used_bytes(), limit);
}

TEST(Dispatcher, MemoryIsCheckedForCommandsThatUseMore) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("SET", "k", "v");
  client.call("CONFIG", "SET", "maxmemory", "1");
  EXPECT_EQ(client.call("SET", "k2", "v").rfind("-OOM", 0), 0u);
  EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.call("DEL", "k"), ":1\r\n");
}

TEST(Dispatcher, ATransactionQueuesButAnswersWhatCannotBeQueued) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("MULTI");
  EXPECT_EQ(client.call("SET", "k", "v"), "+QUEUED\r\n");
  EXPECT_EQ(client.call("SET", "k").rfind("-ERR wrong number", 0), 0u);
  EXPECT_EQ(client.call("EXEC").rfind("-EXECABORT", 0), 0u);
  EXPECT_EQ(client.client().transaction, nullptr) << "the memory of a transaction is given back";
  EXPECT_EQ(client.client().gate, 0u);
}

TEST(Dispatcher, AClientThatGoesAwayTakesItsWatchesAlong) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("WATCH", "a", "b");
  client.call("MULTI");
  client.call("SET", "a", "1");
  EXPECT_FALSE(server.services().transactions.empty());
  client.close();
  EXPECT_TRUE(server.services().transactions.empty());
  EXPECT_EQ(server.connect().call("SET", "a", "2"), "+OK\r\n");
}

TEST(Dispatcher, RenamedAndRemovedCommands) {
  InProcessServer server({.arguments = {"--rename-command", "FLUSHALL", "wipe", "--rename-command", "KEYS", ""}});
  ASSERT_EQ(server.start_error(), "");
  Connection& client = server.connect();
  EXPECT_EQ(client.call("FLUSHALL").rfind("-ERR unknown command", 0), 0u);
  EXPECT_EQ(client.call("WIPE"), "+OK\r\n");
  EXPECT_EQ(client.call("KEYS", "*").rfind("-ERR unknown command", 0), 0u);
}

TEST(Dispatcher, ProtectedModeRefusesStrangers) {
  InProcessServer server;
  ClientOrigin stranger;
  stranger.peer = "10.1.2.3:555";
  stranger.local = "10.0.0.1:6379";
  Connection& refused = server.connect(stranger);
  EXPECT_TRUE(refused.closed());
  EXPECT_EQ(refused.take().rfind("-DENIED", 0), 0u);
  EXPECT_EQ(server.services().stats.connections_rejected, 1u);
}

TEST(Dispatcher, MaxclientsCountsWhoIsThere) {
  InProcessServer server({.arguments = {"--maxclients", "2"}});
  Connection& first = server.connect();
  server.connect();
  EXPECT_EQ(server.connect().take(), "-ERR max number of clients reached\r\n");
  first.close();
  EXPECT_FALSE(server.connect().closed());
}

TEST(Dispatcher, TheSlowLogKeepsWhatTookLong) {
  InProcessServer server({.arguments = {"--enable-debug-command", "yes"}});
  Connection& client = server.connect();
  client.call("DEBUG", "SLEEP", "0.5");
  const Reply log = client.ask("SLOWLOG", "GET");
  ASSERT_EQ(log.elements.size(), 1u);
  EXPECT_EQ(log.elements[0].elements[2].integer, 500000);
  EXPECT_EQ(log.elements[0].elements[3].elements[0].text, "DEBUG");
}

TEST(Dispatcher, PasswordsStayOutOfTheSlowLog) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("CONFIG", "SET", "slowlog-log-slower-than", "0");
  client.call("AUTH", "default", "hush-hush");
  client.call("HELLO", "2", "AUTH", "default", "hush-hush");
  client.call("CONFIG", "SET", "requirepass", "hush-hush");
  EXPECT_EQ(client.call("SLOWLOG", "GET", "-1").find("hush-hush"), std::string::npos);
  EXPECT_EQ(server.log_text().find("hush-hush"), std::string::npos);
}

TEST(Dispatcher, ShutdownAsksTheProcess) {
  InProcessServer server;
  Connection& client = server.connect();
  EXPECT_EQ(client.call("SHUTDOWN", "NOSAVE"), "");
  EXPECT_TRUE(server.shutdown_requested());
}

TEST(Memory, ComesBackAfterFlushall) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("PING");
  const auto used = [&] { return server.services().store.memory_bytes(); };
  const uint64_t before = used();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const std::string n = std::to_string(i);
      client.send_request({"SET", "key:" + n, std::string(static_cast<size_t>(i % 500), 'x')});
      if (i % 3 == 0) client.send_request({"PEXPIRE", "key:" + n, "1000000"});
      if (i % 100 == 0) client.send_request({"SET", "large:" + n, std::string(100000, 'y')});
    }
    server.run();
    client.take();
    EXPECT_GT(used(), before + 5 * 1000 * 1000);
    server.services().store.database(0).check_integrity();
    EXPECT_EQ(client.call("FLUSHALL", round % 2 == 0 ? "ASYNC" : "SYNC"), "+OK\r\n");
    server.run();
    EXPECT_LE(used(), before + 64 * 1024) << "round " << round;
    EXPECT_EQ(server.services().store.blobs().used_bytes(), 0u);
  }
}

TEST(Memory, ComesBackAfterDeletes) {
  InProcessServer server;
  Connection& client = server.connect();
  const auto used = [&] { return server.services().store.memory_bytes(); };
  const uint64_t before = used();
  for (int i = 0; i < 2000; ++i) client.send_request({"SET", "key:" + std::to_string(i), std::string(300, 'x')});
  for (int i = 0; i < 2000; ++i) client.send_request({"DEL", "key:" + std::to_string(i)});
  server.run();
  server.advance_ms(1000);
  EXPECT_LE(used(), before + 64 * 1024);
}

}  // namespace
}  // namespace larder
