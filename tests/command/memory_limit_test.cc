// maxmemory: when keys go, and what INFO says of it. Which key goes: tests/unit/storage/evictor_test.cc.

#include <gtest/gtest.h>

#include <string>

#include "base/number_text.h"
#include "server/core/memory_limit.h"
#include "tests/support/in_process_server.h"
#include "tests/support/info_field.h"

namespace larder::testing {
namespace {

constexpr int kKeys = 20'000;

void fill(InProcessServer& server, InProcessServer::Connection& client) {
  for (int i = 0; i < kKeys; ++i) client.send_request({"SET", "key:" + to_text(i), std::string(40, 'v')});
  server.run();
  client.take();
}

int64_t number(InProcessServer::Connection& client, const std::string& field) {
  return parse_int64(info_field(client.call("INFO"), field).value_or("")).value_or(-1);
}

// What there was no time for goes on without any request, and not only when the slow periodic work comes by.
TEST(MemoryLimit, WhatIsTooMuchGoesWhileNobodyAsks) {
  InProcessServer server({.arguments = {"--maxmemory-policy", "allkeys-lru"}});
  auto& client = server.connect();
  fill(server, client);
  const uint64_t half = server.services().memory_limit.used_bytes() / 2;
  server.clock().set_look_us(100);
  EXPECT_EQ(client.call("CONFIG", "SET", "maxmemory", to_text(half)), "+OK\r\n");
  server.clock().set_look_us(0);
  EXPECT_LE(server.services().memory_limit.used_bytes(), half);
  EXPECT_GT(server.services().stats.evicted_keys, kKeys / 4u);
}

TEST(MemoryLimit, InfoTellsForHowLongItWasExceeded) {
  InProcessServer server;
  auto& client = server.connect();
  fill(server, client);
  server.advance_ms(1);
  EXPECT_EQ(number(client, "current_eviction_exceeded_time"), 0);
  client.call("CONFIG", "SET", "maxmemory", "1000");
  server.advance_ms(3000);
  EXPECT_EQ(number(client, "current_eviction_exceeded_time"), 3000);
  EXPECT_EQ(number(client, "total_eviction_exceeded_time"), 3000);
  client.call("CONFIG", "SET", "maxmemory", "0");
  server.advance_ms(1000);
  EXPECT_EQ(number(client, "current_eviction_exceeded_time"), 0);
  EXPECT_EQ(number(client, "total_eviction_exceeded_time"), 3000);
  client.call("CONFIG", "SET", "maxmemory", "1000");
  server.advance_ms(500);
  EXPECT_EQ(number(client, "current_eviction_exceeded_time"), 500);
  EXPECT_EQ(number(client, "total_eviction_exceeded_time"), 3500);
  client.call("CONFIG", "RESETSTAT");
  server.advance_ms(200);
  EXPECT_EQ(number(client, "total_eviction_exceeded_time"), 200);
}

// Where keys that may go are fewer than half of all, a sample has as many of them as elsewhere.
TEST(MemoryLimit, KeysWithoutADeadlineAreNoPartOfASample) {
  InProcessServer server({.arguments = {"--maxmemory-policy", "volatile-lru"}});
  auto& client = server.connect();
  const auto for_each_key = [&](const auto& request) {
    for (int i = 0; i < kKeys; ++i) request("key:" + to_text(10'000 + i), i);
    server.run();
    client.take();
  };
  const std::string value(40, 'v');
  for_each_key([&](const std::string& key, int i) {
    if (i % 5 < 2) return client.send_request({"SET", key, value, "EX", "5000"});
    client.send_request({"SET", key, value});
  });
  server.advance_ms(100'000);
  for_each_key([&](const std::string& key, int i) {
    if (i % 5 == 0) client.send_request({"GET", key});
  });
  server.advance_ms(1000);
  // Of the keys that may go, a half was used; eight of ten of the others go.
  constexpr uint64_t kEvicted = kKeys / 5 * 8 / 10;
  const uint64_t key_bytes = server.services().store.memory_bytes() / kKeys;
  const uint64_t used = server.services().memory_limit.used_bytes();
  client.call("CONFIG", "SET", "maxmemory", to_text(used - kEvicted * key_bytes));
  const uint64_t evicted = server.services().stats.evicted_keys;
  EXPECT_GT(evicted, kEvicted / 2);
  uint64_t used_ones_gone = 0;
  for (int i = 0; i < kKeys; i += 5) used_ones_gone += client.call("EXISTS", "key:" + to_text(10'000 + i)) == ":0\r\n";
  EXPECT_LT(used_ones_gone * 25, evicted) << used_ones_gone << " of " << evicted;
}

TEST(Defragmentation, InfoCountsFromTheLastReset) {
  InProcessServer server({.arguments = {"--activedefrag", "yes", "--active-defrag-ignore-bytes", "1",
                                        "--active-defrag-threshold-lower", "1"}});
  auto& client = server.connect();
  const auto make_holes = [&](int keys, int kept) {
    fill(server, client);
    for (int i = 0; i < keys; ++i) {
      if (i % 4 != kept) client.send_request({"DEL", "key:" + to_text(i)});
    }
    server.run();
    client.take();
    server.clock().set_look_us(20);
    server.advance_ms(5000);
    server.clock().set_look_us(0);
  };
  make_holes(kKeys, 0);
  const int64_t moved = number(client, "active_defrag_hits");
  EXPECT_GT(moved, 0);
  EXPECT_EQ(number(client, "active_defrag_running"), 0);
  EXPECT_GT(number(client, "total_active_defrag_time"), 0);
  EXPECT_EQ(number(client, "current_active_defrag_time"), 0);

  client.call("CONFIG", "RESETSTAT");
  EXPECT_EQ(number(client, "active_defrag_hits"), 0);
  make_holes(kKeys / 2, 1);
  EXPECT_GT(number(client, "active_defrag_hits"), 0);
  EXPECT_LT(number(client, "active_defrag_hits"), moved);
}

}  // namespace
}  // namespace larder::testing
