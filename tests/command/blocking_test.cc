// Waiting in general, with blocking commands of the test's own on strings: BTAKE takes the string at the first of its keys
// that has one, BPASS moves the string of one key to another, BWATCH tells what a key holds and takes nothing.

#include "server/core/blocking.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/command/block_timeout.h"
#include "server/core/blocking_table.h"
#include "server/core/context.h"
#include "server/core/server_stats.h"
#include "tests/support/bulk_text.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::bulk;
using testing::InProcessServer;
using Connection = InProcessServer::Connection;

std::string pair(const std::string& key, const std::string& value) { return "*2\r\n" + bulk(key) + bulk(value); }

// BTAKE key [key ...] timeout
void btake(CommandContext& ctx, ArgReader& args) {
  const std::span<const Bytes> keys = args.take_many(args.remaining() - 1);
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  for (const Bytes key : keys) {
    const auto value = ctx.keys().read<StringValue>(Key{key});
    if (!value) continue;
    ctx.reply().array(2);
    ctx.reply().bulk(key);
    ctx.reply().bulk("taken");
    ctx.keys().erase(Key{key});
    ctx.changed(key, Event::kDel);
    return;
  }
  ctx.block({.keys = keys, .deadline_ms = deadline_ms, .type = ValueType::kString});
}

// BPASS source destination timeout
void bpass(CommandContext& ctx, ArgReader& args) {
  const auto [source, destination] = args.take<Key, Key>();
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (!ctx.keys().read<StringValue>(source)) {
    return ctx.block({.keys = {&source.bytes, 1},
                      .deadline_ms = deadline_ms,
                      .type = ValueType::kString,
                      .denied_reply = DeniedReply::kNull});
  }
  ctx.keys().erase(source);
  ctx.changed(source.bytes, Event::kDel);
  ctx.keys().assign_string(destination, "passed");
  ctx.changed(destination.bytes, Event::kSet);
  ctx.reply().ok();
}

// BWATCH key timeout
void bwatch(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (ctx.keys().contains(key)) return ctx.reply().integer(1);
  ctx.block({.keys = {&key.bytes, 1},
             .deadline_ms = deadline_ms,
             .type = ValueType::kString,
             .sharing = WaitSharing::kEveryone});
}

constexpr CommandSpec kRows[] = {
    {.name = "btake", .arity = -3, .flags = kWrite | kBlocking, .run = btake},
    {.name = "bpass", .arity = 4, .flags = kWrite | kBlocking, .run = bpass},
    {.name = "bwatch", .arity = 3, .flags = kReadonly | kBlocking, .run = bwatch},
};

testing::InProcessOptions with_test_commands() {
  testing::InProcessOptions options;
  options.families = {{"test", kRows, {}}};
  return options;
}

class Blocking : public ::testing::Test {
 protected:
  size_t waiting_keys() { return server_.services().blocking.key_count(); }
  std::string info(const std::string& field) {
    const std::string text = other_.call("INFO", "clients");
    const size_t at = text.find(field + ":") + field.size() + 1;
    return text.substr(at, text.find('\r', at) - at);
  }

  InProcessServer server_{with_test_commands()};
  Connection& other_ = server_.connect();
};

TEST_F(Blocking, WaitsUntilTheKeyIsThere) {
  Connection& client = server_.connect();
  EXPECT_EQ(client.call("BTAKE", "k", "0"), "");
  EXPECT_EQ(info("blocked_clients"), "1");
  EXPECT_EQ(info("total_blocking_keys"), "1");
  EXPECT_EQ(other_.call("SET", "other", "v"), "+OK\r\n");
  EXPECT_EQ(client.take(), "");
  EXPECT_EQ(other_.call("SET", "k", "v"), "+OK\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));
  EXPECT_EQ(other_.call("EXISTS", "k"), ":0\r\n");
  EXPECT_EQ(info("blocked_clients"), "0");
  EXPECT_EQ(waiting_keys(), 0u);
  EXPECT_EQ(client.call("PING"), "+PONG\r\n");
}

TEST_F(Blocking, OldestFirstAndOneValueForOne) {
  std::vector<Connection*> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(&server_.connect());
    clients.back()->call("BTAKE", "a", "k", "k", "z", "0");
  }
  for (Connection* client : clients) {
    other_.call("SET", "k", "v");
    EXPECT_EQ(client->take(), pair("k", "taken"));
    EXPECT_EQ(clients.back()->arrived(), "");
  }
  EXPECT_EQ(waiting_keys(), 0u);
}

TEST_F(Blocking, ManyWhoWaitCostOneTry) {
  for (int i = 0; i < 1000; ++i) server_.connect().call("BTAKE", "k", "0");
  const uint64_t hits = server_.services().stats.keyspace_hits;
  const uint64_t misses = server_.services().stats.keyspace_misses;
  other_.call("SET", "k", "v");
  EXPECT_EQ(server_.services().stats.keyspace_hits, hits + 1);
  EXPECT_EQ(server_.services().stats.keyspace_misses, misses);
}

TEST_F(Blocking, EveryoneIsServedWhoTakesNothing) {
  std::vector<Connection*> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(&server_.connect());
    clients.back()->call("BWATCH", "k", "0");
  }
  other_.call("SET", "k", "v");
  for (Connection* client : clients) EXPECT_EQ(client->take(), ":1\r\n");
  EXPECT_EQ(waiting_keys(), 0u);
}

TEST_F(Blocking, AChainIsServedToItsEnd) {
  Connection& a = server_.connect();
  Connection& b = server_.connect();
  Connection& c = server_.connect();
  b.call("BPASS", "two", "three", "0");
  c.call("BTAKE", "three", "0");
  a.call("BPASS", "one", "two", "0");
  EXPECT_EQ(other_.call("SET", "one", "v"), "+OK\r\n");
  EXPECT_EQ(a.take(), "+OK\r\n");
  EXPECT_EQ(b.take(), "+OK\r\n");
  EXPECT_EQ(c.take(), pair("three", "taken"));
  EXPECT_EQ(other_.call("DBSIZE"), ":0\r\n");
}

TEST_F(Blocking, AKeyThatFeedsItselfComesToRest) {
  Connection& a = server_.connect();
  Connection& b = server_.connect();
  a.call("BPASS", "k", "k", "0");
  b.call("BPASS", "k", "k", "0");
  EXPECT_EQ(other_.call("SET", "k", "v"), "+OK\r\n");
  EXPECT_EQ(a.take() + b.take(), "+OK\r\n+OK\r\n");
}

TEST_F(Blocking, ATransactionIsServedAfterIt) {
  Connection& client = server_.connect();
  client.call("BTAKE", "k", "0");
  other_.call("MULTI");
  other_.call("SET", "k", "v");
  other_.call("EXISTS", "k");
  EXPECT_EQ(client.arrived(), "");
  EXPECT_EQ(other_.call("EXEC"), "*2\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));

  client.call("BTAKE", "k", "0");
  EXPECT_EQ(other_.call("MULTI"), "+OK\r\n");
  other_.call("SET", "k", "v");
  other_.call("DEL", "k");
  other_.call("EXEC");
  EXPECT_EQ(client.take(), "");
}

TEST_F(Blocking, NothingWaitsInsideATransaction) {
  other_.call("MULTI");
  other_.call("BTAKE", "k", "0");
  other_.call("BPASS", "k", "l", "0");
  EXPECT_EQ(other_.call("EXEC"), "*2\r\n*-1\r\n$-1\r\n");
  EXPECT_EQ(waiting_keys(), 0u);
}

TEST_F(Blocking, TimeoutsEndOnTime) {
  Connection& a = server_.connect();
  Connection& b = server_.connect();
  Connection& c = server_.connect();
  c.call("HELLO", "3");
  a.call("BTAKE", "k", "0.001");
  b.call("BPASS", "k", "l", "1.5");
  c.call("BTAKE", "k", "l", "0.5");
  EXPECT_EQ(info("clients_in_timeout_table"), "3");
  server_.advance_ms(5);
  EXPECT_EQ(a.take(), "*-1\r\n");
  server_.advance_ms(490);
  EXPECT_EQ(c.take(), "");
  server_.advance_ms(10);
  EXPECT_EQ(c.take(), "_\r\n");
  server_.advance_ms(990);
  EXPECT_EQ(b.take(), "");
  server_.advance_ms(10);
  EXPECT_EQ(b.take(), "*-1\r\n");
  EXPECT_EQ(waiting_keys(), 0u);
  EXPECT_EQ(other_.call("SET", "k", "v"), "+OK\r\n");
  EXPECT_EQ(a.take() + b.take() + c.take(), "");
}

TEST_F(Blocking, ATryThatFindsNothingKeepsItsDeadline) {
  Connection& client = server_.connect();
  client.call("BTAKE", "k", "1");
  server_.advance_ms(900);
  other_.call("RPUSH", "k", "v");
  other_.call("MULTI");
  other_.call("SET", "k", "v");
  other_.call("DEL", "k");
  other_.call("EXEC");
  server_.advance_ms(110);
  EXPECT_EQ(client.take(), "*-1\r\n");
}

TEST_F(Blocking, RequestsBehindItWaitToo) {
  Connection& client = server_.connect();
  client.send("ECHO first\r\nBTAKE k 0\r\nECHO second\r\nBTAKE l 0\r\nECHO third\r\n");
  server_.run();
  EXPECT_EQ(client.take(), bulk("first"));
  client.send("ECHO fourth\r\nECHO fif");
  server_.run();
  other_.call("SET", "k", "v");
  EXPECT_EQ(client.take(), pair("k", "taken") + bulk("second"));
  client.send("th\r\n");
  server_.run();
  EXPECT_EQ(client.take(), "");
  other_.call("SET", "l", "v");
  EXPECT_EQ(client.take(), pair("l", "taken") + bulk("third") + bulk("fourth") + bulk("fifth"));
}

TEST_F(Blocking, RepliesKeepTheirOrderWithinOneTurn) {
  // All of it is one turn of the loop: the client's own replies, its waiting, and what wakes it.
  Connection& client = server_.connect();
  Connection& pusher = server_.connect();
  client.send("ECHO first\r\nBTAKE k 0\r\nECHO second\r\n");
  pusher.send("SET k v\r\nECHO done\r\n");
  server_.run_turn();
  server_.run();
  EXPECT_EQ(client.take(), bulk("first") + pair("k", "taken") + bulk("second"));
  EXPECT_EQ(pusher.take(), "+OK\r\n" + bulk("done"));
}

TEST_F(Blocking, RepliesKeepTheirOrderBehindLargeValues) {
  const std::string large(100000, 'x');
  other_.call("SET", "large", large);
  Connection& client = server_.connect();
  Connection& pusher = server_.connect();
  client.send("GET large\r\nECHO first\r\nGET large\r\nBTAKE k 0\r\nGET large\r\n");
  pusher.send("SET k v\r\nGET large\r\n");
  server_.run();
  EXPECT_EQ(client.take(), bulk(large) + bulk("first") + bulk(large) + pair("k", "taken") + bulk(large));
  EXPECT_EQ(pusher.take(), "+OK\r\n" + bulk(large));
}

TEST_F(Blocking, WhoGoesWaitsNoLonger) {
  Connection& gone = server_.connect();
  Connection& stays = server_.connect();
  gone.call("BTAKE", "k", "a", "5");
  stays.call("BTAKE", "k", "0");
  gone.close();
  EXPECT_EQ(waiting_keys(), 1u);
  other_.call("SET", "k", "v");
  EXPECT_EQ(stays.take(), pair("k", "taken"));
  server_.advance_ms(6000);
  EXPECT_EQ(server_.services().blocking.timeout_count(), 0u);
}

TEST_F(Blocking, WhoIsKilledTakesNothing) {
  Connection& killed = server_.connect();
  killed.call("BTAKE", "k", "0");
  const std::string id = std::to_string(killed.client().id);
  other_.send("CLIENT KILL ID " + id + "\r\nSET k v\r\nEXISTS k\r\n");
  server_.run();
  EXPECT_EQ(other_.take(), ":1\r\n+OK\r\n:1\r\n");
  EXPECT_TRUE(killed.closed());
  EXPECT_EQ(waiting_keys(), 0u);
}

TEST_F(Blocking, ClientUnblock) {
  Connection& client = server_.connect();
  const std::string id = std::to_string(client.client().id);
  EXPECT_EQ(other_.call("CLIENT", "UNBLOCK", id), ":0\r\n");
  client.call("BTAKE", "k", "0");
  EXPECT_NE(other_.call("CLIENT", "LIST", "ID", id).find("flags=b"), std::string::npos);
  EXPECT_EQ(other_.call("CLIENT", "UNBLOCK", id), ":1\r\n");
  EXPECT_EQ(client.take(), "*-1\r\n");
  client.call("BPASS", "k", "l", "10");
  EXPECT_EQ(other_.call("CLIENT", "UNBLOCK", id, "error"), ":1\r\n");
  EXPECT_EQ(client.take(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  EXPECT_EQ(other_.call("CLIENT", "UNBLOCK", "99999", "TIMEOUT"), ":0\r\n");
}

TEST_F(Blocking, APauseKeepsEverybodyWaiting) {
  Connection& client = server_.connect();
  client.call("BTAKE", "k", "0");
  other_.call("MULTI");
  other_.call("SET", "k", "v");
  other_.call("CLIENT", "PAUSE", "1000", "WRITE");
  other_.call("EXEC");
  EXPECT_EQ(client.take(), "");
  server_.advance_ms(1100);
  EXPECT_EQ(client.take(), pair("k", "taken"));
}

TEST_F(Blocking, CallsAreCountedWhenTheyAreAnswered) {
  Connection& client = server_.connect();
  const auto calls = [this] { return server_.services().registry.find("btake")->stats.calls; };
  client.call("BTAKE", "k", "1");
  EXPECT_EQ(calls(), 0u);
  other_.call("SET", "k", "v");
  EXPECT_EQ(calls(), 1u);
  client.call("BTAKE", "k", "1");
  server_.advance_ms(1100);
  EXPECT_EQ(calls(), 2u);
}

TEST_F(Blocking, OtherDatabasesAreOtherKeys) {
  Connection& client = server_.connect();
  client.call("SELECT", "3");
  client.call("BTAKE", "k", "0");
  other_.call("SET", "k", "v");
  EXPECT_EQ(client.take(), "");
  EXPECT_EQ(other_.call("SWAPDB", "0", "3"), "+OK\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));
  client.call("BTAKE", "k", "0");
  other_.call("SET", "k", "v");
  EXPECT_EQ(other_.call("MOVE", "k", "3"), ":1\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));
  client.call("BTAKE", "k", "0");
  other_.call("SET", "a", "v");
  EXPECT_EQ(other_.call("COPY", "a", "k", "DB", "3"), ":1\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));
  client.call("SELECT", "0");
  client.call("BTAKE", "k", "0");
  EXPECT_EQ(other_.call("RENAME", "a", "k"), "+OK\r\n");
  EXPECT_EQ(client.take(), pair("k", "taken"));
}

TEST_F(Blocking, RepliesThatAreOffStayOff) {
  Connection& client = server_.connect();
  client.send("CLIENT REPLY SKIP\r\nBTAKE k 0\r\nECHO after\r\n");
  server_.run();
  other_.call("SET", "k", "v");
  EXPECT_EQ(client.take(), bulk("after"));
  client.send("CLIENT REPLY OFF\r\nBTAKE k 0\r\nECHO unheard\r\nCLIENT REPLY ON\r\n");
  server_.run();
  other_.call("SET", "k", "v");
  EXPECT_EQ(client.take(), "+OK\r\n");
}

TEST(BlockTimeout, TextsAndBounds) {
  int64_t deadline_ms = -1;
  const auto error = [&](Bytes text) { return parse_block_timeout(text, 1000, &deadline_ms).text(); };
  EXPECT_EQ(error("0"), "");
  EXPECT_EQ(deadline_ms, 0);
  EXPECT_EQ(error("0.0001"), "");
  EXPECT_EQ(deadline_ms, 1001);
  EXPECT_EQ(error("1.5"), "");
  EXPECT_EQ(deadline_ms, 2500);
  EXPECT_EQ(error("-0.0001"), "");
  EXPECT_EQ(deadline_ms, 0);
  EXPECT_EQ(error("-1"), kTimeoutNegative.text());
  EXPECT_EQ(error("x"), kTimeoutNotFloat.text());
  EXPECT_EQ(error(""), kTimeoutNotFloat.text());
  EXPECT_EQ(error("nan"), kTimeoutNotFloat.text());
  EXPECT_EQ(error("inf"), kTimeoutOutOfRange.text());
  EXPECT_EQ(error("-inf"), kTimeoutNegative.text());
  EXPECT_EQ(error("9223372036854775.807"), kTimeoutOutOfRange.text());
  EXPECT_EQ(error("1e300"), kTimeoutOutOfRange.text());
  EXPECT_EQ(parse_block_timeout_ms("9223372036854775807", 1000, &deadline_ms).text(), kTimeoutOutOfRange.text());
  EXPECT_EQ(parse_block_timeout_ms("1.5", 1000, &deadline_ms).text(), "ERR timeout is not an integer or out of range");
  EXPECT_EQ(parse_block_timeout_ms("15", 1000, &deadline_ms).text(), "");
  EXPECT_EQ(deadline_ms, 1015);
}

}  // namespace
}  // namespace larder
