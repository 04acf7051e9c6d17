#pragma once

// What the commands with fields that have times to live share: their arguments, and what they tell.

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "server/command/expiry_time.h"
#include "server/core/context.h"
#include "storage/hash_value.h"

namespace larder {

// The texts of Redis 8.0.
inline constexpr ErrorText kFieldsMissing{"ERR Mandatory argument FIELDS is missing or not at the right position"};
inline constexpr ErrorText kFieldCountNotPositive{"ERR Parameter `numFields` should be greater than 0"};
inline constexpr ErrorText kNumberOfFieldsNotPositive{"ERR Number of fields must be a positive integer"};
inline constexpr ErrorText kFieldCountMismatch{"ERR The `numfields` parameter must match the number of arguments"};

// FIELDS count field ...: all that is left. Errors are latched; `not_positive` for a count that is none.
std::span<const Bytes> take_fields(ArgReader& args, ErrorText not_positive);

// The moment that an amount of at least 0 names, before the year 4200; nothing when there is none, the error is written then.
std::optional<int64_t> read_field_deadline(CommandContext& ctx, Bytes amount, ExpiryForm form);

// Fields that got a deadline, and fields that were deleted because their deadline had passed.
struct FieldDeadlineChange {
  int64_t deadline_ms = 0;
  std::span<const Bytes> changed;
  std::span<const Bytes> deleted;
};
// Events and what is repeated elsewhere. Nothing if no field is in the change.
void tell_field_deadlines(CommandContext& ctx, Key key, const HashValue& hash, const FieldDeadlineChange& change);

}  // namespace larder
