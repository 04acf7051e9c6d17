#pragma once

// Times to live as commands name them: an amount of seconds or milliseconds, from now or from 1970.
//
// Two rules are in use. SET, GETEX, SETEX and MSETEX want a positive amount; EXPIRE and its relatives take any, and one
// that lies in the past deletes the key. Both answer "invalid expire time" when the moment does not fit 64 bits.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "protocol/option_grammar.h"
#include "server/core/context.h"
#include "storage/entry.h"
#include "storage/keyspace.h"

namespace larder {

enum class TimeUnit : uint8_t { kSeconds, kMilliseconds };
enum class TimeOrigin : uint8_t { kNow, kEpoch };

struct ExpiryForm {
  TimeUnit unit;
  TimeOrigin origin;
};
inline constexpr ExpiryForm kSecondsFromNow{TimeUnit::kSeconds, TimeOrigin::kNow};
inline constexpr ExpiryForm kMillisecondsFromNow{TimeUnit::kMilliseconds, TimeOrigin::kNow};
inline constexpr ExpiryForm kUnixSeconds{TimeUnit::kSeconds, TimeOrigin::kEpoch};
inline constexpr ExpiryForm kUnixMilliseconds{TimeUnit::kMilliseconds, TimeOrigin::kEpoch};

// The moment in milliseconds since 1970; nothing when it does not fit. Never kNoDeadline: the last millisecond of the
// clock counts as the one before it.
constexpr std::optional<int64_t> deadline_from(int64_t amount, ExpiryForm form, int64_t now_ms) {
  int64_t deadline_ms = amount;
  if (form.unit == TimeUnit::kSeconds && __builtin_mul_overflow(amount, int64_t{1000}, &deadline_ms)) return {};
  if (form.origin == TimeOrigin::kNow && __builtin_add_overflow(deadline_ms, now_ms, &deadline_ms)) return {};
  return std::min(deadline_ms, kNoDeadline - 1);
}

// The deadline that a positive amount names. Nothing when there is no such deadline; the error is written then.
std::optional<int64_t> read_positive_deadline(CommandContext& ctx, Bytes amount, ExpiryForm form);

// Repeats PEXPIREAT in place of the request.
void propagate_deadline(CommandContext& ctx, Key key, int64_t deadline_ms);

// The expiry words of SET, GETEX and MSETEX. A table of rules that starts with these four, in this order, can be handed
// to read_expiry_options(). Amounts stay text, because some commands look at the key before they judge the number.
inline constexpr uint32_t kExpiryGroup = 1u << 1;
inline constexpr OptionRule kExRule{"EX", OptionArgument::kBytes, kExpiryGroup};
inline constexpr OptionRule kPxRule{"PX", OptionArgument::kBytes, kExpiryGroup};
inline constexpr OptionRule kExAtRule{"EXAT", OptionArgument::kBytes, kExpiryGroup};
inline constexpr OptionRule kPxAtRule{"PXAT", OptionArgument::kBytes, kExpiryGroup};
inline constexpr size_t kExpiryRuleCount = 4;

struct ExpiryOptions {
  bool valid = true;                   // false: the error is written
  std::optional<int64_t> deadline_ms;  // nothing without one of the four words
};

ExpiryOptions read_expiry_options(CommandContext& ctx, const OptionValue* values);

template <size_t N>
ExpiryOptions read_expiry_options(CommandContext& ctx, const OptionValues<N>& options) {
  static_assert(N >= kExpiryRuleCount);
  return read_expiry_options(ctx, options.values_.data());
}

}  // namespace larder
