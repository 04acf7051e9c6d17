#include "server/script/lua_runtime.h"

#include <gtest/gtest.h>

#include <string>

namespace larder {
namespace {

constexpr size_t kLimitBytes = size_t{16} << 20;

class Patient final : public ScriptListener {
 public:
  bool interrupts(const char**) override { return false; }
};

class LuaRuntimeTest : public ::testing::Test {
 protected:
  // The error of a program, or nothing.
  std::string run(const std::string& source) {
    const LoadedChunk chunk = runtime_.load(source, "@test");
    if (!chunk.error.empty()) return chunk.error;
    runtime_.push(chunk.reference);
    const bool succeeded = runtime_.call(0, 0);
    runtime_.release(chunk.reference);
    return succeeded ? "" : runtime_.error().text;
  }

  // A function with values of its own, as those of a library: some `bytes` of small tables.
  void keep(size_t bytes) {
    const std::string count = std::to_string(bytes / 64);  // a table of one element has 64 bytes
    const LoadedChunk chunk = runtime_.load(
        "local kept = {} for i = 1, " + count + " do kept[i] = {i} end return function() return #kept end", "@library");
    ASSERT_EQ(chunk.error, "");
    runtime_.push(chunk.reference);
    ASSERT_TRUE(runtime_.call(0, 1)) << runtime_.error().text;
    runtime_.release(chunk.reference);
    ASSERT_NE(luaL_ref(runtime_.state(), LUA_REGISTRYINDEX), LUA_REFNIL);
  }

  Patient patient_;
  LuaRuntime runtime_{patient_, kLimitBytes, 1};
};

TEST_F(LuaRuntimeTest, GarbageOfLargeTextsDoesNotMeetTheLimit) {
  for (const char* program : {
           "local s = string.rep('x', 1000000) for i = 1, 200 do local t = s .. i end",
           "local s = string.rep('x', 3000000) for i = 1, 50 do local t = s .. i end",
           "for i = 1, 100 do local t = string.rep('x', 4000000) end",
           "local s = string.rep('x', 2500000) for i = 1, 50 do local t = s:sub(i) t = s:upper() t = s:reverse() end",
           "local s = string.rep('x', 1000000) for i = 1, 100 do local t = string.format('%s%d', s, i) end",
           "local s = string.rep('x', 1000000) for i = 1, 100 do local t = table.concat({s, i, s}) end",
           "local s = string.rep('x', 1000000) for i = 1, 100 do local t = s:gsub('^x', i) end",
           "local s = string.rep('x', 1000000) for i = 1, 100 do pcall(function() local t = s .. i error(t, 0) end) "
           "end",
           "local s = string.rep('x', 1000000) for i = 1, 100 do coroutine.wrap(function() local t = s .. i end)() end",
           "for i = 1, 100 do local t = {} for j = 1, 20000 do t[j] = {j} end end",
       }) {
    EXPECT_EQ(run(program), "") << program;
    EXPECT_FALSE(runtime_.heap().exhausted()) << program;
  }
}

// What nobody can interrupt is bounded by its size: a table's part, and what `..` makes.
TEST_F(LuaRuntimeTest, OnePieceMayHaveAnEighthOfTheLimit) {
  runtime_.set_bytes_max(size_t{256} << 20);
  for (const char* program : {
           "local s = string.rep('x', 20000000) local t = s .. s",
           "local t = {} for i = 1, 1050000 do t[i + 0.5] = i end",
           "local t = {} for i = 1, 5000000 do t[i] = i end",
       }) {
    EXPECT_NE(run(program).find("one piece may have 33554432"), std::string::npos) << program;
    EXPECT_FALSE(runtime_.heap().exhausted()) << program;
  }
  for (const char* program : {
           "local s = string.rep('x', 16000000) local t = s .. s",
           "local t = {} for i = 1, 1000000 do t[i + 0.5] = i end",
           "local t = {} for i = 1, 4000000 do t[i] = i end",
           "assert(not pcall(function() local s = string.rep('x', 20000000) local t = s .. s end))",
       }) {
    EXPECT_EQ(run(program), "") << program;
  }
  EXPECT_TRUE(runtime_.tidy());
}

// Our own functions make larger texts: they are copied once.
TEST_F(LuaRuntimeTest, FunctionsMakeTextsOfMoreThanOnePiece) {
  runtime_.set_bytes_max(size_t{256} << 20);
  for (const char* program : {
           "local s = string.rep('x', 40000000) s = s:upper() s = s:sub(2) assert(#s == 39999999)",
           "local s = string.rep('x', 20000000) assert(#table.concat({s, 1, s}, ',') == 40000003)",
           "local s = string.rep('x', 20000000) assert(#string.format('%s%s', s, s) == 40000000)",
           "local s = string.rep('x', 40000000) assert(#s:match('.*') == 40000000) assert(#s:gsub('^x', 'yy') == "
           "40000001)",
       }) {
    EXPECT_EQ(run(program), "") << program;
  }
}

TEST_F(LuaRuntimeTest, WhatLivesMeetsTheLimit) {
  for (const char* program : {"local t = {} while true do t[#t + 1] = {} end",
                              "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
                              "local s = 'x' while true do s = s .. s end"}) {
    LuaRuntime runtime(patient_, kLimitBytes, 1);
    const LoadedChunk chunk = runtime.load(program, "@test");
    runtime.push(chunk.reference);
    EXPECT_FALSE(runtime.call(0, 0));
    EXPECT_NE(runtime.error().text.find("out of memory"), std::string::npos) << runtime.error().text;
    EXPECT_FALSE(runtime.tidy());
  }
}

TEST_F(LuaRuntimeTest, AStateThatLastsIsCleanedInPieces) {
  keep(6 << 20);
  const size_t live_bytes = runtime_.heap().used_bytes();
  EXPECT_EQ(run("local t = {} for i = 1, 40 do t[i] = string.rep('y', 100000) .. i end"), "");
  ASSERT_GT(runtime_.heap().used_bytes(), live_bytes + (3 << 20));
  ASSERT_TRUE(runtime_.tidy());
  ASSERT_TRUE(runtime_.is_cleaning());
  size_t pieces = 0;
  for (; runtime_.is_cleaning(); ++pieces) ASSERT_TRUE(runtime_.clean_some());
  EXPECT_GT(pieces, live_bytes / 32768);
  EXPECT_LT(runtime_.heap().used_bytes(), live_bytes + (1 << 20));
  EXPECT_TRUE(runtime_.tidy());
  EXPECT_FALSE(runtime_.is_cleaning());
}

TEST_F(LuaRuntimeTest, CallsGoOnWhileTheStateIsCleaned) {
  keep(6 << 20);
  const size_t live_bytes = runtime_.heap().used_bytes();
  size_t cleanings = 0;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(run("local t = {} for i = 1, 3 do t[i] = string.rep('y', 10000) .. i end"), "");
    const bool was_cleaning = runtime_.is_cleaning();
    ASSERT_TRUE(runtime_.tidy());
    cleanings += !was_cleaning && runtime_.is_cleaning() ? 1 : 0;
    for (int piece = 0; piece < 10 && runtime_.is_cleaning(); ++piece) ASSERT_TRUE(runtime_.clean_some());
  }
  EXPECT_GT(cleanings, 2u);
  EXPECT_LT(runtime_.heap().used_bytes(), live_bytes + (6 << 20));
}

TEST_F(LuaRuntimeTest, AStateThatIsFullOfWhatLivesIsGivenUp) {
  keep(9'920'000);
  bool is_good = runtime_.tidy();
  while (is_good && runtime_.is_cleaning()) is_good = runtime_.clean_some();
  EXPECT_FALSE(is_good);
}

}  // namespace
}  // namespace larder
