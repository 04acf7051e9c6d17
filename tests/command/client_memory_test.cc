// What clients make the server remember, as used_memory and maxmemory count it, and maxmemory-clients.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/core/memory_limit.h"
#include "server/core/server_stats.h"
#include "tests/support/in_process_server.h"
#include "tests/support/info_field.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

constexpr size_t kNames = 1000;
constexpr size_t kNameBytes = 200;

std::string name(size_t n) { return std::to_string(n) + std::string(kNameBytes, 'n'); }

uint64_t used(InProcessServer& server) {
  server.services().memory_limit.count_all();
  return server.services().memory_limit.used_bytes();
}

uint64_t memory_field(Connection& client, const char* name) {
  return std::stoull(testing::info_field(client.call("INFO", "memory"), name).value_or("0"));
}

// A request as large as any of these tests: the tick's buffers get their size. What is used then.
uint64_t used_with_full_buffers(InProcessServer& server, Connection& client) {
  client.call("ECHO", std::string(2 * kNames * kNameBytes, 'x'));
  return used(server);
}

TEST(ClientMemory, WatchedKeysCount) {
  InProcessServer server;
  Connection& client = server.connect();
  const uint64_t before = used_with_full_buffers(server, client);
  for (size_t i = 0; i < kNames; ++i) client.call("WATCH", name(i));
  EXPECT_GE(used(server), before + kNames * 2 * kNameBytes) << "in the table, and with the client";
  client.call("UNWATCH");
  EXPECT_LE(used(server), before + 2000);
  for (size_t i = 0; i < kNames; ++i) client.call("WATCH", name(i));
  client.close();
  server.run();  // what it has left behind is undone in pieces
  EXPECT_LE(used(server), before);
}

TEST(ClientMemory, TrackedKeysCount) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("HELLO", "3");
  client.call("CLIENT", "TRACKING", "ON");
  const uint64_t before = used(server);
  for (size_t i = 0; i < kNames; ++i) client.call("GET", name(i));
  const uint64_t full = used(server);
  EXPECT_GE(full, before + kNames * kNameBytes);
  client.call("SET", name(1), "v");
  client.call("DEL", name(1));
  client.call("CLIENT", "TRACKING", "OFF");
  EXPECT_LE(used(server), full - kNames * kNameBytes);
}

TEST(ClientMemory, ChannelsCount) {
  InProcessServer server;
  Connection& client = server.connect();
  const uint64_t before = used_with_full_buffers(server, client);
  for (size_t i = 0; i < kNames; ++i) client.call("SUBSCRIBE", name(i));
  const uint64_t full = used(server);
  EXPECT_GE(full, before + kNames * kNameBytes);
  client.call("UNSUBSCRIBE");
  EXPECT_LE(used(server), full - kNames * kNameBytes);
}

TEST(ClientMemory, TheSlowLogCounts) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("CONFIG", "SET", "slowlog-log-slower-than", "0");
  client.call("CONFIG", "SET", "slowlog-max-len", std::to_string(kNames));
  client.call("SLOWLOG", "RESET");
  const uint64_t before = used(server);
  for (size_t i = 0; i < 2 * kNames; ++i) client.call("GET", name(i));
  const uint64_t full = used(server);
  EXPECT_GE(full, before + kNames * 128);
  EXPECT_LE(full, before + kNames * 1000) << "entries that were dropped do not count";
  client.call("CONFIG", "SET", "slowlog-log-slower-than", "-1");
  client.call("SLOWLOG", "RESET");
  EXPECT_LE(used(server), before + 1000);
}

TEST(ClientMemory, WatchedKeysAreCountedWithoutWaitingForTheCron) {
  InProcessServer server;
  Connection& client = server.connect();
  client.call("CONFIG", "SET", "maxmemory", "100mb");
  client.call("ECHO", std::string(2 * kNames * kNameBytes, 'x'));  // the buffers get their size
  const uint64_t before = server.services().memory_limit.used_bytes();
  std::vector<std::string> watch = {"WATCH"};
  for (size_t i = 0; i < kNames; ++i) watch.push_back(name(i));
  client.send_request(watch);
  server.run();
  EXPECT_GE(server.services().memory_limit.used_bytes(), before + kNames * 2 * kNameBytes);
}

TEST(ClientMemory, WhatASlowReaderIsOwedIsCountedAtOnce) {
  InProcessServer server;
  Connection& admin = server.connect();
  Connection& slow = server.connect();
  admin.call("SET", "k", std::string(10000, 'x'));
  slow.set_window_bytes(0);
  const uint64_t before = server.services().memory_limit.used_bytes();
  std::string gets;
  for (int i = 0; i < 100; ++i) gets += "GET k\r\n";
  slow.send(gets);
  server.run_turn();
  EXPECT_GE(server.services().memory_limit.used_bytes(), before + 100 * 10000);
  slow.set_window_bytes(Connection::kUnlimited);
  slow.take();
  server.run();
  EXPECT_LE(server.services().memory_limit.used_bytes(), before + 10000);
}

// Nobody walks over all clients: they are counted when they come, and looked at in slices.
TEST(ClientMemory, ThousandsOfClientsAreCounted) {
  InProcessServer server;
  Connection& admin = server.connect();
  constexpr size_t kClients = 3000;
  const uint64_t before = server.services().memory_limit.used_bytes();
  std::vector<Connection*> clients;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(&server.connect());
  const uint64_t connected = server.services().memory_limit.used_bytes();
  EXPECT_GE(connected, before + kClients * sizeof(Client));
  for (Connection* client : clients) client->call("CLIENT", "SETNAME", name(1));
  server.advance_ms(1000);
  EXPECT_GE(server.services().memory_limit.used_bytes(), connected + kClients * (kNameBytes - sizeof(std::string)));
  const uint64_t looked_at = server.services().memory_limit.used_bytes();
  EXPECT_EQ(used(server), looked_at) << "the sum is that of a count of all";
  for (Connection* client : clients) client->close();
  admin.call("PING");
  EXPECT_LE(used(server), before + 40000);
}

TEST(ClientMemory, AValueThatManyAreSentCountsOnce) {
  InProcessServer server;
  Connection& admin = server.connect();
  admin.call("SET", "k", std::string(500000, 'x'));
  for (int i = 0; i < 10; ++i) {
    Connection& slow = server.connect();
    slow.set_window_bytes(0);
    slow.send("GET k\r\n");
  }
  server.run();
  EXPECT_LE(memory_field(admin, "used_memory"), 1500000u);
  EXPECT_GE(memory_field(admin, "mem_clients_normal"), 5000000u);
  const Reply stats = admin.ask("MEMORY", "STATS");
  for (size_t i = 0; i + 1 < stats.elements.size(); i += 2) {
    if (stats.elements[i].text == "total.allocated") {
      EXPECT_LE(stats.elements[i + 1].integer, 1500000);
    }
    if (stats.elements[i].text == "dataset.bytes") {
      EXPECT_LE(stats.elements[i + 1].integer, 1500000);
    }
    if (stats.elements[i].text == "clients.normal") {
      EXPECT_GE(stats.elements[i + 1].integer, 5000000);
    }
  }
}

// The largest go first, those that are exempt stay, and the figures hold whatever comes and goes.
TEST(ClientMemory, MaxmemoryClients) {
  InProcessServer server;
  Connection& admin = server.connect();
  admin.call("CLIENT", "NO-EVICT", "ON");
  admin.call("SET", "k", std::string(10000, 'x'));
  const auto owe = [&](Connection& client, int times) {
    client.set_window_bytes(0);
    std::string gets;
    for (int i = 0; i < times; ++i) gets += "GET k\r\n";
    client.send(gets);
    server.run();
  };
  Connection& exempt = server.connect();
  exempt.call("CLIENT", "NO-EVICT", "ON");
  owe(exempt, 100);
  Connection& small = server.connect();
  owe(small, 5);
  Connection& large = server.connect();
  owe(large, 80);
  Connection& middle = server.connect();
  owe(middle, 30);
  admin.call("CONFIG", "SET", "maxmemory-clients", "1700000");
  EXPECT_TRUE(large.closed());
  EXPECT_FALSE(small.closed() || middle.closed() || exempt.closed());
  admin.call("CONFIG", "SET", "maxmemory-clients", "1000000");
  EXPECT_TRUE(middle.closed() && small.closed());
  EXPECT_FALSE(exempt.closed());
  EXPECT_EQ(server.services().stats.evicted_clients, 3u);
  // One that comes while only exempt clients hold too much is the largest of those that may go.
  Connection& late = server.connect();
  late.call("PING");
  EXPECT_TRUE(late.closed());
  admin.call("CONFIG", "SET", "maxmemory-clients", "0");
  Connection& later = server.connect();
  EXPECT_EQ(later.call("PING"), "+PONG\r\n");
  admin.call("CONFIG", "SET", "maxmemory-clients", "100mb");
  EXPECT_EQ(later.call("PING"), "+PONG\r\n");
  exempt.close();
  later.close();
  EXPECT_EQ(admin.call("PING"), "+PONG\r\n");
}

}  // namespace
}  // namespace larder
