// COMMAND and its subcommands: what is known about commands, from the rows of all families.

#include <algorithm>
#include <string>
#include <vector>

#include "base/glob.h"
#include "server/command/command_reply.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/command_text.h"
#include "server/core/context.h"

namespace larder {
namespace {

void command(CommandContext& ctx, ArgReader& args) {
  if (!args.at_end()) return ctx.reply().error(Bytes(unknown_subcommand_error("command", args.peek())));
  const auto commands = ctx.services().registry.commands();
  ctx.reply().array(commands.size());
  for (const Command* each : commands) write_command_facts(ctx.reply(), *each);
}

void command_count(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().integer(static_cast<int64_t>(ctx.services().registry.commands().size()));
}

void command_info(CommandContext& ctx, ArgReader& args) {
  const Registry& registry = ctx.services().registry;
  if (args.at_end()) return command(ctx, args);
  ctx.reply().array(args.remaining());
  for (const Bytes name : args.rest()) {
    const Command* known = registry.find_full_name(name);
    if (known == nullptr) {
      ctx.reply().null();
    } else {
      write_command_facts(ctx.reply(), *known);
    }
  }
}

void command_docs(CommandContext& ctx, ArgReader& args) {
  const Registry& registry = ctx.services().registry;
  std::vector<const Command*> chosen;
  if (args.at_end()) chosen.assign(registry.commands().begin(), registry.commands().end());
  for (const Bytes name : args.rest()) {
    const Command* known = registry.find_full_name(name);
    if (known != nullptr) chosen.push_back(known);
  }
  ctx.reply().map(chosen.size());
  for (const Command* each : chosen) {
    ctx.reply().bulk(each->full_name);
    write_command_docs(ctx.reply(), registry, *each);
  }
}

// Writes the full names of all commands and subcommands that `wanted` is true of.
template <typename Wanted>
void list_names(CommandContext& ctx, Wanted wanted) {
  const auto mark = ctx.reply().begin_deferred();
  size_t count = 0;
  const auto list = [&](const Command& each) {
    if (!wanted(each)) return;
    ctx.reply().bulk(each.full_name);
    ++count;
  };
  for (const Command* each : ctx.services().registry.commands()) {
    list(*each);
    for (const Command* sub : each->subcommands) list(*sub);
  }
  ctx.reply().end_deferred_array(mark, count);
}

Acl category_of(Bytes name) {
  for (const FlagName& known : acl_category_names()) {
    if (equals_ignore_case(known.name, name)) return static_cast<Acl>(known.bit);
  }
  return Acl::kNone;
}

void command_list(CommandContext& ctx, ArgReader& args) {
  if (args.at_end()) {
    return list_names(ctx, [](const Command& each) { return each.parent == nullptr; });
  }
  if (!args.take_word("FILTERBY")) args.fail(kSyntax);
  const auto [kind, value] = args.take<Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  if (equals_ignore_case(kind, "MODULE")) return ctx.reply().empty_array();
  if (equals_ignore_case(kind, "ACLCAT")) {
    const Acl category = category_of(value);
    return list_names(ctx, [&](const Command& each) { return has_category(acl_categories(*each.spec), category); });
  }
  if (equals_ignore_case(kind, "PATTERN")) {
    return list_names(ctx,
                      [pattern = value](const Command& each) { return glob_match(pattern, each.full_name, true); });
  }
  ctx.reply().error(kSyntax);
}

// The keys of the request that the arguments are; false when an error has been written.
bool keys_of_request(CommandContext& ctx, std::span<const Bytes> argv, std::vector<KeyPosition>& keys) {
  const Command* known = ctx.services().registry.resolve(argv);
  if (known == nullptr || (known->is_container() && argv.size() > 1)) {
    return ctx.reply().error(Bytes("ERR Invalid command specified")), false;
  }
  const std::span<const KeySpec> specs = known->spec->keys.all();
  if (std::all_of(specs.begin(), specs.end(), [](const KeySpec& spec) { return (spec.flags & kKeyNotKey) != 0; })) {
    return ctx.reply().error(Bytes("ERR The command has no key arguments")), false;
  }
  if (!arity_matches(*known->spec, argv.size())) {
    return ctx.reply().error(Bytes("ERR Invalid number of arguments specified for command")), false;
  }
  // Where keys may be missing, arguments that name none are as good as none.
  if (!find_keys(*known, argv, keys)) keys.clear();
  if (keys.empty() && !(known->spec->flags & kNoMandatoryKeys)) {
    return ctx.reply().error(Bytes("ERR Invalid arguments specified for command")), false;
  }
  return true;
}

void command_getkeys(CommandContext& ctx, ArgReader& args) {
  const auto argv = args.rest();
  std::vector<KeyPosition> keys;
  if (!keys_of_request(ctx, argv, keys)) return;
  ctx.reply().array(keys.size());
  for (const KeyPosition& key : keys) ctx.reply().bulk(argv[key.index]);
}

// What a request does with a key, where that depends on its arguments: SET reads the old value only for GET, BITFIELD
// writes only with SET or INCRBY.
uint16_t settled_flags(const KeyPosition& key, std::span<const Bytes> argv) {
  if (!(key.flags & kKeyVariableFlags)) return key.flags;
  const auto is_get = [](Bytes word) { return equals_ignore_case(word, "GET"); };
  if (equals_ignore_case(argv[0], "set") && std::none_of(argv.begin() + 3, argv.end(), is_get)) {
    return kKeyOw | kKeyUpdate;
  }
  const auto writes = [](Bytes word) { return equals_ignore_case(word, "SET") || equals_ignore_case(word, "INCRBY"); };
  if (equals_ignore_case(argv[0], "bitfield") && std::none_of(argv.begin() + 2, argv.end(), writes)) {
    return kKeyRo | kKeyAccess;
  }
  return static_cast<uint16_t>(key.flags & ~kKeyVariableFlags);
}

void command_getkeysandflags(CommandContext& ctx, ArgReader& args) {
  const auto argv = args.rest();
  std::vector<KeyPosition> keys;
  if (!keys_of_request(ctx, argv, keys)) return;
  ctx.reply().array(keys.size());
  for (const KeyPosition& key : keys) {
    ctx.reply().array(2);
    ctx.reply().bulk(argv[key.index]);
    write_key_flags(ctx.reply(), settled_flags(key, argv));
  }
}

constexpr CommandSpec kCommandSubRows[] = {
    {.name = "count",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_count},
    {.name = "docs",
     .arity = -2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_docs,
     .tips = "nondeterministic_output_order"},
    {.name = "getkeys",
     .arity = -3,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_getkeys},
    {.name = "getkeysandflags",
     .arity = -3,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_getkeysandflags},
    {.name = "help",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = container_help},
    {.name = "info",
     .arity = -2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_info,
     .tips = "nondeterministic_output_order"},
    {.name = "list",
     .arity = -2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command_list,
     .tips = "nondeterministic_output_order"},
};

constexpr CommandSpec kCommandRows[] = {
    {.name = "command",
     .arity = -1,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = command,
     .subcommands = kCommandSubRows,
     .tips = "nondeterministic_output_order"},
};

}  // namespace

const CommandFamily kCommandFamily{"server", kCommandRows, kCommandDocs};

}  // namespace larder
