#include "server/core/registry.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace larder {
namespace {

void nothing(CommandContext&, ArgReader&) {}

constexpr CommandSpec kConfigRows[] = {
    {.name = "get", .arity = -3, .run = nothing},
    {.name = "set", .arity = -4, .run = nothing},
};
constexpr CommandSpec kRows[] = {
    {.name = "get",
     .arity = 2,
     .flags = kReadonly | kFast,
     .acl = Acl::kString,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0)"),
     .run = nothing},
    {.name = "mset", .arity = -3, .flags = kWrite, .keys = key_specs("OW+UPDATE@i1:range(-1,2,0)"), .run = nothing},
    {.name = "del", .arity = -2, .flags = kWrite, .keys = key_specs("RM+DELETE@i1:range(-1,1,0)"), .run = nothing},
    {.name = "copy",
     .arity = -3,
     .flags = kWrite,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0);OW+UPDATE@i2:range(0,1,0)"),
     .run = nothing},
    {.name = "eval", .arity = -3, .keys = key_specs("RW+ACCESS+UPDATE@i2:keynum(0,1,1)"), .run = nothing},
    {.name = "zunionstore",
     .arity = -4,
     .flags = kWrite,
     .keys = key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:keynum(0,1,1)"),
     .run = nothing},
    {.name = "xread",
     .arity = -4,
     .flags = kReadonly,
     .keys = key_specs("RO+ACCESS@kw:STREAMS@1:range(-1,1,2)"),
     .run = nothing},
    {.name = "migrate",
     .arity = -6,
     .flags = kWrite,
     .keys = key_specs("RW@i3:range(0,1,0);RW@kw:KEYS@-2:range(-1,1,0)"),
     .run = nothing},
    {.name = "sort",
     .arity = -2,
     .flags = kWrite,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0);RO@?:?"),
     .run = nothing},
    {.name = "spublish", .arity = 3, .keys = key_specs("NOT_KEY@i1:range(0,1,0)"), .run = nothing},
    {.name = "ping", .arity = -1, .flags = kFast, .acl = Acl::kConnection, .run = nothing},
    {.name = "zrangebyscore",
     .arity = -4,
     .flags = kReadonly,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0)"),
     .run = nothing},
    {.name = "zrangebylex",
     .arity = -4,
     .flags = kReadonly,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0)"),
     .run = nothing},
    {.name = "config", .arity = -2, .subcommands = kConfigRows},
};
constexpr CommandDocs kDocs[] = {
    {"get", "Returns a value.", "1.0.0", "O(1)", "key"},
    {"config|set", "Sets options.", "2.0.0", "O(1)", ""},
};
constexpr CommandFamily kFamilies[] = {{"test", kRows, kDocs}};

std::string random_case(Bytes name, Random& random) {
  std::string text(name);
  for (char& c : text) c = random.one_in(2) ? to_upper(c) : to_lower(c);
  return text;
}

std::vector<uint32_t> keys_of(const Registry& registry, const std::vector<Bytes>& argv) {
  std::vector<KeyPosition> keys;
  const Command* command = registry.resolve(argv);
  std::vector<uint32_t> positions;
  if (!find_keys(*command, argv, keys)) return {9999};
  for (const KeyPosition& key : keys) positions.push_back(key.index);
  return positions;
}

using Positions = std::vector<uint32_t>;

TEST(Registry, FindsEveryNameInAnyCase) {
  const Registry registry{kFamilies};
  Random random(7);
  for (const CommandSpec& row : kRows) {
    for (int i = 0; i < 50; ++i) {
      const Command* command = registry.find(random_case(row.name, random));
      ASSERT_NE(command, nullptr) << row.name;
      EXPECT_EQ(command->spec->name, row.name);
    }
  }
}

TEST(Registry, RefusesNamesThatOnlyResembleOne) {
  const Registry registry{kFamilies};
  for (const Bytes name : {"", "ge", "gett", "gets", "get ", " get", "g\0t", "GET\r", "zrangebyscor", "zrangebyscoree",
                           "zrangebxscore", "config|get", "\x07\x05\x14", "'%4"}) {
    EXPECT_EQ(registry.find(name), nullptr) << name;
  }
  EXPECT_EQ(registry.find(std::string(100000, 'g')), nullptr);
  // One bit of one byte: only the case of a letter may differ.
  for (const CommandSpec& row : kRows) {
    for (size_t bit = 0; bit < row.name.size() * 8; ++bit) {
      std::string name(row.name);
      name[bit / 8] = static_cast<char>(name[bit / 8] ^ (1 << (bit % 8)));
      const Command* found = registry.find(name);
      if (equals_ignore_case(name, row.name)) {
        EXPECT_NE(found, nullptr) << name;
      } else {
        EXPECT_TRUE(found == nullptr || equals_ignore_case(found->spec->name, name)) << name;
      }
    }
  }
}

TEST(Registry, ResolvesSubcommands) {
  const Registry registry{kFamilies};
  EXPECT_EQ(registry.resolve(std::vector<Bytes>{"CONFIG", "GET"})->full_name, "config|get");
  EXPECT_EQ(registry.resolve(std::vector<Bytes>{"config", "sEt", "x"})->full_name, "config|set");
  EXPECT_EQ(registry.resolve(std::vector<Bytes>{"config"})->full_name, "config");
  EXPECT_EQ(registry.resolve(std::vector<Bytes>{"config", "nosuch"})->full_name, "config");
  EXPECT_EQ(registry.resolve(std::vector<Bytes>{"nosuch", "get"}), nullptr);
  EXPECT_EQ(registry.find_full_name("Config|Get")->full_name, "config|get");
  EXPECT_EQ(registry.find_full_name("config|nosuch"), nullptr);
  EXPECT_EQ(registry.find_full_name("get")->full_name, "get");
}

TEST(Registry, ConnectsRowsWithTheirDocs) {
  const Registry registry{kFamilies};
  ASSERT_NE(registry.find("get")->docs, nullptr);
  EXPECT_EQ(registry.find("get")->docs->summary, "Returns a value.");
  EXPECT_EQ(registry.find("ping")->docs, nullptr);
  EXPECT_EQ(registry.find_full_name("config|get")->docs, nullptr);
  EXPECT_EQ(registry.find_full_name("config|set")->docs->summary, "Sets options.");
  EXPECT_EQ(registry.group_of(*registry.find("get")), "test");
}

TEST(Registry, CountsDensely) {
  const Registry registry{kFamilies};
  ASSERT_EQ(registry.all().size(), std::size(kRows) + std::size(kConfigRows));
  EXPECT_EQ(registry.commands().size(), std::size(kRows));
  for (size_t i = 0; i < registry.all().size(); ++i) EXPECT_EQ(registry.all()[i]->index, i);
}

TEST(Registry, RenamesAndRemoves) {
  Registry registry{kFamilies};
  EXPECT_TRUE(registry.rename("GET", "secret-get"));
  EXPECT_EQ(registry.find("get"), nullptr);
  ASSERT_NE(registry.find("SECRET-GET"), nullptr);
  EXPECT_EQ(registry.find("secret-get")->spec->name, "get");
  EXPECT_TRUE(registry.rename("del", ""));
  EXPECT_EQ(registry.find("del"), nullptr);
  EXPECT_FALSE(registry.rename("nosuch", "x"));
  EXPECT_FALSE(registry.rename("mset", "ping"));
  EXPECT_NE(registry.find("mset"), nullptr);
  EXPECT_FALSE(registry.rename("del", "again"));
  for (const CommandSpec& row : kRows) {
    if (row.name == "get" || row.name == "del") continue;
    EXPECT_NE(registry.find(row.name), nullptr) << row.name;
  }
}

TEST(Registry, ResetsStatistics) {
  const Registry registry{kFamilies};
  registry.find("get")->stats.calls = 5;
  registry.reset_stats();
  EXPECT_EQ(registry.find("get")->stats.calls, 0u);
}

TEST(Arity, ExactAndAtLeast) {
  EXPECT_TRUE(arity_matches(kRows[0], 2));
  EXPECT_FALSE(arity_matches(kRows[0], 1));
  EXPECT_FALSE(arity_matches(kRows[0], 3));
  EXPECT_FALSE(arity_matches(kRows[1], 2));
  EXPECT_TRUE(arity_matches(kRows[1], 3));
  EXPECT_TRUE(arity_matches(kRows[1], 1000000));
}

TEST(KeySpecs, TextBecomesFields) {
  constexpr KeySpecs specs = key_specs("RW+ACCESS@kw:STREAMS@-2:keynum(1,2,3);OW+INSERT@?:?");
  static_assert(specs.count == 2);
  const KeySpec& first = specs.specs[0];
  EXPECT_EQ(first.flags, kKeyRw | kKeyAccess);
  EXPECT_EQ(first.begin, KeySpec::Begin::kKeyword);
  EXPECT_EQ(first.keyword, "STREAMS");
  EXPECT_EQ(first.begin_index, -2);
  EXPECT_EQ(first.find, KeySpec::Find::kKeyCount);
  EXPECT_EQ(first.a, 1);
  EXPECT_EQ(first.b, 2);
  EXPECT_EQ(first.c, 3);
  EXPECT_EQ(specs.specs[1].begin, KeySpec::Begin::kUnknown);
  EXPECT_EQ(specs.specs[1].find, KeySpec::Find::kUnknown);
}

TEST(KeySpecs, FixedPositions) {
  const Registry registry{kFamilies};
  EXPECT_EQ(keys_of(registry, {"get", "k"}), Positions({1}));
  EXPECT_EQ(keys_of(registry, {"del", "a", "b", "c"}), Positions({1, 2, 3}));
  EXPECT_EQ(keys_of(registry, {"mset", "a", "1", "b", "2"}), Positions({1, 3}));
  EXPECT_EQ(keys_of(registry, {"copy", "a", "b", "REPLACE"}), Positions({1, 2}));
  EXPECT_EQ(keys_of(registry, {"ping"}), Positions({}));
}

TEST(KeySpecs, CountedKeys) {
  const Registry registry{kFamilies};
  EXPECT_EQ(keys_of(registry, {"eval", "script", "2", "a", "b", "c"}), Positions({3, 4}));
  EXPECT_EQ(keys_of(registry, {"eval", "script", "0"}), Positions({}));
  EXPECT_EQ(keys_of(registry, {"zunionstore", "to", "2", "a", "b", "WEIGHTS", "1", "2"}), Positions({1, 3, 4}));
}

TEST(KeySpecs, CountsThatAreWrong) {
  const Registry registry{kFamilies};
  for (const Bytes count : {"-1", "abc", "4", "9223372036854775807", "99999999999999999999", "", "1.0"}) {
    EXPECT_EQ(keys_of(registry, {"eval", "script", count, "a", "b", "c"}), Positions({9999})) << count;
  }
}

TEST(KeySpecs, KeysBehindAKeyword) {
  const Registry registry{kFamilies};
  EXPECT_EQ(keys_of(registry, {"xread", "COUNT", "2", "streams", "a", "b", "0", "0"}), Positions({4, 5}));
  EXPECT_EQ(keys_of(registry, {"xread", "BLOCK", "0", "COUNT", "2"}), Positions({}));
  EXPECT_EQ(keys_of(registry, {"migrate", "h", "6379", "", "0", "10", "KEYS", "a", "b"}), Positions({3, 7, 8}));
  EXPECT_EQ(keys_of(registry, {"migrate", "h", "6379", "k", "0", "10"}), Positions({3}));
}

TEST(KeySpecs, FirstKeyIsKnownToThePrefetchStage) {
  const Registry registry{kFamilies};
  EXPECT_EQ(registry.find("get")->first_key, 1);
  EXPECT_EQ(registry.find("eval")->first_key, 0);
  EXPECT_EQ(registry.find("ping")->first_key, 0);
  EXPECT_EQ(registry.find("spublish")->first_key, 0) << "a channel is no key";
}

TEST(KeySpecs, RangeAsCommandInfoShowsIt) {
  const auto range = [](Bytes name) {
    const Registry registry{kFamilies};
    const KeyRange found = key_range_of(registry.find(name)->spec->keys);
    return std::vector<int>{found.first, found.last, found.step};
  };
  EXPECT_EQ(range("get"), std::vector<int>({1, 1, 1}));
  EXPECT_EQ(range("del"), std::vector<int>({1, -1, 1}));
  EXPECT_EQ(range("mset"), std::vector<int>({1, -1, 2}));
  EXPECT_EQ(range("copy"), std::vector<int>({1, 2, 1}));
  EXPECT_EQ(range("eval"), std::vector<int>({0, 0, 0}));
  EXPECT_EQ(range("ping"), std::vector<int>({0, 0, 0}));
}

TEST(AclCategories, FollowFromFlags) {
  const Acl get = acl_categories(kRows[0]);
  EXPECT_TRUE(has_category(get, Acl::kRead));
  EXPECT_TRUE(has_category(get, Acl::kFast));
  EXPECT_TRUE(has_category(get, Acl::kString));
  EXPECT_FALSE(has_category(get, Acl::kSlow));
  EXPECT_FALSE(has_category(get, Acl::kWrite));
  const Acl mset = acl_categories(kRows[1]);
  EXPECT_TRUE(has_category(mset, Acl::kWrite));
  EXPECT_TRUE(has_category(mset, Acl::kSlow));
}

}  // namespace
}  // namespace larder
