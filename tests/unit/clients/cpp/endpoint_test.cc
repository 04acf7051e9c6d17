#include "clients/cpp/endpoint.h"

#include <gtest/gtest.h>

namespace larder::client {
namespace {

TEST(ParseUri, ReadsEveryPart) {
  const Result<Endpoint> endpoint = parse_uri("redis://us%40er:p%3Ass@example.org:7000/3");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->username, "us@er");
  EXPECT_EQ(endpoint->password, "p:ss");
  EXPECT_EQ(endpoint->host, "example.org");
  EXPECT_EQ(endpoint->port, 7000);
  EXPECT_EQ(endpoint->database, 3);
}

TEST(ParseUri, LeavesDefaults) {
  const Result<Endpoint> endpoint = parse_uri("redis://secret@");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->username, "");
  EXPECT_EQ(endpoint->password, "secret");
  EXPECT_EQ(endpoint->to_string(), "127.0.0.1:6379");
}

TEST(ParseUri, ReadsAddressesInBrackets) {
  const Result<Endpoint> endpoint = parse_uri("redis://[::1]:7001");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->host, "::1");
  EXPECT_EQ(endpoint->to_string(), "[::1]:7001");
}

TEST(ParseUri, ReadsUnixSockets) {
  const Result<Endpoint> endpoint = parse_uri("unix:///run/larder%20a.sock?db=2");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->unix_socket, "/run/larder a.sock");
  EXPECT_EQ(endpoint->database, 2);
}

TEST(ParseUri, RefusesWhatItCannotRead) {
  for (const char* uri : {"", "http://a", "rediss://a", "redis://a:0", "redis://a:65536", "redis://a:x", "redis://a/x",
                          "redis://a/-1", "redis://[::1"}) {
    EXPECT_FALSE(parse_uri(uri).ok()) << uri;
  }
}

}  // namespace
}  // namespace larder::client
