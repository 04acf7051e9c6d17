// The power goes at any call of the file system, while random requests of every type run and the log is rewritten or a
// snapshot is saved between them: what the next start finds is a state that was, with everything in it that was durable.
//
// Every look at the clock lets some time pass, so that a walk does a little in each turn and requests come between its
// steps. LARDER_POWER_ROUNDS is the number of seeds (1), LARDER_TEST_SEED the first of them, LARDER_POWER_CUTS how many calls of
// each are tried (5; all if there are fewer).

#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/command/log_server.h"
#include "tests/support/dataset.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

using testing::Dataset;
using testing::dataset_of;
using testing::difference_between;
using testing::InProcessServer;
using testing::log_options;
using testing::started;
using Connection = InProcessServer::Connection;
using Words = std::vector<std::string>;

constexpr size_t kSteps = 40;
constexpr int kTurnsMax = 400;
// A deadline that is not reached, whatever the time of the run.
constexpr uint64_t kFarMs = 1'800'000'000'000;
constexpr int kLibraries = 3;

std::string library_code(uint64_t number, size_t version) {
  return "#!lua name=lib" + std::to_string(number) + "\nredis.register_function('f" + std::to_string(number) +
         "', function() return " + std::to_string(version) + " end)";
}

// Requests whose effect does not depend on the time, each with a number of its own.
class Course {
 public:
  explicit Course(Random& random) : random_(random) {}

  std::vector<Words> make(size_t steps) {
    // Large collections, which a snapshot writes in pieces at its end, in every fourth course.
    if (random_.one_in(4)) {
      for (const char* filling :
           {"'HSET', 'h0', i, ARGV[1]", "'RPUSH', 'l0', i .. ARGV[1]", "'SADD', 's0', i .. ARGV[1]",
            "'ZADD', 'z0', i, i .. ARGV[1]", "'XADD', 'x0', i .. '-1', 'f', ARGV[1]"}) {
        requests_.push_back(
            {"EVAL", "for i = 1, 170 do redis.call(" + std::string(filling) + ") end", "0", std::string(200, 'v')});
      }
    }
    while (requests_.size() < steps) add();
    return std::move(requests_);
  }

 private:
  std::string key(const char* type) { return type + std::to_string(random_.uniform(3)); }
  std::string number() { return std::to_string(requests_.size()); }
  std::string far_ms() { return std::to_string(kFarMs + requests_.size()); }
  std::string value() { return std::string(random_.uniform(60), 'x') + number(); }
  void put(Words request) { requests_.push_back(std::move(request)); }

  void add() {
    switch (random_.uniform(10)) {
      case 0:
      case 1:
        return put(random_.one_in(3) ? Words{"BGSAVE"} : Words{"BGREWRITEAOF"});
      case 2:
        return add_of_keys();
      case 3:
      case 4:
        return add_stream();
      case 5:
        return add_script();
      case 6:
      case 7:
        return add_string();
      default:
        return add_collection();
    }
  }

  void add_of_keys() {
    const char* const types[] = {"k", "l", "s", "h", "z", "x", "p", "b", "g"};
    const std::string first = key(types[random_.uniform(std::size(types))]);
    switch (random_.uniform(6)) {
      case 0:
        return put({"SELECT", std::to_string(random_.uniform(3))});
      case 1:
        return put({"PEXPIREAT", first, far_ms()});
      case 2:
        return put({"RENAME", first, first + "'"});
      case 3:
        return put({"COPY", first, first + "'", "REPLACE"});
      case 4:
        return put({"MOVE", first, "1"});
      default:
        return put({"UNLINK", first, first + "'"});
    }
  }

  void add_string() {
    switch (random_.uniform(8)) {
      case 0:
        return put({"SET", key("k"), value(), "PXAT", far_ms()});
      case 1:
        return put({"APPEND", key("k"), value()});
      case 2:
        return put({"INCRBYFLOAT", key("n"), "0.25"});
      case 3:
        return put({"SETBIT", key("b"), std::to_string(random_.uniform(300)), "1"});
      case 4:
        return put({"BITFIELD", key("b"), "INCRBY", "u8", "#" + std::to_string(random_.uniform(9)), "7"});
      case 5:
        return put({"PFADD", key("p"), value(), number()});
      case 6:
        return put({"RL.TAKE", "1", key("r"), "GCRA", "100", "1000000000"});
      default:
        return put({"SET", key("k"), value()});
    }
  }

  void add_collection() {
    switch (random_.uniform(12)) {
      case 0:
        return put({"RPUSH", key("l"), value(), number()});
      case 1:
        return put({"LPOP", key("l")});
      case 2:
        return put({"LINSERT", key("l"), "BEFORE", number(), value()});
      case 3:
        return put({"SADD", key("s"), value(), number()});
      case 4:
        return put({"SMOVE", key("s"), key("s"), number()});
      case 5:
        return put({"HSET", key("h"), number(), value(), "g", number()});
      case 6:
        return put({"HPEXPIREAT", key("h"), far_ms(), "FIELDS", "1", "g"});
      case 7:
        return put({"HDEL", key("h"), std::to_string(1 + random_.uniform(170))});
      case 8:
        return put({"ZADD", key("z"), number() + ".5", value(), "-1", "low"});
      case 9:
        return put({"ZPOPMIN", key("z")});
      case 10:
        return put({"GEOADD", key("g"), std::to_string(random_.uniform(90)), "12.5", value()});
      default:
        return put({"LSET", key("l"), "0", value()});
    }
  }

  void add_stream() {
    const std::string stream = key("x");
    switch (random_.uniform(7)) {
      case 0:
        return put({"XGROUP", "CREATE", stream, "group", "0", "MKSTREAM"});
      case 1:
        return put({"XREADGROUP", "GROUP", "group", key("c"), "COUNT", "2", "STREAMS", stream, ">"});
      case 2:
        return put({"XACK", stream, "group", number() + "-1"});
      case 3:
        return put({"XTRIM", stream, "MAXLEN", "5"});
      default:
        return put({"XADD", stream, std::to_string(1000 + requests_.size()) + "-1", "field", value()});
    }
  }

  void add_script() {
    const uint64_t library = random_.uniform(kLibraries);
    switch (random_.uniform(4)) {
      case 0:
        return put({"FUNCTION", "LOAD", "REPLACE", library_code(library, requests_.size())});
      case 1:
        return put({"FUNCTION", "DELETE", "lib" + std::to_string(library)});
      default:
        return put(
            {"EVAL", "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INCR', 'n')", "1", key("k"), value()});
    }
  }

  Random& random_;
  std::vector<Words> requests_;
};

// Of a server: its data, its functions, and of a limit that it is there (its state tells the time).
Dataset state_of(InProcessServer& server) {
  server.clock().set_look_us(0);
  Dataset state = dataset_of(server);
  for (auto& [key, content] : state) {
    if (key[key.find(':') + 1] == 'r') content = "limit";
  }
  Connection& client = server.connect();
  for (int i = 0; i < kLibraries; ++i) {
    const std::string name = "lib" + std::to_string(i);
    state["function " + name] = client.call("FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE");
  }
  client.close();
  server.run();
  return state;
}

bool is_saving(const Words& request) { return request[0] == "BGREWRITEAOF" || request[0] == "BGSAVE"; }

// What the data are after each number of requests.
std::vector<Dataset> states_of(const std::vector<Words>& course) {
  InProcessServer server;
  Connection& client = started(server);
  std::vector<Dataset> states = {state_of(server)};
  for (const Words& request : course) {
    if (is_saving(request)) {
      states.push_back(states.back());
      continue;
    }
    client.send_request(request);
    server.run();
    states.push_back(state_of(server));
  }
  return states;
}

// Turns until the reply is there; what else goes on is left in the middle. Empty: it does not come.
std::string answer(InProcessServer& server, Connection& client, const Words& request) {
  client.send_request(request);
  for (int turns = 0; turns < kTurnsMax && client.arrived().empty(); ++turns) server.run_turn();
  return client.take();
}

struct PowerCut {
  size_t durable = 0;  // requests that are certainly there
  size_t sent = 0;
};

struct Conditions {
  std::string rule;
  Words options;
  int64_t look_us;
};

// Runs the course until the disk's call number `cut`, with which the power goes.
PowerCut run_until(MemoryFileSystem& files, const Conditions& conditions, const std::vector<Words>& course,
                   uint64_t cut) {
  PowerCut result;
  files.fail_call(cut, ErrorCode::kIo, true);
  const uint64_t before = files.call_count();
  InProcessServer server(log_options(files, conditions.rule, conditions.options));
  Connection& client = started(server);
  server.clock().set_look_us(conditions.look_us);
  const auto power_is_gone = [&] { return files.call_count() - before >= cut; };
  for (size_t i = 0; i < course.size() && !power_is_gone() && !server.server().load_failed(); ++i) {
    result.sent = i + 1;
    const std::string reply = answer(server, client, course[i]);
    if (reply.empty() || reply.starts_with("-MISCONF") || power_is_gone()) break;
    if (conditions.rule == "always") result.durable = i + 1;
    if (conditions.rule != "always" && i % 5 == 4 &&
        answer(server, client, {"WAITAOF", "1", "0", "0"}) == "*2\r\n:1\r\n:0\r\n") {
      result.durable = i + 1;
    }
  }
  return result;
}

// What a start finds is one of the states that were since the last durable one.
void check_start(MemoryFileSystem& files, const Conditions& conditions, const std::vector<Dataset>& states,
                 const PowerCut& result) {
  InProcessServer server(log_options(files, conditions.rule, conditions.options));
  server.run();
  ASSERT_FALSE(server.server().load_failed()) << server.log_text();
  const Dataset found = state_of(server);
  for (size_t i = result.durable; i <= result.sent; ++i) {
    if (found == states[i]) return;
  }
  FAIL() << "durable " << result.durable << ", sent " << result.sent << "\n"
         << difference_between(states[result.durable], found) << server.log_text();
}

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// At `cuts` of the calls, or at each if there are no more. *tried counts them.
void cut_power(uint64_t seed, const std::string& rule, uint64_t cuts, uint64_t* tried) {
  Random random(seed);
  const std::vector<Words> course = Course(random).make(kSteps);
  const std::vector<Dataset> states = states_of(course);
  const Conditions conditions{
      rule, {"--aof-use-rdb-preamble", random.one_in(3) ? "no" : "yes"}, static_cast<int64_t>(random.between(5, 120))};
  MemoryFileSystem uncut;
  ASSERT_EQ(run_until(uncut, conditions, course, UINT64_MAX).sent, course.size());
  const uint64_t calls = uncut.call_count();
  for (uint64_t i = 1; i <= std::min(cuts, calls); ++i) {
    const uint64_t cut = calls <= cuts ? i : 1 + random.uniform(calls);
    MemoryFileSystem files;
    const PowerCut result = run_until(files, conditions, course, cut);
    files.fail_call(0);
    files.power_cut(random.uniform(300), random.next());
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + rule + ", call " + std::to_string(cut));
    check_start(files, conditions, states, result);
    if (::testing::Test::HasFailure()) return;
    ++*tried;
  }
}

// Of a long run, what it has come to is said now and then.
constexpr uint64_t kSeedsPerLine = 10;

TEST(PowerCut, APrefixWithEverythingDurableIsThereWhereverThePowerIsCut) {
  const uint64_t seed = test_seed();
  const uint64_t seeds = number_from("LARDER_POWER_ROUNDS", 1);
  const uint64_t cuts = number_from("LARDER_POWER_CUTS", 5);
  uint64_t tried = 0;
  for (uint64_t i = 0; i < seeds; ++i) {
    for (const char* rule : {"always", "everysec", "no"}) {
      cut_power(seed + i, rule, cuts, &tried);
      if (HasFailure()) return;
    }
    if ((i + 1) % kSeedsPerLine == 0) {
      std::printf("%" PRIu64 " seeds from %" PRIu64 " on, each in 3 settings: %" PRIu64 " power cuts\n", i + 1, seed,
                  tried);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace larder
