// SET and its relatives: whole values, with conditions and a time to live.
//
//   SET key value                         the short way: one look-up, no options to read
//   SET key value [condition] [GET] [expiry]
//     condition   NX XX                   the key is missing, exists (whatever its type)
//                 IFEQ IFNE value         the value is, or is not, this one
//                 IFDEQ IFDNE digest      the same by the value's XXH3 digest, 16 hexadecimal digits
//     expiry      EX PX EXAT PXAT KEEPTTL
//
// The two "not equal" conditions hold for a missing key, the two "equal" ones do not. A comparison with a value of
// another type is an error, as is GET of one; NX and XX do not look at the type.

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/number_text.h"
#include "protocol/option_grammar.h"
#include "server/command/expiry_time.h"
#include "server/command/key_walk.h"
#include "server/command/string_handlers.h"
#include "server/command/string_reply.h"
#include "server/core/propagation.h"
#include "storage/hash.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr uint32_t kConditionGroup = 1u << 0;

enum SetOption : size_t { kKeepTtl = kExpiryRuleCount, kGet, kNx, kXx, kIfEq, kIfNe, kIfDigestEq, kIfDigestNe };
constexpr OptionRule kSetRules[] = {
    kExRule,
    kPxRule,
    kExAtRule,
    kPxAtRule,
    {"KEEPTTL", OptionArgument::kNone, kExpiryGroup},
    {"GET"},
    {"NX", OptionArgument::kNone, kConditionGroup},
    {"XX", OptionArgument::kNone, kConditionGroup},
    {"IFEQ", OptionArgument::kBytes, kConditionGroup},
    {"IFNE", OptionArgument::kBytes, kConditionGroup},
    {"IFDEQ", OptionArgument::kBytes, kConditionGroup},
    {"IFDNE", OptionArgument::kBytes, kConditionGroup},
};
using SetOptions = OptionValues<std::size(kSetRules)>;

enum GetExOption : size_t { kPersist = kExpiryRuleCount };
constexpr OptionRule kGetExRules[] = {
    kExRule, kPxRule, kExAtRule, kPxAtRule, {"PERSIST", OptionArgument::kNone, kExpiryGroup},
};

// MSETEX has SET's words up to XX, without GET.
enum MsetExOption : size_t { kMsetKeepTtl = kExpiryRuleCount, kMsetNx, kMsetXx };
constexpr OptionRule kMsetExRules[] = {
    kExRule,
    kPxRule,
    kExAtRule,
    kPxAtRule,
    {"KEEPTTL", OptionArgument::kNone, kExpiryGroup},
    {"NX", OptionArgument::kNone, kConditionGroup},
    {"XX", OptionArgument::kNone, kConditionGroup},
};

DeadlineRule deadline_rule(const ExpiryOptions& expiry, bool keep_ttl) {
  if (keep_ttl) return DeadlineRule::keep();
  return expiry.deadline_ms ? DeadlineRule::at(*expiry.deadline_ms) : DeadlineRule::none();
}

// What is repeated for a value that was set under a condition or with a deadline: plain words, and the moment.
void propagate_set(CommandContext& ctx, Key key, Bytes value, const DeadlineRule& deadline) {
  if (!ctx.propagates()) return;
  if (deadline.keeps()) return ctx.propagate_as({"SET", key.bytes, value, "KEEPTTL"});
  const int64_t deadline_ms = deadline.applied_to(kNoDeadline);
  if (deadline_ms == kNoDeadline) return ctx.propagate_as({"SET", key.bytes, value});
  char digits[kInt64TextBytesMax];
  ctx.propagate_as({"SET", key.bytes, value, "PXAT", Bytes(digits, write_int64(digits, deadline_ms))});
}

Event set_event(const ExpiryOptions& expiry) { return expiry.deadline_ms ? Event::kSetVolatile : Event::kSet; }

// A digest as 64 bits; nothing when the text is not 16 hexadecimal digits.
std::optional<uint64_t> parse_digest(Bytes text) {
  constexpr size_t kDigestDigits = 16;
  if (text.size() != kDigestDigits) return {};
  uint64_t digest = 0;
  for (const char c : text) {
    const int digit = hex_value(c);
    if (digit < 0) return {};
    digest = digest << 4 | static_cast<uint64_t>(digit);
  }
  return digest;
}

bool digests_are_valid(const SetOptions& options) {
  for (const SetOption rule : {kIfDigestEq, kIfDigestNe}) {
    if (options.has(rule) && !parse_digest(options.bytes(rule))) return false;
  }
  return true;
}

bool compares_value(const SetOptions& options) {
  return options.has(kIfEq) || options.has(kIfNe) || options.has(kIfDigestEq) || options.has(kIfDigestNe);
}

// Requires: the digests are valid, and the value is a string or missing if compares_value().
bool condition_holds(const SetOptions& options, const Lookup<StringValue>& old) {
  if (options.has(kNx)) return old.missing();
  if (options.has(kXx)) return !old.missing();
  if (!compares_value(options)) return true;
  const bool wants_equal = options.has(kIfEq) || options.has(kIfDigestEq);
  if (old.missing()) return !wants_equal;
  const StringText text = old->text();
  bool equal = false;
  if (options.has(kIfEq) || options.has(kIfNe)) {
    equal = text.bytes() == options.bytes(options.has(kIfEq) ? kIfEq : kIfNe);
  } else {
    equal = hash_bytes(text, 0) == parse_digest(options.bytes(wants_equal ? kIfDigestEq : kIfDigestNe));
  }
  return equal == wants_equal;
}

void set_with_options(CommandContext& ctx, ArgReader& args, Key key, Bytes value) {
  const SetOptions options = parse_options(args, kSetRules);
  if (args.ok() && !digests_are_valid(options)) args.fail(kInvalidDigest);
  if (!args.done(ctx.reply())) return;
  const ExpiryOptions expiry = read_expiry_options(ctx, options);
  if (!expiry.valid) return;

  const bool returns_old = options.has(kGet);
  const auto old = returns_old ? ctx.keys().read<StringValue>(key) : ctx.keys().edit<StringValue>(key);
  if (old.wrong_type() && (returns_old || compares_value(options))) return ctx.reply().error(kWrongType);
  const bool holds = condition_holds(options, old);
  // The old value goes into the reply before the write ends it.
  if (returns_old && old) {
    reply_string(ctx.reply(), *old);
  } else if (returns_old || !holds) {
    ctx.reply().null();
  } else {
    ctx.reply().ok();
  }
  if (!holds) return;
  const DeadlineRule deadline = deadline_rule(expiry, options.has(kKeepTtl));
  ctx.keys().assign_string_again(key, value, deadline);
  ctx.changed(key.bytes, set_event(expiry));
  propagate_set(ctx, key, value, deadline);
}

void set_with_deadline(CommandContext& ctx, ArgReader& args, ExpiryForm form) {
  const auto [key, amount, value] = args.take<Key, Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto deadline_ms = read_positive_deadline(ctx, amount, form);
  if (!deadline_ms) return;
  ctx.keys().assign_string(key, value, DeadlineRule::at(*deadline_ms));
  ctx.changed(key.bytes, Event::kSetVolatile);
  propagate_set(ctx, key, value, DeadlineRule::at(*deadline_ms));
  ctx.reply().ok();
}

// The arguments of MSET and MSETNX; empty, and answered, when a key has no value.
std::span<const Bytes> take_pairs(CommandContext& ctx, ArgReader& args) {
  const auto pairs = args.rest();
  if (pairs.size() % 2 == 0) return pairs;
  ctx.reply().error(wrong_arity_error(ctx.command().full_name));
  return {};
}

bool any_exists(CommandContext& ctx, std::span<const Bytes> pairs) {
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (ctx.keys().contains(Key{pairs[i]})) return true;
  }
  return false;
}

bool any_missing(CommandContext& ctx, std::span<const Bytes> pairs) {
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (!ctx.keys().contains(Key{pairs[i]})) return true;
  }
  return false;
}

void assign_pairs(CommandContext& ctx, std::span<const Bytes> pairs, DeadlineRule deadline, Event event) {
  for_each_key(ctx, pairs, 2, [&](Key key, size_t position) {
    ctx.keys().assign_string(key, pairs[position + 1], deadline);
    ctx.changed(key.bytes, event);
  });
}

}  // namespace

namespace string_commands {

void set(CommandContext& ctx, ArgReader& args) {
  const auto [key, value] = args.take<Key, Bytes>();
  if (!args.at_end()) [[unlikely]]
    return set_with_options(ctx, args, key, value);
  ctx.keys().assign_string(key, value);
  ctx.changed(key.bytes, Event::kSet);
  ctx.reply().ok();
}

void setnx(CommandContext& ctx, ArgReader& args) {
  const auto [key, value] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  auto slot = ctx.keys().edit_or_create<StringValue>(key);
  if (slot.wrong_type() || slot->exists()) return ctx.reply().integer(0);
  slot->assign(value);
  ctx.changed(key.bytes, Event::kSet);
  ctx.reply().integer(1);
}

void setex(CommandContext& ctx, ArgReader& args) { set_with_deadline(ctx, args, kSecondsFromNow); }
void psetex(CommandContext& ctx, ArgReader& args) { set_with_deadline(ctx, args, kMillisecondsFromNow); }

void getset(CommandContext& ctx, ArgReader& args) {
  const auto [key, value] = args.take<Key, Bytes>();
  if (!args.done(ctx.reply())) return;
  const auto old = ctx.keys().read<StringValue>(key);
  if (old.wrong_type()) return ctx.reply().error(kWrongType);
  if (old) {
    reply_string(ctx.reply(), *old);
  } else {
    ctx.reply().null();
  }
  ctx.keys().assign_string(key, value);
  ctx.changed(key.bytes, Event::kSet);
}

void getex(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto options = parse_options(args, kGetExRules);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.missing()) return ctx.reply().null();
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const ExpiryOptions expiry = read_expiry_options(ctx, options);
  if (!expiry.valid) return;
  reply_string(ctx.reply(), *value);

  const HashedKey hashed = ctx.keys().hashed(key);
  if (expiry.deadline_ms && ctx.keys().is_past(*expiry.deadline_ms)) {
    ctx.keys().erase(key);
    ctx.changed(key.bytes, Event::kDel);
    ctx.propagate_as({"DEL", key.bytes});
  } else if (expiry.deadline_ms) {
    ctx.keys().keyspace().set_deadline(hashed, *expiry.deadline_ms, ctx.now_ms());
    ctx.changed(key.bytes, Event::kExpire);
    propagate_deadline(ctx, key, *expiry.deadline_ms);
  } else if (options.has(kPersist) && ctx.keys().keyspace().clear_deadline(hashed, ctx.now_ms())) {
    ctx.changed(key.bytes, Event::kPersist);
    ctx.propagate_as({"PERSIST", key.bytes});
  }
}

void mset(CommandContext& ctx, ArgReader& args) {
  const auto pairs = take_pairs(ctx, args);
  if (pairs.empty()) return;
  assign_pairs(ctx, pairs, DeadlineRule::none(), Event::kSet);
  ctx.reply().ok();
}

void msetnx(CommandContext& ctx, ArgReader& args) {
  const auto pairs = take_pairs(ctx, args);
  if (pairs.empty()) return;
  if (any_exists(ctx, pairs)) return ctx.reply().integer(0);
  assign_pairs(ctx, pairs, DeadlineRule::none(), Event::kSet);
  ctx.reply().integer(1);
}

void msetex(CommandContext& ctx, ArgReader& args) {
  const int64_t key_count = args.take_int(1, INT32_MAX, kInvalidNumKeys, kInvalidNumKeys);
  if (args.ok() && static_cast<size_t>(key_count) > args.remaining() / 2) args.fail(kWrongPairCount);
  const auto pairs = args.take_many(2 * static_cast<size_t>(key_count));
  const auto options = parse_options(args, kMsetExRules);
  if (!args.done(ctx.reply())) return;
  const ExpiryOptions expiry = read_expiry_options(ctx, options);
  if (!expiry.valid) return;
  if (options.has(kMsetNx) && any_exists(ctx, pairs)) return ctx.reply().integer(0);
  if (options.has(kMsetXx) && any_missing(ctx, pairs)) return ctx.reply().integer(0);
  const DeadlineRule deadline = deadline_rule(expiry, options.has(kMsetKeepTtl));
  assign_pairs(ctx, pairs, deadline, set_event(expiry));
  // As one unit of commands that every server knows.
  ctx.services().propagation.begin_unit();
  for (size_t i = 0; i < pairs.size(); i += 2) propagate_set(ctx, Key{pairs[i]}, pairs[i + 1], deadline);
  ctx.services().propagation.end_unit();
  ctx.propagate_nothing();
  ctx.reply().integer(1);
}

}  // namespace string_commands
}  // namespace larder
