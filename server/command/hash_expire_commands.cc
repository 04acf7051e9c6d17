// Times to live of fields.
//
//   HEXPIRE key seconds [NX | XX | GT | LT] FIELDS count field ...      HPEXPIRE, HEXPIREAT, HPEXPIREAT
//   HTTL key FIELDS count field ...                                     HPTTL, HEXPIRETIME, HPEXPIRETIME, HPERSIST
//
// The reply has a number for each field. The key's type is judged before the other arguments, as in Redis. What is repeated
// elsewhere names moments and no conditions: HPEXPIREAT for the fields that got a deadline, HDEL for those whose deadline
// had passed already.

#include <vector>

#include "base/number_text.h"
#include "server/command/hash_field_arguments.h"
#include "server/command/hash_handlers.h"

namespace larder {
namespace {

// Replies for one field.
constexpr int64_t kNoSuchField = -2;
constexpr int64_t kFieldWithoutDeadline = -1;
constexpr int64_t kConditionFailed = 0;
constexpr int64_t kDeadlineChanged = 1;
constexpr int64_t kFieldDeleted = 2;

enum class Condition : uint8_t { kNone, kIfNone, kIfAny, kIfLater, kIfEarlier };

Condition take_condition(ArgReader& args) {
  if (args.take_word("NX")) return Condition::kIfNone;
  if (args.take_word("XX")) return Condition::kIfAny;
  if (args.take_word("GT")) return Condition::kIfLater;
  return args.take_word("LT") ? Condition::kIfEarlier : Condition::kNone;
}

// A field without a deadline counts as one that lives for ever.
bool holds(Condition condition, int64_t old_deadline_ms, int64_t new_deadline_ms) {
  switch (condition) {
    case Condition::kNone:
      return true;
    case Condition::kIfNone:
      return old_deadline_ms == kNoDeadline;
    case Condition::kIfAny:
      return old_deadline_ms != kNoDeadline;
    case Condition::kIfLater:
      return new_deadline_ms > old_deadline_ms;
    case Condition::kIfEarlier:
      return new_deadline_ms < old_deadline_ms;
  }
  LARDER_UNREACHABLE();
}

void reply_no_fields(ReplyWriter& reply, size_t count) {
  reply.array(count);
  for (size_t i = 0; i < count; i++) reply.integer(kNoSuchField);
}

int64_t expire_field(CommandContext& ctx, HashValue& hash, Bytes field, int64_t deadline_ms, Condition condition) {
  const auto old_deadline_ms = hash.field_deadline_ms(field);
  if (!old_deadline_ms) return kNoSuchField;
  if (!holds(condition, *old_deadline_ms, deadline_ms)) return kConditionFailed;
  if (ctx.keys().is_past(deadline_ms)) {
    hash.remove(field);
    return kFieldDeleted;
  }
  hash.set_field_deadline(field, deadline_ms);
  return kDeadlineChanged;
}

void expire_fields(CommandContext& ctx, ArgReader& args, ExpiryForm form) {
  const auto [key, amount] = args.take<Key, Bytes>();
  auto hash = ctx.keys().edit<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  const auto deadline_ms = read_field_deadline(ctx, amount, form);
  if (!deadline_ms) return;
  const Condition condition = take_condition(args);
  const auto fields = take_fields(args, kFieldCountNotPositive);
  if (!args.done(ctx.reply())) return;
  if (hash.missing()) return reply_no_fields(ctx.reply(), fields.size());
  std::vector<Bytes> changed;
  std::vector<Bytes> deleted;
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    const int64_t outcome = expire_field(ctx, *hash, field, *deadline_ms, condition);
    if (outcome == kDeadlineChanged) changed.push_back(field);
    if (outcome == kFieldDeleted) deleted.push_back(field);
    ctx.reply().integer(outcome);
  }
  tell_field_deadlines(ctx, key, *hash, {.deadline_ms = *deadline_ms, .changed = changed, .deleted = deleted});
}

void reply_field_expiry(CommandContext& ctx, ArgReader& args, ExpiryForm form) {
  const auto key = args.take<Key>();
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  const auto fields = take_fields(args, kNumberOfFieldsNotPositive);
  if (!args.done(ctx.reply())) return;
  if (hash.missing()) return reply_no_fields(ctx.reply(), fields.size());
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    const auto deadline_ms = hash->field_deadline_ms(field);
    if (!deadline_ms || *deadline_ms == kNoDeadline) {
      ctx.reply().integer(deadline_ms ? kFieldWithoutDeadline : kNoSuchField);
      continue;
    }
    const int64_t time_ms = form.origin == TimeOrigin::kNow ? *deadline_ms - ctx.now_ms() : *deadline_ms;
    // Seconds are rounded up, unlike those of TTL.
    ctx.reply().integer(form.unit == TimeUnit::kSeconds ? time_ms / 1000 + (time_ms % 1000 != 0) : time_ms);
  }
}

}  // namespace

namespace hash_commands {

void hexpire(CommandContext& ctx, ArgReader& args) { expire_fields(ctx, args, kSecondsFromNow); }
void hpexpire(CommandContext& ctx, ArgReader& args) { expire_fields(ctx, args, kMillisecondsFromNow); }
void hexpireat(CommandContext& ctx, ArgReader& args) { expire_fields(ctx, args, kUnixSeconds); }
void hpexpireat(CommandContext& ctx, ArgReader& args) { expire_fields(ctx, args, kUnixMilliseconds); }

void httl(CommandContext& ctx, ArgReader& args) { reply_field_expiry(ctx, args, kSecondsFromNow); }
void hpttl(CommandContext& ctx, ArgReader& args) { reply_field_expiry(ctx, args, kMillisecondsFromNow); }
void hexpiretime(CommandContext& ctx, ArgReader& args) { reply_field_expiry(ctx, args, kUnixSeconds); }
void hpexpiretime(CommandContext& ctx, ArgReader& args) { reply_field_expiry(ctx, args, kUnixMilliseconds); }

void hpersist(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  auto hash = ctx.keys().edit<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  const auto fields = take_fields(args, kNumberOfFieldsNotPositive);
  if (!args.done(ctx.reply())) return;
  if (hash.missing()) return reply_no_fields(ctx.reply(), fields.size());
  bool changed = false;
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    const auto deadline_ms = hash->field_deadline_ms(field);
    int64_t outcome = deadline_ms ? kFieldWithoutDeadline : kNoSuchField;
    if (deadline_ms && *deadline_ms != kNoDeadline) {
      hash->set_field_deadline(field, kNoDeadline);
      outcome = kDeadlineChanged;
      changed = true;
    }
    ctx.reply().integer(outcome);
  }
  if (changed) ctx.changed(key.bytes, Event::kHPersist);
}

}  // namespace hash_commands
}  // namespace larder
