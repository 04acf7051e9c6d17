// INFO: sections, fields that exporters and client libraries parse, figures that are true.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/number_text.h"
#include "tests/support/in_process_server.h"
#include "tests/support/info_field.h"

namespace larder::testing {
namespace {

// The text inside the bulk string.
std::string info(InProcessServer& server, InProcessServer::Connection& client,
                 const std::vector<std::string>& sections = {}) {
  std::vector<std::string> request = {"INFO"};
  request.insert(request.end(), sections.begin(), sections.end());
  client.send_request(request);
  server.run();
  const std::string reply = client.take();
  const size_t line_end = reply.find("\r\n");
  EXPECT_EQ(reply[0], '$');
  return reply.substr(line_end + 2, reply.size() - line_end - 4);
}

std::vector<std::string> titles(const std::string& text) {
  std::vector<std::string> found;
  for (size_t at = text.find("# "); at != std::string::npos; at = text.find("\n# ", at)) {
    if (text[at] == '\n') ++at;
    found.push_back(text.substr(at + 2, text.find('\r', at) - at - 2));
    ++at;
  }
  return found;
}

using Titles = std::vector<std::string>;

// A dashboard that reads the one and a person who asks for the other see the same.
TEST(InfoCommand, MemoryStatsSaysTheSame) {
  InProcessServer server;
  InProcessServer::Connection& client = server.connect();
  client.call("SET", "k", std::string(1000, 'v'));
  const Reply stats = client.ask("MEMORY", "STATS");
  const std::string text = info(server, client, {"memory"});
  const std::map<std::string, std::string> fields = {{"total.allocated", "used_memory"},
                                                     {"allocator.resident", "allocator_resident"},
                                                     {"allocator-rss.bytes", "allocator_rss_bytes"},
                                                     {"rss-overhead.bytes", "rss_overhead_bytes"},
                                                     {"fragmentation.bytes", "mem_fragmentation_bytes"},
                                                     {"dataset.bytes", "used_memory_dataset"}};
  size_t compared = 0;
  for (size_t i = 0; i + 1 < stats.elements.size(); i += 2) {
    const auto field = fields.find(stats.elements[i].text);
    if (field == fields.end()) continue;
    ++compared;
    // The buffers of the two requests are not of one size.
    EXPECT_NEAR(static_cast<double>(stats.elements[i + 1].integer),
                parse_double(info_field(text, field->second).value_or("")).value_or(-1e9), 8192)
        << field->first;
  }
  EXPECT_EQ(compared, fields.size());
}

TEST(InfoCommand, Sections) {
  InProcessServer server;
  auto& client = server.connect();
  const Titles usual = {"Server", "Clients", "Memory",     "Persistence", "Stats",   "Replication",
                        "CPU",    "Modules", "Errorstats", "Cluster",     "Keyspace"};
  const Titles all = {"Server",  "Clients",      "Memory",     "Persistence",  "Stats",   "Replication", "CPU",
                      "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"};
  EXPECT_EQ(titles(info(server, client)), usual);
  EXPECT_EQ(titles(info(server, client, {"default"})), usual);
  EXPECT_EQ(titles(info(server, client, {"ALL"})), all);
  EXPECT_EQ(titles(info(server, client, {"everything"})), all);
  EXPECT_EQ(titles(info(server, client, {"keyspace", "SERVER", "nonsense", "server"})), (Titles{"Server", "Keyspace"}));
  EXPECT_EQ(titles(info(server, client, {"commandstats", "default"})).size(), usual.size() + 1);
  EXPECT_EQ(info(server, client, {"nonsense"}), "");
}

TEST(InfoCommand, EveryLineIsATitleOrAField) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("SET", "k", "v");
  const std::string text = info(server, client, {"everything"});
  std::set<std::string> names;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find("\r\n", at);
    ASSERT_NE(end, std::string::npos) << "the last line does not end";
    const std::string line = text.substr(at, end - at);
    at = end + 2;
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(':');
    ASSERT_NE(colon, std::string::npos) << line;
    EXPECT_TRUE(names.insert(line.substr(0, colon)).second) << line << " stands twice";
  }
  EXPECT_EQ(text.find('\n', 0), text.find('\r') + 1);
}

TEST(InfoCommand, VerbatimInResp3) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("HELLO", "3");
  const std::string reply = client.call("INFO", "keyspace");
  EXPECT_EQ(reply, "=16\r\ntxt:# Keyspace\r\n\r\n");
}

// What client libraries and exporters read, by name.
TEST(InfoCommand, FieldsThatAreParsed) {
  InProcessServer server;
  auto& client = server.connect();
  const std::string text = info(server, client);
  for (const char* name : {"redis_version",
                           "redis_mode",
                           "arch_bits",
                           "os",
                           "process_id",
                           "run_id",
                           "tcp_port",
                           "uptime_in_seconds",
                           "uptime_in_days",
                           "larder_version",
                           "connected_clients",
                           "blocked_clients",
                           "maxclients",
                           "used_memory",
                           "used_memory_human",
                           "used_memory_peak_human",
                           "used_memory_rss",
                           "maxmemory",
                           "maxmemory_policy",
                           "mem_fragmentation_ratio",
                           "loading",
                           "aof_enabled",
                           "rdb_last_save_time",
                           "rdb_changes_since_last_save",
                           "role",
                           "connected_slaves",
                           "master_repl_offset",
                           "total_commands_processed",
                           "instantaneous_ops_per_sec",
                           "keyspace_hits",
                           "expired_keys",
                           "evicted_keys",
                           "used_cpu_sys",
                           "used_cpu_user",
                           "cluster_enabled"}) {
    EXPECT_TRUE(info_field(text, name).has_value()) << name;
  }
  EXPECT_EQ(info_field(text, "redis_version"), "7.2.4");
  EXPECT_EQ(info_field(text, "redis_mode"), "standalone");
  EXPECT_EQ(info_field(text, "role"), "master");
  EXPECT_EQ(info_field(text, "loading"), "0");
  EXPECT_EQ(info_field(text, "aof_enabled"), "0");
  for (const char* other : {"valkey_version", "dragonfly_version", "garnet_version"}) {
    EXPECT_FALSE(info_field(text, other).has_value()) << other;
  }
}

TEST(InfoCommand, FiguresAreTrue) {
  InProcessServer server(
      {.arguments = {"--port", "7001", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}});
  auto& client = server.connect();
  server.connect();
  client.call("SET", "a", "1");
  client.call("SET", "b", "2", "PX", "100000");
  client.call("GET", "a");
  client.call("GET", "missing");
  client.call("INCR", "a", "x");
  server.advance_ms(3000);
  const std::string text = info(server, client, {"everything"});
  EXPECT_EQ(info_field(text, "tcp_port"), "7001");
  EXPECT_EQ(info_field(text, "uptime_in_seconds"), "3");
  EXPECT_EQ(info_field(text, "connected_clients"), "2");
  EXPECT_EQ(info_field(text, "maxmemory"), "104857600");
  EXPECT_EQ(info_field(text, "maxmemory_human"), "100.00M");
  EXPECT_EQ(info_field(text, "maxmemory_policy"), "allkeys-lru");
  EXPECT_EQ(info_field(text, "used_memory_rss"), "67108864");
  EXPECT_EQ(info_field(text, "keyspace_hits"), "1");
  EXPECT_EQ(info_field(text, "keyspace_misses"), "1");
  EXPECT_EQ(info_field(text, "rdb_changes_since_last_save"), "2");
  EXPECT_EQ(info_field(text, "total_error_replies"), "1");
  EXPECT_EQ(info_field(text, "errorstat_ERR"), "count=1");
  EXPECT_EQ(info_field(text, "db0"), "keys=2,expires=1,avg_ttl=97000");
  EXPECT_EQ(info_field(text, "cmdstat_set").value_or("").substr(0, 8), "calls=2,");
  EXPECT_EQ(info_field(text, "cmdstat_incr").value_or(""),
            "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0");
  EXPECT_FALSE(info_field(text, "cmdstat_ping").has_value());
  const auto used = parse_int64(info_field(text, "used_memory").value_or(""));
  const auto peak = parse_int64(info_field(text, "used_memory_peak").value_or(""));
  ASSERT_TRUE(used && peak);
  EXPECT_GT(*used, 0);
  EXPECT_GE(*peak, *used);
}

TEST(InfoCommand, UsedMemoryFollowsTheData) {
  InProcessServer server;
  auto& client = server.connect();
  const auto used = [&] {
    return parse_int64(info_field(info(server, client, {"memory"}), "used_memory").value_or("")).value_or(-1);
  };
  const int64_t before = used();
  client.call("SET", "k", std::string(1 << 20, 'x'));
  const int64_t full = used();
  EXPECT_GT(full, before + (1 << 20) - 1);
  client.call("DEL", "k");
  EXPECT_LT(used(), full - (1 << 20) + 1);
}

TEST(InfoCommand, LatencyPercentilesAreThoseConfigured) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99.99");
  client.call("PING");
  const std::string value =
      info_field(info(server, client, {"latencystats"}), "latency_percentiles_usec_ping").value_or("");
  EXPECT_EQ(value.substr(0, 4), "p50=") << value;
  EXPECT_NE(value.find(",p99.99="), std::string::npos) << value;
}

// The sources of scripts and libraries: a client can bring any number of them.
TEST(InfoCommand, SourcesOfScriptsAreMemory) {
  InProcessServer server;
  auto& client = server.connect();
  const auto used = [&] { return parse_int64(*info_field(info(server, client, {"memory"}), "used_memory")).value(); };
  const std::string comment(3'000'000, '-');
  const int64_t before = used();
  client.call("EVAL", "return 1 --" + comment, "0");
  client.call("SCRIPT", "LOAD", "return 2 --" + comment);
  client.call("FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('f', function() end) --" + comment);
  EXPECT_GE(used(), before + 9'000'000);
  server.advance_ms(200);
  client.call("CONFIG", "SET", "maxmemory", std::to_string(before + 6'000'000));
  EXPECT_TRUE(client.call("SET", "k", "v").starts_with("-OOM"));
  client.call("SCRIPT", "FLUSH");
  client.call("CONFIG", "RESETSTAT");
  server.advance_ms(200);
  EXPECT_EQ(client.call("SET", "k", "v"), "+OK\r\n");
  EXPECT_LT(used(), before + 6'000'000);
}

TEST(Info, TheLoopsTurnsAreMeasured) {
  InProcessOptions options;
  options.arguments = {"--enable-debug-command", "yes"};
  InProcessServer server(options);
  InProcessServer::Connection& client = server.connect();
  client.call("DEBUG", "SLEEP", "0.05");
  client.call("PING");
  const std::string text = info(server, client, {"stats"});
  EXPECT_EQ(info_field(text, "eventloop_cycles"), "3");
  EXPECT_EQ(info_field(text, "eventloop_duration_sum"), "50000");
  EXPECT_EQ(info_field(text, "eventloop_duration_cmd_sum"), "50000");
  EXPECT_EQ(info_field(text, "instantaneous_eventloop_duration_usec"), "0");
}

}  // namespace
}  // namespace larder::testing
