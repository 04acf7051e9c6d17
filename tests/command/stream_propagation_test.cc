// What stream commands give to the log and to replicas in their own place, and that repeating it makes the same streams.

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/command/effects_test.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

using testing::InProcessServer;

class StreamPropagation : public testing::EffectsTest {};

using Lines = std::vector<std::string>;

TEST_F(StreamPropagation, XAddTellsTheIdThatTheServerMade) {
  EXPECT_EQ(effect("XADD s 5-1 f v"), (Lines{"XADD s 5-1 f v"}));
  EXPECT_EQ(effect("XADD s 5-* f v"), (Lines{"XADD s 5-2 f v"}));
  EXPECT_EQ(effect("XADD s * f v"), (Lines{"XADD s " + now() + "-0 f v"}));
  EXPECT_EQ(effect("XADD s NOMKSTREAM MAXLEN 2 * f v"), (Lines{"XADD s MAXLEN = 2 " + now() + "-1 f v"}));
  EXPECT_EQ(effect("XADD missing NOMKSTREAM * f v"), Lines{});
  EXPECT_EQ(effect("XADD s 1-1 f v"), Lines{});
}

TEST_F(StreamPropagation, ApproximateTrimsTellWhatTheyDid) {
  run("CONFIG SET stream-node-max-entries 2");
  for (int i = 1; i <= 6; i++) run("XADD s " + std::to_string(i) + " f v");
  EXPECT_EQ(effect("XTRIM s MAXLEN ~ 5"), Lines{});
  EXPECT_EQ(effect("XTRIM s MAXLEN ~ 3"), (Lines{"XTRIM s MAXLEN = 4"}));
  EXPECT_EQ(effect("XTRIM s MINID ~ 6"), (Lines{"XTRIM s MINID = 5-0"}));
  EXPECT_EQ(effect("XADD s MAXLEN ~ 2 7-0 f v"), (Lines{"XADD s MAXLEN = 3 7-0 f v"}));
  EXPECT_EQ(effect("XTRIM s MAXLEN 1"), (Lines{"XTRIM s MAXLEN 1"}));
}

TEST_F(StreamPropagation, XReadGroupTellsWhatBecamePending) {
  run("XADD s 1-1 f v");
  run("XADD s 1-2 f v");
  run("XGROUP CREATE s g 0");
  EXPECT_EQ(effect("XREADGROUP GROUP g c COUNT 1 STREAMS s >"),
            (Lines{"XGROUP CREATECONSUMER s g c",
                   "XCLAIM s g c 0 1-1 TIME " + now() + " RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
                   "XGROUP SETID s g 1-1 ENTRIESREAD 1"}));
  EXPECT_EQ(effect("XREADGROUP GROUP g c NOACK STREAMS s >"), (Lines{"XGROUP SETID s g 1-2 ENTRIESREAD 2"}));
  EXPECT_EQ(effect("XREADGROUP GROUP g c STREAMS s >"), Lines{});
  EXPECT_EQ(effect("XREADGROUP GROUP g d STREAMS s >"), (Lines{"XGROUP CREATECONSUMER s g d"}));
}

TEST_F(StreamPropagation, XReadGroupThatWaitedTellsItToo) {
  run("XGROUP CREATE s g $ MKSTREAM");
  auto& waiting = server_.connect();
  send(waiting, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  server_.run();
  EXPECT_EQ(effect("XADD s 1-1 f v"),
            (Lines{"XADD s 1-1 f v", "XCLAIM s g c 0 1-1 TIME " + now() + " RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
                   "XGROUP SETID s g 1-1 ENTRIESREAD 1"}));
  EXPECT_FALSE(waiting.take().empty());
}

TEST_F(StreamPropagation, ClaimsTellTheirOutcome) {
  run("XADD s 1-1 f v");
  run("XADD s 1-2 f v");
  run("XGROUP CREATE s g 0");
  run("XREADGROUP GROUP g a STREAMS s >");
  run("XGROUP CREATECONSUMER s g b");
  EXPECT_EQ(effect("XCLAIM s g b 0 1-1"),
            (Lines{"XCLAIM s g b 0 1-1 TIME " + now() + " RETRYCOUNT 2 FORCE JUSTID LASTID 1-2"}));
  EXPECT_EQ(effect("XCLAIM s g b 100000 1-1"), Lines{});
  run("XDEL s 1-1");
  EXPECT_EQ(effect("XCLAIM s g b 0 1-1"), (Lines{"XACK s g 1-1"}));
  EXPECT_EQ(effect("XAUTOCLAIM s g b 0 - JUSTID"),
            (Lines{"XCLAIM s g b 0 1-2 TIME " + now() + " RETRYCOUNT 1 FORCE JUSTID LASTID 1-2"}));
  run("XDEL s 1-2");
  EXPECT_EQ(effect("XAUTOCLAIM s g b 0 -"), (Lines{"XACK s g 1-2"}));
  EXPECT_EQ(effect("XCLAIM s g b 0 9-9 LASTID 5-5"), (Lines{"XGROUP SETID s g 5-5 ENTRIESREAD 2"}));
}

TEST_F(StreamPropagation, WhatIsTheSameWhenRepeatedIsRepeatedAsItCame) {
  run("XADD s 1-1 f v");
  for (const char* line : {"XGROUP CREATE s g $", "XGROUP SETID s g 0 ENTRIESREAD 0", "XGROUP CREATECONSUMER s g c",
                           "XGROUP DELCONSUMER s g c", "XGROUP DESTROY s g", "XSETID s 2-2", "XDEL s 1-1"}) {
    EXPECT_EQ(effect(line), (Lines{line}));
  }
  EXPECT_EQ(effect("XDEL s 1-1"), Lines{});
  EXPECT_EQ(effect("XGROUP DESTROY s g"), Lines{});
}

// ---- Random commands, repeated elsewhere

std::string pick(Random& random, std::initializer_list<const char*> choices) {
  return choices.begin()[random.uniform(choices.size())];
}
std::string random_id(Random& random) {
  return std::to_string(1 + random.uniform(60)) + "-" + std::to_string(random.uniform(3));
}

std::string random_command(Random& random, int step) {
  const std::string key = pick(random, {"s", "t"});
  const std::string group = " " + pick(random, {"g", "h"});
  const std::string consumer = " " + pick(random, {"c", "d", "e"});
  const std::string trim = pick(random, {"MAXLEN ", "MAXLEN = ", "MAXLEN ~ "}) + std::to_string(random.uniform(30));
  switch (random.uniform(14)) {
    case 0:
    case 1:
    case 2:
      return "XADD " + key + " " + std::to_string(step / 20) + "-* f v";
    case 3:
      return "XADD " + key + " " + trim + " " + std::to_string(step / 20) + "-* f v g w";
    case 4:
      return "XTRIM " + key + " " + pick(random, {"MINID ", "MINID ~ "}) + random_id(random);
    case 5:
      return "XDEL " + key + " " + random_id(random) + " " + random_id(random);
    case 6:
      return "XGROUP CREATE " + key + group + pick(random, {" 0", " $"}) + " MKSTREAM";
    case 7:
      return "XREADGROUP GROUP" + group + consumer + " COUNT 5" + pick(random, {"", " NOACK"}) + " STREAMS s t > >";
    case 8:
      return "XREADGROUP GROUP" + group + consumer + " STREAMS " + key + " >";
    case 9:
      return "XACK " + key + group + " " + random_id(random) + " " + random_id(random);
    case 10:
      return "XCLAIM " + key + group + consumer + pick(random, {" 0 ", " 30 "}) + random_id(random) + " " +
             random_id(random) + pick(random, {"", " FORCE", " JUSTID", " IDLE 20", " RETRYCOUNT 9", " LASTID 20-1"});
    case 11:
      return "XAUTOCLAIM " + key + group + consumer + pick(random, {" 0", " 30"}) + " - COUNT 3";
    case 12:
      return random.one_in(5) ? "XGROUP DELCONSUMER " + key + group + consumer
                              : "XGROUP CREATECONSUMER " + key + group + consumer;
    default:
      return random.one_in(10) ? "XGROUP DESTROY " + key + group : "XSETID " + key + " " + random_id(random);
  }
}

TEST_F(StreamPropagation, WhatIsRepeatedMakesTheSameStreams) {
  const uint64_t seed = test_seed();
  SCOPED_TRACE(seed);
  Random random(seed);
  run("CONFIG SET stream-node-max-entries 3");
  for (int step = 20; step < 3000; step++) {
    run(random_command(random, step));
    server_.advance_ms(static_cast<int64_t>(random.uniform(20)));
  }
  InProcessServer replica({.wall_start_us = server_.clock().wall_us()});
  auto& copy = replica.connect();
  for (const auto& words : recorder_.words()) {
    copy.send_request(words);
    replica.run();
    const std::string reply = copy.take();
    ASSERT_NE(reply.substr(0, 1), "-") << reply << " to " << words[0] << " " << words[1];
  }
  for (const char* line : {"XRANGE s - +", "XRANGE t - +", "XINFO GROUPS s", "XINFO GROUPS t", "XPENDING s g - + 1000",
                           "XPENDING t g - + 1000", "XPENDING s h - + 1000", "XPENDING t h - + 1000"}) {
    send(copy, line);
    replica.run();
    EXPECT_EQ(run(line), copy.take()) << line;
  }
}

}  // namespace
}  // namespace larder
