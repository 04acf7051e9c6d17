// What every command leaves to the log: random requests of all commands run on a server with a log, and a server that starts on
// that log must have the same data, to the deadline and the last pending entry of a stream.
//
// The seed is printed and can be given: LARDER_TEST_SEED; LARDER_REPLAY_STEPS for a longer run.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/core/append_log.h"
#include "tests/support/dataset.h"
#include "tests/support/in_process_server.h"
#include "tests/support/request_maker.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

using testing::Dataset;
using testing::dataset_of;
using testing::difference_between;
using testing::InProcessOptions;
using testing::InProcessServer;
using Connection = InProcessServer::Connection;

constexpr uint64_t kDefaultSteps = 6000;
constexpr size_t kConnections = 5;

// What ends the server or its clients, is no matter of data, or empties everything too often.
constexpr Bytes kExcluded[] = {"shutdown", "debug",     "client",   "quit",     "config",  "acl",    "monitor",
                               "save",     "bgsave",    "flushall", "flushdb",  "latency", "reset",  "bgrewriteaof",
                               "command",  "subscribe", "hello",    "function", "fcall",   "swapdb", "psubscribe"};

// Effects that the grammar alone would hardly find.
const std::vector<std::vector<std::string>> kPlans = {
    {"EVAL", "return redis.call('SPOP', KEYS[1])", "1", "key:3"},
    {"EVAL", "redis.call('INCRBYFLOAT', KEYS[1], '0.1') redis.call('PEXPIRE', KEYS[1], 5000)", "1", "key:4"},
    {"EVAL", "for i = 1, 5 do redis.call('RPUSH', KEYS[1], math.random()) end", "1", "key:5"},
    {"EVAL", "redis.call('XADD', KEYS[1], '*', 'f', 'v') redis.call('SELECT', 3) redis.call('SET', 'x', 1)", "1",
     "key:6"},
    {"EVAL", "redis.call('SET', KEYS[1], 'a', 'EX', 100) return redis.call('NOSUCH')", "1", "key:7"},
    {"SADD", "key:3", "a", "b", "c", "d", "e", "f"},
    {"SPOP", "key:3", "2"},
    {"EVAL", "for i = 1, 300 do redis.call('SADD', KEYS[1], 'a member of some length ' .. i) end", "1", "key:3"},
    {"SPOP", "key:3", "296"},
    {"SORT", "key:3", "BY", "nosuch:*", "ALPHA", "STORE", "key:13"},
    {"BLPOP", "key:5", "key:8", "0.05"},
    {"BLMOVE", "key:5", "key:8", "LEFT", "RIGHT", "0.05"},
    {"BZPOPMIN", "key:9", "0.05"},
    {"ZADD", "key:9", "1.1", "a", "2.2", "b"},
    {"RPUSH", "key:5", "1", "2", "3"},
    {"HSET", "key:10", "f", "1", "g", "2", "h", "3"},
    {"HINCRBYFLOAT", "key:10", "f", "0.1"},
    {"HPEXPIRE", "key:10", "100", "FIELDS", "2", "f", "g"},
    {"SET", "key:11", "v", "PX", "120"},
    {"GETEX", "key:11", "PX", "200"},
    {"INCREX", "key:4", "BYFLOAT", "0.1", "PX", "200", "ENX"},
    {"INCREX", "key:11", "UBOUND", "9", "SATURATE", "EX", "100"},
    {"INCREX", "key:4", "PERSIST"},
    {"EXPIRE", "key:4", "-1"},
    {"XADD", "key:12", "MAXLEN", "~", "10", "*", "f", "v"},
    {"XGROUP", "CREATE", "key:12", "g", "0", "MKSTREAM"},
    {"XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "key:12", ">"},
    {"XAUTOCLAIM", "key:12", "g", "d", "0", "0", "COUNT", "1"},
    {"XACK", "key:12", "g", "0-1"},
    {"MULTI"},
    {"EXEC"},
    {"SELECT", "1"},
    {"SELECT", "0"},
    {"FLUSHDB"},
};

uint64_t steps_of_a_round() {
  const char* text = std::getenv("LARDER_REPLAY_STEPS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kDefaultSteps;
}

InProcessOptions options_with_log(MemoryFileSystem& files, uint64_t seed, int64_t wall_us) {
  InProcessOptions options;
  options.arguments = {"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", "/"};
  // Texts of half a gigabyte would be slow to compare.
  options.arguments.insert(options.arguments.end(), {"--proto-max-bulk-len", "1mb"});
  options.seed = seed;
  options.files = &files;
  options.wall_start_us = wall_us;
  return options;
}

class Replay : public ::testing::Test {
 protected:
  void storm(InProcessServer& server, Random& random, uint64_t steps) {
    testing::RequestMaker maker(server.services().registry, random, kExcluded);
    std::vector<Connection*> clients(kConnections, nullptr);
    for (uint64_t step = 0; step < steps; ++step) {
      Connection*& client = clients[random.uniform(kConnections)];
      if (client == nullptr || client->closed() || random.one_in(300)) {
        if (client != nullptr) client->close();
        client = &server.connect();
      }
      const bool from_plans = random.one_in(3);
      client->send_request(from_plans && !random.one_in(200) ? kPlans[random.uniform(kPlans.size() - 1)]
                                                             : maker.make());
      server.run();
      client->take();
      if (random.one_in(20)) server.advance_ms(random.between(0, 60));
    }
    for (Connection* client : clients) {
      if (client != nullptr) client->close();
    }
    server.run();
  }
};

TEST_F(Replay, TheLogOfRandomRequestsGivesTheSameData) {
  const uint64_t seed = test_seed();
  for (uint64_t round = 0; round < 3; ++round) {
    MemoryFileSystem files;
    Random random(seed + round);
    int64_t wall_us = SimulatedClock::kDefaultStartUs;
    Dataset before;
    for (int start = 0; start < 3; ++start) {
      InProcessServer server(options_with_log(files, seed + round * 10 + static_cast<uint64_t>(start), wall_us));
      server.run();
      ASSERT_FALSE(server.shutdown_requested()) << "seed " << seed << "\n" << server.log_text();
      const Dataset loaded = dataset_of(server);
      ASSERT_EQ(difference_between(before, loaded), "")
          << "seed " << seed << ", round " << round << ", start " << start;
      ASSERT_EQ(server.log_text().find("answered with an error"), std::string::npos) << server.log_text();
      storm(server, random, steps_of_a_round());
      before = dataset_of(server);
      server.server().finish();
      wall_us = server.clock().wall_us();
    }
  }
}

}  // namespace
}  // namespace larder
