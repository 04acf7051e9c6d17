// Every row of every family: well formed, documented, and with a grammar that parses.

#include <gtest/gtest.h>

#include <set>

#include "server/command/all_families.h"
#include "server/core/argument_grammar.h"
#include "server/core/registry.h"

namespace larder {
namespace {

TEST(Rows, EveryGrammarParses) {
  for (const CommandFamily& family : all_families()) {
    for (const CommandDocs& docs : family.docs) {
      const auto arguments = parse_argument_grammar(docs.grammar);
      EXPECT_TRUE(arguments.ok()) << docs.name << ": " << docs.grammar << ": "
                                  << (arguments.ok() ? "" : arguments.error().message);
    }
  }
}

TEST(Rows, EveryCommandIsDocumented) {
  const Registry registry(all_families());
  for (const auto& command : registry.all()) {
    ASSERT_NE(command->docs, nullptr) << command->full_name;
    EXPECT_FALSE(command->docs->summary.empty()) << command->full_name;
    EXPECT_FALSE(command->docs->since.empty()) << command->full_name;
    EXPECT_FALSE(command->docs->complexity.empty()) << command->full_name;
  }
}

TEST(Rows, EveryDocumentedCommandExistsOnce) {
  const Registry registry(all_families());
  std::set<Bytes> seen;
  for (const CommandFamily& family : all_families()) {
    for (const CommandDocs& docs : family.docs) {
      EXPECT_NE(registry.find_full_name(docs.name), nullptr) << docs.name;
      EXPECT_TRUE(seen.insert(docs.name).second) << docs.name << " is documented twice";
    }
  }
}

TEST(Rows, ArgumentsMatchTheArity) {
  const Registry registry(all_families());
  for (const auto& command : registry.all()) {
    if (command->is_container() || command->docs == nullptr) continue;
    const auto arguments = parse_argument_grammar(command->docs->grammar);
    ASSERT_TRUE(arguments.ok()) << command->full_name;
    const int names = command->parent != nullptr ? 2 : 1;
    if (command->spec->arity == names) {
      EXPECT_TRUE(arguments->empty()) << command->full_name;
    } else if (command->full_name != "quit") {
      EXPECT_FALSE(arguments->empty()) << command->full_name;
    }
  }
}

TEST(Rows, NamesAreLowerCaseAndUnique) {
  const Registry registry(all_families());
  std::set<std::string> seen;
  for (const auto& command : registry.all()) {
    EXPECT_EQ(command->full_name, to_lower(command->full_name));
    EXPECT_TRUE(seen.insert(command->full_name).second) << command->full_name;
    EXPECT_TRUE(command->spec->run != nullptr || command->is_container()) << command->full_name;
  }
}

}  // namespace
}  // namespace larder
