#include "server/command/expiry_time.h"

#include "base/number_text.h"

namespace larder {

std::optional<int64_t> read_positive_deadline(CommandContext& ctx, Bytes amount, ExpiryForm form) {
  const auto number = parse_int64(amount);
  if (!number) {
    ctx.reply().error(kNotInteger);
    return {};
  }
  const auto deadline_ms = *number > 0 ? deadline_from(*number, form, ctx.now_ms()) : std::nullopt;
  if (!deadline_ms) ctx.reply().error(invalid_expire_error(ctx.command().full_name));
  return deadline_ms;
}

void propagate_deadline(CommandContext& ctx, Key key, int64_t deadline_ms) {
  if (!ctx.propagates()) return;
  char digits[kInt64TextBytesMax];
  ctx.propagate_as({"PEXPIREAT", key.bytes, Bytes(digits, write_int64(digits, deadline_ms))});
}

ExpiryOptions read_expiry_options(CommandContext& ctx, const OptionValue* values) {
  constexpr ExpiryForm kForms[kExpiryRuleCount] = {kSecondsFromNow, kMillisecondsFromNow, kUnixSeconds,
                                                   kUnixMilliseconds};
  ExpiryOptions expiry;
  for (size_t i = 0; i < kExpiryRuleCount; ++i) {
    if (!values[i].present) continue;
    expiry.deadline_ms = read_positive_deadline(ctx, values[i].bytes, kForms[i]);
    expiry.valid = expiry.deadline_ms.has_value();
  }
  return expiry;
}

}  // namespace larder
