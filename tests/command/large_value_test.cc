// Large values stay where they were received: the memory of the request becomes the value's, and everything that still
// refers to the request goes on as if it had been copied.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "storage/keyspace.h"
#include "storage/string_value.h"
#include "tests/command/log_server.h"
#include "tests/support/bulk_text.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::bulk;
using testing::InProcessServer;
using testing::log_options;
using testing::started;
using Connection = InProcessServer::Connection;

std::string value_of(char with, size_t bytes = 300000) {
  std::string value(bytes, with);
  for (size_t i = 0; i < bytes; i += 1000) value[i] = static_cast<char>('a' + i / 1000 % 26);
  return value;
}

const char* stored_at(InProcessServer& server, Bytes name) {
  Keyspace& keys = server.services().store.database(0);
  return keys.read<StringValue>(server.services().store.hashed(name), server.clock().wall_ms())->text().bytes().data();
}

TEST(LargeValue, StaysWhereItWasReceived) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value = value_of('v');
  for (const char* name : {"new", "new", "other"}) {
    client.set_receive_bytes(40000);
    client.send_request({"SET", name, value});
    while (client.client().unread_bytes() + 40000 < value.size()) server.run_turn();
    const char* memory = client.client().unread->storage();
    server.run();
    EXPECT_EQ(client.take(), "+OK\r\n");
    EXPECT_EQ(client.client().unread, nullptr);
    const char* at = stored_at(server, name);
    EXPECT_TRUE(at > memory && at < memory + 100) << name;
    EXPECT_EQ(client.call("GET", name), bulk(value));
  }
}

// A value of 200 MB that was copied at each step of its growth kept others waiting for more than a second.
TEST(LargeValue, IsNotCopiedWhileItGrows) {
  InProcessServer server;
  Connection& client = server.connect();
  client.send_request({"SET", "k", value_of('v', 24 << 20)});
  const char* memory = nullptr;
  size_t copied = 0;
  const auto is_arriving = [&] { return client.client().unread_bytes() + Tick::kTickInputBytes < 24 << 20; };
  do {
    const size_t before = client.client().unread_bytes();
    server.run_turn();
    const char* at = client.client().unread->storage();
    if (at != memory) copied += before;
    memory = at;
    EXPECT_LE(client.client().memory_bytes(), client.client().unread_bytes() + (1 << 20) + 2000);
  } while (is_arriving());
  EXPECT_LE(copied, 3 * Tick::kLargeInputBytes);
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n");
}

TEST(LargeValue, CostsNoMoreMemoryThanACopy) {
  InProcessServer server;
  Connection& client = server.connect();
  for (size_t bytes = 32 * 1024; bytes < 5000000; bytes += bytes / 7) {
    client.call("SET", "k", value_of('v', bytes));
    const Reply usage = client.ask("MEMORY", "USAGE", "k");
    EXPECT_LE(usage.integer, static_cast<int64_t>(bytes + bytes / 3 + 400)) << bytes;
  }
}

TEST(LargeValue, WhatFollowsInThePipelineIsExecuted) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string one = value_of('1');
  const std::string two = value_of('2');
  client.send_request({"SET", "k", one});
  client.send_request({"APPEND", "k", "tail"});
  client.send_request({"GET", "k"});
  client.send_request({"SET", "k", two, "GET"});
  client.send_request({"DEL", "k"});
  client.send_request({"SET", "k", one, "EX", "100"});
  client.send_request({"COPY", "k", "copy"});
  client.send_request({"SETRANGE", "k", "1", "#"});
  client.send_request({"TTL", "copy"});
  client.send_request({"GET", "copy"});
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n:300004\r\n" + bulk(one + "tail") + bulk(one + "tail") +
                               ":1\r\n+OK\r\n:1\r\n:300000\r\n" + ":100\r\n" + bulk(one));
  client.call("FLUSHALL");
  EXPECT_EQ(server.services().store.blobs().used_bytes(), 0u);
}

// The arguments lie in the value's memory: nothing that happens to the value within the tick may end them.
TEST(LargeValue, TheRequestOutlivesTheValue) {
  InProcessServer server({.arguments = {"--notify-keyspace-events", "KEA"}});
  Connection& client = server.connect();
  Connection& listener = server.connect();
  Connection& monitor = server.connect();
  listener.call("PSUBSCRIBE", "__keyspace*");
  monitor.call("MONITOR");
  const std::string value = value_of('v');
  client.send_request({"SET", "a key with a name", value});
  client.send_request({"DEL", "a key with a name"});
  client.send_request({"SET", "another key", "small"});
  client.send_request({"MSET", "x", value, "y", value});
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n:1\r\n+OK\r\n+OK\r\n");
  EXPECT_NE(listener.take().find("__keyspace@0__:a key with a name\r\n$3\r\ndel"), std::string::npos);
  EXPECT_NE(monitor.take().find("\"SET\" \"another key\" \"small\""), std::string::npos);
  EXPECT_EQ(client.call("GET", "x"), bulk(value));
  EXPECT_EQ(client.call("GET", "y"), bulk(value));
}

TEST(LargeValue, AMemberOfACollectionOrAnElementOfATransaction) {
  InProcessServer server;
  Connection& client = server.connect();
  const std::string value = value_of('v');
  for (const auto& request : std::vector<std::vector<std::string>>{
           {"HSET", "h", "f", value}, {"RPUSH", "l", value}, {"SADD", "s", value}, {"ECHO", value}}) {
    client.send_request(request);
    server.run();
    EXPECT_EQ(client.take(), request[0] == "ECHO" ? bulk(value) : ":1\r\n");
  }
  EXPECT_EQ(client.call("HGET", "h", "f"), bulk(value));
  EXPECT_EQ(client.call("LINDEX", "l", "0"), bulk(value));
  EXPECT_EQ(client.call("SPOP", "s"), bulk(value));
  client.send_request({"MULTI"});
  client.send_request({"SET", "k", value});
  client.send_request({"EXEC"});
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(client.call("GET", "k"), bulk(value));
}

// A request of very many short arguments is not copied each time that its buffer is full, and comes in turns of the usual size.
TEST(LargeValue, VeryManyShortArgumentsAreSeldomCopied) {
  InProcessServer server;
  Connection& client = server.connect();
  constexpr int kPairs = 200'000;
  std::string request = "*" + std::to_string(1 + 2 * kPairs) + "\r\n$4\r\nMSET\r\n";
  for (int i = 0; i < kPairs; ++i) request += "$10\r\nkey:" + std::to_string(100'000 + i) + "\r\n$5\r\nvalue\r\n";
  std::set<size_t> capacities;
  constexpr size_t kPiece = 16 * 1024;
  for (size_t at = 0; at < request.size(); at += kPiece) {
    client.send(request.substr(at, kPiece));
    server.run();
    if (client.client().unread) capacities.insert(client.client().unread->capacity());
    EXPECT_LE(client.client().unread_held_bytes(), at + kPiece + 1024 * 1024);
  }
  EXPECT_EQ(client.take(), "+OK\r\n");
  EXPECT_LE(capacities.size(), 9u);
  EXPECT_EQ(client.call("DBSIZE"), ":" + std::to_string(kPairs) + "\r\n");
}

// Executed behind a pause it is a resumed request, whose bytes are the client's all the same.
TEST(LargeValue, BehindAPause) {
  InProcessServer server;
  Connection& client = server.connect();
  Connection& admin = server.connect();
  admin.call("CLIENT", "PAUSE", "100", "WRITE");
  const std::string value = value_of('v');
  client.send_request({"SET", "k", value});
  client.send_request({"STRLEN", "k"});
  server.run();
  EXPECT_EQ(client.take(), "");
  server.advance_ms(200);
  server.run();
  EXPECT_EQ(client.take(), "+OK\r\n:300000\r\n");
  EXPECT_EQ(client.call("GET", "k"), bulk(value));
}

TEST(LargeValue, AClientThatEndsBehindIt) {
  InProcessServer server;
  Connection& client = server.connect();
  client.send_request({"SET", "k", value_of('v')});
  client.send_request({"QUIT"});
  client.send_request({"SET", "k", "no"});
  server.run();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.connect().call("GET", "k"), bulk(value_of('v')));
}

TEST(LargeValue, IsLogged) {
  MemoryFileSystem files;
  const std::string value = value_of('v');
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    client.send_request({"SET", "k", value});
    client.send_request({"SET", "gone", value});
    client.send_request({"SET", "gone", "small"});
    client.send_request({"SETEX", "timed", "1000", value});
    server.run();
    EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
  }
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("GET", "k"), bulk(value));
  EXPECT_EQ(client.call("GET", "gone"), bulk("small"));
  EXPECT_EQ(client.call("GET", "timed"), bulk(value));
}

// A snapshot keeps what a request is about to replace.
TEST(LargeValue, ASnapshotKeepsTheOldOne) {
  MemoryFileSystem files;
  const std::string old = value_of('o');
  {
    InProcessServer server({.arguments = {"--dir", "/", "--save", ""}, .files = &files});
    Connection& client = server.connect();
    for (const char* name : {"a", "b", "c"}) client.call("SET", name, old);
    client.send_request({"BGSAVE"});
    for (const char* name : {"a", "b", "c"}) client.send_request({"SET", name, value_of('n')});
    server.run();
    server.advance_ms(500);
    client.take();
  }
  InProcessServer server({.arguments = {"--dir", "/", "--save", ""}, .files = &files});
  Connection& client = started(server);
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(client.call("GET", name), bulk(old));
}

}  // namespace
}  // namespace larder
