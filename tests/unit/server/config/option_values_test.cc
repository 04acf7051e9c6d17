// Every type of option: what is accepted, how it is printed, and what a refusal says.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/file_system.h"
#include "server/config/memory_text.h"
#include "server/config/nearest_option.h"
#include "server/config/option_rows.h"

namespace larder {
namespace {

struct Case {
  const char* name;
  const char* given;
  const char* canonical;  // null: refused ...
  const char* reason;     // ... with this text
};

std::string read_and_write(const Case& one, std::string* reason) {
  const OptionRow* row = find_option(one.name);
  if (row == nullptr) return "no such option";
  Settings settings;
  const Bytes given = one.given;
  const std::vector<Bytes> words = row->has(kMultiArgument) ? split_at_spaces(given) : std::vector<Bytes>{given};
  const Settings before = settings;
  const Status read = read_option(*row, words, settings);
  if (!read.ok()) {
    *reason = read.message();
    EXPECT_TRUE(same_value(*row, before, settings)) << one.name << ": a refused value left a trace";
  }
  return write_option(*row, settings);
}

class OptionValue : public ::testing::TestWithParam<Case> {};

TEST_P(OptionValue, IsReadOrRefused) {
  const Case& one = GetParam();
  std::string reason;
  const std::string text = read_and_write(one, &reason);
  if (one.canonical != nullptr) {
    EXPECT_EQ(reason, "") << one.name << " " << one.given;
    EXPECT_EQ(text, one.canonical) << one.name << " " << one.given;
  } else {
    EXPECT_EQ(reason, one.reason) << one.name << " " << one.given;
  }
}

constexpr char kNotBool[] = "argument must be 'yes' or 'no'";
constexpr char kNotInteger[] = "argument couldn't be parsed into an integer";
constexpr char kNotMemory[] = "argument must be a memory or percent value";
constexpr char kNotPercent[] = "argument must be a memory or percent value";

INSTANTIATE_TEST_SUITE_P(
    Types, OptionValue,
    ::testing::Values(
        Case{"protected-mode", "no", "no", nullptr}, Case{"protected-mode", "YES", "yes", nullptr},
        Case{"protected-mode", "true", nullptr, kNotBool}, Case{"protected-mode", "", nullptr, kNotBool},
        Case{"appendonly", "yes", "yes", nullptr}, Case{"appendonly", "maybe", nullptr, kNotBool},

        Case{"port", "0", "0", nullptr}, Case{"port", "65535", "65535", nullptr},
        Case{"port", "65536", nullptr, "argument must be between 0 and 65535 inclusive"},
        Case{"port", "-1", nullptr, "argument must be between 0 and 65535 inclusive"},
        Case{"port", "x", nullptr, kNotInteger}, Case{"port", "", nullptr, kNotInteger},
        Case{"port", "007", nullptr, kNotInteger}, Case{"port", "1 ", nullptr, kNotInteger},
        Case{"slowlog-log-slower-than", "-1", "-1", nullptr},
        Case{"slowlog-log-slower-than", "-2", nullptr, "argument must be between -1 and 9223372036854775807 inclusive"},
        Case{"maxclients", "0", nullptr, "argument must be between 1 and 4294967295 inclusive"},
        Case{"slowlog-max-len", "9999999999999999999", nullptr, kNotInteger},
        Case{"list-max-ziplist-size", "-5", "-5", nullptr}, Case{"hz", "1000", "500", nullptr},
        Case{"hz", "0", "1", nullptr}, Case{"hz", "-1", nullptr, "argument must be between 0 and 2147483647 inclusive"},

        Case{"unixsocketperm", "770", "770", nullptr},
        Case{"unixsocketperm", "8", nullptr, "argument couldn't be parsed as an octal number"},
        Case{"unixsocketperm", "1000", nullptr, "argument must be between 0 and 777 inclusive"},

        Case{"maxmemory", "100", "100", nullptr}, Case{"maxmemory", "1k", "1000", nullptr},
        Case{"maxmemory", "1kB", "1024", nullptr}, Case{"maxmemory", "2mb", "2097152", nullptr},
        Case{"maxmemory", "1G", "1000000000", nullptr}, Case{"maxmemory", "1gb", "1073741824", nullptr},
        Case{"maxmemory", "", "0", nullptr}, Case{"maxmemory", "-1", nullptr, kNotMemory},
        Case{"maxmemory", "1.5gb", nullptr, kNotMemory}, Case{"maxmemory", "1 gb", nullptr, kNotMemory},
        Case{"maxmemory", "gb", nullptr, kNotMemory}, Case{"maxmemory", "9223372036854775808", nullptr, kNotMemory},
        Case{"maxmemory", "9999999999gb", nullptr, kNotMemory},
        Case{"proto-max-bulk-len", "1", nullptr, "argument must be between 1048576 and 9223372036854775807 inclusive"},
        Case{"repl-backlog-size", "1mb", "1048576", nullptr},
        Case{"repl-backlog-size", "0", nullptr, "argument must be between 1 and 9223372036854775807 inclusive"},

        Case{"maxmemory-clients", "5%", "5%", nullptr}, Case{"maxmemory-clients", "0%", "0", nullptr},
        Case{"maxmemory-clients", "5mb", "5242880", nullptr},
        Case{"maxmemory-clients", "101%", nullptr, "percentage argument must be less or equal to 100"},
        Case{"maxmemory-clients", "-5%", nullptr, kNotPercent}, Case{"maxmemory-clients", "x", nullptr, kNotPercent},
        Case{"maxmemory-clients", "%", nullptr, kNotPercent}));

INSTANTIATE_TEST_SUITE_P(
    Words, OptionValue,
    ::testing::Values(
        Case{"loglevel", "NOTICE", "notice", nullptr},
        Case{"loglevel", "loud", nullptr,
             "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"},
        Case{"maxmemory-policy", "allkeys-lru", "allkeys-lru", nullptr},
        Case{"maxmemory-policy", "volatile-ttl", "volatile-ttl", nullptr},
        Case{"maxmemory-policy", "x", nullptr,
             "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, "
             "allkeys-lru, allkeys-lfu, allkeys-random, noeviction, allkeys-s3fifo, "
             "volatile-s3fifo"},
        Case{"enable-debug-command", "local", "local", nullptr},
        Case{"appendfsync", "sometimes", nullptr, "argument(s) must be one of the following: everysec, always, no"},
        Case{"shutdown-on-sigterm", "force now", "now force", nullptr},
        Case{"shutdown-on-sigterm", "force default", "force", nullptr},
        Case{"shutdown-on-sigterm", "default", "default", nullptr},
        Case{"shutdown-on-sigterm", "save nosave", nullptr,
             "shutdown options SAVE and NOSAVE can't be used simultaneously"},
        Case{"shutdown-on-sigterm", "", nullptr,
             "argument(s) must be one of the following: default, save, nosave, now, force"}));

constexpr char kBadSave[] = "Invalid save parameters";
constexpr char kBadLimit[] = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
constexpr char kOomRange[] = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";

INSTANTIATE_TEST_SUITE_P(
    Specials, OptionValue,
    ::testing::Values(
        Case{"save", "3600 1 300 100", "3600 1 300 100", nullptr}, Case{"save", "", "", nullptr},
        Case{"save", "60 0", "60 0", nullptr}, Case{"save", "60", nullptr, kBadSave},
        Case{"save", "0 1", nullptr, kBadSave}, Case{"save", "60 x", nullptr, kBadSave},
        Case{"client-output-buffer-limit", "normal 1mb 2kb 3 replica 1gb 1 1",
             "normal 1048576 2048 3 slave 1073741824 1 1 pubsub 33554432 8388608 60", nullptr},
        Case{"client-output-buffer-limit", "", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
             nullptr},
        Case{"client-output-buffer-limit", "normal 1 2", nullptr,
             "Wrong number of arguments in buffer limit configuration."},
        Case{"client-output-buffer-limit", "master 1 2 3", nullptr,
             "Invalid client class specified in buffer limit configuration."},
        Case{"client-output-buffer-limit", "normal 1mb 2 x", nullptr, kBadLimit},
        Case{"client-output-buffer-limit", "normal 1mb -2 3", nullptr, kBadLimit},
        Case{"oom-score-adj-values", "1 2 3", "1 2 3", nullptr},
        Case{"oom-score-adj-values", "1 2", nullptr, "wrong number of arguments"},
        Case{"oom-score-adj-values", "1 2 2001", nullptr, kOomRange},
        Case{"notify-keyspace-events", "Egx", "gxE", nullptr}, Case{"notify-keyspace-events", "KEA", "AKE", nullptr},
        Case{"notify-keyspace-events", "", "", nullptr},
        Case{"notify-keyspace-events", "q", nullptr, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
        Case{"latency-tracking-info-percentiles", "50 99.999 100", "50 99.999 100", nullptr},
        Case{"latency-tracking-info-percentiles", "", "", nullptr},
        Case{"latency-tracking-info-percentiles", "101", nullptr,
             "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
        Case{"latency-tracking-info-percentiles", "a", nullptr, "Invalid latency-tracking-info-percentiles parameters"},
        Case{"bind", "127.0.0.1 -::1", "127.0.0.1 -::1", nullptr}, Case{"bind", "", "", nullptr},
        Case{"bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", nullptr, "Too many bind addresses specified."},
        Case{"replicaof", "10.0.0.1 6380", "10.0.0.1 6380", nullptr}, Case{"slaveof", "NO ONE", "", nullptr},
        Case{"replicaof", "10.0.0.1 x", nullptr, "Invalid master port"},
        Case{"dbfilename", "a/b", nullptr, "dbfilename can't be a path, just a filename"},
        Case{"proc-title-template", "{title} {port}", "{title} {port}", nullptr},
        Case{"proc-title-template", "{foo}", nullptr, "template format is invalid or contains unknown variables"},
        Case{"proc-title-template", "{title", nullptr, "template format is invalid or contains unknown variables"},
        Case{"tls-port", "0", "0", nullptr},
        Case{"tls-port", "6380", nullptr, "TLS is not available in this version of Larder"},
        Case{"aclfile", "users.acl", nullptr,
             "ACL files are not available in this version of Larder: use requirepass"}));

TEST(OptionRows, AreSortedAndUnique) {
  std::set<std::string> names;
  for (const OptionRow& row : option_rows()) {
    EXPECT_TRUE(names.insert(std::string(row.name)).second) << row.name;
    EXPECT_TRUE(row.alias.empty() || names.insert(std::string(row.alias)).second) << row.alias;
    EXPECT_EQ(row.name, to_lower(row.name));
  }
  EXPECT_TRUE(std::is_sorted(option_rows().begin(), option_rows().end(),
                             [](const OptionRow& a, const OptionRow& b) { return a.name < b.name; }));
}

TEST(OptionRows, EachHasOnePlaceForItsValue) {
  for (const OptionRow& row : option_rows()) {
    const int places = (row.flag != nullptr) + (row.number != nullptr) + (row.text != nullptr) +
                       (row.enum_get != nullptr) + (row.special != nullptr);
    EXPECT_LE(places, 1) << row.name;
    EXPECT_TRUE(places == 1 || row.has(kAcceptedOnly)) << row.name;
    EXPECT_TRUE(!row.has(kWarnWithoutEffect) || row.has(kAcceptedOnly)) << row.name;
  }
}

// A default that its own reader refuses, or prints otherwise, would break the rewriting of files.
TEST(OptionRows, EveryDefaultIsAValueOfItsOption) {
  const Settings defaults;
  for (const OptionRow& row : option_rows()) {
    const std::string text = write_option(row, defaults);
    const std::vector<Bytes> words = row.has(kMultiArgument) ? split_at_spaces(text) : std::vector<Bytes>{text};
    Settings settings;
    const Status read = read_option(row, words, settings);
    EXPECT_TRUE(read.ok()) << row.name << " '" << text << "': " << read.message();
    EXPECT_EQ(write_option(row, settings), text) << row.name;
    EXPECT_TRUE(settings.accepted.empty() || row.special != nullptr) << row.name;
  }
}

TEST(OptionRows, AreFoundByAnyNameInAnyCase) {
  EXPECT_EQ(find_option("MaxMemory"), find_option("maxmemory"));
  EXPECT_EQ(find_option("slave-read-only"), find_option("replica-read-only"));
  EXPECT_EQ(find_option("lua-time-limit"), find_option("busy-reply-threshold"));
  EXPECT_EQ(find_option("max-memory"), nullptr);
  EXPECT_EQ(find_option(""), nullptr);
}

// The guide for users names every option, and calls those without effect by that name.
TEST(OptionRows, AreDescribedInTheGuide) {
  const auto files = make_os_file_system();
  const auto guide = read_file(*files, "docs/guides/configuration.md", 1 << 20);
  ASSERT_TRUE(guide.ok()) << guide.error().message;
  const size_t accepted = guide->find("## Accepted without effect");
  ASSERT_NE(accepted, std::string::npos);
  const std::string effective = guide->substr(0, accepted);
  const std::string without_effect = guide->substr(accepted, guide->find("## What is refused") - accepted);
  for (const OptionRow& row : option_rows()) {
    const std::string name = "`" + std::string(row.name) + "`";
    EXPECT_EQ(without_effect.find(name) != std::string::npos, row.has(kAcceptedOnly)) << row.name;
    EXPECT_TRUE(row.has(kAcceptedOnly) || effective.find("| " + name) != std::string::npos) << row.name;
    EXPECT_TRUE(row.alias.empty() || effective.find("`" + std::string(row.alias) + "`") != std::string::npos)
        << row.alias;
  }
}

TEST(OptionsWithoutEffect, AreNamedWhereItMatters) {
  Settings settings;
  EXPECT_TRUE(options_without_effect(settings).empty());
  const Bytes yes[] = {"yes"};
  ASSERT_TRUE(read_option(*find_option("cluster-enabled"), yes, settings).ok());
  ASSERT_TRUE(read_option(*find_option("lazyfree-lazy-expire"), yes, settings).ok());
  EXPECT_EQ(options_without_effect(settings), std::vector<Bytes>{"cluster-enabled"});
}

TEST(NearestOption, FindsWhatWasMeant) {
  EXPECT_EQ(nearest_option("maxmemroy"), "maxmemory");
  EXPECT_EQ(nearest_option("MaxMemory-Polcy"), "maxmemory-policy");
  EXPECT_EQ(nearest_option("prot"), "port");
  EXPECT_EQ(nearest_option("incldue"), "include");
  EXPECT_EQ(nearest_option("slave-readonly"), "slave-read-only");
}

TEST(NearestOption, DoesNotGuessWildly) {
  EXPECT_EQ(nearest_option("x"), "");
  EXPECT_EQ(nearest_option(""), "");
  EXPECT_EQ(nearest_option("completely-different-thing"), "");
  EXPECT_EQ(nearest_option(std::string(100000, 'a')), "");
}

TEST(MemoryText, ForPeople) {
  EXPECT_EQ(human_bytes(0), "0B");
  EXPECT_EQ(human_bytes(1023), "1023B");
  EXPECT_EQ(human_bytes(1024), "1.00K");
  EXPECT_EQ(human_bytes(991784), "968.54K");
  EXPECT_EQ(human_bytes(12566528), "11.98M");
  EXPECT_EQ(human_bytes(25276514304), "23.54G");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16.00E");
}

}  // namespace
}  // namespace larder
