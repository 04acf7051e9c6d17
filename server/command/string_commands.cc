// The string family: its rows, and the commands that read a value or edit a part of it.

#include <algorithm>
#include <utility>

#include "server/command/families.h"
#include "server/command/key_walk.h"
#include "server/command/string_handlers.h"
#include "server/command/string_reply.h"
#include "server/core/command_spec.h"
#include "server/core/loading.h"
#include "storage/string_value.h"

namespace larder {
namespace {

namespace sc = string_commands;

constexpr CommandSpec kStringRows[] = {
    {"append", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+INSERT@i1:range(0,1,0)"), sc::append},
    {"decr", 2, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::decr},
    {"decrby", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::decrby},
    {"delifeq", 3, kWrite | kFast, Acl::kString, key_specs("RM+DELETE@i1:range(0,1,0)"), sc::delifeq},
    {"get", 2, kReadonly | kFast, Acl::kString, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::get},
    {"getdel", 2, kWrite | kFast, Acl::kString, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), sc::getdel},
    {"getex", -2, kWrite | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::getex},
    {"getrange", 4, kReadonly, Acl::kString, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::getrange},
    {"getset", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::getset},
    {"incr", 2, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::incr},
    {"incrby", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::incrby},
    {"incrbyfloat", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"),
     sc::incrbyfloat},
    {"increx", -2, kWrite | kDenyOom | kFast, Acl::kString, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), sc::increx},
    {"lcs", -3, kReadonly, Acl::kString, key_specs("RO+ACCESS@i1:range(1,1,0)"), sc::lcs},
    {"mget",
     -2,
     kReadonly | kFast,
     Acl::kString,
     key_specs("RO+ACCESS@i1:range(-1,1,0)"),
     sc::mget,
     {},
     "request_policy:multi_shard"},
    {"mset",
     -3,
     kWrite | kDenyOom,
     Acl::kString,
     key_specs("OW+UPDATE@i1:range(-1,2,0)"),
     sc::mset,
     {},
     "request_policy:multi_shard,response_policy:all_succeeded"},
    {"msetex",
     -4,
     kWrite | kDenyOom,
     Acl::kString,
     key_specs("OW+UPDATE@i1:keynum(0,1,2)"),
     sc::msetex,
     {},
     "request_policy:multi_shard,response_policy:all_succeeded"},
    {"msetnx", -3, kWrite | kDenyOom, Acl::kString, key_specs("OW+INSERT@i1:range(-1,2,0)"), sc::msetnx},
    {"psetex", 4, kWrite | kDenyOom, Acl::kString, key_specs("OW+UPDATE@i1:range(0,1,0)"), sc::psetex},
    {"set", -3, kWrite | kDenyOom, Acl::kString, key_specs("RW+ACCESS+UPDATE+VARIABLE_FLAGS@i1:range(0,1,0)"), sc::set},
    {"setex", 4, kWrite | kDenyOom, Acl::kString, key_specs("OW+UPDATE@i1:range(0,1,0)"), sc::setex},
    {"setnx", 3, kWrite | kDenyOom | kFast, Acl::kString, key_specs("OW+INSERT@i1:range(0,1,0)"), sc::setnx},
    {"setrange", 4, kWrite | kDenyOom, Acl::kString, key_specs("RW+UPDATE@i1:range(0,1,0)"), sc::setrange},
    {"strlen", 2, kReadonly | kFast, Acl::kString, key_specs("RO@i1:range(0,1,0)"), sc::strlen},
    {"substr", 4, kReadonly, Acl::kString, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::getrange},
};

// The bytes that [start, end] means, both inclusive and negative from the end, as offset and size.
std::pair<size_t, size_t> resolve_range(int64_t start, int64_t end, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  // As in Redis, an end before the first byte counts as the first byte: GETRANGE k 0 -100 returns one.
  if (end < 0) end = std::max<int64_t>(end + length, 0);
  end = std::min(end, length - 1);
  if (start > end) return {0, 0};
  return {static_cast<size_t>(start), static_cast<size_t>(end - start + 1)};
}

}  // namespace

extern const CommandFamily kStringFamily{"string", kStringRows, kStringDocs};

namespace string_commands {

void get(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value) [[likely]]
    return reply_string(ctx.reply(), *value);
  if (value.missing()) return ctx.reply().null();
  ctx.reply().error(kWrongType);
}

void mget(CommandContext& ctx, ArgReader& args) {
  const auto keys = args.rest();
  ctx.reply().array(keys.size());
  for_each_key(ctx, keys, 1, [&](Key key, size_t) {
    const auto value = ctx.keys().read<StringValue>(key);
    if (value) {
      reply_string(ctx.reply(), *value);
    } else {
      ctx.reply().null();  // also for another type
    }
  });
}

void strlen(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(value ? static_cast<int64_t>(value->size()) : 0);
}

void getrange(CommandContext& ctx, ArgReader& args) {
  const auto [key, start, end] = args.take<Key, int64_t, int64_t>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing() || (start < 0 && end < 0 && start > end)) return ctx.reply().bulk("");
  const auto [offset, size] = resolve_range(start, end, value->size());
  reply_string_range(ctx.reply(), *value, offset, size);
}

void getdel(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().null();
  reply_string(ctx.reply(), *value);
  ctx.keys().erase(key);
  ctx.changed(key.bytes, Event::kGetDel);
}

void delifeq(CommandContext& ctx, ArgReader& args) {
  const auto [key, expected] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().edit<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing() || value->text().bytes() != expected) return ctx.reply().integer(0);
  ctx.keys().erase(key);
  ctx.changed(key.bytes, Event::kDel);
  ctx.reply().integer(1);
}

void append(CommandContext& ctx, ArgReader& args) {
  const auto [key, tail] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (!value->exists()) {
    value->assign(tail);  // creates the key even when there is nothing to append
  } else if (!value->append(tail, string_bytes_max(ctx.services()))) {
    return ctx.reply().error(kStringTooLong);
  }
  ctx.changed(key.bytes, Event::kAppend);
  ctx.reply().integer(static_cast<int64_t>(value->size()));
}

void setrange(CommandContext& ctx, ArgReader& args) {
  const auto [key, offset, patch] = args.take<Key, int64_t, Bytes>();
  if (!args.done(ctx.reply())) return;
  if (offset < 0) return ctx.reply().error(kOffsetOutOfRange);
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (!patch.empty()) {
    if (!value->set_range(static_cast<size_t>(offset), patch, string_bytes_max(ctx.services()))) {
      return ctx.reply().error(kStringTooLong);
    }
    ctx.changed(key.bytes, Event::kSetRange);
  }
  ctx.reply().integer(static_cast<int64_t>(value->size()));
}

}  // namespace string_commands
}  // namespace larder
