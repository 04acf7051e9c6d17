// The hash family: its rows, and the commands that read and write fields by name.

#include "server/command/hash_handlers.h"

#include "server/command/families.h"
#include "server/command/removal.h"
#include "server/config/settings.h"
#include "server/core/command_spec.h"

namespace larder {
namespace {

namespace hc = hash_commands;

constexpr Bytes kRandomOutput = "nondeterministic_output";
constexpr Bytes kRandomOrder = "nondeterministic_output_order";

// What most commands do with their key.
constexpr KeySpecs kReads = key_specs("RO+ACCESS@i1:range(0,1,0)");
constexpr KeySpecs kLooks = key_specs("RO@i1:range(0,1,0)");
constexpr KeySpecs kUpdates = key_specs("RW+UPDATE@i1:range(0,1,0)");
constexpr KeySpecs kReadsAndUpdates = key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)");
constexpr KeySpecs kInserts = key_specs("RW+INSERT@i1:range(0,1,0)");

constexpr CommandSpec kHashRows[] = {
    {"hdel", -3, kWrite | kFast | kItemAt2, Acl::kHash, key_specs("RW+DELETE@i1:range(0,1,0)"), hc::hdel},
    {"hexists", 3, kReadonly | kFast | kItemAt2, Acl::kHash, kLooks, hc::hexists},
    {"hexpire", -6, kWrite | kFast, Acl::kHash, kUpdates, hc::hexpire},
    {"hexpireat", -6, kWrite | kFast, Acl::kHash, kUpdates, hc::hexpireat},
    {"hexpiretime", -5, kReadonly | kFast, Acl::kHash, kReads, hc::hexpiretime},
    {"hget", 3, kReadonly | kFast | kItemAt2, Acl::kHash, kReads, hc::hget},
    {"hgetall", 2, kReadonly, Acl::kHash, kReads, hc::hgetall, {}, kRandomOrder},
    {"hgetdel", -5, kWrite | kFast, Acl::kHash, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), hc::hgetdel},
    {"hgetex", -5, kWrite | kFast, Acl::kHash, kReadsAndUpdates, hc::hgetex},
    {"hincrby", 4, kWrite | kDenyOom | kFast | kItemAt2, Acl::kHash, kReadsAndUpdates, hc::hincrby},
    {"hincrbyfloat", 4, kWrite | kDenyOom | kFast | kItemAt2, Acl::kHash, kReadsAndUpdates, hc::hincrbyfloat},
    {"hkeys", 2, kReadonly, Acl::kHash, kReads, hc::hkeys, {}, kRandomOrder},
    {"hlen", 2, kReadonly | kFast, Acl::kHash, kLooks, hc::hlen},
    {"hmget", -3, kReadonly | kFast | kItemAt2, Acl::kHash, kReads, hc::hmget},
    {"hmset", -4, kWrite | kDenyOom | kFast | kItemAt2, Acl::kHash, kUpdates, hc::hmset},
    {"hpersist", -5, kWrite | kFast, Acl::kHash, kUpdates, hc::hpersist},
    {"hpexpire", -6, kWrite | kFast, Acl::kHash, kUpdates, hc::hpexpire},
    {"hpexpireat", -6, kWrite | kFast, Acl::kHash, kUpdates, hc::hpexpireat},
    {"hpexpiretime", -5, kReadonly | kFast, Acl::kHash, kReads, hc::hpexpiretime},
    {"hpttl", -5, kReadonly | kFast, Acl::kHash, kReads, hc::hpttl},
    {"hrandfield", -2, kReadonly, Acl::kHash, kReads, hc::hrandfield, {}, kRandomOutput},
    {"hscan", -3, kReadonly, Acl::kHash, kReads, hc::hscan, {}, kRandomOutput},
    {"hset", -4, kWrite | kDenyOom | kFast | kItemAt2, Acl::kHash, kUpdates, hc::hset},
    {"hsetex", -6, kWrite | kDenyOom | kFast, Acl::kHash, kInserts, hc::hsetex},
    {"hsetnx", 4, kWrite | kDenyOom | kFast | kItemAt2, Acl::kHash, kInserts, hc::hsetnx},
    {"hstrlen", 3, kReadonly | kFast | kItemAt2, Acl::kHash, kLooks, hc::hstrlen},
    {"httl", -5, kReadonly | kFast, Acl::kHash, kReads, hc::httl},
    {"hvals", 2, kReadonly, Acl::kHash, kReads, hc::hvals, {}, kRandomOrder},
};

// HSET and HMSET up to their reply: the number of new fields, or nothing when an error is written.
std::optional<size_t> set_fields(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto pairs = args.rest();
  if (pairs.size() % 2 != 0) {
    ctx.reply().error(wrong_arity_error(ctx.command().full_name));
    return {};
  }
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) {
    ctx.reply().error(kWrongType);
    return {};
  }
  const size_t added = hash->set_all(pairs, hc::limits(ctx));
  ctx.changed(key.bytes, Event::kHSet, pairs.size() / 2);
  return added;
}

}  // namespace

extern const CommandFamily kHashFamily{"hash", kHashRows, kHashDocs};

namespace hash_commands {

HashLimits limits(CommandContext& ctx) {
  const Settings& settings = ctx.services().settings;
  return {static_cast<size_t>(settings.hash_max_listpack_entries),
          static_cast<size_t>(settings.hash_max_listpack_value_bytes)};
}

void reply_field(ReplyWriter& reply, const HashValue& hash, Bytes field) {
  HashText value;
  if (!hash.get(field, &value)) return reply.null();
  reply.bulk(value);
}

void hset(CommandContext& ctx, ArgReader& args) {
  if (const auto added = set_fields(ctx, args)) ctx.reply().integer(static_cast<int64_t>(*added));
}

void hmset(CommandContext& ctx, ArgReader& args) {
  if (set_fields(ctx, args)) ctx.reply().ok();
}

void hsetnx(CommandContext& ctx, ArgReader& args) {
  const auto [key, field, value] = args.take<Key, Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  if (hash->contains(field)) return ctx.reply().integer(0);
  hash->set(field, value, limits(ctx));
  ctx.changed(key.bytes, Event::kHSet);
  ctx.reply().integer(1);
}

void hget(CommandContext& ctx, ArgReader& args) {
  const auto [key, field] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash) [[likely]]
    return reply_field(ctx.reply(), *hash, field);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().null();
}

void hmget(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto fields = args.rest();
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    if (hash) {
      reply_field(ctx.reply(), *hash, field);
    } else {
      ctx.reply().null();
    }
  }
}

void hdel(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto fields = args.rest();
  auto hash = ctx.keys().edit<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  if (hash.missing()) return ctx.reply().integer(0);
  int64_t removed = 0;
  for (const Bytes field : fields) removed += hash->remove(field);
  if (removed > 0) tell_removal(ctx, key, *hash, Event::kHDel, static_cast<size_t>(removed));
  ctx.reply().integer(removed);
}

void hexists(CommandContext& ctx, ArgReader& args) {
  const auto [key, field] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(hash && hash->contains(field) ? 1 : 0);
}

void hstrlen(CommandContext& ctx, ArgReader& args) {
  const auto [key, field] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  HashText value;
  const bool found = hash && hash->get(field, &value);
  ctx.reply().integer(found ? static_cast<int64_t>(value.bytes().size()) : 0);
}

void hlen(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(hash ? static_cast<int64_t>(hash->size()) : 0);
}

}  // namespace hash_commands
}  // namespace larder
