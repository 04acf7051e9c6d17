// Commands that change or search the inside of a list.

#include <optional>

#include "server/command/index_range.h"
#include "server/command/list_handlers.h"
#include "server/command/removal.h"

namespace larder {
namespace {

constexpr ErrorText kRankZero{
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from "
    "the end of the list"};
constexpr ErrorText kRankOutOfRange{
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"};
constexpr ErrorText kMaxLenNegative{"ERR MAXLEN can't be negative"};

struct PosOptions {
  int64_t rank = 1;             // which match is the first that counts; negative: from the end
  std::optional<size_t> count;  // how many to tell, 0 for all; without it one, not as an array
  size_t length_max = 0;        // elements to compare, 0: all
};

PosOptions take_pos_options(ArgReader& args) {
  PosOptions options;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("RANK")) {
      options.rank = args.take_int(-INT64_MAX, INT64_MAX, kRankOutOfRange);
      if (args.ok() && options.rank == 0) args.fail(kRankZero);
    } else if (args.take_word("COUNT")) {
      options.count = static_cast<size_t>(args.take_int(0, INT64_MAX, kCountNegative, kCountNegative));
    } else if (args.take_word("MAXLEN")) {
      options.length_max = static_cast<size_t>(args.take_int(0, INT64_MAX, kMaxLenNegative, kMaxLenNegative));
    } else {
      args.fail(kSyntax);
    }
  }
  return options;
}

// Calls found(index) for each match that counts, in the order in which they are looked for, until it returns false.
template <class Found>
void search(const ListValue& list, Bytes text, const PosOptions& options, Found found) {
  const PackedText wanted(text);
  const bool forward = options.rank > 0;
  const auto rank = static_cast<uint64_t>(forward ? options.rank : -options.rank);
  const size_t size = list.size();
  const size_t compared_max = options.length_max == 0 ? size : std::min(size, options.length_max);
  uint64_t matches = 0;
  ListValue::Place place = list.place_of(forward ? 0 : size - 1);
  for (size_t i = 0; i < compared_max; i++) {
    if (is_same_packed(list.element(place), wanted, text) && ++matches >= rank) {
      if (!found(forward ? i : size - 1 - i)) return;
    }
    place = forward ? list.next(place) : list.previous(place);
  }
}

}  // namespace

namespace list_commands {

void linsert(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const bool after = args.take_word("AFTER");
  if (!after && !args.take_word("BEFORE")) args.fail(kSyntax);
  const auto [pivot, text] = args.take<Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto list = ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().integer(0);
  if (text.size() > ListValue::kElementBytesMax) return ctx.reply().error(kStringTooLong);
  list->expect_growth(text.size(), 1, list_limits(ctx));
  const PackedText wanted(pivot);
  ListValue::Place place = list->place_of(0);
  while (place.at != nullptr && !is_same_packed(list->element(place), wanted, pivot)) place = list->next(place);
  if (place.at == nullptr) return ctx.reply().integer(-1);
  list->insert_before(after ? list->next(place) : place, text);
  ctx.reply().integer(static_cast<int64_t>(list->size()));
  ctx.changed(key.bytes, Event::kLInsert);
}

// The key is looked at before the index is read.
void lset(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  auto list = ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().error(kNoSuchKey);
  const auto [index, text] = args.take<int64_t, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto size = static_cast<int64_t>(list->size());
  if (index >= size || index < -size) return ctx.reply().error(kIndexOutOfRange);
  if (text.size() > ListValue::kElementBytesMax) return ctx.reply().error(kStringTooLong);
  list->expect_growth(text.size(), 1, list_limits(ctx));
  list->replace(list->place_of(static_cast<size_t>(index < 0 ? index + size : index)), text);
  list->settle(list_limits(ctx));
  ctx.reply().ok();
  ctx.changed(key.bytes, Event::kLSet);
}

void ltrim(CommandContext& ctx, ArgReader& args) {
  const auto [key, start, stop] = args.take<Key, int64_t, int64_t>();
  if (!args.done(ctx.reply())) return;
  auto list = ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().ok();
  const size_t size = list->size();
  const IndexRange kept = resolve_index_range(start, stop, size);
  const size_t behind = kept.first + kept.count;
  if (kept.count == 0) {
    list->erase(0, size, list_limits(ctx));
  } else {
    list->erase(behind, size - behind, list_limits(ctx));
    list->erase(0, kept.first, list_limits(ctx));
  }
  ctx.reply().ok();
  tell_removal(ctx, key, *list, Event::kLTrim, size - kept.count);
}

void lrem(CommandContext& ctx, ArgReader& args) {
  const auto [key, count, text] = args.take<Key, int64_t, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto list = ctx.keys().edit<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  if (list.missing()) return ctx.reply().integer(0);
  const uint64_t wanted = count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count);
  const size_t removed = list->remove_equal(text, wanted == 0 ? SIZE_MAX : wanted,
                                            count < 0 ? ListEnd::kBack : ListEnd::kFront, list_limits(ctx));
  ctx.reply().integer(static_cast<int64_t>(removed));
  if (removed > 0) tell_removal(ctx, key, *list, Event::kLRem, removed);
}

void lpos(CommandContext& ctx, ArgReader& args) {
  const auto [key, text] = args.take<Key, Bytes>();
  const PosOptions options = take_pos_options(args);
  if (!args.done(ctx.reply())) return;
  const auto list = ctx.keys().read<ListValue>(key);
  if (list.wrong_type()) return ctx.reply().error(kWrongType);
  ReplyWriter& reply = ctx.reply();
  if (list.missing()) return options.count ? reply.empty_array() : reply.null();
  if (!options.count) {
    std::optional<size_t> first;
    search(*list, text, options, [&](size_t index) {
      first = index;
      return false;
    });
    return first ? reply.integer(static_cast<int64_t>(*first)) : reply.null();
  }
  const auto mark = reply.begin_deferred();
  size_t told = 0;
  search(*list, text, options, [&](size_t index) {
    reply.integer(static_cast<int64_t>(index));
    return ++told != *options.count;
  });
  reply.end_deferred_array(mark, told);
}

}  // namespace list_commands
}  // namespace larder
