#include "bench/load/workload.h"

#include <gtest/gtest.h>

namespace larder::load {
namespace {

std::string one(const RequestTemplate& request) {
  Buffer out;
  Random random(1);
  request.append_to(out, random);
  return std::string(out.bytes());
}

TEST(RequestTemplate, EncodesOnce) {
  EXPECT_EQ(one(RequestTemplate({"SET", "k", "__data__"}, 0, 3)), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nxxx\r\n");
  EXPECT_EQ(one(RequestTemplate({"GET", "__rand_int__"}, 0, 3)), "*2\r\n$3\r\nGET\r\n$12\r\n000000000000\r\n");
  EXPECT_EQ(one(RequestTemplate({"GET", "__rand_int__"}, 1, 3)), "*2\r\n$3\r\nGET\r\n$12\r\n000000000000\r\n");
}

TEST(Workloads, PingIsBothForms) {
  const auto chosen = choose_workloads(*parse_load_options({"-t", "ping,SET,lpush"}));
  ASSERT_TRUE(chosen.ok());
  ASSERT_EQ(chosen->size(), 4u);
  EXPECT_EQ(one((*chosen)[0].request({})), "PING\r\n");
  EXPECT_EQ(one((*chosen)[1].request({})), "*1\r\n$4\r\nPING\r\n");
}

TEST(Workloads, RefusesUnknownNames) { EXPECT_FALSE(choose_workloads(*parse_load_options({"-t", "nope"})).ok()); }

TEST(LoadOptions, ReadsFlagsAndCommand) {
  const auto options = parse_load_options({"-c", "3", "-P", "16", "-q", "-k", "1", "-e", "GET", "-q"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->clients, 3);
  EXPECT_EQ(options->pipeline, 16);
  EXPECT_EQ(options->command, (std::vector<std::string>{"GET", "-q"}));
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"-c"}, {"-c", "0"}, {"-p", "x"}, {"-k", "0"}, {"--nope"}, {"--duration", "0"}}) {
    EXPECT_FALSE(parse_load_options(wrong).ok()) << wrong[0];
  }
}

}  // namespace
}  // namespace larder::load
