#include "server/command/command_reply.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/core/argument_grammar.h"
#include "server/core/command_text.h"

namespace larder {
namespace {

// Flags that steer the server but are no part of what COMMAND INFO tells.
constexpr uint32_t kSilentFlags = kSentinel | kProtected | kAllDbs | kTouchesArbitraryKeys;

// True when the first six fields alone do not tell where all keys are.
bool keys_move(const CommandSpec& spec) {
  const auto keys = spec.keys.all();
  return std::any_of(keys.begin(), keys.end(), [](const KeySpec& key) {
    return key.begin != KeySpec::Begin::kIndex || key.find != KeySpec::Find::kRange || (key.flags & kKeyIncomplete);
  });
}

void write_flag_set(ReplyWriter& reply, std::span<const FlagName> names, uint32_t bits, Bytes prefix) {
  const auto mark = reply.begin_deferred();
  size_t count = 0;
  for (const FlagName& name : names) {
    if (!(bits & name.bit)) continue;
    reply.simple(Bytes(std::string(prefix) + std::string(name.name)));
    ++count;
  }
  reply.end_deferred_set(mark, count);
}

void write_tips(ReplyWriter& reply, Bytes tips) {
  if (tips.empty()) return reply.set(0);
  reply.set(static_cast<size_t>(std::count(tips.begin(), tips.end(), ',')) + 1);
  while (true) {
    const size_t comma = tips.find(',');
    reply.bulk(tips.substr(0, comma));
    if (comma == Bytes::npos) return;
    tips.remove_prefix(comma + 1);
  }
}

void write_pair(ReplyWriter& reply, Bytes name, int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

void write_text_pair(ReplyWriter& reply, Bytes name, Bytes value) {
  reply.bulk(name);
  reply.bulk(value);
}

// The head of "begin_search" and "find_keys": their type, and `pair_count` pairs of the spec to follow.
void open_search(ReplyWriter& reply, Bytes name, Bytes type, size_t pair_count) {
  reply.bulk(name);
  reply.map(2);
  write_text_pair(reply, "type", type);
  reply.bulk("spec");
  reply.map(pair_count);
}

void write_begin_search(ReplyWriter& reply, const KeySpec& key) {
  if (key.begin == KeySpec::Begin::kIndex) {
    open_search(reply, "begin_search", "index", 1);
    write_pair(reply, "index", key.begin_index);
  } else if (key.begin == KeySpec::Begin::kKeyword) {
    open_search(reply, "begin_search", "keyword", 2);
    write_text_pair(reply, "keyword", key.keyword);
    write_pair(reply, "startfrom", key.begin_index);
  } else {
    open_search(reply, "begin_search", "unknown", 0);
  }
}

void write_find_keys(ReplyWriter& reply, const KeySpec& key) {
  if (key.find == KeySpec::Find::kRange) {
    open_search(reply, "find_keys", "range", 3);
    write_pair(reply, "lastkey", key.a);
    write_pair(reply, "keystep", key.b);
    write_pair(reply, "limit", key.c);
  } else if (key.find == KeySpec::Find::kKeyCount) {
    open_search(reply, "find_keys", "keynum", 3);
    write_pair(reply, "keynumidx", key.a);
    write_pair(reply, "firstkey", key.b);
    write_pair(reply, "keystep", key.c);
  } else {
    open_search(reply, "find_keys", "unknown", 0);
  }
}

void write_key_specs(ReplyWriter& reply, const KeySpecs& keys) {
  reply.set(keys.count);
  for (const KeySpec& key : keys.all()) {
    reply.map(3);
    reply.bulk("flags");
    write_key_flags(reply, key.flags);
    write_begin_search(reply, key);
    write_find_keys(reply, key);
  }
}

// Where an argument stands among the keys of its command.
struct KeyCounter {
  int64_t next = 0;
  int64_t specs = 0;
};

void write_arguments(ReplyWriter& reply, const std::vector<GrammarArgument>& arguments, KeyCounter& keys);

void write_argument(ReplyWriter& reply, const GrammarArgument& argument, KeyCounter& keys) {
  using Type = GrammarArgument::Type;
  const bool nested = argument.type == Type::kOneOf || argument.type == Type::kBlock;
  const bool has_key_index = argument.type == Type::kKey && keys.specs > 0;
  const bool has_flags = argument.optional || argument.multiple;
  reply.map(2 + (nested ? 0 : 1) + (has_key_index ? 1 : 0) + (argument.token.empty() ? 0 : 1) + (has_flags ? 1 : 0) +
            (nested ? 1 : 0));
  write_text_pair(reply, "name", argument.name);
  write_text_pair(reply, "type", grammar_type_name(argument.type));
  if (!nested) write_text_pair(reply, "display_text", argument.name);
  if (has_key_index) write_pair(reply, "key_spec_index", std::min(keys.next++, keys.specs - 1));
  if (!argument.token.empty()) write_text_pair(reply, "token", argument.token);
  if (has_flags) {
    reply.bulk("flags");
    reply.set((argument.optional ? 1 : 0) + (argument.multiple ? 1 : 0) + (argument.multiple_token ? 1 : 0));
    if (argument.optional) reply.simple("optional");
    if (argument.multiple) reply.simple("multiple");
    if (argument.multiple_token) reply.simple("multiple_token");
  }
  if (nested) {
    reply.bulk("arguments");
    write_arguments(reply, argument.arguments, keys);
  }
}

void write_arguments(ReplyWriter& reply, const std::vector<GrammarArgument>& arguments, KeyCounter& keys) {
  reply.array(arguments.size());
  for (const GrammarArgument& argument : arguments) write_argument(reply, argument, keys);
}

}  // namespace

void write_key_flags(ReplyWriter& reply, uint16_t bits) { write_flag_set(reply, key_flag_names(), bits, ""); }

void write_command_facts(ReplyWriter& reply, const Command& command) {
  const CommandSpec& spec = *command.spec;
  const KeyRange range = key_range_of(spec.keys);
  const uint32_t flags = (spec.flags & ~kSilentFlags) | (keys_move(spec) ? kMovableKeys : 0u);
  reply.array(10);
  reply.bulk(command.full_name);
  reply.integer(spec.arity);
  write_flag_set(reply, command_flag_names(), flags, "");
  reply.integer(range.first);
  reply.integer(range.last);
  reply.integer(range.step);
  write_flag_set(reply, acl_category_names(), static_cast<uint32_t>(acl_categories(spec)), "@");
  write_tips(reply, spec.tips);
  write_key_specs(reply, spec.keys);
  reply.set(command.subcommands.size());
  for (const Command* sub : command.subcommands) write_command_facts(reply, *sub);
}

void write_command_docs(ReplyWriter& reply, const Registry& registry, const Command& command) {
  static constexpr CommandDocs kNoDocs{};
  const CommandDocs& docs = command.docs != nullptr ? *command.docs : kNoDocs;
  const bool has_arguments = !docs.grammar.empty();
  reply.map(4 + (has_arguments ? 1 : 0) + (command.is_container() ? 1 : 0));
  write_text_pair(reply, "summary", docs.summary);
  write_text_pair(reply, "since", docs.since);
  write_text_pair(reply, "group", registry.group_of(command));
  write_text_pair(reply, "complexity", docs.complexity);
  if (has_arguments) {
    reply.bulk("arguments");
    // A grammar that does not parse is a defect that a test of all rows catches.
    const auto arguments = parse_argument_grammar(docs.grammar);
    KeyCounter keys{0, command.spec->keys.count};
    write_arguments(reply, arguments.ok() ? *arguments : std::vector<GrammarArgument>(), keys);
  }
  if (command.is_container()) {
    reply.bulk("subcommands");
    reply.map(command.subcommands.size());
    for (const Command* sub : command.subcommands) {
      reply.bulk(sub->full_name);
      write_command_docs(reply, registry, *sub);
    }
  }
}

}  // namespace larder
