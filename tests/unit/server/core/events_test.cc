#include "server/core/events.h"

#include <gtest/gtest.h>

#include <string>

namespace larder {
namespace {

std::string canonical(Bytes text) {
  uint32_t classes = 0;
  if (!parse_notify_classes(text, classes)) return "refused";
  char out[24];
  return std::string(write_notify_classes(classes, out));
}

TEST(NotifyClasses, CanonicalTexts) {
  EXPECT_EQ(canonical(""), "");
  EXPECT_EQ(canonical("Egx"), "gxE");
  EXPECT_EQ(canonical("KEA"), "AKE");
  EXPECT_EQ(canonical("Kg$lshzxetd"), "AK");
  EXPECT_EQ(canonical("xE"), "xE");
  EXPECT_EQ(canonical("EK"), "KE");
  EXPECT_EQ(canonical("Em"), "Em");
  EXPECT_EQ(canonical("An"), "An");
  EXPECT_EQ(canonical("ggg"), "g");
}

TEST(NotifyClasses, ReadBackToTheSame) {
  for (uint32_t classes = 0; classes < (1u << 14); ++classes) {
    char out[24];
    const Bytes text = write_notify_classes(classes, out);
    uint32_t again = 0;
    ASSERT_TRUE(parse_notify_classes(text, again));
    ASSERT_EQ(again, classes) << text;
  }
}

TEST(NotifyClasses, UnknownLettersAreRefusedAndNothingChanges) {
  uint32_t classes = 42;
  for (const Bytes text : {"Q", "KEAQ", "a", "k", "K E", "K\n"}) {
    EXPECT_FALSE(parse_notify_classes(text, classes)) << text;
  }
  EXPECT_EQ(classes, 42u);
}

TEST(Events, EveryEventHasANameAndOneClass) {
  for (uint8_t i = 0; i < static_cast<uint8_t>(Event::kCount); ++i) {
    if (static_cast<Event>(i) == Event::kQuiet) continue;  // told to nobody who listens for events
    const EventFacts& facts = facts_of(static_cast<Event>(i));
    EXPECT_FALSE(facts.name.empty()) << int{i};
    const auto bits = static_cast<uint32_t>(facts.notify_class);
    EXPECT_TRUE(bits != 0 && (bits & (bits - 1)) == 0) << facts.name;
    EXPECT_FALSE(bits & (kNotifyKeyspace | kNotifyKeyevent)) << facts.name;
  }
}

TEST(Events, NamesAreThoseThatClientsSubscribeTo) {
  EXPECT_EQ(facts_of(Event::kSet).name, "set");
  EXPECT_EQ(facts_of(Event::kDel).name, "del");
  EXPECT_EQ(facts_of(Event::kExpire).name, "expire");
  EXPECT_EQ(facts_of(Event::kExpired).name, "expired");
  EXPECT_EQ(facts_of(Event::kEvicted).name, "evicted");
  EXPECT_EQ(facts_of(Event::kIncrBy).name, "incrby");
  EXPECT_EQ(facts_of(Event::kRenameFrom).name, "rename_from");
  EXPECT_EQ(facts_of(Event::kKeyMiss).name, "keymiss");
}

}  // namespace
}  // namespace larder
