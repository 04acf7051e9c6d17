#include "server/script/script_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "base/sha1.h"

namespace larder {
namespace {

// A source of that many bytes, as EVAL brings it; what is surplus goes.
std::string add(ScriptCache& cache, char letter, size_t bytes, bool is_kept = false) {
  const std::string source(bytes, letter);
  std::string sha = sha1_hex(source);
  cache.add(source, sha, is_kept);
  while (CachedScript* surplus = cache.surplus()) cache.remove(*surplus);
  return sha;
}

constexpr size_t kThirdBytes = ScriptCache::kEvalBytesMax / 3;

TEST(ScriptCache, TheOldestGoWhenTheirSourcesAreTooLarge) {
  ScriptCache cache;
  const std::string first = add(cache, 'a', kThirdBytes);
  const std::string second = add(cache, 'b', kThirdBytes);
  const std::string third = add(cache, 'c', kThirdBytes);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_NE(cache.find(first), nullptr);  // used: the second one is the oldest now
  add(cache, 'd', kThirdBytes);
  EXPECT_NE(cache.find(first), nullptr);
  EXPECT_EQ(cache.find(second), nullptr);
  EXPECT_NE(cache.find(third), nullptr);
  EXPECT_EQ(cache.source_bytes(), 3 * kThirdBytes);
}

TEST(ScriptCache, TheOneJustAddedStaysHoweverLarge) {
  ScriptCache cache;
  const std::string small = add(cache, 'a', 10);
  const std::string large = add(cache, 'b', ScriptCache::kEvalBytesMax + 1);
  EXPECT_EQ(cache.find(small), nullptr);
  EXPECT_NE(cache.find(large), nullptr);
  add(cache, 'c', 10);
  EXPECT_EQ(cache.find(large), nullptr);
  EXPECT_EQ(cache.source_bytes(), 10u);
}

TEST(ScriptCache, WhatIsKeptDoesNotCount) {
  ScriptCache cache;
  const std::string kept = add(cache, 'a', 2 * kThirdBytes, true);
  const std::string later_kept = add(cache, 'b', 2 * kThirdBytes);
  cache.keep(*cache.find(later_kept));
  const std::string first = add(cache, 'c', kThirdBytes);
  const std::string second = add(cache, 'd', kThirdBytes);
  EXPECT_EQ(cache.size(), 4u);
  cache.remove(*cache.find(first));
  EXPECT_EQ(cache.source_bytes(), 5 * kThirdBytes);
  cache.drop_some(2);
  EXPECT_EQ(cache.size(), 1u);
  cache.drop_some(2);
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace larder
