// What time does: keys expire, pauses end, idle clients are closed. All with the simulated clock.

#include <gtest/gtest.h>

#include <string>

#include "server/core/server_stats.h"
#include "storage/keyspace.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

TEST(Expiry, AKeyIsGoneAtItsDeadlineToTheMillisecond) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  client.call("SET", "k", "v", "PX", "1000");
  server.clock().advance_ms(999);
  EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.call("PTTL", "k"), ":1\r\n");
  server.clock().advance_ms(1);
  EXPECT_EQ(client.call("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.call("PTTL", "k"), ":-2\r\n");
}

TEST(Expiry, KeysGoWithoutAnybodyLooking) {
  InProcessServer server;
  Connection& client = server.connect();
  constexpr int kKeys = 20000;
  for (int i = 0; i < kKeys; ++i) client.send_request({"SET", "key:" + std::to_string(i), "v", "PX", "1000"});
  client.send_request({"SET", "stays", "v"});
  server.run();
  client.take();
  EXPECT_EQ(client.call("DBSIZE"), ":" + std::to_string(kKeys + 1) + "\r\n");
  server.advance_ms(1050);
  EXPECT_EQ(client.call("DBSIZE"), ":1\r\n");
  EXPECT_EQ(server.services().stats.expired_keys, static_cast<uint64_t>(kKeys));
  server.services().store.database(0).check_integrity();
}

TEST(Expiry, DeadlinesOfEveryLengthComeOnTime) {
  InProcessServer server;
  Connection& client = server.connect();
  int64_t ttl_ms = 100;
  int count = 0;
  for (; ttl_ms < int64_t{100} * 24 * 3600 * 1000; ttl_ms *= 3, ++count) {
    client.call("SET", "key:" + std::to_string(count), "v", "PX", std::to_string(ttl_ms));
  }
  const int64_t started_ms = server.clock().wall_ms();
  int64_t expected_ms = 100;
  for (int gone = 1; gone <= count; ++gone, expected_ms *= 3) {
    server.advance_ms(started_ms + expected_ms - server.clock().wall_ms() + 20);
    EXPECT_EQ(client.call("DBSIZE"), ":" + std::to_string(count - gone) + "\r\n") << expected_ms;
  }
}

TEST(Expiry, EveryDatabaseHasItsTurn) {
  InProcessServer server;
  Connection& client = server.connect();
  for (int db = 0; db < 16; ++db) {
    client.call("SELECT", std::to_string(db));
    client.call("SET", "k", "v", "PX", "100");
  }
  server.advance_ms(200);
  EXPECT_EQ(server.services().stats.expired_keys, 16u);
}

TEST(Pause, HeldRequestsRunInOrderWhenItEnds) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& client = server.connect();
  admin.call("CLIENT", "PAUSE", "1000");
  client.send("SET k 1\r\nINCR k\r\nGET k\r\n");
  server.run();
  EXPECT_EQ(client.take(), "");
  server.advance_ms(990);
  EXPECT_EQ(client.take(), "");
  server.advance_ms(20);
  EXPECT_EQ(client.take(), "+OK\r\n:2\r\n$1\r\n2\r\n");
  EXPECT_EQ(client.call("PING"), "+PONG\r\n");
}

TEST(Pause, ReadsBeforeAHeldWriteAreAnsweredAtOnce) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& client = server.connect();
  admin.call("CLIENT", "PAUSE", "1000", "WRITE");
  client.send("PING\r\nSET k 1\r\nPING\r\n");
  server.run();
  EXPECT_EQ(client.take(), "+PONG\r\n");
  admin.call("CLIENT", "UNPAUSE");
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n+PONG\r\n");
}

TEST(Pause, AHeldClientMayGoAway) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& client = server.connect();
  Connection& killed = server.connect();
  admin.call("CLIENT", "PAUSE", "1000", "WRITE");
  client.send("SET k 1\r\n");
  killed.send("SET k 2\r\n");
  server.run();
  client.close();
  admin.call("CLIENT", "KILL", "ID", std::to_string(killed.client().id));
  server.advance_ms(2000);
  EXPECT_EQ(admin.call("GET", "k"), "$-1\r\n");
}

TEST(Pause, AHalfReceivedRequestSurvivesIt) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& client = server.connect();
  const std::string value(100000, 'v');
  client.send("SET a 1\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n" + value.substr(0, 40000));
  admin.call("CLIENT", "PAUSE", "1000");
  client.send(value.substr(40000) + "\r\nSTRLEN k\r\n");
  server.run();
  server.advance_ms(1100);
  const std::string got = client.take();
  EXPECT_EQ(got, "+OK\r\n+OK\r\n:100000\r\n");
}

TEST(Idle, ClientsAreClosedAfterTheTimeout) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& idle = server.connect();
  admin.call("CONFIG", "SET", "timeout", "10");
  idle.call("PING");
  for (int second = 0; second < 9; ++second) {
    server.advance_ms(1000);
    admin.call("PING");
  }
  EXPECT_FALSE(idle.closed());
  for (int second = 0; second < 4; ++second) {
    server.advance_ms(1000);
    admin.call("PING");
  }
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(admin.closed());
}

}  // namespace
}  // namespace larder
