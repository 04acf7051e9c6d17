// Times to live: setting, asking, removing them.

#include <utility>

#include "base/number_text.h"
#include "server/command/expiry_time.h"
#include "server/command/generic_handlers.h"

namespace larder {
namespace {

struct ExpireConditions {
  bool if_none = false;     // NX: the key has no deadline yet
  bool if_any = false;      // XX: it has one
  bool if_later = false;    // GT: the new one is later; having none counts as the latest
  bool if_earlier = false;  // LT

  bool any() const { return if_none || if_any || if_later || if_earlier; }
  bool hold(int64_t old_deadline_ms, int64_t new_deadline_ms) const {
    const bool has_deadline = old_deadline_ms != kNoDeadline;
    return !(if_none && has_deadline) && !(if_any && !has_deadline) &&
           !(if_later && new_deadline_ms <= old_deadline_ms) && !(if_earlier && new_deadline_ms >= old_deadline_ms);
  }
};

// False when the words are unknown or exclude each other; the error is written then.
bool read_conditions(CommandContext& ctx, std::span<const Bytes> words, ExpireConditions& conditions) {
  for (const Bytes word : words) {
    if (equals_ignore_case(word, "NX")) {
      conditions.if_none = true;
    } else if (equals_ignore_case(word, "XX")) {
      conditions.if_any = true;
    } else if (equals_ignore_case(word, "GT")) {
      conditions.if_later = true;
    } else if (equals_ignore_case(word, "LT")) {
      conditions.if_earlier = true;
    } else {
      ctx.reply().error(unsupported_option_error(word));
      return false;
    }
  }
  if (conditions.if_none && (conditions.if_any || conditions.if_later || conditions.if_earlier)) {
    ctx.reply().error(kExpireNxConflict);
    return false;
  }
  if (conditions.if_later && conditions.if_earlier) {
    ctx.reply().error(kExpireGtLtConflict);
    return false;
  }
  return true;
}

// The new deadline of a key that meets the conditions. Returns whether there was such a key.
bool apply_deadline(CommandContext& ctx, Key key, int64_t deadline_ms, const ExpireConditions& conditions) {
  KeyAccess& keys = ctx.keys();
  const HashedKey hashed = keys.hashed(key);
  // One request is one use of the key, whether the conditions hold or not.
  Touch touch = keys.touch();
  if (conditions.any()) {
    const Entry* entry = keys.keyspace().find(hashed, ctx.now_ms(), std::exchange(touch, Touch::kNo));
    if (entry == nullptr || !conditions.hold(entry->deadline_ms(), deadline_ms)) return false;
  }
  if (keys.is_past(deadline_ms)) {
    if (!keys.erase(key)) return false;
    ctx.changed(key.bytes, Event::kDel);
    ctx.propagate_as({"DEL", key.bytes});
    return true;
  }
  if (!keys.keyspace().set_deadline(hashed, deadline_ms, ctx.now_ms(), touch)) return false;
  ctx.changed(key.bytes, Event::kExpire);
  propagate_deadline(ctx, key, deadline_ms);
  return true;
}

void set_expiry(CommandContext& ctx, ArgReader& args, ExpiryForm form) {
  const auto [key, amount_text] = args.take<Key, Bytes>();
  ExpireConditions conditions;
  if (!read_conditions(ctx, args.rest(), conditions)) return;
  const auto amount = parse_int64(amount_text);
  if (!amount) return ctx.reply().error(kNotInteger);
  const auto deadline_ms = deadline_from(*amount, form, ctx.now_ms());
  if (!deadline_ms) return ctx.reply().error(invalid_expire_error(ctx.command().full_name));
  ctx.reply().integer(apply_deadline(ctx, key, *deadline_ms, conditions) ? 1 : 0);
}

constexpr int64_t kRepliesNoKey = -2;
constexpr int64_t kRepliesNoDeadline = -1;

// Replies the key's deadline, or what is left until then, in the form's unit: durations rounded to the nearest second,
// moments too.
void reply_expiry(CommandContext& ctx, ArgReader& args, ExpiryForm form) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const Entry* entry = ctx.keys().read_entry(key, Touch::kNo);
  if (entry == nullptr) return ctx.reply().integer(kRepliesNoKey);
  if (!entry->has_deadline()) return ctx.reply().integer(kRepliesNoDeadline);
  int64_t time_ms = entry->deadline_ms();
  if (form.origin == TimeOrigin::kNow) time_ms -= ctx.now_ms();  // cannot overflow: what is found is in the future
  if (form.unit == TimeUnit::kMilliseconds) return ctx.reply().integer(time_ms);
  ctx.reply().integer(time_ms / 1000 + (time_ms % 1000 >= 500 ? 1 : 0));
}

}  // namespace

namespace generic_commands {

void expire(CommandContext& ctx, ArgReader& args) { set_expiry(ctx, args, kSecondsFromNow); }
void pexpire(CommandContext& ctx, ArgReader& args) { set_expiry(ctx, args, kMillisecondsFromNow); }
void expireat(CommandContext& ctx, ArgReader& args) { set_expiry(ctx, args, kUnixSeconds); }
void pexpireat(CommandContext& ctx, ArgReader& args) { set_expiry(ctx, args, kUnixMilliseconds); }

void ttl(CommandContext& ctx, ArgReader& args) { reply_expiry(ctx, args, kSecondsFromNow); }
void pttl(CommandContext& ctx, ArgReader& args) { reply_expiry(ctx, args, kMillisecondsFromNow); }
void expiretime(CommandContext& ctx, ArgReader& args) { reply_expiry(ctx, args, kUnixSeconds); }
void pexpiretime(CommandContext& ctx, ArgReader& args) { reply_expiry(ctx, args, kUnixMilliseconds); }

void persist(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  KeyAccess& keys = ctx.keys();
  if (!keys.keyspace().clear_deadline(keys.hashed(key), ctx.now_ms(), keys.touch())) return ctx.reply().integer(0);
  ctx.changed(key.bytes, Event::kPersist);
  ctx.reply().integer(1);
}

}  // namespace generic_commands
}  // namespace larder
