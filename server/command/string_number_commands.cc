// Counters: strings that read as numbers.

#include <cmath>

#include "base/number_text.h"
#include "server/command/string_handlers.h"
#include "storage/string_value.h"

namespace larder {
namespace {

void add_integer(CommandContext& ctx, Key key, int64_t delta) {
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  int64_t number = 0;
  if (value->exists() && !value->to_integer(&number)) return ctx.reply().error(kNotInteger);
  if (__builtin_add_overflow(number, delta, &number)) return ctx.reply().error(kIncrementOverflow);
  value->set_integer(number);
  ctx.changed(key.bytes, Event::kIncrBy);
  ctx.reply().integer(number);
}

}  // namespace

namespace string_commands {

void incr(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (args.done(ctx.reply())) add_integer(ctx, key, 1);
}

void decr(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (args.done(ctx.reply())) add_integer(ctx, key, -1);
}

void incrby(CommandContext& ctx, ArgReader& args) {
  const auto [key, delta] = args.take<Key, int64_t>();
  if (args.done(ctx.reply())) add_integer(ctx, key, delta);
}

void decrby(CommandContext& ctx, ArgReader& args) {
  const auto [key, delta] = args.take<Key, int64_t>();
  if (!args.done(ctx.reply())) return;
  if (delta == INT64_MIN) return ctx.reply().error(kDecrementOverflow);  // has no positive counterpart
  add_integer(ctx, key, -delta);
}

void incrbyfloat(CommandContext& ctx, ArgReader& args) {
  // The increment stays text at first: a key of another type is the more important error.
  const auto [key, increment] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  long double number = 0;
  if (value->exists()) {
    const auto stored = parse_long_double(value->text());
    if (!stored) return ctx.reply().error(kNotFloat);
    number = *stored;
  }
  const auto delta = parse_long_double(increment);
  if (!delta) return ctx.reply().error(kNotFloat);
  number += *delta;
  if (!std::isfinite(number)) return ctx.reply().error(kIncrementNan);

  char digits[kLongDoubleTextBytesMax];
  const Bytes text(digits, write_long_double_human(digits, number));
  value->assign(text, DeadlineRule::keep(), StringForm::kAsText);
  ctx.changed(key.bytes, Event::kIncrByFloat);
  // The sum: another machine's long double may give another one.
  ctx.propagate_as({"SET", key.bytes, text, "KEEPTTL"});
  ctx.reply().bulk(text);
}

}  // namespace string_commands
}  // namespace larder
