#include "server/core/transaction.h"

#include <gtest/gtest.h>

#include "server/core/client_list.h"

namespace larder {
namespace {

class NoLink final : public ClientLink {
 public:
  void wake() override {}
};

class TransactionTableTest : public ::testing::Test {
 protected:
  Client& add() { return clients_.add(link_, ClientOrigin{}, 0); }
  static bool broken(const Client& client) { return client.transaction && client.transaction->watch_broken; }

  NoLink link_;
  ClientList clients_;
  LeftoverQueue leftovers_;
  TransactionTable table_{17, leftovers_};
};

TEST_F(TransactionTableTest, TellsEveryWatcherOfAKeyAndNobodyElse) {
  Client& a = add();
  Client& b = add();
  Client& c = add();
  table_.watch(a, 0, "k", false);
  table_.watch(b, 0, "k", false);
  table_.watch(c, 0, "other", false);
  EXPECT_FALSE(table_.empty());
  EXPECT_EQ(table_.watching_clients(), 3u);
  table_.key_changed(0, "k");
  EXPECT_TRUE(broken(a));
  EXPECT_TRUE(broken(b));
  EXPECT_FALSE(broken(c));
}

TEST_F(TransactionTableTest, DatabasesAreApart) {
  Client& a = add();
  table_.watch(a, 3, "k", false);
  table_.key_changed(0, "k");
  EXPECT_FALSE(broken(a));
  table_.key_changed(3, "k");
  EXPECT_TRUE(broken(a));
}

// A client may watch 100,000 keys, and looking one up in the keyspace costs more than the mark that is set already.
TEST_F(TransactionTableTest, AFlushAsksForNoMoreKeysThanItHasWatchersToTell) {
  Client& a = add();
  Client& b = add();
  for (int i = 0; i < 100; i++) table_.watch(a, 0, "k" + std::to_string(i), false);
  table_.watch(b, 0, "k7", false);
  size_t asked = 0;
  table_.database_changed(0, [&](Bytes) { return ++asked > 0; });
  EXPECT_TRUE(broken(a));
  EXPECT_TRUE(broken(b));
  EXPECT_LE(asked, 2u);
  table_.database_changed(0, [&](Bytes) { return ++asked > 0; });
  EXPECT_LE(asked, 2u);
}

TEST_F(TransactionTableTest, TheRemovalOfAKeyThatWasWatchedExpiredIsNoChange) {
  Client& early = add();
  Client& late = add();
  table_.watch(early, 0, "k", false);
  table_.watch(late, 0, "k", true);
  table_.key_changed(0, "k", true);
  EXPECT_TRUE(broken(early));
  EXPECT_FALSE(broken(late));
  // It came back, and this time its end is news.
  table_.key_changed(0, "k", true);
  EXPECT_TRUE(broken(late));
}

TEST_F(TransactionTableTest, WatchingTwiceCountsOnce) {
  Client& a = add();
  table_.watch(a, 0, "k", false);
  table_.watch(a, 0, "k", false);
  EXPECT_EQ(a.transaction->watched.size(), 1u);
  table_.close(a);
  EXPECT_TRUE(table_.empty());
}

TEST_F(TransactionTableTest, UnwatchForgetsAlsoWhatWasBroken) {
  Client& a = add();
  table_.watch(a, 0, "k", false);
  table_.key_changed(0, "k");
  table_.close(a);
  EXPECT_FALSE(broken(a));
  EXPECT_TRUE(table_.empty());
  table_.key_changed(0, "k");
  EXPECT_FALSE(broken(a));
}

TEST_F(TransactionTableTest, UnwatchLeavesTheOthers) {
  Client& a = add();
  Client& b = add();
  table_.watch(a, 0, "k", false);
  table_.watch(b, 0, "k", false);
  table_.close(a);
  EXPECT_EQ(table_.watching_clients(), 1u);
  table_.key_changed(0, "k");
  EXPECT_TRUE(broken(b));
}

TEST_F(TransactionTableTest, AFlushBreaksWatchesOfKeysThatExist) {
  Client& a = add();
  Client& b = add();
  Client& c = add();
  table_.watch(a, 0, "present", false);
  table_.watch(b, 0, "absent", false);
  table_.watch(c, 1, "present", false);
  table_.database_changed(0, [](Bytes key) { return key == "present"; });
  EXPECT_TRUE(broken(a));
  EXPECT_FALSE(broken(b));
  EXPECT_FALSE(broken(c));
}

TEST_F(TransactionTableTest, OpenAndCloseMoveTheGate) {
  Client& a = add();
  table_.open(a);
  EXPECT_TRUE(a.gate & kGateTransaction);
  EXPECT_TRUE(a.transaction->open);
  table_.watch(a, 0, "k", false);
  table_.close(a);
  EXPECT_FALSE(a.gate & kGateTransaction);
  EXPECT_EQ(a.transaction, nullptr);
  EXPECT_TRUE(table_.empty());
}

}  // namespace
}  // namespace larder
