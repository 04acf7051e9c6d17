// HINCRBY and HINCRBYFLOAT. Both keep the field's time to live.

#include <cmath>

#include "base/number_text.h"
#include "server/command/hash_handlers.h"

namespace larder {
namespace {

constexpr ErrorText kIncrementNotFinite{"ERR value is NaN or Infinity"};

// The sum is repeated, not the addition: rounding elsewhere might differ.
void propagate_sum(CommandContext& ctx, Key key, Bytes field, Bytes sum, const HashValue& hash) {
  if (hash.field_deadline_ms(field).value_or(kNoDeadline) == kNoDeadline) {
    ctx.propagate_as({"HSET", key.bytes, field, sum});
  } else {
    ctx.propagate_as({"HSETEX", key.bytes, "KEEPTTL", "FIELDS", "1", field, sum});
  }
}

}  // namespace

namespace hash_commands {

void hincrby(CommandContext& ctx, ArgReader& args) {
  const auto [key, field, delta] = args.take<Key, Bytes, int64_t>();
  if (!args.done(ctx.reply())) return;
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  int64_t number = 0;
  HashText old;
  if (hash->get(field, &old)) {
    const auto parsed = parse_int64(old);
    if (!parsed) return ctx.reply().error(kHashNotInteger);
    number = *parsed;
  }
  if (__builtin_add_overflow(number, delta, &number)) return ctx.reply().error(kIncrementOverflow);
  char digits[kInt64TextBytesMax];
  hash->set(field, Bytes(digits, write_int64(digits, number)), limits(ctx), DeadlineRule::keep());
  ctx.changed(key.bytes, Event::kHIncrBy);
  ctx.reply().integer(number);
}

void hincrbyfloat(CommandContext& ctx, ArgReader& args) {
  const auto [key, field, delta] = args.take<Key, Bytes, long double>();
  if (!args.done(ctx.reply())) return;
  if (!std::isfinite(delta)) return ctx.reply().error(kIncrementNotFinite);
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  long double number = 0;
  HashText old;
  if (hash->get(field, &old)) {
    const auto parsed = parse_long_double(old);
    if (!parsed) return ctx.reply().error(kHashNotFloat);
    number = *parsed;
  }
  number += delta;
  if (!std::isfinite(number)) return ctx.reply().error(kIncrementNan);
  char digits[kLongDoubleTextBytesMax];
  const Bytes sum(digits, write_long_double_human(digits, number));
  hash->set(field, sum, limits(ctx), DeadlineRule::keep());
  propagate_sum(ctx, key, field, sum, *hash);
  ctx.changed(key.bytes, Event::kHIncrByFloat);
  ctx.reply().bulk(sum);
}

}  // namespace hash_commands
}  // namespace larder
