// What a tick does with requests that make more of it than their bytes say: large replies, and work that takes long.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/core/server_stats.h"
#include "tests/support/bulk_text.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::bulk;
using testing::InProcessServer;
using Connection = InProcessServer::Connection;

// Below what is sent from where it lies.
constexpr size_t kCopiedBytes = 15000;
constexpr size_t kPinnedBytes = 300000;

std::string repeat(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(TickBounds, APipelineOfLargeRepliesIsCutOff) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value(kCopiedBytes, 'v');
  client.call("SET", "k", value);
  client.set_window_bytes(0);
  client.send(repeat("GET k\r\nPING\r\n", 1000));
  for (size_t turns = 1; turns <= 10; ++turns) {
    server.run_turn();
    EXPECT_LE(client.client().queued_bytes(), turns * (Tick::kTurnOutputBytes + 2 * kCopiedBytes));
  }
  EXPECT_FALSE(client.client().is_blocked()) << "it waits for nothing but its turn";
  client.set_window_bytes(Connection::kUnlimited);
  client.take();
  server.run();
  EXPECT_EQ(client.arrived(), repeat(bulk(value) + "+PONG\r\n", 1000));
}

TEST(TickBounds, PinnedValuesAreJudgedBeforeThereAreThousands) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("SET", "k", std::string(kPinnedBytes, 'p'));
  admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 4mb 0 0");
  slow.set_window_bytes(0);
  slow.send(repeat("GET k\r\n", 2000));
  server.run_turn();
  EXPECT_LE(slow.client().queued_bytes(), Tick::kTurnOutputBytes + 2 * kPinnedBytes);
  server.run();
  EXPECT_TRUE(slow.closed());
  const std::string& log = server.log_text();
  const size_t said = log.find("closed for overcoming of output buffer limits: ");
  ASSERT_NE(said, std::string::npos);
  const size_t digits = log.find_first_of("0123456789", log.find("limits: ", said));
  EXPECT_LE(std::stoull(log.substr(digits)), 4u * 1024 * 1024 + Tick::kTurnOutputBytes + 2 * kPinnedBytes);
}

TEST(TickBounds, ManyClientsTogetherAreBoundedAndAllAreServed) {
  InProcessServer server;
  constexpr size_t kClients = 40;
  constexpr size_t kRequests = 60;
  const std::string value(kCopiedBytes, 'v');
  std::vector<Connection*> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(&server.connect());
  clients[0]->call("SET", "k", value);
  for (Connection* client : clients) {
    client->set_window_bytes(0);
    client->send(repeat("GET k\r\n", kRequests) + "ECHO last\r\n");
  }
  server.run_turn();
  size_t queued_bytes = 0;
  for (Connection* client : clients) queued_bytes += client->client().queued_bytes();
  EXPECT_LE(queued_bytes, Tick::kTickOutputBytes + 2 * kCopiedBytes);
  server.run();
  for (Connection* client : clients) {
    client->set_window_bytes(Connection::kUnlimited);
    client->take();
    server.run();
    EXPECT_EQ(client->take(), repeat(bulk(value), kRequests) + bulk("last"));
  }
}

testing::InProcessOptions with_debug() {
  testing::InProcessOptions options;
  options.arguments = {"--enable-debug-command", "yes"};
  return options;
}

TEST(TickBounds, SlowRequestsOfOneClientLetOthersIn) {
  InProcessServer server(with_debug());
  Connection& slow = server.connect();
  Connection& quick = server.connect();
  slow.send(repeat("DEBUG SLEEP 0.01\r\n", 20));
  quick.send("PING\r\n");
  server.run_turn();
  EXPECT_EQ(slow.take(), "+OK\r\n");
  EXPECT_EQ(quick.take(), "");
  server.run_turn();
  EXPECT_EQ(quick.take(), "+PONG\r\n") << "it comes before the one that had its turn";
  quick.send("PING\r\n");
  server.run_turn();
  server.run_turn();
  EXPECT_EQ(quick.take(), "+PONG\r\n");
  server.run();
  EXPECT_EQ(repeat("+OK\r\n", 19).size(), slow.arrived().size());
}

TEST(TickBounds, TwoSlowClientsTakeTurns) {
  InProcessServer server(with_debug());
  Connection& a = server.connect();
  Connection& b = server.connect();
  a.send(repeat("RPUSH order a\r\nDEBUG SLEEP 0.01\r\n", 10));
  b.send(repeat("RPUSH order b\r\nDEBUG SLEEP 0.01\r\n", 10));
  server.run();
  Connection& reader = server.connect();
  const Reply order = reader.ask("LRANGE", "order", "0", "-1");
  std::string names;
  for (const Reply& name : order.elements) names += name.text;
  EXPECT_EQ(names, repeat("ab", 10));
}

// Keys due are removed between the requests of a pipeline that takes long.
TEST(TickBounds, KeysExpireBehindEachTick) {
  InProcessServer server(with_debug());
  Connection& client = server.connect();
  client.call("SET", "k", "v", "PX", "20");
  client.send(repeat("DEBUG SLEEP 0.01\r\n", 50));
  for (int turn = 0; turn < 6; ++turn) server.run_turn();
  EXPECT_EQ(server.services().stats.expired_keys, 1u);
  EXPECT_LE(client.arrived().size(), 6 * std::string("+OK\r\n").size());
}

// A pause that many wait for ends: their requests come in ticks of the usual size.
TEST(TickBounds, ThousandsThatWereHeldDoNotComeAtOnce) {
  InProcessServer server;
  Connection& admin = server.connect();
  constexpr size_t kClients = 50;
  constexpr size_t kRequests = 1000;
  std::vector<Connection*> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(&server.connect());
  admin.call("CLIENT", "PAUSE", "100000", "WRITE");
  for (Connection* client : clients) client->send(repeat("SET k v\r\n", kRequests) + "ECHO last\r\n");
  server.run();
  EXPECT_TRUE(clients[0]->client().is_blocked());
  server.services().stats.tick_requests_max = 0;
  admin.call("CLIENT", "UNPAUSE");
  EXPECT_LE(server.services().stats.tick_requests_max, Tick::kTickRequests);
  for (Connection* client : clients) EXPECT_EQ(client->take(), repeat("+OK\r\n", kRequests) + bulk("last"));
}

TEST(TickBounds, ACutOffPipelineEndsWithItsUnfinishedRequest) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value(kPinnedBytes, 'v');
  client.call("SET", "k", value);
  client.send(repeat("GET k\r\n", 20) + "*2\r\n$4\r\nECHO\r\n$5\r\nhe");
  server.run();
  EXPECT_EQ(client.take(), repeat(bulk(value), 20));
  client.send("llo\r\nNONSENSE\r\n*1\r\n?\r\n");
  server.run();
  const std::string rest = client.take();
  EXPECT_EQ(rest.substr(0, 11), bulk("hello"));
  EXPECT_NE(rest.find("Protocol error"), std::string::npos);
  EXPECT_TRUE(client.closed());
}

TEST(TickBounds, AClientThatGoesWhileItIsPostponed) {
  InProcessServer server;
  Connection& client = server.connect();
  Connection& other = server.connect();
  client.call("SET", "k", std::string(kPinnedBytes, 'v'));
  client.send(repeat("GET k\r\n", 100));
  server.run_turn();
  client.close();
  server.run();
  EXPECT_EQ(other.call("PING"), "+PONG\r\n");
}

// One request at a time is parsed of a client that is not logged in.
TEST(TickBounds, APipelineBehindALogin) {
  testing::InProcessOptions options;
  options.arguments = {"--requirepass", "secret"};
  InProcessServer server(options);
  Connection& client = server.connect();
  const std::string value(kPinnedBytes, 'v');
  client.send("AUTH secret\r\n");
  server.run();
  client.call("SET", "k", value);
  Connection& late = server.connect();
  late.send("PING\r\nAUTH secret\r\n" + repeat("GET k\r\n", 20));
  server.run();
  EXPECT_EQ(late.take(), "-NOAUTH Authentication required.\r\n+OK\r\n" + repeat(bulk(value), 20));
}

}  // namespace
}  // namespace larder
