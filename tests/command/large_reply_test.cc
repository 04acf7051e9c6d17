// Replies of all or much of a large collection, which are written while they are sent: they are what the collection was when
// the command ran, whatever happens before the reader has taken them.

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

TEST_F(LargeReply, NearlyAllMembersArePopped) {
  expect_members([this] {
    writer.call("SPOP", "k", std::to_string(kElements - 5));
    EXPECT_EQ(writer.call("SCARD", "k"), ":5\r\n");
    EXPECT_EQ(writer.call("OBJECT", "ENCODING", "k"), "$9\r\nhashtable\r\n");
  });
}

// What is popped is sent from where it is; what stays is in its place at once.
TEST_F(LargeReply, WhatIsPoppedIsNotKeptInMemory) {
  for (const int staying : {0, 1, 2000}) {
    fill_set();
    EXPECT_EQ(writer.call("EXPIRE", "k", "100"), ":1\r\n");
    std::vector<std::string> all;
    size_t at = 0;
    const std::string got = read_slowly("SPOP k " + std::to_string(kElements - staying) + "\r\nPING\r\n", [&] {
      EXPECT_LT(reader.client().owed_bytes() - reader.client().stored_bytes(), 200000u);
      EXPECT_EQ(writer.call("TTL", "k"), staying == 0 ? ":-2\r\n" : ":100\r\n");
      size_t from = 0;
      all = read_array(writer.call("SMEMBERS", "k"), &from);
      EXPECT_EQ(all.size(), static_cast<size_t>(staying));
      writer.call("DEL", "k");
    });
    for (const std::string& member : read_array(got, &at)) all.push_back(member);
    EXPECT_EQ(sorted(all), all_elements());
    EXPECT_EQ(got.substr(at), "+PONG\r\n");
    EXPECT_EQ(server.services().store.garbage_count(), 0u);
  }
}

TEST_F(LargeReply, NearlyAllMembersArePoppedWhileASnapshotIsMade) {
  fill_set();
  writer.call("BGSAVE");
  EXPECT_EQ(writer.call("SPOP", "k", std::to_string(kElements - 5)).substr(0, 8), "*11995\r\n");
  server.run();
  server.advance_ms(1000);
  server.run();
  EXPECT_EQ(writer.call("DEBUG", "RELOAD", "NOSAVE"), "+OK\r\n");
  EXPECT_EQ(writer.call("SCARD", "k"), ":12000\r\n");
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

TEST_F(LargeReply, AHashWhoseFieldsRunOut) {
  fill_hash();
  for (int i = 0; i < 3000; ++i) writer.send_request({"HPEXPIRE", "k", "50", "FIELDS", "1", element(i)});
  server.run();
  writer.take();
  reader.set_window_bytes(1000);
  const std::string got = read_slowly("HKEYS k\r\n", [this] {
    server.advance_ms(200);
    EXPECT_EQ(writer.call("HLEN", "k"), ":" + std::to_string(kElements - 3000) + "\r\n");
  });
  size_t at = 0;
  EXPECT_EQ(sorted(read_array(got, &at)), all_elements());
}

// ---- Lists and sorted sets: in their order

struct OrderedReply : LargeReply {
  std::vector<std::string> elements;  // in the order of the list, or of the scores

  OrderedReply() {
    for (int i = 0; i < kElements; ++i) elements.push_back(element(i));
  }
  void fill_list() {
    fill(writer, "RPUSH", 0, kElements, false);
    server.run();
    writer.take();
  }
  void fill_zset() {
    for (int first = 0; first < kElements; first += 1000) {
      std::vector<std::string> words = {"ZADD", "k"};
      for (int i = first; i < first + 1000; ++i) words.insert(words.end(), {std::to_string(i / 3), element(i)});
      writer.send_request(words);
    }
    server.run();
    writer.take();
  }
  void expect_elements(const std::string& request, const std::vector<std::string>& expected,
                       const std::function<void()>& act) {
    const std::string got = read_slowly(request + "\r\nPING\r\n", act);
    size_t at = 0;
    EXPECT_TRUE(read_array(got, &at) == expected) << request;
    EXPECT_EQ(got.substr(at), "+PONG\r\n");
    server.run();
    EXPECT_EQ(reader.client().queue_, nullptr);
    for (int db = 0; db < server.services().store.database_count(); ++db) {
      server.services().store.database(db).check_integrity();
    }
  }
  void expect_nothing_is_left() {
    writer.call("FLUSHALL");
    server.advance_ms(100);
    EXPECT_EQ(server.services().store.garbage_count(), 0u);
    EXPECT_LT(server.services().store.memory_bytes(), 100000u);
  }
  // Some of what can become of a key and of all keys.
  std::vector<std::vector<std::string>> ends() const {
    return {{"DEL", "k"},        {"UNLINK", "k"},          {"SET", "k", "x"},     {"RENAME", "k", "other"},
            {"FLUSHALL"},        {"FLUSHALL", "ASYNC"},    {"SWAPDB", "0", "1"},  {"MOVE", "k", "1"},
            {"RPUSH", "k", "x"}, {"ZADD", "k", "-5", "x"}, {"PEXPIRE", "k", "1"}, {"COPY", "k", "copy"}};
  }
};

TEST_F(OrderedReply, ThePartOfAListThatIsAskedFor) {
  fill_list();
  reader.set_window_bytes(1000);
  reader.send("LRANGE k 0 -1\r\n");
  server.run();
  EXPECT_LT(reader.client().owed_bytes(), 200000u);
  reader.set_window_bytes(Connection::kUnlimited);
  reader.take();
  server.run();
  reader.take();
  expect_elements("LRANGE k 100 -101", {elements.begin() + 100, elements.end() - 100}, [] {});
  expect_elements("LRANGE k 5 6", {elements[5], elements[6]}, [] {});
}

TEST_F(OrderedReply, AListChanges) {
  fill_list();
  expect_elements("LRANGE k 7 -1", {elements.begin() + 7, elements.end()}, [this] {
    fill(writer, "LPUSH", kElements, kElements + 3000, false);
    writer.send_request({"LPOP", "k", "5000"});
    writer.send_request({"RPOP", "k", "2000"});
    writer.send_request({"LREM", "k", "0", element(6000)});
    writer.send_request({"LINSERT", "k", "BEFORE", element(7000), "y"});
    for (int i = 0; i < 7000; i += 10) writer.send_request({"LSET", "k", std::to_string(i), std::string(100, 'z')});
    writer.send_request({"LTRIM", "k", "100", "200"});
    writer.send_request({"LTRIM", "k", "0", "1"});  // packed again
    server.run();
    writer.take();
  });
  EXPECT_EQ(writer.call("LLEN", "k"), ":2\r\n");
  expect_nothing_is_left();
}

TEST_F(OrderedReply, ASortedSetChanges) {
  const std::vector<std::string> upwards = elements;
  const std::vector<std::string> downwards(elements.rbegin(), elements.rend());
  for (const bool reversed : {false, true}) {
    fill_zset();
    expect_elements(reversed ? "ZREVRANGE k 0 -1" : "ZRANGE k -inf +inf BYSCORE", reversed ? downwards : upwards,
                    [this] {
                      for (int i = 0; i < kElements; i += 3) writer.send_request({"ZREM", "k", element(i)});
                      for (int i = 1; i < kElements; i += 3)
                        writer.send_request({"ZADD", "k", std::to_string(i * 7 % 4000), element(i)});
                      for (int i = 0; i < kElements; i += 6) writer.send_request({"ZADD", "k", "2000", element(i)});
                      for (int i = 0; i < 3000; ++i)
                        writer.send_request({"ZADD", "k", std::to_string(i), "new" + std::to_string(i)});
                      writer.send_request({"ZREMRANGEBYRANK", "k", "100", "2000"});
                      server.run();
                      writer.take();
                    });
    expect_nothing_is_left();
  }
}

TEST_F(OrderedReply, ScoresInBothVersions) {
  fill_zset();
  std::string flat = "*" + std::to_string(2 * kElements) + "\r\n";
  std::string nested = "*" + std::to_string(kElements) + "\r\n";
  for (int i = 0; i < kElements; ++i) {
    const std::string member = "$" + std::to_string(element(i).size()) + "\r\n" + element(i) + "\r\n";
    const std::string score = std::to_string(i / 3);
    flat += member + "$" + std::to_string(score.size()) + "\r\n" + score + "\r\n";
    nested += "*2\r\n" + member + "," + score + "\r\n";
  }
  // The version that counts is that of the command.
  const std::string got = read_slowly("ZRANGE k 0 -1 WITHSCORES\r\nHELLO 3\r\nZRANGEBYSCORE k 0 inf WITHSCORES\r\n",
                                      [this] { writer.call("DEL", "k"); });
  EXPECT_TRUE(got.starts_with(flat));
  EXPECT_TRUE(got.ends_with(nested));
}

TEST_F(OrderedReply, WhateverBecomesOfTheKey) {
  for (const bool is_list : {true, false}) {
    for (const std::vector<std::string>& end : ends()) {
      is_list ? fill_list() : fill_zset();
      expect_elements(is_list ? "LRANGE k 0 -1" : "ZRANGE k 0 -1", elements, [&] {
        writer.send_request(end);
        server.run();
        server.advance_ms(5);
        writer.send_request({"LPUSH", "k", "a", "b"});
        writer.send_request({"LPOP", "other", "3"});
        writer.send_request({"ZPOPMIN", "other", "3"});
        server.run();
        writer.take();
      });
      expect_nothing_is_left();
    }
  }
}

TEST_F(OrderedReply, InATransactionAScriptAndWithoutReplies) {
  fill_list();
  const std::string got = read_slowly("MULTI\r\nLRANGE k 0 -1\r\nLPUSH k x\r\nLTRIM k 0 0\r\nEXEC\r\n", [] {});
  size_t at = got.find("*3\r\n") + 4;
  EXPECT_TRUE(read_array(got, &at) == elements);
  EXPECT_EQ(got.substr(at), ":" + std::to_string(kElements + 1) + "\r\n+OK\r\n");
  writer.call("DEL", "k");
  fill_zset();
  EXPECT_EQ(writer.call("EVAL", "return #redis.call('zrange','k',0,-1)", "0"),
            ":" + std::to_string(kElements) + "\r\n");
  reader.send("CLIENT REPLY SKIP\r\nZRANGE k 0 -1\r\nPING\r\n");
  server.run();
  EXPECT_EQ(reader.take(), "+PONG\r\n");
}

// ---- Several readers

TEST_F(OrderedReply, ManyReadersASnapshotAndChanges) {
  for (const std::string command : {"LRANGE k 0 -1", "ZRANGE k 0 -1", "SMEMBERS k"}) {
    const bool is_set = command == "SMEMBERS k";
    is_set ? fill_set() : command[0] == 'L' ? fill_list() : fill_zset();
    std::vector<Connection*> readers;
    for (size_t i = 0; i < CollectionReply::kGuardsMax + 2; ++i) {
      readers.push_back(&server.connect());
      readers.back()->set_window_bytes(1000 + 50000 * i);
      readers.back()->send(command + "\r\n");
      server.run();
      if (i == 3) {
        EXPECT_EQ(writer.call("BGSAVE"), "+Background saving started\r\n");
      }
      // Those beyond the limit, and what the snapshot wrote: not asserted; that all are right is.
      if (i < 3) {
        EXPECT_LT(readers.back()->client().owed_bytes(), 200000u) << command;
      }
      writer.send_request({command[0] == 'L'   ? "LPOP"
                           : command[0] == 'Z' ? "ZPOPMIN"
                                               : "SREM",
                           "k", is_set ? element(static_cast<int>(i)) : "1"});
      server.run();
      writer.take();
    }
    for (size_t i = 0; i < readers.size(); ++i) {
      std::string got;
      for (std::string more = readers[i]->take(); !more.empty(); more = readers[i]->take()) {
        got += more;
        server.run();
      }
      size_t at = 0;
      std::vector<std::string> read = read_array(got, &at);
      const std::vector<std::string> wanted(elements.begin() + static_cast<ptrdiff_t>(i), elements.end());
      EXPECT_TRUE((is_set ? sorted(read) : read) == wanted) << command << " " << i;
      EXPECT_EQ(at, got.size());
    }
    server.advance_ms(1000);
    EXPECT_EQ(writer.call("DEBUG", "RELOAD"), "+OK\r\n");
    expect_nothing_is_left();
  }
}

// The snapshot does not have what is left of a reply written at once.
TEST_F(LargeReply, ASnapshotLeavesTheReaderItsPieces) {
  fill_set();
  reader.set_window_bytes(1000);
  reader.send("SMEMBERS k\r\n");
  server.run();
  writer.call("BGSAVE");
  server.advance_ms(1000);
  EXPECT_NE(writer.call("INFO", "persistence").find("rdb_last_bgsave_status:ok"), std::string::npos);
  EXPECT_LT(reader.client().owed_bytes(), 200000u);
}

// What came after the command is passed over in pieces: the reply is right, and other clients are served meanwhile.
TEST_F(LargeReply, NearlyAllMembersAreOthers) {
  expect_members([this] {
    fill(writer, "SREM", 0, kElements, false);
    fill(writer, "SADD", kElements, 6 * kElements, false);
    server.run();
    writer.take();
  });
}

TEST_F(OrderedReply, TheReaderIsKilledOrOwesTooMuch) {
  for (const std::string command : {"LRANGE k 0 -1", "ZRANGE k 0 -1"}) {
    for (const bool killed : {true, false}) {
      command[0] == 'L' ? fill_list() : fill_zset();
      writer.call("CONFIG", "SET", "client-output-buffer-limit", killed ? "normal 0 0 0" : "normal 700kb 0 0");
      Connection& slow = server.connect();
      slow.set_window_bytes(1000);
      slow.send("CLIENT ID\r\n");
      server.run();
      const std::string id = slow.take().substr(1);
      slow.send(command + "\r\n");
      server.run();
      EXPECT_FALSE(slow.closed());
      if (killed) {
        EXPECT_EQ(writer.call("CLIENT", "KILL", "ID", id.substr(0, id.size() - 2)), ":1\r\n");
      } else if (command[0] == 'L') {
        for (int i = 0; i < kElements; i += 20) writer.send_request({"LSET", "k", std::to_string(i), "x"});
      } else {
        for (int i = 0; i < kElements; i++) writer.send_request({"ZINCRBY", "k", "5000", element(i)});
      }
      server.run();
      server.advance_ms(500);
      EXPECT_TRUE(slow.closed()) << command;
      writer.take();
      expect_nothing_is_left();
    }
  }
}

}  // namespace
}  // namespace larder
