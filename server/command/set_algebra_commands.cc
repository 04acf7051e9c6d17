// Several sets at once: intersection, union, difference, and their STORE forms.
//
// Each operation calls a visitor with the members of its result, straight from the sets they are in. A result that has
// to be kept (STORE), or to be known before it is told (union), is built in a scratch keyspace and moved from there to
// its key, so that a destination may be one of the sources and the rules of SADD hold for it too.
//
// Intersection walks the smallest set and asks the others, smallest first. Where they are tables the questions are
// staged: 16 members are hashed (all tables share one hash), their buckets fetched, then the members (of large tables), then
// compared.

#include <algorithm>
#include <vector>

#include "server/command/overwriting.h"
#include "server/command/set_handlers.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

using Sets = std::vector<SetValue>;

constexpr size_t kStagedMax = 16;
// Tables up to here lie in the caches: nothing of them is fetched ahead, and walking one to its end, whether the rest is needed
// or not, takes less than the steps of a walk that can be ended.
constexpr size_t kCachedMembersMax = 4096;

// The sets of the keys; a missing one is an empty handle. False when a key holds another type; the error is written.
// All keys are looked up before any handle is taken: a look-up that removes an expired key would end the others.
bool take_sets(CommandContext& ctx, std::span<const Bytes> keys, Sets& sets) {
  for (const Bytes key : keys) {
    if (ctx.keys().read<SetValue>(Key{key}).wrong_type()) {
      ctx.reply().error(kWrongType);
      return false;
    }
  }
  sets.reserve(keys.size());
  Keyspace& keyspace = ctx.keys().keyspace();
  for (const Bytes key : keys) {
    sets.push_back(*keyspace.edit_or_create<SetValue>(ctx.keys().hashed(Key{key}), ctx.now_ms(), Touch::kNo));
  }
  return true;
}

// A set that nobody sees: filled like any other, then walked or moved to a key.
class ScratchSet {
 public:
  ScratchSet(CommandContext& ctx, Key key)
      : now_ms_(ctx.now_ms()),
        limits_(set_commands::limits(ctx)),
        key_(ctx.keys().hashed(key)),
        keyspace_(ctx.services().store, ctx.client().db),
        set_(*keyspace_.edit_or_create<SetValue>(key_, now_ms_)) {}

  // About so many members at most are going to be added.
  void expect(size_t count) { set_.expect(count); }
  void add(Bytes member) { set_.add(member, limits_); }
  SetValue& set() { return set_; }
  // Requires: set().exists().
  void move_to(Keyspace& keyspace) {
    set_.settle();
    keyspace_.move_entry(key_, keyspace, key_, now_ms_);
  }

 private:
  int64_t now_ms_;
  SetLimits limits_;
  HashedKey key_;
  Keyspace keyspace_;
  SetValue set_;
};

bool has_fewer(const SetValue& a, const SetValue& b) { return a.size() < b.size(); }

// ---- Union

void unite(const Sets& sets, ScratchSet& result) {
  result.expect(std::max_element(sets.begin(), sets.end(), has_fewer)->size());
  for (const SetValue& set : sets) set.for_each([&](Bytes member) { result.add(member); });
}

// ---- Intersection

// Members on their way through the stages.
struct Stage {
  Bytes members[kStagedMax];
  uint64_t hashes[kStagedMax];
  size_t count = 0;
};

// Keeps those that `set` has.
void keep_common(const SetValue& set, Stage& stage) {
  const SetStructure* table = set.table();
  if (table != nullptr && table->size() > kCachedMembersMax) {
    for (size_t i = 0; i < stage.count; i++) table->prefetch_bucket(stage.hashes[i]);
    for (size_t i = 0; i < stage.count; i++) table->prefetch_item(stage.hashes[i]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < stage.count; i++) {
    const Bytes member = stage.members[i];
    const bool has = table != nullptr ? table->contains_hashed(stage.hashes[i], member) : set.contains(member);
    if (!has) continue;
    stage.members[kept] = member;
    stage.hashes[kept++] = stage.hashes[i];
  }
  stage.count = kept;
}

// Intersection of a table with others: `table` is sets[0].
template <class Visit>
void intersect_table(const SetStructure& table, const Sets& sets, Visit visit) {
  Stage stage;
  const auto flush = [&] {
    for (size_t i = 0; i < stage.count; i++) stage.hashes[i] = table.hash(stage.members[i]);
    for (size_t i = 1; i < sets.size() && stage.count > 0; i++) keep_common(sets[i], stage);
    for (size_t i = 0; i < stage.count; i++) {
      if (!visit(stage.members[i])) return false;
    }
    stage.count = 0;
    return true;
  };
  const auto take = [&](Bytes member) {
    stage.members[stage.count++] = member;
    return stage.count < kStagedMax || flush();
  };
  bool whole = true;
  if (table.size() <= kCachedMembersMax) {
    table.for_each([&](Bytes member) { whole = whole && take(member); });
  } else {
    whole = table.for_each_until(take);
  }
  if (whole) flush();
}

// Calls visit(Bytes member) for each common member until it returns false. Reorders the sets.
template <class Visit>
void intersect(Sets& sets, Visit visit) {
  std::sort(sets.begin(), sets.end(), has_fewer);
  if (!sets[0].exists()) return;
  if (const SetStructure* table = sets[0].table()) return intersect_table(*table, sets, visit);
  sets[0].for_each_until([&](Bytes member) {
    for (size_t i = 1; i < sets.size(); i++) {
      if (!sets[i].contains(member)) return true;
    }
    return visit(member);
  });
}

// ---- Difference

// Whether asking each set about each member of the first one takes less time than taking the members of all others out
// of a copy of it. The first way often ends early, so that it counts half.
bool asking_is_cheaper(const Sets& sets) {
  size_t all = 0;
  for (const SetValue& set : sets) all += set.size();
  return sets[0].size() * (sets.size() - 1) / 2 <= all;
}

// Calls visit(Bytes member) for each member of the first set that no other has. Reorders the others.
template <class Visit>
void subtract(CommandContext& ctx, Key scratch_key, Sets& sets, Visit visit) {
  if (!sets[0].exists()) return;
  if (!asking_is_cheaper(sets)) {
    ScratchSet rest(ctx, scratch_key);
    rest.expect(sets[0].size());
    sets[0].for_each([&](Bytes member) { rest.add(member); });
    for (size_t i = 1; i < sets.size() && rest.set().exists(); i++) {
      sets[i].for_each([&](Bytes member) { rest.set().remove(member); });
    }
    return rest.set().for_each(visit);
  }
  // The largest first: it is the likeliest to have a member.
  std::sort(sets.begin() + 1, sets.end(), [](const SetValue& a, const SetValue& b) { return a.size() > b.size(); });
  sets[0].for_each([&](Bytes member) {
    for (size_t i = 1; i < sets.size(); i++) {
      if (sets[i].contains(member)) return;
    }
    visit(member);
  });
}

// ---- What becomes of the result

// The keys of a STORE form are read behind the destination: fill(Sets&, ScratchSet&) computes into the scratch set.
template <class Fill>
void store(CommandContext& ctx, ArgReader& args, Event event, Fill fill) {
  const auto destination = args.take<Key>();
  Sets sets;
  if (!take_sets(ctx, args.rest(), sets)) return;
  ScratchSet result(ctx, destination);
  fill(sets, result);
  if (!result.set().exists()) {
    if (ctx.keys().erase(destination)) ctx.changed(destination.bytes, Event::kDel);
    return ctx.reply().integer(0);
  }
  const auto size = static_cast<int64_t>(result.set().size());
  const Overwriting overwriting(ctx, destination);
  result.move_to(ctx.keys().keyspace());
  ctx.changed(destination.bytes, event);
  ctx.reply().integer(size);
}

// What the members are written with: counts them, for a reply whose length is known at its end.
class SetReply {
 public:
  explicit SetReply(ReplyWriter& reply, size_t expected) : reply_(reply), mark_(reply.begin_deferred(expected)) {}
  bool add(Bytes member) {
    reply_.bulk(member);
    count_++;
    return true;
  }
  void end() { reply_.end_deferred_set(mark_, count_); }

 private:
  ReplyWriter& reply_;
  ReplyWriter::Mark mark_;
  size_t count_ = 0;
};

}  // namespace

namespace set_commands {

void sinter(CommandContext& ctx, ArgReader& args) {
  Sets sets;
  if (!take_sets(ctx, args.rest(), sets)) return;
  SetReply reply(ctx.reply(), sets[0].size());
  intersect(sets, [&](Bytes member) { return reply.add(member); });
  reply.end();
}

void sinterstore(CommandContext& ctx, ArgReader& args) {
  store(ctx, args, Event::kSInterStore, [](Sets& sets, ScratchSet& result) {
    result.expect(std::min_element(sets.begin(), sets.end(), has_fewer)->size());
    intersect(sets, [&](Bytes member) {
      result.add(member);
      return true;
    });
  });
}

void sintercard(CommandContext& ctx, ArgReader& args) {
  const int64_t key_count = args.take_int(1, INT64_MAX, kNumKeysNotPositive, kNumKeysNotPositive);
  if (args.ok() && static_cast<uint64_t>(key_count) > args.remaining()) args.fail(kNumKeysTooMany);
  const auto keys = args.take_many(static_cast<size_t>(key_count));
  int64_t limit = 0;
  while (args.ok() && !args.at_end()) {
    if (args.remaining() < 2 || !args.take_word("LIMIT")) args.fail(kSyntax);
    limit = args.take_int(0, INT64_MAX, kLimitNegative, kLimitNegative);
  }
  if (!args.done(ctx.reply())) return;
  Sets sets;
  if (!take_sets(ctx, keys, sets)) return;
  int64_t count = 0;
  intersect(sets, [&](Bytes) { return ++count != limit; });
  ctx.reply().integer(count);
}

void sunion(CommandContext& ctx, ArgReader& args) {
  Sets sets;
  const auto keys = args.rest();
  if (!take_sets(ctx, keys, sets)) return;
  ScratchSet all(ctx, Key{keys[0]});
  const SetValue* result = &sets[0];
  if (sets.size() > 1) {
    unite(sets, all);
    result = &all.set();
  }
  ctx.reply().set(result->size());
  result->for_each([&](Bytes member) { ctx.reply().bulk(member); });
}

void sunionstore(CommandContext& ctx, ArgReader& args) {
  store(ctx, args, Event::kSUnionStore, [](Sets& sets, ScratchSet& result) { unite(sets, result); });
}

void sdiff(CommandContext& ctx, ArgReader& args) {
  Sets sets;
  const auto keys = args.rest();
  if (!take_sets(ctx, keys, sets)) return;
  SetReply reply(ctx.reply(), sets[0].size());
  subtract(ctx, Key{keys[0]}, sets, [&](Bytes member) { reply.add(member); });
  reply.end();
}

void sdiffstore(CommandContext& ctx, ArgReader& args) {
  const Bytes scratch_key = args.peek();
  store(ctx, args, Event::kSDiffStore, [&](Sets& sets, ScratchSet& result) {
    result.expect(sets[0].size());
    subtract(ctx, Key{scratch_key}, sets, [&](Bytes member) { result.add(member); });
  });
}

}  // namespace set_commands
}  // namespace larder
