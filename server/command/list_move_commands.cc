// From one list to another, from the first list that has something, and the forms of both that wait.

#include <string>

#include "server/command/block_timeout.h"
#include "server/command/list_handlers.h"
#include "server/command/removal.h"
#include "server/core/packed_reply.h"

namespace larder {
namespace {

Bytes end_name(ListEnd end) { return end == ListEnd::kFront ? "LEFT" : "RIGHT"; }

// LEFT or RIGHT.
ListEnd take_end(ArgReader& args) {
  if (args.take_word("LEFT")) return ListEnd::kFront;
  if (!args.take_word("RIGHT")) args.fail(kSyntax);
  return ListEnd::kBack;
}

struct MoveRequest {
  Key source;
  Key destination;
  ListEnd from = ListEnd::kBack;
  ListEnd to = ListEnd::kFront;
};

MoveRequest take_move_request(ArgReader& args) {
  MoveRequest request;
  request.source = args.take<Key>();
  request.destination = args.take<Key>();
  request.from = take_end(args);
  request.to = take_end(args);
  return request;
}

// Moves one element and replies it. False: there is none, and nothing was replied.
bool move_element(CommandContext& ctx, const MoveRequest& request) {
  auto source = ctx.keys().edit<ListValue>(request.source);
  if (source.missing()) return false;
  if (source.wrong_type()) {
    ctx.reply().error(kWrongType);
    return true;
  }
  const size_t index = request.from == ListEnd::kFront ? 0 : source->size() - 1;
  char scratch[kInt64TextBytesMax];
  // A copy: adding may move what is there, and the two may be the same list.
  const std::string text(source->element(source->place_of(index)).text(scratch));
  auto destination = ctx.keys().edit_or_create<ListValue>(request.destination);
  if (destination.wrong_type()) {
    ctx.reply().error(kWrongType);
    return true;
  }
  ctx.reply().bulk(text);
  destination->expect_growth(text.size(), 1, list_limits(ctx));
  destination->push(request.to, text);
  ctx.changed(request.destination.bytes, request.to == ListEnd::kFront ? Event::kLPush : Event::kRPush);
  // Adding may have moved the source's entry. In the same list, a push at this end lies in front of what is to go.
  source = ctx.keys().edit<ListValue>(request.source);
  source->take(request.from, 1, list_limits(ctx), [](const PackedElement&) {});
  tell_removal(ctx, request.source, *source, pop_event(request.from), 0);
  // Never the form that waits.
  ctx.propagate_as(
      {"LMOVE", request.source.bytes, request.destination.bytes, end_name(request.from), end_name(request.to)});
  return true;
}

struct PopRequest {
  std::span<const Bytes> keys;
  ListEnd end = ListEnd::kFront;
  size_t count = 1;
};

// numkeys key [key ...] LEFT|RIGHT [COUNT count]
PopRequest take_pop_request(ArgReader& args) {
  PopRequest request;
  const int64_t key_count = args.take_int(1, INT64_MAX, kNumKeysNotPositive, kNumKeysNotPositive);
  request.keys = args.take_many(static_cast<size_t>(key_count));
  request.end = take_end(args);
  if (args.take_word("COUNT")) {
    request.count = static_cast<size_t>(args.take_int(1, INT64_MAX, kCountNotPositive, kCountNotPositive));
  }
  return request;
}

// The first of the keys that has a list, or an error for one that has something else.
enum class Found : uint8_t { kList, kNothing, kAnswered };
Found find_list(CommandContext& ctx, std::span<const Bytes> keys, Key* key, Lookup<ListValue>* list) {
  for (const Bytes name : keys) {
    *key = Key{name};
    *list = ctx.keys().edit<ListValue>(*key);
    if (list->found()) return Found::kList;
    if (list->wrong_type()) {
      ctx.reply().error(kWrongType);
      return Found::kAnswered;
    }
  }
  return Found::kNothing;
}

Bytes pop_name(ListEnd end) { return end == ListEnd::kFront ? "LPOP" : "RPOP"; }

// LMPOP's reply: the key and an array of elements. False: no list, nothing was replied.
bool pop_several(CommandContext& ctx, const PopRequest& request) {
  Key key;
  Lookup<ListValue> list = LookupError::kMissing;
  const Found found = find_list(ctx, request.keys, &key, &list);
  if (found != Found::kList) return found == Found::kAnswered;
  const size_t count = std::min(request.count, list->size());
  ReplyWriter& reply = ctx.reply();
  reply.array(2);
  reply.bulk(key.bytes);
  reply.array(count);
  list->take(request.end, count, list_limits(ctx),
             [&](const PackedElement& element) { reply_element(reply, element); });
  tell_removal(ctx, key, *list, pop_event(request.end), count);
  char digits[kInt64TextBytesMax];
  ctx.propagate_as({pop_name(request.end), key.bytes, Bytes(digits, write_int64(digits, static_cast<int64_t>(count)))});
  return true;
}

// BLPOP, BRPOP: key [key ...] timeout
void pop_or_wait(CommandContext& ctx, ArgReader& args, ListEnd end) {
  const std::span<const Bytes> keys = args.take_many(args.remaining() - 1);
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  Key key;
  Lookup<ListValue> list = LookupError::kMissing;
  const Found found = find_list(ctx, keys, &key, &list);
  if (found == Found::kAnswered) return;
  if (found == Found::kNothing) {
    return ctx.block({.keys = keys, .deadline_ms = deadline_ms, .type = ValueType::kList});
  }
  ReplyWriter& reply = ctx.reply();
  reply.array(2);
  reply.bulk(key.bytes);
  list->take(end, 1, list_limits(ctx), [&](const PackedElement& element) { reply_element(reply, element); });
  tell_removal(ctx, key, *list, pop_event(end), 1);
  ctx.propagate_as({pop_name(end), key.bytes});
}

void wait_for_source(CommandContext& ctx, const MoveRequest& request, int64_t deadline_ms) {
  ctx.block({.keys = {&request.source.bytes, 1},
             .deadline_ms = deadline_ms,
             .type = ValueType::kList,
             .denied_reply = DeniedReply::kNull});
}

}  // namespace

namespace list_commands {

void lmove(CommandContext& ctx, ArgReader& args) {
  const MoveRequest request = take_move_request(args);
  if (!args.done(ctx.reply())) return;
  if (!move_element(ctx, request)) ctx.reply().null();
}

void rpoplpush(CommandContext& ctx, ArgReader& args) {
  const auto [source, destination] = args.take<Key, Key>();
  if (!args.done(ctx.reply())) return;
  if (!move_element(ctx, {source, destination})) ctx.reply().null();
}

void lmpop(CommandContext& ctx, ArgReader& args) {
  const PopRequest request = take_pop_request(args);
  if (!args.done(ctx.reply())) return;
  if (!pop_several(ctx, request)) ctx.reply().null_array();
}

void blpop(CommandContext& ctx, ArgReader& args) { pop_or_wait(ctx, args, ListEnd::kFront); }
void brpop(CommandContext& ctx, ArgReader& args) { pop_or_wait(ctx, args, ListEnd::kBack); }

void blmove(CommandContext& ctx, ArgReader& args) {
  const MoveRequest request = take_move_request(args);
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (!move_element(ctx, request)) wait_for_source(ctx, request, deadline_ms);
}

void brpoplpush(CommandContext& ctx, ArgReader& args) {
  const auto [source, destination] = args.take<Key, Key>();
  const int64_t deadline_ms = take_block_timeout(args, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  const MoveRequest request{source, destination};
  if (!move_element(ctx, request)) wait_for_source(ctx, request, deadline_ms);
}

// timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]; of several mistakes, one in the timeout is told last.
void blmpop(CommandContext& ctx, ArgReader& args) {
  const Bytes timeout = args.take<Bytes>();
  const PopRequest request = take_pop_request(args);
  const int64_t deadline_ms = late_block_timeout(args, timeout, ctx.now_ms());
  if (!args.done(ctx.reply())) return;
  if (pop_several(ctx, request)) return;
  ctx.block({.keys = request.keys, .deadline_ms = deadline_ms, .type = ValueType::kList});
}

}  // namespace list_commands
}  // namespace larder
