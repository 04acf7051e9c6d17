// Replies of all of a large set or hash, which are written while they are sent: they are what the collection was when the
// command ran, whatever happens before the reader has taken them.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "server/core/collection_reply.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using Connection = InProcessServer::Connection;

constexpr int kElements = 12000;  // of 93 bytes: more than CollectionReply::kStructureBytesMin

constexpr size_t kFrontBytes = 86;

std::string element(int i) { return std::string(kFrontBytes, 'e') + std::to_string(1000000 + i); }

void fill(Connection& client, const std::string& command, int begin, int end, bool with_values,
          const std::string& value_front = "value:") {
  for (int first = begin; first < end; first += 1000) {
    std::vector<std::string> words = {command, "k"};
    for (int i = first; i < std::min(first + 1000, end); ++i) {
      words.push_back(element(i));
      if (with_values) words.push_back(value_front + std::to_string(i));
    }
    client.send_request(words);
  }
}

// Elements of a flat array in their order from `*at` on.
std::vector<std::string> read_array(const std::string& text, size_t* at) {
  const auto line = [&] {
    const size_t end = text.find("\r\n", *at);
    const long number = std::stol(text.substr(*at + 1, end - *at - 1));
    *at = end + 2;
    return static_cast<size_t>(number);
  };
  std::vector<std::string> elements(line());
  for (std::string& read : elements) {
    const size_t length = line();
    read = text.substr(*at, length);
    *at += length + 2;
  }
  return elements;
}

std::vector<std::string> sorted(std::vector<std::string> elements) {
  std::sort(elements.begin(), elements.end());
  return elements;
}

std::vector<std::string> all_elements() {
  std::vector<std::string> elements;
  for (int i = 0; i < kElements; ++i) elements.push_back(element(i));
  return sorted(elements);
}

struct LargeReply : ::testing::Test {
  InProcessServer server{{.arguments = {"--enable-debug-command", "yes"}}};
  Connection& writer = server.connect();
  Connection& reader = server.connect();

  void fill_set() {
    fill(writer, "SADD", 0, kElements, false);
    server.run();
    writer.take();
  }
  void fill_hash() {
    fill(writer, "HSET", 0, kElements, true);
    server.run();
    writer.take();
  }
  // Sends the requests, lets some of the reply go out, acts, and takes the rest.
  std::string read_slowly(const std::string& requests, const std::function<void()>& act) {
    reader.set_window_bytes(100000);
    reader.send(requests);
    server.run();
    std::string got = reader.take();
    server.run();
    act();
    server.run();
    std::string more;
    do {
      more = reader.take();
      got += more;
      server.run();
    } while (!more.empty());
    return got;
  }
  void expect_members(const std::function<void()>& act) {
    fill_set();
    size_t at = 0;
    const std::string got = read_slowly("SMEMBERS k\r\nPING\r\n", act);
    EXPECT_EQ(sorted(read_array(got, &at)), all_elements());
    EXPECT_EQ(got.substr(at), "+PONG\r\n");
    server.run();
    EXPECT_EQ(reader.client().queue_, nullptr);
    for (int db = 0; db < server.services().store.database_count(); ++db) {
      server.services().store.database(db).check_integrity();
    }
  }
};

TEST_F(LargeReply, ComesWholeAndIsNotKeptInMemory) {
  fill_set();
  reader.set_window_bytes(1000);
  reader.send("SMEMBERS k\r\n");
  server.run();
  EXPECT_LT(reader.client().owed_bytes(), 200000u);
  EXPECT_GT(reader.client().owed_bytes(), 0u);
  reader.set_window_bytes(Connection::kUnlimited);
  std::string got = reader.take();
  server.run();
  got += reader.take();
  size_t at = 0;
  EXPECT_EQ(sorted(read_array(got, &at)), all_elements());
}

TEST_F(LargeReply, NothingHappens) {
  expect_members([] {});
}

TEST_F(LargeReply, TheKeyGoes) {
  expect_members([this] { EXPECT_EQ(writer.call("DEL", "k"), ":1\r\n"); });
  EXPECT_EQ(server.services().store.garbage_count(), 0u);
}

TEST_F(LargeReply, TheKeyIsOverwritten) {
  expect_members([this] { writer.call("SET", "k", "x"); });
}

TEST_F(LargeReply, EverythingIsFlushed) {
  expect_members([this] { writer.call("FLUSHALL"); });
  expect_members([this] { writer.call("FLUSHALL", "SYNC"); });
}

TEST_F(LargeReply, MembersComeAndGo) {
  expect_members([this] {
    fill(writer, "SADD", kElements, 2 * kElements, false);
    fill(writer, "SREM", 0, kElements - 2000, false);
    fill(writer, "SADD", 0, 1000, false);
    server.run();
    writer.take();
  });
  EXPECT_EQ(writer.call("SCARD", "k"), ":" + std::to_string(kElements + 3000) + "\r\n");
}

TEST_F(LargeReply, AllMembersArePopped) {
  expect_members([this] {
    writer.call("SPOP", "k", std::to_string(kElements));
    EXPECT_EQ(writer.call("EXISTS", "k"), ":0\r\n");
  });
}

TEST_F(LargeReply, ASnapshotIsMadeAndMembersGo) {
  expect_members([this] {
    writer.call("BGSAVE");
    fill(writer, "SREM", 0, 5000, false);
    server.run();
    writer.take();
  });
  server.advance_ms(1000);
  EXPECT_EQ(writer.call("DEBUG", "RELOAD"), "+OK\r\n");
  EXPECT_EQ(writer.call("SCARD", "k"), ":" + std::to_string(kElements - 5000) + "\r\n");
}

TEST_F(LargeReply, TwoReadAtOnce) {
  Connection& other = server.connect();
  expect_members([&] {
    size_t at = 0;
    EXPECT_EQ(sorted(read_array(other.call("SMEMBERS", "k"), &at)), all_elements());
  });
}

TEST_F(LargeReply, TheReaderItselfDeletesBehind) {
  fill_set();
  const std::string got = read_slowly("SMEMBERS k\r\nDEL k\r\nSMEMBERS k\r\n", [] {});
  size_t at = 0;
  EXPECT_EQ(sorted(read_array(got, &at)), all_elements());
  EXPECT_EQ(got.substr(at), ":1\r\n*0\r\n");
}

TEST_F(LargeReply, InATransactionAndAScript) {
  fill_set();
  const std::string got = read_slowly("MULTI\r\nSMEMBERS k\r\nDEL k\r\nEXISTS k\r\nEXEC\r\n", [] {});
  size_t at = got.find("*3\r\n") + 4;
  EXPECT_EQ(sorted(read_array(got, &at)), all_elements());
  EXPECT_EQ(got.substr(at), ":1\r\n:0\r\n");
  fill_set();
  EXPECT_EQ(writer.call("EVAL", "return #redis.call('smembers','k')", "0"), ":" + std::to_string(kElements) + "\r\n");
}

TEST_F(LargeReply, TheReaderGoesInTheMiddle) {
  fill_set();
  reader.set_window_bytes(1000);
  reader.send("SMEMBERS k\r\n");
  server.run();
  writer.call("DEL", "k");
  reader.close();
  server.run();
  server.advance_ms(100);
  EXPECT_EQ(server.services().store.garbage_count(), 0u);
  EXPECT_LT(server.services().store.memory_bytes(), 100000u);
}

TEST_F(LargeReply, TheServerEndsInTheMiddle) {
  fill_set();
  reader.set_window_bytes(1000);
  reader.send("SMEMBERS k\r\n");
  server.run();
}

TEST_F(LargeReply, RepliesThatAreOff) {
  fill_set();
  reader.send("CLIENT REPLY OFF\r\nSMEMBERS k\r\nCLIENT REPLY ON\r\n");
  server.run();
  EXPECT_EQ(reader.take(), "+OK\r\n");
}

TEST_F(LargeReply, WhatAReaderHoldsCountsAsOwed) {
  writer.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0");
  fill_set();
  reader.set_window_bytes(1000);
  reader.send("SMEMBERS k\r\n");
  server.run();
  EXPECT_FALSE(reader.closed());
  writer.call("DEL", "k");
  server.advance_ms(500);
  EXPECT_TRUE(reader.closed());
}

TEST_F(LargeReply, AllOfAHash) {
  for (const std::string command : {"HGETALL", "HKEYS", "HVALS"}) {
    fill_hash();
    const std::string got = read_slowly(command + " k\r\nPING\r\n", [this] {
      fill(writer, "HSET", 0, 2 * kElements, true, "other:");
      fill(writer, "HDEL", 0, 10000, false);
      server.run();
      writer.take();
    });
    std::vector<std::string> expected;
    for (int i = 0; i < kElements; ++i) {
      if (command != "HVALS") expected.push_back(element(i));
      if (command != "HKEYS") expected.push_back("value:" + std::to_string(i));
    }
    size_t at = 0;
    const std::vector<std::string> read = read_array(got, &at);
    if (command == "HGETALL") {
      for (size_t i = 0; i < read.size(); i += 2) {
        ASSERT_EQ("value:" + std::to_string(std::stol(read[i].substr(kFrontBytes)) - 1000000), read[i + 1]);
      }
    }
    EXPECT_EQ(sorted(read), sorted(expected)) << command;
    EXPECT_EQ(got.substr(at), "+PONG\r\n");
    writer.call("DEL", "k");
  }
}

}  // namespace
}  // namespace larder
