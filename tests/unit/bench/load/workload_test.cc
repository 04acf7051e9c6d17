#include "bench/load/workload.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/load/report.h"

namespace larder::load {
namespace {

std::string one(const RequestTemplate& request, int64_t key_space = 0) {
  Buffer out;
  Random random(1);
  KeySource keys({}, static_cast<uint64_t>(key_space));
  request.append_to(out, keys, random);
  return std::string(out.bytes());
}

std::string one(const Workload& workload) {
  Buffer out;
  RequestSource(workload, {}, 0, 1).append_to(out);
  return std::string(out.bytes());
}

TEST(RequestTemplate, EncodesOnce) {
  EXPECT_EQ(one(RequestTemplate({"SET", "k", "__data__"}, 3)),
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n" + one(RequestTemplate({"__data__"}, 3)).substr(8));
  EXPECT_EQ(one(RequestTemplate({"GET", "__rand_int__"}, 3)), "*2\r\n$3\r\nGET\r\n$12\r\n000000000000\r\n");
  EXPECT_EQ(one(RequestTemplate({"GET", "__rand_int__"}, 3), 1), "*2\r\n$3\r\nGET\r\n$12\r\n000000000000\r\n");
}

TEST(RequestTemplate, ValuesDoNotCompressAway) {
  const std::string request = one(RequestTemplate({"__data__"}, 1000));
  for (char letter = 'A'; letter <= 'Z'; ++letter) EXPECT_LT(std::count(request.begin(), request.end(), letter), 100);
}

// As redis-benchmark sends it; else a sorted set of one score would be compared with one of many.
TEST(Workloads, ScoresAreDrawnWithTheMembers) {
  const auto score = [](const std::vector<std::string>& arguments) {
    const auto chosen = choose_workloads(*parse_load_options(arguments));
    for (const Workload& workload : *chosen) {
      if (workload.name == "zadd") return workload.commands[0].arguments[2];
    }
    return std::string();
  };
  EXPECT_EQ(score({"-t", "zadd"}), "0");
  EXPECT_EQ(score({"-t", "zadd", "-r", "1000"}), "__rand_int__");
  EXPECT_EQ(score({"-r", "1000"}), "__rand_int__");
  EXPECT_EQ(score({"-t", "zadd", "-r", "1000", "--keys", "sequential"}), "0") << "each member once";
}

// Three threads fill ten keys: each goes on where the one before it ends.
TEST(RequestSource, SequencesOfThreadsLeaveNoHole) {
  const auto options = *parse_load_options({"-r", "10", "--keys", "sequential", "GET", "__rand_int__"});
  const auto chosen = choose_workloads(options);
  ASSERT_TRUE(chosen.ok());
  Buffer out;
  for (uint64_t stream = 0; stream < 3; ++stream) {
    RequestSource source((*chosen)[0], options, stream, 3);
    for (int i = 0; i < (stream == 0 ? 4 : 3); ++i) source.append_to(out);
  }
  for (char key = '0'; key <= '9'; ++key) {
    EXPECT_NE(Bytes(out.bytes()).find(std::string(11, '0') + key), Bytes::npos) << key;
  }
}

TEST(Report, TextIsQuoted) {
  EXPECT_EQ(json_text("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
  EXPECT_EQ(csv_text("a\"b"), "\"a\"\"b\"");
}

TEST(LoadOptions, ComparingHasNoCsv) {
  EXPECT_FALSE(parse_load_options({"--csv", "--compare", "a=h:1", "b=h:2"}).ok());
  EXPECT_TRUE(parse_load_options({"--json", "--compare", "a=h:1", "b=h:2"}).ok());
}

TEST(Workloads, PingIsBothForms) {
  const auto chosen = choose_workloads(*parse_load_options({"-t", "ping,SET,lpush"}));
  ASSERT_TRUE(chosen.ok());
  ASSERT_EQ(chosen->size(), 4u);
  EXPECT_EQ(one((*chosen)[0]), "PING\r\n");
  EXPECT_EQ(one((*chosen)[1]), "*1\r\n$4\r\nPING\r\n");
}

TEST(Workloads, LrangeBringsItsList) {
  const auto chosen = choose_workloads(*parse_load_options({"-t", "lrange_300"}));
  ASSERT_TRUE(chosen.ok());
  ASSERT_EQ(chosen->size(), 2u);
  EXPECT_EQ((*chosen)[0].name, "lrange");
  EXPECT_EQ(choose_workloads(*parse_load_options({"-t", "lrange"}))->size(), 5u);
}

std::vector<std::string> names_of(const std::vector<std::string>& arguments) {
  const auto options = parse_load_options(arguments);
  EXPECT_TRUE(options.ok()) << (options.ok() ? "" : options.error().message);
  const auto chosen = choose_workloads(*options);
  EXPECT_TRUE(chosen.ok()) << (chosen.ok() ? "" : chosen.error().message);
  std::vector<std::string> names;
  for (const Workload& workload : *chosen) names.push_back(workload.name);
  return names;
}

// A script that asks redis-benchmark for "get,set" gets SET first, so that GET finds something.
TEST(Workloads, TheOrderIsThatOfTheSuiteAndEachComesOnce) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of({"-t", "get,set,get"}), (Names{"set", "get"}));
  EXPECT_EQ(names_of({"-t", "set,PING,ping_inline"}), (Names{"ping_inline", "ping_mbulk", "set"}));
  EXPECT_EQ(names_of({"-t", "lrange_300,lrange_100"}), (Names{"lrange", "lrange_100", "lrange_300"}));
  EXPECT_EQ(names_of({"-t", "cache,xadd,mset"}), (Names{"mset", "xadd", "cache"}));
  EXPECT_FALSE(choose_workloads(*parse_load_options({"-t", "set,lrange_200"})).ok());
}

TEST(Workloads, ADistributionNeedsKeysToChooseFrom) {
  EXPECT_FALSE(choose_workloads(*parse_load_options({"-t", "get", "--keys", "zipf"})).ok());
  EXPECT_FALSE(choose_workloads(*parse_load_options({"--keys", "hot", "GET", "k:__rand_int__"})).ok());
  EXPECT_TRUE(choose_workloads(*parse_load_options({"-t", "get", "--keys", "zipf", "-r", "10"})).ok());
  EXPECT_TRUE(choose_workloads(*parse_load_options({"-t", "ping,session", "--keys", "zipf"})).ok());
}

TEST(Workloads, WhatIsReadFromStandardInputIsNotInTheTitle) {
  LoadOptions options = *parse_load_options({"-x", "SET", "k"});
  options.command.push_back("a value\n");
  const auto chosen = choose_workloads(options);
  EXPECT_EQ(chosen->front().title, "SET k");
  EXPECT_EQ(chosen->front().commands[0].arguments.size(), 3u);
}

TEST(Workloads, TheTitleTellsWhatTheOptionsChanged) {
  const auto title = [](const std::vector<std::string>& arguments) {
    return choose_workloads(*parse_load_options(arguments))->front().title;
  };
  EXPECT_EQ(title({"-t", "cache"}), "cache: 90 % GET, 10 % SET with a time to live, zipf");
  EXPECT_EQ(title({"-t", "cache", "--keys", "uniform"}), "cache: 90 % GET, 10 % SET with a time to live");
  EXPECT_EQ(title({"-t", "queue", "--keys", "zipf"}), "queue: as many LPUSH as RPOP on 16 lists, zipf");
  EXPECT_EQ(title({"-t", "pubsub"}), "pubsub: 16 channels, 10 subscribers of all");
  EXPECT_EQ(title({"-t", "pubsub", "-r", "3", "--subscribers", "2"}), "pubsub: 3 channels, 2 subscribers of all");
  EXPECT_EQ(title({"-t", "get", "-r", "3", "--keys", "zipf"}), "GET") << "a program reads redis-benchmark's names";
}

TEST(Workloads, AStreamWithoutEndIsNoRequest) {
  EXPECT_FALSE(choose_workloads(*parse_load_options({"-n", "5", "Monitor"})).ok());
}

// Zero is a seed like any other.
TEST(RequestSource, ASeedRepeatsTheRequests) {
  for (const char* seed : {"0", "7"}) {
    const LoadOptions options = *parse_load_options({"-r", "1000000", "--seed", seed, "-t", "get"});
    const Workload workload = choose_workloads(options)->front();
    const auto requests = [&](uint64_t stream) {
      Buffer out;
      RequestSource source(workload, options, stream, 2);
      for (int i = 0; i < 20; ++i) source.append_to(out);
      return std::string(out.bytes());
    };
    EXPECT_EQ(requests(0), requests(0)) << seed;
    EXPECT_NE(requests(0), requests(1)) << seed;
  }
}

TEST(Workloads, CommandsAreMixedByWeight) {
  const LoadOptions options = *parse_load_options({"--ratio", "1:9", "-r", "100", "--seed", "3", "-d", "10-40"});
  const auto chosen = choose_workloads(options);
  ASSERT_TRUE(chosen.ok());
  RequestSource source((*chosen)[0], options, 0, 1);
  Buffer out;
  int sets = 0;
  size_t smallest = SIZE_MAX;
  size_t largest = 0;
  for (int i = 0; i < 10'000; ++i) {
    out.clear();
    source.append_to(out);
    if (Bytes(out.bytes()).find("SET") == Bytes::npos) continue;
    ++sets;
    smallest = std::min(smallest, out.bytes().size());
    largest = std::max(largest, out.bytes().size());
  }
  EXPECT_NEAR(sets, 1000, 150);
  EXPECT_EQ(largest - smallest, 30u);
}

TEST(Workloads, RefusesUnknownNames) { EXPECT_FALSE(choose_workloads(*parse_load_options({"-t", "nope"})).ok()); }

TEST(LoadOptions, ComparesSeveralServers) {
  const auto options = parse_load_options({"--compare", "a=h:1", "b=::1:2", "-n", "5", "GET", "x=y:3"});
  ASSERT_TRUE(options.ok());
  ASSERT_EQ(options->compare.size(), 2u);
  EXPECT_EQ(options->compare[1].host, "::1");
  EXPECT_EQ(options->compare[1].port, 2);
  EXPECT_EQ(options->command, (std::vector<std::string>{"GET", "x=y:3"}));
}

TEST(LoadOptions, ReadsFlagsAndCommand) {
  const auto options = parse_load_options({"-c", "3", "-P", "16", "-q", "-k", "1", "-e", "GET", "-q"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->clients, 3);
  EXPECT_EQ(options->pipeline, 16);
  EXPECT_EQ(options->command, (std::vector<std::string>{"GET", "-q"}));
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"-c"},
                                                                                     {"-c", "0"},
                                                                                     {"-d", "9-3"},
                                                                                     {"--ratio", "0:0"},
                                                                                     {"--keys", "zipf:0"},
                                                                                     {"--compare", "a"},
                                                                                     {"-p", "x"},
                                                                                     {"-k", "x"},
                                                                                     {"--nope"},
                                                                                     {"--duration", "0"}}) {
    EXPECT_FALSE(parse_load_options(wrong).ok()) << wrong[0];
  }
}

}  // namespace
}  // namespace larder::load
