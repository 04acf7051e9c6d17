// CONFIG GET and SET as the table does them: patterns, all or nothing, who is told.

#include "server/config/option_table.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

using Assignments = std::vector<OptionTable::Assignment>;

class OptionTableTest : public ::testing::Test {
 protected:
  std::string set(Assignments assignments) { return std::string(table_.set(assignments).message()); }
  std::vector<std::string> names(std::vector<Bytes> patterns) {
    std::vector<std::string> found;
    for (const auto& named : table_.find(patterns)) found.emplace_back(named.name);
    return found;
  }
  std::string text(Bytes name) { return table_.text_of(name).value_or("(none)"); }

  Settings settings_;
  OptionTable table_{settings_};
};

TEST_F(OptionTableTest, FindsByPatternSortedAndOnce) {
  EXPECT_EQ(names({"maxmemory*"}),
            (std::vector<std::string>{"maxmemory", "maxmemory-clients", "maxmemory-eviction-tenacity",
                                      "maxmemory-policy", "maxmemory-samples"}));
  EXPECT_EQ(names({"timeout", "time*", "TIMEOU?"}), std::vector<std::string>{"timeout"});
  EXPECT_EQ(names({"slave-p*", "replica-p*"}), (std::vector<std::string>{"replica-priority", "slave-priority"}));
  EXPECT_TRUE(names({"nothing-like-it", "nothing*"}).empty());
  EXPECT_TRUE(names({}).empty());
}

TEST_F(OptionTableTest, AnExactNameAnswersInTheLettersOfWhoAsked) {
  EXPECT_EQ(names({"MaxMemory"}), std::vector<std::string>{"MaxMemory"});
}

TEST_F(OptionTableTest, HiddenOptionsAnswerOnlyToTheirName) {
  EXPECT_EQ(names({"rdb-key-save-delay"}), std::vector<std::string>{"rdb-key-save-delay"});
  EXPECT_TRUE(names({"rdb-key*"}).empty());
}

TEST_F(OptionTableTest, SetsSeveralAtOnce) {
  EXPECT_EQ(set({{"maxmemory", "1gb"}, {"MAXMEMORY-POLICY", "allkeys-lru"}, {"list-compress-depth", "2"}}), "ok");
  EXPECT_EQ(settings_.maxmemory_bytes, 1 << 30);
  EXPECT_EQ(settings_.maxmemory_policy, MaxmemoryPolicy::kAllkeysLru);
  EXPECT_EQ(text("list-compress-depth"), "2");
}

TEST_F(OptionTableTest, AllOrNothing) {
  EXPECT_EQ(set({{"maxmemory", "1gb"}, {"list-compress-depth", "2"}, {"hz", "x"}}),
            "ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer");
  EXPECT_EQ(settings_.maxmemory_bytes, 0);
  EXPECT_TRUE(settings_.accepted.empty());
  EXPECT_EQ(set({{"maxmemory", "1gb"}, {"no-such", "2"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'no-such'");
  EXPECT_EQ(settings_.maxmemory_bytes, 0);
}

TEST_F(OptionTableTest, RefusesWhatMayNotChange) {
  EXPECT_EQ(set({{"databases", "3"}}),
            "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config");
  EXPECT_EQ(set({{"maxmemory", "1"}, {"MaxMemory", "2"}}),
            "ERR CONFIG SET failed (possibly related to argument 'MaxMemory') - duplicate parameter");
  EXPECT_EQ(set({{"dir", "/tmp"}}),
            "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config");
  const Assignments dir = {{"dir", "/tmp"}};
  EXPECT_TRUE(table_.set(dir, OptionTable::ProtectedConfigs::kAllow).ok());
  EXPECT_EQ(settings_.dir, "/tmp");
}

TEST_F(OptionTableTest, BothNamesOfAnOptionAreNoDuplicate) {
  EXPECT_EQ(set({{"busy-reply-threshold", "1"}, {"lua-time-limit", "3"}}), "ok");
  EXPECT_EQ(text("busy-reply-threshold"), "3");
}

TEST_F(OptionTableTest, TooManyAssignmentsAreRefused) {
  const Assignments many(OptionTable::kAssignmentsMax + 1, {"maxmemory", "1"});
  EXPECT_EQ(table_.set(many).code(), ErrorCode::kResourceLimit);
}

// What CONFIG GET says, CONFIG SET takes, for every option that may change; and nothing is different afterwards.
TEST_F(OptionTableTest, EveryValueThatIsPrintedIsAccepted) {
  const Settings before = settings_;
  for (const OptionRow& row : option_rows()) {
    if (row.has(kImmutable)) continue;
    const std::string value = write_option(row, settings_);
    const Assignments one = {{row.name, value}};
    const Status status = table_.set(one, OptionTable::ProtectedConfigs::kAllow);
    EXPECT_TRUE(status.ok()) << row.name << " '" << value << "': " << status.message();
  }
  for (const OptionRow& row : option_rows()) EXPECT_TRUE(same_value(row, before, settings_)) << row.name;
}

TEST_F(OptionTableTest, SubscribersRunOncePerChangeWithTheNewValues) {
  int runs = 0;
  int64_t seen = 0;
  table_.subscribe({"maxmemory", "maxmemory-policy"}, [&] {
    ++runs;
    seen = settings_.maxmemory_bytes;
    return Status();
  });
  EXPECT_EQ(set({{"maxmemory", "7"}, {"maxmemory-policy", "allkeys-lru"}}), "ok");
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(seen, 7);
  EXPECT_EQ(set({{"maxmemory", "7"}, {"timeout", "9"}}), "ok");  // unchanged, and another option
  EXPECT_EQ(runs, 1);
}

TEST_F(OptionTableTest, AFailingSubscriberTakesEverythingBack) {
  std::vector<int64_t> ports;
  table_.subscribe({"timeout"}, [&] {
    ports.push_back(settings_.timeout_s);
    return Status();
  });
  table_.subscribe({"port"}, [&] {
    if (settings_.port == 1) return Status(ErrorCode::kPermission, "Unable to listen on this port.");
    return Status();
  });
  EXPECT_EQ(set({{"timeout", "5"}, {"Port", "1"}, {"maxmemory", "1gb"}}),
            "ERR CONFIG SET failed (possibly related to argument 'Port') - Unable to listen on this port.");
  EXPECT_EQ(settings_.timeout_s, 0);
  EXPECT_EQ(settings_.maxmemory_bytes, 0);
  EXPECT_EQ(settings_.port, 6379);
  EXPECT_EQ(ports, (std::vector<int64_t>{5, 0})) << "who acted on the new value must hear of the old one again";
}

TEST_F(OptionTableTest, WhoDependsOnAnotherRunsBehindIt) {
  std::string order;
  table_.subscribe({"timeout"}, [&] { return order += "timeout ", Status(); });
  table_.subscribe_first({"port"}, [&] {
    order += "port ";
    return settings_.port == 7001 ? Status(ErrorCode::kBusy, "taken") : Status();
  });
  EXPECT_EQ(set({{"timeout", "5"}, {"port", "7000"}}), "ok");
  EXPECT_EQ(order, "port timeout ");
  order.clear();
  EXPECT_NE(set({{"timeout", "6"}, {"port", "7001"}}), "ok");
  EXPECT_EQ(order, "port port timeout ") << "nobody else has heard of what was refused, only of the old values again";
}

TEST_F(OptionTableTest, SetOneAsksForNoRight) {
  const Bytes address[] = {"10.0.0.1", "6379"};
  EXPECT_TRUE(table_.set_one("replicaof", address).ok());
  EXPECT_EQ(text("slaveof"), "10.0.0.1 6379");
  const Bytes wrong[] = {"10.0.0.1", "x"};
  EXPECT_EQ(table_.set_one("replicaof", wrong).message(), "Invalid master port");
  EXPECT_EQ(table_.set_one("nothing", wrong).code(), ErrorCode::kNotFound);
  EXPECT_EQ(text("replicaof"), "10.0.0.1 6379");
}

TEST_F(OptionTableTest, WhatHasNoEffectGoesBackToItsDefaultWithoutATrace) {
  EXPECT_EQ(set({{"lazyfree-lazy-expire", "yes"}}), "ok");
  EXPECT_EQ(settings_.accepted.size(), 1u);
  EXPECT_EQ(set({{"lazyfree-lazy-expire", "no"}}), "ok");
  EXPECT_TRUE(settings_.accepted.empty());
}

}  // namespace
}  // namespace larder
