// The set family: its rows, and the commands that work on one set.

#include "server/command/set_handlers.h"

#include <vector>

#include "server/command/families.h"
#include "server/command/member_scan.h"
#include "server/command/removal.h"
#include "server/config/settings.h"
#include "server/core/collection_reply.h"
#include "server/core/command_spec.h"

namespace larder {
namespace {

namespace sc = set_commands;

constexpr CommandSpec kSetRows[] = {
    {"sadd", -3, kWrite | kDenyOom | kFast | kItemAt2, Acl::kSet, key_specs("RW+INSERT@i1:range(0,1,0)"), sc::sadd},
    {"scard", 2, kReadonly | kFast, Acl::kSet, key_specs("RO@i1:range(0,1,0)"), sc::scard},
    {"sdiff",
     -2,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(-1,1,0)"),
     sc::sdiff,
     {},
     "nondeterministic_output_order"},
    {"sdiffstore", -3, kWrite | kDenyOom, Acl::kSet, key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:range(-1,1,0)"),
     sc::sdiffstore},
    {"sinter",
     -2,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(-1,1,0)"),
     sc::sinter,
     {},
     "nondeterministic_output_order"},
    {"sintercard", -3, kReadonly, Acl::kSet, key_specs("RO+ACCESS@i1:keynum(0,1,1)"), sc::sintercard},
    {"sinterstore", -3, kWrite | kDenyOom, Acl::kSet, key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:range(-1,1,0)"),
     sc::sinterstore},
    {"sismember", 3, kReadonly | kFast | kItemAt2, Acl::kSet, key_specs("RO@i1:range(0,1,0)"), sc::sismember},
    {"smembers",
     2,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     sc::smembers,
     {},
     "nondeterministic_output_order"},
    {"smismember", -3, kReadonly | kFast | kItemAt2, Acl::kSet, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::smismember},
    {"smove", 4, kWrite | kFast | kItemAt3, Acl::kSet, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0);RW+INSERT@i2:range(0,1,0)"),
     sc::smove},
    {"spop",
     -2,
     kWrite | kFast,
     Acl::kSet,
     key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"),
     sc::spop,
     {},
     "nondeterministic_output"},
    {"srandmember",
     -2,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     sc::srandmember,
     {},
     "nondeterministic_output"},
    {"srem", -3, kWrite | kFast | kItemAt2, Acl::kSet, key_specs("RW+DELETE@i1:range(0,1,0)"), sc::srem},
    {"sscan",
     -3,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     sc::sscan,
     {},
     "nondeterministic_output"},
    {"sunion",
     -2,
     kReadonly,
     Acl::kSet,
     key_specs("RO+ACCESS@i1:range(-1,1,0)"),
     sc::sunion,
     {},
     "nondeterministic_output_order"},
    {"sunionstore", -3, kWrite | kDenyOom, Acl::kSet, key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:range(-1,1,0)"),
     sc::sunionstore},
};

}  // namespace

extern const CommandFamily kSetFamily{"set", kSetRows, kSetDocs};

namespace set_commands {

SetLimits limits(CommandContext& ctx) {
  const Settings& settings = ctx.services().settings;
  return {static_cast<size_t>(settings.set_max_intset_entries), static_cast<size_t>(settings.set_max_listpack_entries),
          static_cast<size_t>(settings.set_max_listpack_value_bytes)};
}

void write_members(CommandContext& ctx, const SetValue& set) {
  if (CollectionReply::serves(ctx.reply(), set.table())) {
    return ctx.reply().source(members_reply(ctx.services().store, *set.table()));
  }
  set.for_each([&](Bytes member) { ctx.reply().bulk(member); });
}

void sadd(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto members = args.rest();
  auto set = ctx.keys().edit_or_create<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  const size_t added = set->add_all(members, limits(ctx));
  if (added > 0) ctx.changed(key.bytes, Event::kSAdd, added);
  ctx.reply().integer(static_cast<int64_t>(added));
}

void srem(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto members = args.rest();
  auto set = ctx.keys().edit<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  if (set.missing()) return ctx.reply().integer(0);
  int64_t removed = 0;
  for (const Bytes member : members) removed += set->remove(member);
  if (removed > 0) tell_removal(ctx, key, *set, Event::kSRem, static_cast<size_t>(removed));
  ctx.reply().integer(removed);
}

void smove(CommandContext& ctx, ArgReader& args) {
  const auto [from, to, member] = args.take<Key, Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  // Both are looked at before anything is written: a look-up may remove an expired key and so end other handles.
  const auto target_type = ctx.keys().edit<SetValue>(to);
  auto source = ctx.keys().edit<SetValue>(from);
  if (source.missing()) return ctx.reply().integer(0);
  if (source.wrong_type() || target_type.wrong_type()) return ctx.reply().error(kWrongType);
  if (from == to) return ctx.reply().integer(source->contains(member) ? 1 : 0);
  if (!source->remove(member)) return ctx.reply().integer(0);
  tell_removal(ctx, from, *source, Event::kSRem, 1);
  auto target = ctx.keys().edit_or_create<SetValue>(to);
  if (target->add(member, limits(ctx))) ctx.changed(to.bytes, Event::kSAdd);
  ctx.reply().integer(1);
}

void sismember(CommandContext& ctx, ArgReader& args) {
  const auto [key, member] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(set && set->contains(member) ? 1 : 0);
}

void smismember(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto members = args.rest();
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().array(members.size());
  for (const Bytes member : members) ctx.reply().integer(set && set->contains(member) ? 1 : 0);
}

void scard(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(set ? static_cast<int64_t>(set->size()) : 0);
}

void smembers(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().set(set ? set->size() : 0);
  if (set) write_members(ctx, *set);
}

void sscan(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const uint64_t cursor = take_scan_cursor(args);
  if (!args.ok()) return ctx.reply().error(args.error());
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  if (set.missing()) return reply_empty_scan(ctx.reply());
  const MemberScanOptions options = take_scan_options(args);
  if (!args.done(ctx.reply())) return;

  ReplyWriter& reply = ctx.reply();
  size_t count = 0;
  if (set->table() == nullptr) {
    reply_scan_cursor(reply, 0);
    const auto mark = reply.begin_deferred(set->size());
    set->for_each([&](Bytes member) {
      if (!options.passes(member)) return;
      reply.bulk(member);
      count++;
    });
    return reply.end_deferred_array(mark, count);
  }
  std::vector<Bytes> found;  // members where they lie
  const uint64_t next_cursor = scan_steps(cursor, options.count, [&](uint64_t from, int64_t* visited) {
    return set->scan(from, [&](Bytes member) {
      ++*visited;
      if (options.passes(member)) found.push_back(member);
    });
  });
  reply_scan_cursor(reply, next_cursor);
  reply.array(found.size());
  for (const Bytes member : found) reply.bulk(member);
}

}  // namespace set_commands
}  // namespace larder
