// INCREX: a counter with bounds and a time to live, in one step.
//
//   INCREX key [BYINT n | BYFLOAT f] [LBOUND x] [UBOUND y] [SATURATE] [EX|PX|EXAT|PXAT t [ENX] | PERSIST]
//   -> [the value afterwards, the increment that was applied]
//
// A sum outside the bounds (without one: what the type can hold) is not stored: the reply is [the value as it is, 0], and
// neither key nor deadline change. With SATURATE the sum is brought to the nearest bound instead, also when the value lay
// outside before; an increment that cannot be told in the type is an error then. ENX sets the deadline only where there
// is none, which makes a fixed window of it: INCREX key UBOUND 100 EX 60 ENX.
//
// Repeated is the effect: SET with KEEPTTL, PXAT or neither, or DEL when the new deadline has passed already.

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/number_text.h"
#include "protocol/option_grammar.h"
#include "server/command/expiry_time.h"
#include "server/command/string_handlers.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr ErrorText kEnxAlone{"ERR ENX flag requires an expiration"};
constexpr ErrorText kBoundsCrossed{"ERR LBOUND can't be greater than UBOUND"};

constexpr uint32_t kIncrementGroup = 1u << 2;
constexpr uint32_t kPersistGroup = 1u << 3;

enum IncrExOption : size_t { kPersist = kExpiryRuleCount, kEnx, kByInt, kByFloat, kLowerBound, kUpperBound, kSaturate };
constexpr OptionRule kIncrExRules[] = {
    kExRule,
    kPxRule,
    kExAtRule,
    kPxAtRule,
    {"PERSIST", OptionArgument::kNone, kExpiryGroup | kPersistGroup},
    {"ENX", OptionArgument::kNone, kPersistGroup},
    {"BYINT", OptionArgument::kBytes, kIncrementGroup},
    {"BYFLOAT", OptionArgument::kBytes, kIncrementGroup},
    {"LBOUND", OptionArgument::kBytes},
    {"UBOUND", OptionArgument::kBytes},
    {"SATURATE"},
};
using IncrExOptions = OptionValues<std::size(kIncrExRules)>;

// Counting in 64-bit integers.
struct IntegerCounter {
  using Number = int64_t;
  static constexpr ErrorText kBadValue = kNotInteger;
  static constexpr ErrorText kBadIncrement{"ERR Increment is not an integer or out of range"};
  static constexpr ErrorText kBadLowerBound{"ERR LBOUND is not an integer or out of range"};
  static constexpr ErrorText kBadUpperBound{"ERR UBOUND is not an integer or out of range"};
  static constexpr ErrorText kUntoldIncrement = kIncrementOverflow;
  static constexpr Number kLowest = INT64_MIN;
  static constexpr Number kHighest = INT64_MAX;
  static constexpr Event kEvent = Event::kIncrBy;

  static std::optional<Number> parse(Bytes text) { return parse_int64(text); }
  static std::optional<Number> stored(const StringValue& value) {
    Number number = 0;
    return value.to_integer(&number) ? std::optional(number) : std::nullopt;
  }
  static bool is_finite(Number) { return true; }
  __extension__ using Sum = __int128;
  static Sum sum(Number a, Number b) { return Sum{a} + b; }
  static std::optional<Number> difference(Number a, Number b) {
    Number result = 0;
    return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  }
  static void assign(StringValue& value, Number number, Bytes, DeadlineRule deadline) {
    value.set_integer(number, deadline);
  }
  static void reply(ReplyWriter& writer, Number number, Bytes) { writer.integer(number); }
  static size_t write(char* out, Number number) { return write_int64(out, number); }
};

// Counting in long doubles, as INCRBYFLOAT does.
struct FloatCounter {
  using Number = long double;
  static constexpr ErrorText kBadValue = kNotFloat;
  static constexpr ErrorText kBadIncrement{"ERR Increment is not a valid float"};
  static constexpr ErrorText kBadLowerBound{"ERR LBOUND is not a valid float"};
  static constexpr ErrorText kBadUpperBound{"ERR UBOUND is not a valid float"};
  static constexpr ErrorText kUntoldIncrement = kIncrementNan;
  static constexpr Number kLowest = -std::numeric_limits<Number>::max();
  static constexpr Number kHighest = std::numeric_limits<Number>::max();
  static constexpr Event kEvent = Event::kIncrByFloat;

  static std::optional<Number> parse(Bytes text) { return parse_long_double(text); }
  static std::optional<Number> stored(const StringValue& value) { return parse(value.text()); }
  static bool is_finite(Number number) { return std::isfinite(number); }
  static Number sum(Number a, Number b) { return a + b; }
  static std::optional<Number> difference(Number a, Number b) {
    return std::isfinite(a - b) ? std::optional(a - b) : std::nullopt;
  }
  static void assign(StringValue& value, Number, Bytes text, DeadlineRule deadline) { value.assign(text, deadline); }
  static void reply(ReplyWriter& writer, Number, Bytes text) {
    if (!writer.resp3()) return writer.bulk(text);
    // All digits, which double_value() would cut to those of a double.
    writer.raw(",");
    writer.raw(text);
    writer.raw("\r\n");
  }
  static size_t write(char* out, Number number) { return write_long_double_human(out, number); }
};

template <class Counter>
struct Request {
  typename Counter::Number increment = 1;
  typename Counter::Number lowest = Counter::kLowest;
  typename Counter::Number highest = Counter::kHighest;
  bool saturate = false;
};

// What comes of a request: nothing is stored when the sum is refused.
template <class Counter>
struct Outcome {
  typename Counter::Number value;
  typename Counter::Number applied = 0;
  bool stored = false;
};

bool has_expiry(const IncrExOptions& options) {
  return std::any_of(options.values_.begin(), options.values_.begin() + kExpiryRuleCount,
                     [](const OptionValue& value) { return value.present; });
}

// A word that is given twice counts once in `options`: more arguments than those the words take are a mistake.
size_t argument_count(const IncrExOptions& options) {
  size_t count = 0;
  for (size_t i = 0; i < std::size(kIncrExRules); ++i) {
    if (options.has(i)) count += kIncrExRules[i].argument == OptionArgument::kNone ? 1 : 2;
  }
  return count;
}

template <class Counter>
void take_number(ArgReader& args, const IncrExOptions& options, IncrExOption option, ErrorText error,
                 typename Counter::Number& out) {
  if (!options.has(option)) return;
  const auto number = Counter::parse(options.bytes(option));
  if (!number) return args.fail(error);
  out = *number;
}

// The numbers of the request; errors are latched in `args`.
template <class Counter>
Request<Counter> take_request(ArgReader& args, const IncrExOptions& options, IncrExOption by) {
  Request<Counter> request;
  request.saturate = options.has(kSaturate);
  take_number<Counter>(args, options, by, Counter::kBadIncrement, request.increment);
  take_number<Counter>(args, options, kLowerBound, Counter::kBadLowerBound, request.lowest);
  take_number<Counter>(args, options, kUpperBound, Counter::kBadUpperBound, request.highest);
  // An infinite bound is none, and one on the wrong side leaves no room at all. No number is NaN: parsing refuses it.
  request.lowest = std::max(request.lowest, Counter::kLowest);
  request.highest = std::min(request.highest, Counter::kHighest);
  if (request.lowest > request.highest) args.fail(kBoundsCrossed);
  return request;
}

// Nothing when the applied increment cannot be told.
template <class Counter>
std::optional<Outcome<Counter>> count(const Request<Counter>& request, typename Counter::Number now) {
  using Number = typename Counter::Number;
  const auto sum = Counter::sum(now, request.increment);
  if (request.lowest <= sum && sum <= request.highest) {
    return Outcome<Counter>{static_cast<Number>(sum), request.increment, true};
  }
  if (!request.saturate) return Outcome<Counter>{now};
  const Number bound = sum < request.lowest ? request.lowest : request.highest;
  const auto applied = Counter::difference(bound, now);
  if (!applied) return {};
  return Outcome<Counter>{bound, *applied, true};
}

// What becomes of the deadline: nothing, a new one, or none any more.
struct DeadlineChange {
  bool sets = false;
  bool drops = false;
  int64_t deadline_ms = kNoDeadline;  // the new one

  DeadlineRule rule() const {
    if (sets) return DeadlineRule::at(deadline_ms);
    return drops ? DeadlineRule::none() : DeadlineRule::keep();
  }
};

DeadlineChange deadline_change(const IncrExOptions& options, const ExpiryOptions& expiry, int64_t old_deadline_ms) {
  const bool had_deadline = old_deadline_ms != kNoDeadline;
  DeadlineChange change;
  change.drops = options.has(kPersist) && had_deadline;
  change.sets = expiry.deadline_ms && !(options.has(kEnx) && had_deadline);
  if (change.sets) change.deadline_ms = *expiry.deadline_ms;
  return change;
}

void remove(CommandContext& ctx, Key key) {
  if (!ctx.keys().erase(key)) return;
  ctx.changed(key.bytes, Event::kDel);
  ctx.propagate_as({"DEL", key.bytes});
}

// Tells of a value that is stored, and of its deadline.
void tell(CommandContext& ctx, Key key, Bytes digits, const DeadlineChange& change, Event event) {
  ctx.changed(key.bytes, event);
  if (change.sets) ctx.changed(key.bytes, Event::kExpire, 0);
  if (change.drops) ctx.changed(key.bytes, Event::kPersist, 0);
  if (!ctx.propagates()) return;
  if (change.sets) {
    const StringText deadline(change.deadline_ms);
    ctx.propagate_as({"SET", key.bytes, digits, "PXAT", deadline});
  } else if (change.drops) {
    ctx.propagate_as({"SET", key.bytes, digits});
  } else {
    ctx.propagate_as({"SET", key.bytes, digits, "KEEPTTL"});
  }
}

template <class Counter>
void increment(CommandContext& ctx, ArgReader& args, Key key, const IncrExOptions& options, IncrExOption by) {
  const auto request = args.ok() ? take_request<Counter>(args, options, by) : Request<Counter>();
  if (!args.done(ctx.reply())) return;
  const ExpiryOptions expiry = read_expiry_options(ctx, options);
  if (!expiry.valid) return;

  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  typename Counter::Number now = 0;
  if (value->exists()) {
    const auto stored = Counter::stored(*value);
    if (!stored) return ctx.reply().error(Counter::kBadValue);
    if (!Counter::is_finite(*stored)) return ctx.reply().error(kIncrementNan);
    now = *stored;
  }
  const auto outcome = count<Counter>(request, now);
  if (!outcome) return ctx.reply().error(Counter::kUntoldIncrement);

  char digits[kLongDoubleTextBytesMax];
  const Bytes text(digits, Counter::write(digits, outcome->value));
  ctx.reply().array(2);
  Counter::reply(ctx.reply(), outcome->value, text);
  char applied_digits[kLongDoubleTextBytesMax];
  Counter::reply(ctx.reply(), outcome->applied,
                 Bytes(applied_digits, Counter::write(applied_digits, outcome->applied)));
  if (!outcome->stored) return;
  const DeadlineChange change = deadline_change(options, expiry, value->deadline_ms());
  if (change.sets && ctx.keys().is_past(change.deadline_ms)) return remove(ctx, key);
  Counter::assign(*value, outcome->value, text, change.rule());
  tell(ctx, key, text, change, Counter::kEvent);
}

}  // namespace

namespace string_commands {

void increx(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const size_t given = args.remaining();
  const IncrExOptions options = parse_options(args, kIncrExRules);
  if (args.ok() && given != argument_count(options)) args.fail(kSyntax);
  if (args.ok() && options.has(kEnx) && !has_expiry(options)) args.fail(kEnxAlone);
  if (options.has(kByFloat)) return increment<FloatCounter>(ctx, args, key, options, kByFloat);
  increment<IntegerCounter>(ctx, args, key, options, kByInt);
}

}  // namespace string_commands
}  // namespace larder
