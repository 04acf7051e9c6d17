#include "server/command/block_timeout.h"

#include <cmath>

#include "base/number_text.h"

namespace larder {
namespace {

constexpr ErrorText kTimeoutNotInteger{"ERR timeout is not an integer or out of range"};

ErrorText end_of_waiting(int64_t timeout_ms, int64_t now_ms, int64_t* deadline_ms) {
  if (timeout_ms < 0) return kTimeoutNegative;
  if (timeout_ms > INT64_MAX - now_ms) return kTimeoutOutOfRange;
  *deadline_ms = timeout_ms == 0 ? 0 : now_ms + timeout_ms;
  return {};
}

}  // namespace

ErrorText parse_block_timeout(Bytes seconds, int64_t now_ms, int64_t* deadline_ms) {
  const auto value = parse_long_double(seconds);
  if (!value) return kTimeoutNotFloat;
  const long double timeout_ms = std::ceil(*value * 1000);
  // 2^63, the first that an int64 does not hold.
  if (timeout_ms >= 9223372036854775808.0L) return kTimeoutOutOfRange;
  if (timeout_ms < 0) return kTimeoutNegative;
  return end_of_waiting(static_cast<int64_t>(timeout_ms), now_ms, deadline_ms);
}

ErrorText parse_block_timeout_ms(Bytes milliseconds, int64_t now_ms, int64_t* deadline_ms) {
  const auto value = parse_int64(milliseconds);
  if (!value) return kTimeoutNotInteger;
  return end_of_waiting(*value, now_ms, deadline_ms);
}

int64_t take_block_timeout(ArgReader& args, int64_t now_ms) {
  int64_t deadline_ms = 0;
  const Bytes text = args.take<Bytes>();
  if (!args.ok()) return 0;
  if (const ErrorText error = parse_block_timeout(text, now_ms, &deadline_ms)) args.fail(error);
  return deadline_ms;
}

int64_t late_block_timeout(ArgReader& args, Bytes seconds, int64_t now_ms) {
  int64_t deadline_ms = 0;
  if (!args.ok() || !args.at_end()) return 0;
  if (const ErrorText error = parse_block_timeout(seconds, now_ms, &deadline_ms)) args.fail(error);
  return deadline_ms;
}

int64_t take_block_timeout_ms(ArgReader& args, int64_t now_ms) {
  int64_t deadline_ms = 0;
  const Bytes text = args.take<Bytes>();
  if (!args.ok()) return 0;
  if (const ErrorText error = parse_block_timeout_ms(text, now_ms, &deadline_ms)) args.fail(error);
  return deadline_ms;
}

}  // namespace larder
