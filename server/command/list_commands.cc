// The list family: its rows, and the commands that work on the ends of a list or read it.

#include "server/command/families.h"
#include "server/command/index_range.h"
#include "server/command/list_handlers.h"
#include "server/command/removal.h"
#include "server/config/settings.h"
#include "server/core/collection_reply.h"
#include "server/core/command_spec.h"
#include "server/core/packed_reply.h"

namespace larder {
namespace {

namespace lc = list_commands;

constexpr char kTakesAndAdds[] = "RW+ACCESS+DELETE@i1:range(0,1,0);RW+INSERT@i2:range(0,1,0)";

constexpr CommandSpec kListRows[] = {
    {"blmove", 6, kWrite | kDenyOom | kBlocking, Acl::kList, key_specs(kTakesAndAdds), lc::blmove},
    {"blmpop", -5, kWrite | kBlocking, Acl::kList, key_specs("RW+ACCESS+DELETE@i2:keynum(0,1,1)"), lc::blmpop},
    {"blpop", -3, kWrite | kBlocking, Acl::kList, key_specs("RW+ACCESS+DELETE@i1:range(-2,1,0)"), lc::blpop},
    {"brpop", -3, kWrite | kBlocking, Acl::kList, key_specs("RW+ACCESS+DELETE@i1:range(-2,1,0)"), lc::brpop},
    {"brpoplpush", 4, kWrite | kDenyOom | kBlocking, Acl::kList, key_specs(kTakesAndAdds), lc::brpoplpush},
    {"lindex", 3, kReadonly, Acl::kList, key_specs("RO+ACCESS@i1:range(0,1,0)"), lc::lindex},
    {"linsert", 5, kWrite | kDenyOom, Acl::kList, key_specs("RW+INSERT@i1:range(0,1,0)"), lc::linsert},
    {"llen", 2, kReadonly | kFast, Acl::kList, key_specs("RO@i1:range(0,1,0)"), lc::llen},
    {"lmove", 5, kWrite | kDenyOom, Acl::kList, key_specs(kTakesAndAdds), lc::lmove},
    {"lmpop", -4, kWrite, Acl::kList, key_specs("RW+ACCESS+DELETE@i1:keynum(0,1,1)"), lc::lmpop},
    {"lpop", -2, kWrite | kFast, Acl::kList, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), lc::lpop},
    {"lpos", -3, kReadonly, Acl::kList, key_specs("RO+ACCESS@i1:range(0,1,0)"), lc::lpos},
    {"lpush", -3, kWrite | kDenyOom | kFast, Acl::kList, key_specs("RW+INSERT@i1:range(0,1,0)"), lc::lpush},
    {"lpushx", -3, kWrite | kDenyOom | kFast, Acl::kList, key_specs("RW+INSERT@i1:range(0,1,0)"), lc::lpushx},
    {"lrange", 4, kReadonly, Acl::kList, key_specs("RO+ACCESS@i1:range(0,1,0)"), lc::lrange},
    {"lrem", 4, kWrite, Acl::kList, key_specs("RW+DELETE@i1:range(0,1,0)"), lc::lrem},
    {"lset", 4, kWrite | kDenyOom, Acl::kList, key_specs("RW+UPDATE@i1:range(0,1,0)"), lc::lset},
    {"ltrim", 4, kWrite, Acl::kList, key_specs("RW+DELETE@i1:range(0,1,0)"), lc::ltrim},
    {"rpop", -2, kWrite | kFast, Acl::kList, key_specs("RW+ACCESS+DELETE@i1:range(0,1,0)"), lc::rpop},
    {"rpoplpush", 3, kWrite | kDenyOom, Acl::kList, key_specs(kTakesAndAdds), lc::rpoplpush},
    {"rpush", -3, kWrite | kDenyOom | kFast, Acl::kList, key_specs("RW+INSERT@i1:range(0,1,0)"), lc::rpush},
    {"rpushx", -3, kWrite | kDenyOom | kFast, Acl::kList, key_specs("RW+INSERT@i1:range(0,1,0)"), lc::rpushx},
};

enum class Missing : uint8_t { kCreate, kLeave };

void push(CommandContext& ctx, ArgReader& args, ListEnd end, Missing missing) {
  const Key key = args.take<Key>();
  const std::span<const Bytes> elements = args.rest();
  if (!args.done(ctx.reply())) return;
  auto list = missing == Missing::kCreate ? ctx.keys().edit_or_create<ListValue>(key) : ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().integer(0);
  size_t bytes = 0;
  for (const Bytes element : elements) {
    if (element.size() > ListValue::kElementBytesMax) return ctx.reply().error(kStringTooLong);
    bytes += element.size();
  }
  list->expect_growth(bytes, elements.size(), list_limits(ctx));
  for (const Bytes element : elements) list->push(end, element);
  ctx.reply().integer(static_cast<int64_t>(list->size()));
  ctx.changed(key.bytes, end == ListEnd::kFront ? Event::kLPush : Event::kRPush, elements.size());
}

void pop(CommandContext& ctx, ArgReader& args, ListEnd end) {
  if (args.remaining() > 2) return ctx.reply().error(Bytes(wrong_arity_error(ctx.command().full_name)));
  const Key key = args.take<Key>();
  const bool many = !args.at_end();
  const int64_t wanted = many ? args.take_int(0, INT64_MAX, kNotPositive, kNotPositive) : 1;
  if (!args.done(ctx.reply())) return;
  auto list = ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return many ? ctx.reply().null_array() : ctx.reply().null();
  const size_t count = std::min(static_cast<size_t>(wanted), list->size());
  if (many) ctx.reply().array(count);
  if (count == 0) return;
  list->take(end, count, list_limits(ctx), [&](const PackedElement& element) { reply_element(ctx.reply(), element); });
  tell_removal(ctx, key, *list, pop_event(end), count);
}

}  // namespace

ListLimits list_limits(CommandContext& ctx) { return {ctx.services().settings.list_max_listpack_size}; }

Event pop_event(ListEnd end) { return end == ListEnd::kFront ? Event::kLPop : Event::kRPop; }

namespace list_commands {

void lpush(CommandContext& ctx, ArgReader& args) { push(ctx, args, ListEnd::kFront, Missing::kCreate); }
void rpush(CommandContext& ctx, ArgReader& args) { push(ctx, args, ListEnd::kBack, Missing::kCreate); }
void lpushx(CommandContext& ctx, ArgReader& args) { push(ctx, args, ListEnd::kFront, Missing::kLeave); }
void rpushx(CommandContext& ctx, ArgReader& args) { push(ctx, args, ListEnd::kBack, Missing::kLeave); }
void lpop(CommandContext& ctx, ArgReader& args) { pop(ctx, args, ListEnd::kFront); }
void rpop(CommandContext& ctx, ArgReader& args) { pop(ctx, args, ListEnd::kBack); }

void llen(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const auto list = ctx.keys().read<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(list ? static_cast<int64_t>(list->size()) : 0);
}

// The key is looked at before the index: a missing one answers null whatever the index.
void lindex(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const auto list = ctx.keys().read<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().null();
  const auto index = args.take<int64_t>();
  if (!args.done(ctx.reply())) return;
  const auto size = static_cast<int64_t>(list->size());
  if (index >= size || index < -size) return ctx.reply().null();
  const auto position = static_cast<size_t>(index < 0 ? index + size : index);
  reply_element(ctx.reply(), list->element(list->place_of(position)));
}

void lrange(CommandContext& ctx, ArgReader& args) {
  const auto [key, start, stop] = args.take<Key, int64_t, int64_t>();
  if (!args.done(ctx.reply())) return;
  const auto list = ctx.keys().read<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().empty_array();
  const IndexRange range = resolve_index_range(start, stop, list->size());
  ReplyWriter& reply = ctx.reply();
  reply.array(range.count);
  if (CollectionReply::serves(reply, list->nodes(), range.count) && list->nodes()->may_be_read()) {
    return reply.source(elements_reply(ctx.services().store, *list->nodes(), range.first, range.count));
  }
  list->visit(range.first, range.count, [&](const PackedElement& element) { reply_element(reply, element); });
}

}  // namespace list_commands

const CommandFamily kListFamily{"list", kListRows, kListDocs};

}  // namespace larder
