// What clients are owed: large values sent from where they lie, readers that are slow, and the limits on both.

#include <gtest/gtest.h>

#include <string>

#include "server/core/server_stats.h"
#include "tests/support/bulk_text.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::bulk;
using testing::InProcessServer;
using Connection = InProcessServer::Connection;

TEST(Output, LargeValuesKeepTheirPlaceInAPipeline) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string a(100000, 'a');
  const std::string b(70000, 'b');
  client.call("SET", "a", a);
  client.call("SET", "b", b);
  for (int i = 0; i < 3; ++i) {
    client.send("PING\r\nGET a\r\nPING\r\nGET b\r\nMGET a missing b\r\nPING\r\n");
  }
  server.run();
  const std::string once =
      "+PONG\r\n" + bulk(a) + "+PONG\r\n" + bulk(b) + "*3\r\n" + bulk(a) + "$-1\r\n" + bulk(b) + "+PONG\r\n";
  EXPECT_EQ(client.take(), once + once + once);
}

TEST(Output, ALargeValueThatIsChangedWhileItIsSentArrivesAsItWas) {
  InProcessServer server;
  Connection& reader = server.connect();
  Connection& writer = server.connect();
  const std::string old_value(200000, 'o');
  const std::string new_value(200000, 'n');
  writer.call("SET", "k", old_value);
  reader.set_window_bytes(1000);
  reader.send("GET k\r\n");
  server.run();
  writer.call("SET", "k", new_value);
  writer.call("APPEND", "k", "tail");
  writer.call("SETRANGE", "k", "5", "patch");
  writer.call("DEL", "k");
  writer.call("FLUSHALL");
  std::string got;
  for (int i = 0; i < 1000 && got.size() < old_value.size() + 11; ++i) {
    got += reader.take();
    server.run();
  }
  EXPECT_EQ(got, bulk(old_value));
}

TEST(Output, ASlowReaderGetsEverythingInTheEnd) {
  InProcessServer server;
  Connection& client = server.connect();
  client.set_window_bytes(777);
  client.call("SET", "k", std::string(50000, 'x'));
  client.take();
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    client.send("GET k\r\nPING\r\n");
    expected += bulk(std::string(50000, 'x')) + "+PONG\r\n";
  }
  std::string got;
  for (int i = 0; i < 100000 && got.size() < expected.size(); ++i) {
    server.run();
    got += client.take();
  }
  EXPECT_EQ(got, expected);
  server.run();
  EXPECT_EQ(client.client().queue_, nullptr) << "a client that is up to date has no queue";
}

TEST(Output, TheHardLimitClosesAReaderThatOwesTooMuch) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  EXPECT_EQ(admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"), "+OK\r\n");
  admin.call("SET", "k", std::string(300000, 'x'));
  slow.set_window_bytes(0);
  for (int i = 0; i < 3; ++i) slow.send("GET k\r\n");
  server.run();
  EXPECT_FALSE(slow.closed());
  for (int i = 0; i < 3; ++i) slow.send("GET k\r\n");
  server.run();
  EXPECT_TRUE(slow.closed());
  EXPECT_EQ(server.services().stats.output_limit_disconnections, 1u);
  EXPECT_EQ(admin.call("PING"), "+PONG\r\n");
}

TEST(Output, TheSoftLimitGivesTime) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 100kb 5");
  admin.call("SET", "k", std::string(300000, 'x'));
  slow.set_window_bytes(0);
  slow.send("GET k\r\n");
  server.run();
  server.advance_ms(4000);
  EXPECT_FALSE(slow.closed());
  server.advance_ms(2000);
  EXPECT_TRUE(slow.closed());
}

TEST(Output, WhoReadsInTimeIsForgiven) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 100kb 5");
  admin.call("SET", "k", std::string(300000, 'x'));
  slow.set_window_bytes(0);
  for (int round = 0; round < 3; ++round) {
    slow.send("GET k\r\n");
    server.run();
    server.advance_ms(4000);
    slow.set_window_bytes(Connection::kUnlimited);
    slow.take();
    server.run();
    slow.take();
    slow.set_window_bytes(0);
  }
  EXPECT_FALSE(slow.closed());
}

TEST(Output, AClosedClientGivesItsPinsBack) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("SET", "k", std::string(300000, 'x'));
  slow.set_window_bytes(10);
  slow.send("GET k\r\nGET k\r\nGET k\r\n");
  server.run();
  slow.close();
  admin.call("FLUSHALL");
  server.run();
  EXPECT_EQ(server.services().store.blobs().used_bytes(), 0u);
}

TEST(Output, AClientThatIsKilledWhileItIsOwed) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("SET", "k", std::string(300000, 'x'));
  slow.set_window_bytes(10);
  slow.send("GET k\r\n");
  server.run();
  const std::string id = std::to_string(slow.client().id);
  EXPECT_EQ(admin.call("CLIENT", "KILL", "ID", id), ":1\r\n");
  EXPECT_TRUE(slow.closed());
  admin.call("DEL", "k");
  EXPECT_EQ(server.services().store.blobs().used_bytes(), 0u);
}

TEST(Output, BytesAreCounted) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("PING");
  EXPECT_EQ(client.client().bytes_out, 7u);
  EXPECT_EQ(client.client().bytes_in, 14u);
  EXPECT_EQ(server.services().stats.net_output_bytes, 7u);
}

}  // namespace
}  // namespace larder
