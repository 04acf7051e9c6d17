// The fast path of parse_request: part of request_parser.h, apart only for its length.
//
// It takes a request that is complete, authenticated and plain: '*' count of up to 3 digits, bulk lengths of up to 9
// digits, no leading zeros, "\r\n" wherever a line or a bulk string ends. Whatever else comes (inline, empty, split, erroneous, limited) leaves no trace and goes to
// parse_request_slow, the one place that knows all rules.
#pragma once

#include <cstring>

#include "protocol/request_parser.h"

namespace larder {
namespace internal {

inline bool is_line_end(const char* at) {
  constexpr char kLineEnd[] = {'\r', '\n'};
  return std::memcmp(at, kLineEnd, sizeof kLineEnd) == 0;
}

// Reads "digits\r\n" at `at` where at most `digits_max` digits are allowed and `digits_max + 2` bytes are readable.
// Returns the byte behind the line, or null when it is not of that plain form.
inline const char* read_plain_length(const char* at, uint32_t digits_max, uint32_t* value) {
  uint32_t number = static_cast<unsigned char>(*at) - '0';
  if (number > 9) return nullptr;
  at++;
  if (*at != '\r') {
    if (number == 0) return nullptr;  // a leading zero
    for (uint32_t digits = 1;; digits++) {
      const uint32_t digit = static_cast<unsigned char>(*at) - '0';
      if (digit > 9) break;
      if (digits == digits_max) return nullptr;
      number = number * 10 + digit;
      at++;
    }
  }
  if (!is_line_end(at)) return nullptr;
  *value = number;
  return at + 2;
}

}  // namespace internal

inline ParseResult parse_request(Bytes input, const RequestLimits& limits, ParseProgress& progress, RequestArgs& args) {
  constexpr size_t kCountLineBytes = 1 + 3 + 2;  // "*999\r\n"
  constexpr size_t kBulkLineBytes = 1 + 9 + 2;   // "$999999999\r\n"
  const char* at = input.data();
  const char* const end = at + input.size();
  uint32_t count = 0;
  if (input.size() < kCountLineBytes || *at != '*' || progress.active() || !limits.authenticated) [[unlikely]] {
    return internal::parse_request_slow(input, limits, progress, args);
  }
  at = internal::read_plain_length(at + 1, 3, &count);
  // A bulk string takes 6 bytes at least: a count that cannot have arrived reserves nothing.
  if (at == nullptr || count == 0 || count > static_cast<uint64_t>(limits.argument_count_max) ||
      size_t{count} * 6 > input.size()) [[unlikely]] {
    return internal::parse_request_slow(input, limits, progress, args);
  }
  Bytes* view = args.reserve(count);
  for (uint32_t i = 0; i < count; i++, view++) {
    uint32_t length = 0;
    if (static_cast<size_t>(end - at) >= kBulkLineBytes) [[likely]] {
      if (*at != '$') [[unlikely]]
        return internal::parse_request_slow(input, limits, progress, args);
      at = internal::read_plain_length(at + 1, 9, &length);
    } else {
      // Near the end of the input: short lengths only, so that no byte behind it is read.
      if (end - at < 6 || *at != '$') [[unlikely]]
        return internal::parse_request_slow(input, limits, progress, args);
      at = internal::read_plain_length(at + 1, 3, &length);
    }
    if (at == nullptr || length > limits.bulk_bytes_max || at > end ||
        static_cast<size_t>(end - at) < size_t{length} + 2 || !internal::is_line_end(at + length)) [[unlikely]] {
      return internal::parse_request_slow(input, limits, progress, args);
    }
    *view = Bytes(at, length);
    at += size_t{length} + 2;
  }
  ParseResult result;
  result.outcome = ParseOutcome::kRequest;
  result.first_arg = args.size();
  result.arg_count = count;
  result.is_encoding = true;
  result.consumed = static_cast<size_t>(at - input.data());
  args.commit(count);
  return result;
}

}  // namespace larder
