// The append-only log as part of a server: what is acknowledged when, what a failing disk does, what a start makes of what it
// finds. The disk is in memory; any of its calls can be made to fail, and its power to go.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "persistence/aof_manifest.h"
#include "tests/support/dataset.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

using testing::Dataset;
using testing::dataset_of;
using testing::difference_between;
using testing::InProcessOptions;
using testing::InProcessServer;
using Connection = InProcessServer::Connection;
using Words = std::vector<std::string>;

constexpr const char* kIncremental = "/appendonlydir/appendonly.aof.1.incr.aof";

InProcessOptions log_options(MemoryFileSystem& files, const std::string& rule, const Words& more = {}) {
  InProcessOptions options;
  options.arguments = {"--dir", "/", "--save", "", "--appendonly", "yes", "--appendfsync", rule};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.files = &files;
  return options;
}

// A client of a server that has loaded what there is.
Connection& started(InProcessServer& server) {
  server.run();
  return server.connect();
}

std::string info_field(Connection& client, const std::string& name) {
  const std::string text = client.call("INFO", "persistence");
  const size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) return "(none)";
  const size_t begin = at + name.size() + 2;
  return text.substr(begin, text.find('\r', begin) - begin);
}

// ---- What is acknowledged

TEST(AppendLog, AlwaysAnswersWhatIsDurable) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
    EXPECT_EQ(client.call("RPUSH", "l", "a"), ":1\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.call("LLEN", "l"), ":1\r\n");
}

TEST(AppendLog, EverySecondLosesAtMostASecond) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "everysec"));
    Connection& client = started(server);
    EXPECT_EQ(client.call("SET", "old", "v"), "+OK\r\n");
    server.advance_ms(1100);
    EXPECT_EQ(client.call("SET", "new", "v"), "+OK\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "everysec"));
  EXPECT_EQ(started(server).call("MGET", "old", "new"), "*2\r\n$1\r\nv\r\n$-1\r\n");
}

TEST(AppendLog, WaitAofMakesARequestDurableAtOnce) {
  for (const char* rule : {"everysec", "no", "always"}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, rule));
      Connection& client = started(server);
      EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
      EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n") << rule;
      files.power_cut();
    }
    InProcessServer server(log_options(files, rule));
    EXPECT_EQ(started(server).call("GET", "k"), "$1\r\nv\r\n") << rule;
  }
}

// ---- A disk that fails

TEST(AppendLog, NothingIsAnsweredThatCouldNotBeSynced) {
  for (const uint64_t failing : {1u, 2u}) {  // the write, the sync
    MemoryFileSystem files;
    InProcessServer server(log_options(files, "always"));
    Connection& writer = started(server);
    Connection& other = started(server);
    EXPECT_EQ(writer.call("SET", "k", "1"), "+OK\r\n");
    files.set_torn_bytes(7);
    files.fail_call(failing, ErrorCode::kIo, true);
    EXPECT_EQ(writer.call("SET", "k", "2"), "") << "held until it is durable";
    const std::string refusal = other.call("SET", "k", "3");
    EXPECT_TRUE(refusal.starts_with("-MISCONF Errors writing to the AOF file: ")) << refusal;
    EXPECT_TRUE(other.call("PING").starts_with("-MISCONF "));
    EXPECT_EQ(other.call("GET", "k"), "$1\r\n2\r\n");
    EXPECT_EQ(info_field(other, "aof_last_write_status"), "err");
    files.fail_call(0);
    server.advance_ms(1200);
    EXPECT_EQ(writer.take(), "+OK\r\n");
    EXPECT_EQ(info_field(other, "aof_last_write_status"), "ok");
    EXPECT_EQ(other.call("SET", "j", "4"), "+OK\r\n");
    files.power_cut();
    InProcessServer next(log_options(files, "always"));
    EXPECT_EQ(started(next).call("MGET", "k", "j"), "*2\r\n$1\r\n2\r\n$1\r\n4\r\n") << failing;
  }
}

TEST(AppendLog, AFullDiskRefusesWritesUntilThereIsRoom) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("SELECT", "2"), "+OK\r\n");
  files.set_capacity(3000);
  std::string reply;
  int accepted = 0;
  for (; accepted < 100; ++accepted) {
    reply = client.call("SET", "k" + std::to_string(accepted), std::string(100, 'x'));
    if (reply != "+OK\r\n") break;
    server.advance_ms(20);
  }
  EXPECT_TRUE(reply.starts_with("-MISCONF ")) << reply;
  EXPECT_NE(server.log_text().find("Writing the append only log failed"), std::string::npos);
  files.set_capacity(1000000);
  server.advance_ms(1200);
  EXPECT_EQ(client.call("SET", "last", "v"), "+OK\r\n");
  EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
  files.power_cut();
  InProcessServer next(log_options(files, "everysec"));
  Connection& reader = started(next);
  EXPECT_EQ(reader.call("SELECT", "2"), "+OK\r\n");
  EXPECT_EQ(reader.call("DBSIZE"), ":" + std::to_string(accepted + 1) + "\r\n");
}

// ---- Rewriting

TEST(AppendLog, ARewriteThatFailsAnywhereLosesNothing) {
  for (uint64_t failing = 1;; ++failing) {
    MemoryFileSystem files;
    Dataset expected;
    bool reached = false;
    {
      InProcessServer server(log_options(files, "always"));
      Connection& client = started(server);
      for (int i = 0; i < 20; ++i) client.call("SET", "k" + std::to_string(i), "v");
      client.call("SADD", "s", "1", "2", "x");
      client.call("ZADD", "z", "1", "a");
      const uint64_t before = files.call_count();
      files.fail_call(failing);
      client.call("BGREWRITEAOF");
      server.advance_ms(3000);
      reached = files.call_count() - before >= failing;
      files.fail_call(0);
      EXPECT_EQ(client.call("SET", "after", "1"), "+OK\r\n") << failing;
      expected = dataset_of(server);
      files.power_cut();
    }
    InProcessServer next(log_options(files, "always"));
    next.run();
    EXPECT_EQ(difference_between(expected, dataset_of(next)), "") << "call " << failing << "\n" << next.log_text();
    if (HasFailure()) return;
    if (!reached) break;
  }
}

TEST(AppendLog, TheLogIsRewrittenWhenItHasGrown) {
  MemoryFileSystem files;
  InProcessServer server(log_options(files, "everysec", {"--auto-aof-rewrite-min-size", "10kb"}));
  Connection& client = started(server);
  for (int i = 0; i < 400; ++i) client.call("SET", "k", std::string(100, static_cast<char>('a' + i % 26)));
  server.advance_ms(2000);
  EXPECT_EQ(info_field(client, "aof_rewrites"), "1");
  EXPECT_EQ(info_field(client, "aof_base_size"), info_field(client, "aof_current_size"));
  server.advance_ms(5000);
  EXPECT_EQ(info_field(client, "aof_rewrites"), "1");
}

TEST(AppendLog, TurnedOnWithDataItBeginsWithThem) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    client.call("SET", "before", "1");
    EXPECT_EQ(client.call("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
    client.call("SET", "after", "1");
    EXPECT_EQ(client.call("WAITAOF", "1", "0", "0"), "*2\r\n:1\r\n:0\r\n");
    files.power_cut();
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":2\r\n");
}

TEST(AppendLog, WhileItIsOffARewriteLeavesALogOfThePresentData) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", {"--appendonly", "no"}));
    Connection& client = started(server);
    client.call("SET", "k", "1");
    EXPECT_EQ(client.call("BGREWRITEAOF"), "+Background append only file rewriting started\r\n");
    server.advance_ms(500);
    client.call("SET", "later", "1");
    EXPECT_EQ(info_field(client, "aof_enabled"), "0");
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("KEYS", "*"), "*1\r\n$1\r\nk\r\n");
}

// ---- What a start finds

// Writes a log of a few groups, the first of them durable beyond doubt. Returns the bytes of its file.
std::string make_log(MemoryFileSystem& files) {
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  for (int i = 0; i < 4; ++i) client.call("SET", "k" + std::to_string(i), "v");
  client.send("MULTI\r\nSET a 1\r\nSET b 2\r\nEXEC\r\n");
  server.run();
  server.server().finish();
  return files.content(kIncremental);
}

TEST(AppendLog, ATornTailIsCutAndKeptAside) {
  MemoryFileSystem files;
  const std::string whole = make_log(files);
  const size_t last_group = whole.rfind("#LG:");
  const std::string torn = whole.substr(0, last_group + 100);
  files.set_content(kIncremental, torn);
  InProcessServer refused(log_options(files, "always", {"--aof-load-truncated", "no"}));
  refused.run();
  EXPECT_TRUE(refused.server().load_failed());
  EXPECT_NE(refused.log_text().find("an unfinished group at offset " + std::to_string(last_group)), std::string::npos)
      << refused.log_text();
  EXPECT_EQ(files.content(kIncremental), torn) << "nothing is changed by a start that is refused";

  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("DBSIZE"), ":4\r\n");
  const std::string saved = std::string(kIncremental) + ".cut-" + std::to_string(last_group);
  EXPECT_EQ(files.content(saved), torn.substr(last_group));
  EXPECT_NE(server.log_text().find("was cut at offset " + std::to_string(last_group)), std::string::npos);
  EXPECT_EQ(client.call("SET", "more", "1"), "+OK\r\n");
  InProcessServer next(log_options(files, "always"));
  EXPECT_EQ(started(next).call("DBSIZE"), ":5\r\n");
}

TEST(AppendLog, DamageIsRefusedWithItsPlace) {
  MemoryFileSystem files;
  std::string text = make_log(files);
  const size_t second_group = text.find("#LG:", text.find("#LG:") + 1);
  text[second_group + 90] ^= 4;
  files.set_content(kIncremental, text);
  InProcessServer server(log_options(files, "always"));
  server.run();
  EXPECT_TRUE(server.server().load_failed());
  EXPECT_NE(server.log_text().find(std::string(kIncremental) + ": a wrong checksum at offset " +
                                   std::to_string(second_group)),
            std::string::npos)
      << server.log_text();
  // Who asks for it gets what is in front.
  InProcessServer cut(log_options(files, "always", {"--aof-load-corrupt-tail-max-size", "1mb"}));
  EXPECT_EQ(started(cut).call("DBSIZE"), ":1\r\n");
}

TEST(AppendLog, ADamagedManifestOrAMissingFileIsRefused) {
  MemoryFileSystem files;
  make_log(files);
  const std::string manifest = files.content("/appendonlydir/appendonly.aof.manifest");
  files.set_content("/appendonlydir/appendonly.aof.manifest", "file appendonly.aof.1.incr.aof seq x type i\n");
  InProcessServer server(log_options(files, "always"));
  EXPECT_TRUE(server.server().load_failed());
  files.set_content("/appendonlydir/appendonly.aof.manifest", manifest + "file gone.2.incr.aof seq 2 type i\n");
  InProcessServer second(log_options(files, "always"));
  second.run();
  EXPECT_TRUE(second.server().load_failed());
  EXPECT_NE(second.log_text().find("gone.2.incr.aof"), std::string::npos) << second.log_text();
}

// Wherever the file ends, a transaction is there as a whole or not at all.
TEST(AppendLog, ATransactionIsNeverLoadedInPart) {
  MemoryFileSystem files;
  const std::string whole = make_log(files);
  const std::string plain =
      "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$"
      "4\r\nEXEC\r\n";
  for (const std::string& text : {whole, plain}) {
    for (size_t size = text.find("MULTI"); size <= text.size(); ++size) {
      MemoryFileSystem cut;
      cut.set_content("/appendonlydir/appendonly.aof.manifest",
                      files.content("/appendonlydir/appendonly.aof.manifest"));
      cut.set_content(kIncremental, text.substr(0, size));
      InProcessServer server(log_options(cut, "always"));
      const std::string count = started(server).call("EXISTS", "a", "b");
      ASSERT_TRUE(count == ":0\r\n" || count == ":2\r\n") << size << ": " << count;
    }
  }
}

// ---- The power goes

// A random course of requests whose effect does not depend on the time.
std::vector<Words> random_course(Random& random, size_t steps) {
  std::vector<Words> course;
  for (size_t i = 0; i < steps; ++i) {
    const std::string key = std::to_string(random.uniform(6));
    const std::string value = std::string(random.uniform(40), 'x') + std::to_string(i);
    switch (random.uniform(9)) {
      case 0:
        course.push_back({"SADD", "s" + key, value});
        break;
      case 1:
        course.push_back({"ZADD", "z" + key, std::to_string(i), value});
        break;
      case 2:
        course.push_back({"APPEND", "k" + key, value});
        break;
      case 3:
        course.push_back({"DEL", "k" + key, "s" + key});
        break;
      case 4:
        course.push_back({"EVAL", "redis.call('SET','k1',ARGV[1]) return redis.call('INCR','n')", "0", value});
        break;
      case 5:
        course.push_back(random.one_in(2) ? Words{"BGREWRITEAOF"} : Words{"SELECT", std::to_string(random.uniform(3))});
        break;
      default:
        course.push_back({"SET", "k" + key, value});
    }
  }
  return course;
}

// What the data are after each number of requests.
std::vector<Dataset> states_of(const std::vector<Words>& course) {
  InProcessServer server;
  Connection& client = started(server);
  std::vector<Dataset> states = {dataset_of(server)};
  for (const Words& request : course) {
    if (request[0] != "BGREWRITEAOF") {
      client.send_request(request);
      server.run();
    }
    states.push_back(dataset_of(server));
  }
  return states;
}

struct PowerCut {
  size_t durable = 0;  // requests that are certainly there
  size_t sent = 0;
  bool reached = false;
};

// Runs the course until the disk's call number `cut`, with which the power goes.
PowerCut run_until(MemoryFileSystem& files, const std::string& rule, const std::vector<Words>& course, uint64_t cut) {
  PowerCut result;
  files.fail_call(cut, ErrorCode::kIo, true);
  const uint64_t before = files.call_count();
  InProcessServer server(log_options(files, rule));
  Connection& client = started(server);
  const auto power_is_gone = [&] { return files.call_count() - before >= cut; };
  for (size_t i = 0; i < course.size() && !power_is_gone() && !server.server().load_failed(); ++i) {
    client.send_request(course[i]);
    server.run();
    result.sent = i + 1;
    const std::string reply = client.take();
    if (reply.empty() || reply[0] == '-') break;
    if (rule == "always") result.durable = i + 1;
    if (rule != "always" && i % 5 == 4 && client.call("WAITAOF", "1", "0", "0") == "*2\r\n:1\r\n:0\r\n") {
      result.durable = i + 1;
    }
    if (i % 7 == 6) server.advance_ms(150);
  }
  result.reached = power_is_gone();
  return result;
}

void cut_power_everywhere(uint64_t seed, const std::string& rule, size_t steps) {
  Random random(seed);
  const std::vector<Words> course = random_course(random, steps);
  const std::vector<Dataset> states = states_of(course);
  for (uint64_t cut = 1;; ++cut) {
    MemoryFileSystem files;
    const PowerCut result = run_until(files, rule, course, cut);
    files.fail_call(0);
    files.power_cut(random.uniform(300));
    InProcessServer server(log_options(files, rule));
    server.run();
    ASSERT_FALSE(server.server().load_failed()) << "seed " << seed << ", cut " << cut << "\n" << server.log_text();
    const Dataset found = dataset_of(server);
    bool is_a_state = false;
    for (size_t i = result.durable; i <= result.sent; ++i) is_a_state |= found == states[i];
    ASSERT_TRUE(is_a_state) << "seed " << seed << ", " << rule << ", cut " << cut << ", durable " << result.durable
                            << ", sent " << result.sent << "\n"
                            << difference_between(states[result.durable], found) << server.log_text();
    if (!result.reached) return;
  }
}

TEST(AppendLog, APrefixWithEverythingDurableIsThereWhereverThePowerIsCut) {
  const uint64_t seed = test_seed();
  const char* rounds = std::getenv("LARDER_POWER_ROUNDS");
  const uint64_t count = rounds != nullptr ? std::strtoull(rounds, nullptr, 10) : 2;
  for (uint64_t i = 0; i < count; ++i) {
    for (const char* rule : {"always", "everysec", "no"}) {
      cut_power_everywhere(seed + i, rule, 30);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace larder
