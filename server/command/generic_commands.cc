// The generic family: its rows, and the commands about the existence, name and place of keys.

#include "protocol/option_grammar.h"
#include "server/command/db_index.h"
#include "server/command/families.h"
#include "server/command/generic_handlers.h"
#include "server/command/help_reply.h"
#include "server/command/key_walk.h"
#include "server/command/value_type_name.h"
#include "server/core/command_spec.h"

namespace larder {
namespace {

namespace gc = generic_commands;

constexpr CommandSpec kObjectRows[] = {
    {"encoding",
     3,
     kReadonly,
     Acl::kKeyspace,
     key_specs("RO@i2:range(0,1,0)"),
     gc::object_encoding,
     {},
     "nondeterministic_output"},
    {"freq",
     3,
     kReadonly,
     Acl::kKeyspace,
     key_specs("RO@i2:range(0,1,0)"),
     gc::object_freq,
     {},
     "nondeterministic_output"},
    {"help", 2, kWhileLoading | kWhileStale, Acl::kKeyspace, {}, container_help},
    {"idletime",
     3,
     kReadonly,
     Acl::kKeyspace,
     key_specs("RO@i2:range(0,1,0)"),
     gc::object_idletime,
     {},
     "nondeterministic_output"},
    {"refcount",
     3,
     kReadonly,
     Acl::kKeyspace,
     key_specs("RO@i2:range(0,1,0)"),
     gc::object_refcount,
     {},
     "nondeterministic_output"},
};

constexpr Bytes kSumOverShards = "request_policy:multi_shard,response_policy:agg_sum";

constexpr CommandSpec kGenericRows[] = {
    {"copy", -3, kWrite | kDenyOom, Acl::kKeyspace, key_specs("RO+ACCESS@i1:range(0,1,0);OW+UPDATE@i2:range(0,1,0)"),
     gc::copy},
    {"del", -2, kWrite, Acl::kKeyspace, key_specs("RM+DELETE@i1:range(-1,1,0)"), gc::del, {}, kSumOverShards},
    {"exists", -2, kReadonly | kFast, Acl::kKeyspace, key_specs("RO@i1:range(-1,1,0)"), gc::exists, {}, kSumOverShards},
    {"expire", -3, kWrite | kFast, Acl::kKeyspace, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::expire},
    {"expireat", -3, kWrite | kFast, Acl::kKeyspace, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::expireat},
    {"expiretime", 2, kReadonly | kFast, Acl::kKeyspace, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::expiretime},
    {"keys",
     2,
     kReadonly,
     Acl::kKeyspace | Acl::kDangerous,
     {},
     gc::keys,
     {},
     "request_policy:all_shards,nondeterministic_output_order"},
    {"move", 3, kWrite | kFast, Acl::kKeyspace, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), gc::move},
    {"object", -2, 0, Acl::kNone, {}, nullptr, kObjectRows},
    {"persist", 2, kWrite | kFast, Acl::kKeyspace, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::persist},
    {"pexpire", -3, kWrite | kFast, Acl::kKeyspace, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::pexpire},
    {"pexpireat", -3, kWrite | kFast, Acl::kKeyspace, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::pexpireat},
    {"pexpiretime", 2, kReadonly | kFast, Acl::kKeyspace, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::pexpiretime},
    {"pttl",
     2,
     kReadonly | kFast,
     Acl::kKeyspace,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     gc::pttl,
     {},
     "nondeterministic_output"},
    {"randomkey",
     1,
     kReadonly | kTouchesArbitraryKeys,
     Acl::kKeyspace,
     {},
     gc::randomkey,
     {},
     "request_policy:all_shards,response_policy:special,nondeterministic_output"},
    {"rename", 3, kWrite, Acl::kKeyspace, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0);OW+UPDATE@i2:range(0,1,0)"),
     gc::rename},
    {"renamenx", 3, kWrite | kFast, Acl::kKeyspace,
     key_specs("RW+ACCESS+DELETE@i1:range(0,1,0);OW+INSERT@i2:range(0,1,0)"), gc::renamenx},
    {"scan",
     -2,
     kReadonly | kTouchesArbitraryKeys,
     Acl::kKeyspace,
     {},
     gc::scan,
     {},
     "nondeterministic_output,request_policy:special,response_policy:special"},
    {"touch", -2, kReadonly | kFast, Acl::kKeyspace, key_specs("RO@i1:range(-1,1,0)"), gc::touch, {}, kSumOverShards},
    {"ttl",
     2,
     kReadonly | kFast,
     Acl::kKeyspace,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     gc::ttl,
     {},
     "nondeterministic_output"},
    {"type", 2, kReadonly | kFast, Acl::kKeyspace, key_specs("RO@i1:range(0,1,0)"), gc::type},
    {"unlink",
     -2,
     kWrite | kFast,
     Acl::kKeyspace,
     key_specs("RM+DELETE@i1:range(-1,1,0)"),
     gc::del,
     {},
     kSumOverShards},
    {.name = "wait",
     .arity = 3,
     .flags = kBlocking,
     .acl = Acl::kConnection,
     .run = gc::wait,
     .tips = "request_policy:all_shards,response_policy:agg_min"},
    {.name = "waitaof",
     .arity = 4,
     .flags = kBlocking,
     .acl = Acl::kConnection,
     .run = gc::waitaof,
     .tips = "request_policy:all_shards,response_policy:agg_min"},
};

// Moves the value to its new name and tells of both. Requires: the names differ and `from` exists.
void rename_entry(CommandContext& ctx, Key from, Key to) {
  KeyAccess& keys = ctx.keys();
  keys.keyspace().move_entry(keys.hashed(from), keys.keyspace(), keys.hashed(to), ctx.now_ms(), keys.touch());
  ctx.changed(from.bytes, Event::kRenameFrom);
  ctx.changed(to.bytes, Event::kRenameTo, 0);
}

}  // namespace

extern const CommandFamily kGenericFamily{"generic", kGenericRows, kGenericDocs};

namespace generic_commands {

// DEL and UNLINK: what is costly to free is freed elsewhere in either case.
void del(CommandContext& ctx, ArgReader& args) {
  int64_t removed = 0;
  for_each_key(ctx, args.rest(), 1, [&](Key key, size_t) {
    if (!ctx.keys().erase(key)) return;
    ctx.changed(key.bytes, Event::kDel);
    ++removed;
  });
  ctx.reply().integer(removed);
}

void exists(CommandContext& ctx, ArgReader& args) {
  int64_t found = 0;
  for_each_key(ctx, args.rest(), 1, [&](Key key, size_t) {
    if (ctx.keys().read_entry(key, Touch::kNo) != nullptr) ++found;
  });
  ctx.reply().integer(found);
}

void touch(CommandContext& ctx, ArgReader& args) {
  int64_t found = 0;
  for_each_key(ctx, args.rest(), 1, [&](Key key, size_t) {
    if (ctx.keys().read_entry(key, Touch::kNo) == nullptr) return;
    // Past KeyAccess, which would honour CLIENT NO-TOUCH: who asks for a touch by name means it.
    ctx.keys().keyspace().find(ctx.keys().hashed(key), ctx.now_ms(), Touch::kYes);
    ++found;
  });
  ctx.reply().integer(found);
}

void type(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const Entry* entry = ctx.keys().read_entry(key, Touch::kNo);
  ctx.reply().simple(entry != nullptr ? value_type_name(entry->type()) : Bytes("none"));
}

void rename(CommandContext& ctx, ArgReader& args) {
  const auto [from, to] = args.take<Key, Key>();
  if (!args.done(ctx.reply())) return;
  if (!ctx.keys().contains(from)) return ctx.reply().error(kNoSuchKey);
  if (from != to) rename_entry(ctx, from, to);
  ctx.reply().ok();
}

void renamenx(CommandContext& ctx, ArgReader& args) {
  const auto [from, to] = args.take<Key, Key>();
  if (!args.done(ctx.reply())) return;
  if (!ctx.keys().contains(from)) return ctx.reply().error(kNoSuchKey);
  if (ctx.keys().contains(to)) return ctx.reply().integer(0);  // also when the names are the same
  rename_entry(ctx, from, to);
  ctx.reply().integer(1);
}

void copy(CommandContext& ctx, ArgReader& args) {
  const auto [from, to] = args.take<Key, Key>();
  int to_db = ctx.client().db;
  bool replaces = false;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("REPLACE")) {
      replaces = true;
    } else if (args.take_word("DB")) {
      if (args.at_end()) args.fail(kSyntax);
      to_db = take_db_index(ctx, args);
    } else {
      args.fail(kSyntax);
    }
  }
  if (!args.done(ctx.reply())) return;
  if (to_db == ctx.client().db && from == to) return ctx.reply().error(kSameObject);

  KeyAccess& keys = ctx.keys();
  Keyspace& target = keys.keyspace(to_db);
  const HashedKey to_key = keys.hashed(to);
  if (keys.read_entry(from) == nullptr) return ctx.reply().integer(0);
  if (!replaces && target.contains(to_key, ctx.now_ms())) return ctx.reply().integer(0);
  keys.keyspace().copy_entry(keys.hashed(from), target, to_key, ctx.now_ms());
  ctx.changed_in(static_cast<uint16_t>(to_db), to.bytes, Event::kCopyTo);
  ctx.reply().integer(1);
}

void move(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const int to_db = take_db_index(ctx, args);
  if (!args.done(ctx.reply())) return;
  if (to_db == ctx.client().db) return ctx.reply().error(kSameObject);

  KeyAccess& keys = ctx.keys();
  Keyspace& target = keys.keyspace(to_db);
  const HashedKey hashed = keys.hashed(key);
  if (!keys.contains(key) || target.contains(hashed, ctx.now_ms())) return ctx.reply().integer(0);
  keys.keyspace().move_entry(hashed, target, hashed, ctx.now_ms(), keys.touch());
  ctx.changed(key.bytes, Event::kMoveFrom);
  ctx.changed_in(static_cast<uint16_t>(to_db), key.bytes, Event::kMoveTo, 0);
  ctx.reply().integer(1);
}

}  // namespace generic_commands
}  // namespace larder
