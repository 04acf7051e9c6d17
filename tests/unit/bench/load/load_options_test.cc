// The flags of larder-bench, and that it takes all of redis-benchmark's.

#include "bench/load/load_options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace larder::load {
namespace {

LoadOptions parsed(const std::vector<std::string>& arguments) {
  Result<LoadOptions> options = parse_load_options(arguments);
  EXPECT_TRUE(options.ok()) << (options.ok() ? "" : options.error().message);
  return options.ok() ? *options : LoadOptions();
}

std::string refusal(const std::vector<std::string>& arguments) {
  const Result<LoadOptions> options = parse_load_options(arguments);
  return options.ok() ? "" : options.error().message;
}

TEST(LoadOptions, EveryFlagOfRedisBenchmarkIsTaken) {
  const LoadOptions options = parsed({"-h",
                                      "::1",
                                      "-p",
                                      "7000",
                                      "-s",
                                      "",
                                      "-a",
                                      "secret",
                                      "--user",
                                      "ann",
                                      "-c",
                                      "7",
                                      "-n",
                                      "9",
                                      "-d",
                                      "10",
                                      "--dbnum",
                                      "3",
                                      "-3",
                                      "--threads",
                                      "2",
                                      "--cluster",
                                      "-k",
                                      "0",
                                      "-r",
                                      "100",
                                      "-P",
                                      "4",
                                      "-q",
                                      "--csv",
                                      "--precision",
                                      "2",
                                      "-l",
                                      "-t",
                                      "set,get",
                                      "-I",
                                      "-x",
                                      "--sni",
                                      "host",
                                      "--cacert",
                                      "file",
                                      "--cacertdir",
                                      "folder",
                                      "--insecure",
                                      "--cert",
                                      "file",
                                      "--key",
                                      "file",
                                      "--tls-ciphers",
                                      "list",
                                      "--tls-ciphersuites",
                                      "list",
                                      "--enable-tracking",
                                      "-e",
                                      "PING"});
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 7000);
  EXPECT_EQ(options.username, "ann");
  EXPECT_EQ(options.database, 3);
  EXPECT_EQ(options.protocol_version, 3);
  EXPECT_FALSE(options.keeps_connections);
  EXPECT_TRUE(options.idle);
  EXPECT_TRUE(options.tracking);
  EXPECT_TRUE(options.loop);
  EXPECT_EQ(options.command, std::vector<std::string>{"PING"});
}

TEST(LoadOptions, AUriSaysAll) {
  const LoadOptions options = parsed({"-u", "redis://ann:se%20cret@example.org:7001/5"});
  EXPECT_EQ(options.host, "example.org");
  EXPECT_EQ(options.port, 7001);
  EXPECT_EQ(options.username, "ann");
  EXPECT_EQ(options.password, "se cret");
  EXPECT_EQ(options.database, 5);
  EXPECT_NE(refusal({"-u", "http://example.org"}), "");
}

TEST(LoadOptions, NumbersBeyondTheirBounds) {
  EXPECT_EQ(parsed({"-r", "0"}).key_space, 0);
  EXPECT_EQ(parsed({"-r", "-5"}).key_space, 0);
  EXPECT_NE(refusal({"-r", "1000000000000"}), "");
  EXPECT_NE(refusal({"-r", "x"}), "");
  EXPECT_EQ(parsed({"-d", "0"}).value_sizes.min_bytes, 1);
  EXPECT_EQ(parsed({"-d", "-3"}).value_sizes.max_bytes, 1);
  EXPECT_EQ(parsed({"-d", "99999999999"}).value_sizes.max_bytes, int64_t{1} << 30);
  EXPECT_EQ(parsed({"-d", "64-1024"}).value_sizes.max_bytes, 1024);
  EXPECT_NE(refusal({"-d", "5-"}), "");
  EXPECT_NE(refusal({"-d", "9-5"}), "");
  EXPECT_TRUE(parsed({"-k", "1"}).keeps_connections);
  EXPECT_NE(refusal({"-k", "yes"}), "");
  EXPECT_NE(refusal({"--rate", "inf"}), "");
  EXPECT_NE(refusal({"--duration", "inf"}), "");
  EXPECT_NE(refusal({"--rate", "1e-300"}), "");
  EXPECT_NE(refusal({"--rate", "nan"}), "");
  EXPECT_NE(refusal({"--duration", "1e18"}), "");
  EXPECT_NE(refusal({"-t", ","}), "");
}

TEST(LoadOptions, OptionsThatWouldSilenceOthers) {
  EXPECT_NE(refusal({"--json", "--csv"}), "");
  EXPECT_NE(refusal({"--ratio", "1:9", "-t", "get"}), "");
  EXPECT_NE(refusal({"--ratio", "1:9", "PING"}), "");
  EXPECT_NE(refusal({"--compare", "a=h:1", "-l"}), "");
  EXPECT_NE(refusal({"--compare", "a=h:1", "-I"}), "");
  EXPECT_NE(refusal({"-x"}), "");
  parsed({"-t", "get", "GET", "k"});  // as redis-benchmark: the command is what runs
}

TEST(LoadOptions, AnAddressOfIpv6KeepsItsBracketsOrNot) {
  const LoadOptions options = parsed({"--compare", "a=[::1]:7001", "b=::1:7002", "c=h:7003"});
  ASSERT_EQ(options.compare.size(), 3u);
  EXPECT_EQ(options.compare[0].host, "::1");
  EXPECT_EQ(options.compare[1].host, "::1");
  EXPECT_EQ(options.compare[1].port, 7002);
  EXPECT_EQ(options.compare[2].host, "h");
}

TEST(LoadOptions, TlsIsRefusedAndNotForgotten) { EXPECT_NE(refusal({"--tls"}), ""); }

}  // namespace
}  // namespace larder::load
