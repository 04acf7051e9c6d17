// What clients are told while data are loaded.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/command/log_server.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using testing::log_options;
using testing::started;
using Connection = InProcessServer::Connection;

// A request that comes in pieces, all of which come while one key is loaded.
TEST(Loading, ClientsAreAnsweredInTheMiddleOfALargeCollection) {
  for (const char* log : {"no", "yes"}) {
    MemoryFileSystem files;
    const auto options = log_options(files, "no", {"--appendonly", log, "--enable-debug-command", "yes"});
    {
      InProcessServer server(options);
      Connection& client = started(server);
      client.call("EVAL", "for i = 1, 200000 do redis.call('SADD', 's', 'member number ' .. i) end", "0");
      client.call(log[0] == 'y' ? "BGREWRITEAOF" : "SAVE");
      server.advance_ms(500);
    }
    InProcessServer server(options);
    server.clock().set_look_us(6000);
    Connection& client = server.connect();
    client.set_receive_bytes(4);
    client.send_request({"GET", "k"});
    Connection& debug = server.connect();
    debug.set_receive_bytes(8);
    debug.send_request({"DEBUG", "DIGEST"});
    for (int turns = 0; turns < 3 && client.arrived().empty(); ++turns) server.run_turn();
    const std::string loading = "-LOADING Redis is loading the dataset in memory\r\n";
    EXPECT_EQ(client.take(), loading) << log;
    EXPECT_EQ(debug.take(), loading) << log;
    server.clock().set_look_us(0);
    server.run();
    EXPECT_EQ(server.connect().call("SCARD", "s"), ":200000\r\n");
  }
}

TEST(Loading, AServerThatIsToldToEndInTheMiddleOfACollectionEnds) {
  MemoryFileSystem files;
  const auto options = log_options(files, "no", {"--appendonly", "no", "--save", "1 1"});
  {
    InProcessServer server(options);
    Connection& client = started(server);
    client.call("EVAL", "for i = 1, 100000 do redis.call('RPUSH', 'l', 'element number ' .. i) end", "0");
    client.call("SAVE");
  }
  const std::string before = files.content("/dump.rdb");
  InProcessServer server(options);
  server.clock().set_look_us(6000);
  Connection& client = server.connect();
  client.set_receive_bytes(8);
  client.send_request({"SHUTDOWN"});
  for (int turns = 0; turns < 3 && !server.shutdown_requested(); ++turns) server.run_turn();
  EXPECT_TRUE(server.shutdown_requested());
  EXPECT_EQ(files.content("/dump.rdb"), before);
}

// Until it has loaded what it started with. Returns the most that the data set took meanwhile.
uint64_t load_watching_memory(InProcessServer& server) {
  server.clock().set_look_us(100);
  uint64_t bytes_max = 0;
  for (int turns = 0; turns < 100'000 && server.services().loading.active(); ++turns) {
    server.run_turn();
    bytes_max = std::max(bytes_max, server.services().store.memory_bytes());
  }
  server.clock().set_look_us(0);
  server.run();
  return bytes_max;
}

// A log of many more than are there at the end needs no more memory than the commands did.
TEST(Loading, WhatTheLogDeletesIsFreedMeanwhile) {
  MemoryFileSystem files;
  const auto options = log_options(
      files, "no", {"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--enable-debug-command", "yes"});
  constexpr uint64_t kServedBytes = 4 << 20;
  {
    InProcessServer server(options);
    Connection& client = started(server);
    const std::string script =
        "for i = 1, 5000 do redis.call('SADD', KEYS[1], 'member number ' .. i) redis.call('SET', 'k' .. i, 'value') "
        "end";
    for (int round = 0; round < 60; ++round) {
      client.call("EVAL", script, "1", "s");
      if (round % 2 == 0) {
        client.call("FLUSHALL");
      } else {
        client.call("DEL", "s");
      }
      EXPECT_LT(server.services().store.memory_bytes(), kServedBytes);
    }
    client.call("SET", "end", "1");
    server.advance_ms(500);
  }
  InProcessServer server(options);
  const uint64_t bytes_max = load_watching_memory(server);
  EXPECT_EQ(server.connect().call("EXISTS", "end"), ":1\r\n");
  EXPECT_LT(bytes_max, 2 * kServedBytes);
}

// Nor do keys that had a deadline when they were deleted leave anything behind.
TEST(Loading, ItemsOfDeletedKeysAreDroppedMeanwhile) {
  MemoryFileSystem files;
  const auto options = log_options(files, "no", {"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"});
  {
    InProcessServer server(options);
    Connection& client = started(server);
    const std::string script =
        "for i = 1, 5000 do redis.call('SET', 'k' .. i, 'v', 'EX', 1000000) redis.call('DEL', 'k' .. i) end";
    for (int round = 0; round < 60; ++round) client.call("EVAL", script, "0");
    client.call("SET", "end", "1", "EX", "100");
    server.advance_ms(500);
  }
  InProcessServer server(options);
  const uint64_t bytes_max = load_watching_memory(server);
  const std::string left = server.connect().call("TTL", "end");
  EXPECT_GT(std::stoi(left.substr(1)), 0) << left;
  EXPECT_LT(bytes_max, 600'000u);
}

}  // namespace
}  // namespace larder
