// SPOP and SRANDMEMBER. What SPOP took is repeated elsewhere as SREM or DEL, or, where few are left, what is left as SADD.

#include <algorithm>
#include <vector>

#include "base/arena.h"
#include "server/command/expiry_time.h"
#include "server/command/random_sample.h"
#include "server/command/removal.h"
#include "server/command/set_handlers.h"

namespace larder {
namespace {

// Members of one SREM or SADD that repeats an SPOP.
constexpr size_t kRepeatedMembersMax = 1024;
// Where more than this are popped for each that stays, those that stay are drawn. The share is Redis's: it shows in OBJECT ENCODING.
constexpr size_t kPoppedPerStaying = 5;

void propagate_members(CommandContext& ctx, Bytes command, Key key, std::span<const Bytes> members) {
  if (!ctx.propagates()) return;
  std::vector<Bytes> argv;
  for (size_t begin = 0; begin < members.size(); begin += kRepeatedMembersMax) {
    const auto part = members.subspan(begin, std::min(kRepeatedMembersMax, members.size() - begin));
    argv.assign({command, key.bytes});
    argv.insert(argv.end(), part.begin(), part.end());
    ctx.propagate_as(argv);
  }
}

void pop_all(CommandContext& ctx, Key key, const SetValue& set) {
  const size_t size = set.size();
  ctx.reply().set(size);
  set_commands::write_members(ctx, set);
  ctx.keys().erase(key);
  ctx.propagate_as({"DEL", key.bytes});
  ctx.changed(key.bytes, Event::kSPop, size);
  ctx.changed(key.bytes, Event::kDel, 0);
}

// All but `staying` of a table, in time proportional to those that stay: they get a table of their own, and the reply has the one
// before. Elsewhere the set is made anew, too.
void pop_most(CommandContext& ctx, Key key, SetValue& set, size_t staying) {
  const size_t popped = set.size() - staying;
  Arena arena;
  std::vector<Bytes> members;
  members.reserve(staying);
  sample_table(*set.table(), staying, ctx.services().random,
               [&](const SetMember& member) { members.push_back(arena.copy(member.text())); });
  for (const Bytes member : members) set.table()->remove(member);
  ctx.reply().set(popped);
  set_commands::write_members(ctx, set);
  set.replace_table(members, set_commands::limits(ctx));

  ctx.propagate_as({"DEL", key.bytes});
  propagate_members(ctx, "SADD", key, members);
  if (set.deadline_ms() != kNoDeadline) propagate_deadline(ctx, key, set.deadline_ms());
  ctx.changed(key.bytes, Event::kSPop, popped);
}

void pop_some(CommandContext& ctx, Key key, SetValue& set, size_t count) {
  Random& random = ctx.services().random;
  Arena arena;
  std::vector<Bytes> popped;
  const bool propagates = ctx.propagates();
  ctx.reply().set(count);
  for (size_t i = 0; i < count; i++) {
    set.pop(random, [&](Bytes member) {
      ctx.reply().bulk(member);
      if (propagates) popped.push_back(arena.copy(member));
    });
  }
  propagate_members(ctx, "SREM", key, popped);
  ctx.changed(key.bytes, Event::kSPop, count);
}

void pop_one(CommandContext& ctx, Key key, SetValue& set) {
  set.pop(ctx.services().random, [&](Bytes member) {
    ctx.reply().bulk(member);
    if (ctx.propagates()) ctx.propagate_as({"SREM", key.bytes, member});
  });
  tell_removal(ctx, key, set, Event::kSPop, 1);
}

// `count` members drawn with repetition.
void reply_repeated(CommandContext& ctx, const SetValue& set, size_t count) {
  ctx.reply().array(count);
  for (size_t i = 0; i < count; i++) {
    set.visit_random(ctx.services().random, [&](Bytes member) { ctx.reply().bulk(member); });
  }
}

// `count` different members. Requires: count < set.size().
void reply_distinct(CommandContext& ctx, const SetValue& set, size_t count) {
  Random& random = ctx.services().random;
  ctx.reply().array(count);
  if (const SetStructure* table = set.table()) {
    return sample_table(*table, count, random, [&](const SetMember& member) { ctx.reply().bulk(member.text()); });
  }
  IndexSample sample(set.size(), count, random);
  set.for_each([&](Bytes member) {
    if (sample.takes_next()) ctx.reply().bulk(member);
  });
}

}  // namespace

namespace set_commands {

void spop(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const bool has_count = !args.at_end();
  if (args.remaining() > 1) args.fail(kSyntax);
  const int64_t count = has_count ? args.take_int(0, INT64_MAX, kNotPositive, kNotPositive) : 1;
  if (!args.done(ctx.reply())) return;
  auto set = ctx.keys().edit<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  if (!has_count) {
    if (set.missing()) return ctx.reply().null();
    return pop_one(ctx, key, *set);
  }
  if (set.missing() || count == 0) return ctx.reply().set(0);
  if (static_cast<uint64_t>(count) >= set->size()) return pop_all(ctx, key, *set);
  const size_t staying = set->size() - static_cast<size_t>(count);
  if (set->table() != nullptr && staying <= static_cast<size_t>(count) / kPoppedPerStaying) {
    return pop_most(ctx, key, *set, staying);
  }
  pop_some(ctx, key, *set, static_cast<size_t>(count));
}

void srandmember(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const bool has_count = !args.at_end();
  if (args.remaining() > 1) args.fail(kSyntax);
  const int64_t count = has_count ? take_sample_count(args) : 1;
  if (!args.done(ctx.reply())) return;
  const auto set = ctx.keys().read<SetValue>(key);
  if (set.wrong_type()) return ctx.reply().error(kWrongType);
  if (!has_count) {
    if (set.missing()) return ctx.reply().null();
    return set->visit_random(ctx.services().random, [&](Bytes member) { ctx.reply().bulk(member); });
  }
  if (set.missing() || count == 0) return ctx.reply().empty_array();
  if (count < 0) return reply_repeated(ctx, *set, static_cast<size_t>(-count));
  if (static_cast<uint64_t>(count) < set->size()) return reply_distinct(ctx, *set, static_cast<size_t>(count));
  ctx.reply().array(set->size());
  write_members(ctx, *set);
}

}  // namespace set_commands
}  // namespace larder
