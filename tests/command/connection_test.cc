// Connection, CLIENT and transaction behaviour that needs several clients, a clock or settings; what one client sees in
// one connection is in the text scenarios.

#include <gtest/gtest.h>

#include "tests/support/in_process_server.h"

namespace larder::testing {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Authentication, PasswordIsAskedForAndNotShown) {
  InProcessServer server({.arguments = {"--requirepass", "secret", "--slowlog-log-slower-than", "0"}});
  auto& client = server.connect();
  EXPECT_EQ(client.call("GET", "k"), "-NOAUTH Authentication required.\r\n");
  EXPECT_TRUE(client.call("HELLO", "3").starts_with("-NOAUTH HELLO must be called"));
  EXPECT_TRUE(client.call("AUTH", "secre").starts_with("-WRONGPASS"));
  EXPECT_TRUE(client.call("AUTH", "nobody", "secret").starts_with("-WRONGPASS"));
  EXPECT_EQ(server.services().stats.acl_denied_auth, 2u);
  EXPECT_EQ(client.call("AUTH", "secret"), "+OK\r\n");
  EXPECT_EQ(client.call("GET", "k"), "$-1\r\n");
  EXPECT_TRUE(contains(client.call("HELLO", "2", "AUTH", "default", "secret"), "$5\r\nredis\r\n"));
  EXPECT_FALSE(contains(client.call("SLOWLOG", "GET", "-1"), "secre"));
  EXPECT_EQ(client.call("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.call("GET", "k"), "-NOAUTH Authentication required.\r\n");
}

TEST(ClientReply, OffSkipAndOn) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("CLIENT", "REPLY", "SKIP"), "");
  EXPECT_EQ(client.call("PING"), "");
  EXPECT_EQ(client.call("PING"), "+PONG\r\n");
  EXPECT_EQ(client.call("CLIENT", "REPLY", "OFF"), "");
  EXPECT_EQ(client.call("PING"), "");
  EXPECT_EQ(client.call("SET", "k", std::string(20000, 'x')), "");
  EXPECT_EQ(client.call("GET", "k"), "");  // large enough to be sent from where it lies
  EXPECT_EQ(client.call("NOSUCH"), "");
  EXPECT_EQ(client.call("CLIENT", "REPLY", "ON"), "+OK\r\n");
  EXPECT_EQ(client.call("STRLEN", "k"), ":20000\r\n");
}

TEST(ClientReply, SkipWithMemoryLimit) {
  InProcessServer server({.arguments = {"--maxmemory", "1gb"}});  // every request takes the long way
  auto& client = server.connect();
  EXPECT_EQ(client.call("CLIENT", "REPLY", "SKIP"), "");
  EXPECT_EQ(client.call("PING"), "");
  EXPECT_EQ(client.call("PING"), "+PONG\r\n");
}

TEST(ClientKill, FiltersAndSelf) {
  InProcessServer server;
  auto& killer = server.connect();
  auto& other = server.connect();
  EXPECT_EQ(killer.call("CLIENT", "KILL", "TYPE", "normal", "NOT-ID", "2"), ":0\r\n");
  EXPECT_EQ(killer.call("CLIENT", "KILL", "ID", "2"), ":1\r\n");
  EXPECT_TRUE(other.closed());
  EXPECT_FALSE(killer.closed());
  EXPECT_EQ(killer.call("CLIENT", "KILL", "ID", "1", "SKIPME", "no"), ":1\r\n");
  EXPECT_TRUE(killer.closed());
}

TEST(ClientPause, HoldsWritesUntilItsEnd) {
  InProcessServer server;
  auto& admin = server.connect();
  auto& client = server.connect();
  EXPECT_EQ(admin.call("CLIENT", "PAUSE", "1000", "WRITE"), "+OK\r\n");
  EXPECT_EQ(client.call("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.call("SET", "k", "v"), "");
  server.advance_ms(1100);
  EXPECT_EQ(admin.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(admin.call("CLIENT", "PAUSE", "1000"), "+OK\r\n");
  EXPECT_EQ(client.call("PING"), "+OK\r\n");       // the SET's
  EXPECT_EQ(admin.call("CLIENT", "UNPAUSE"), "");  // held like all others
  server.advance_ms(1100);
  EXPECT_EQ(client.call("PING"), "+PONG\r\n+PONG\r\n");
}

TEST(Transaction, WatchedKeyChangedByAnother) {
  InProcessServer server;
  auto& client = server.connect();
  auto& other = server.connect();
  client.call("WATCH", "k");
  other.call("SET", "k", "1");
  client.call("MULTI");
  EXPECT_EQ(client.call("PING"), "+QUEUED\r\n");
  EXPECT_EQ(client.call("EXEC"), "*-1\r\n");
  client.call("MULTI");
  client.call("GET", "k");
  EXPECT_EQ(client.call("EXEC"), "*1\r\n$1\r\n1\r\n");  // the watch ended with the transaction
}

TEST(Transaction, WatchedKeyExpires) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  client.call("SET", "k", "v", "PX", "50");
  client.call("WATCH", "k");
  server.advance_ms(100);
  client.call("MULTI");
  client.call("PING");
  EXPECT_EQ(client.call("EXEC"), "*-1\r\n");
  client.call("SET", "k", "v", "PX", "50");
  server.advance_ms(100);
  client.call("WATCH", "k");  // over already: its removal is no change
  client.call("MULTI");
  client.call("PING");
  EXPECT_EQ(client.call("EXEC"), "*1\r\n+PONG\r\n");
}

TEST(Transaction, ErrorsWhileQueueing) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("MULTI");
  EXPECT_EQ(client.call("MULTI"), "-ERR MULTI calls can not be nested\r\n");
  EXPECT_EQ(client.call("WATCH", "k"), "-ERR WATCH inside MULTI is not allowed\r\n");
  EXPECT_EQ(client.call("SLOWLOG", "RESET"), "+QUEUED\r\n");
  EXPECT_EQ(client.call("EXEC"), "*1\r\n+OK\r\n");
  client.call("MULTI");
  EXPECT_TRUE(client.call("NOSUCH").starts_with("-ERR unknown command"));
  EXPECT_EQ(client.call("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
  EXPECT_EQ(client.call("EXEC"), "-ERR EXEC without MULTI\r\n");
}

TEST(Transaction, ErrorInsideIsCountedOnce) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("MULTI");
  client.call("SET", "k", "v");
  client.call("INCR", "k");
  EXPECT_EQ(client.call("EXEC"), "*2\r\n+OK\r\n-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(server.services().stats.error_replies, 1u);
  EXPECT_EQ(server.services().registry.find("exec")->stats.failed_calls, 0u);
  EXPECT_EQ(server.services().registry.find("incr")->stats.failed_calls, 1u);
}

TEST(Transaction, MemoryLimitAtExec) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("SET", "there", "before");
  client.call("MULTI");
  EXPECT_EQ(client.call("SET", "k", "v"), "+QUEUED\r\n");
  server.connect().call("CONFIG", "SET", "maxmemory", "1");
  EXPECT_EQ(client.call("EXEC"),
            "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n");
  EXPECT_EQ(client.call("PING"), "+PONG\r\n");
}

TEST(Debug, RefusedUnlessAllowed) {
  InProcessServer server({.arguments = {"--enable-debug-command", "no"}});
  auto& client = server.connect();
  EXPECT_TRUE(client.call("DEBUG", "SLEEP", "0").starts_with("-ERR DEBUG command not allowed."));
  EXPECT_TRUE(client.call("MODULE", "LOAD", "x").starts_with("-ERR MODULE command not allowed."));
}

TEST(Shutdown, AsksTheProcess) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("SHUTDOWN", "SAVE", "NOSAVE"), "-ERR syntax error\r\n");
  EXPECT_FALSE(server.shutdown_requested());
  EXPECT_EQ(client.call("SHUTDOWN", "NOSAVE"), "");
  EXPECT_TRUE(server.shutdown_requested());
}

}  // namespace
}  // namespace larder::testing
