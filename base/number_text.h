// Numbers to text and back, exactly as clients of the protocol expect them.
//
// Integers are strict: an optional '-', no '+', no spaces, no leading zeros ("0" itself is fine, "-0" is not), the
// whole range of the type. Doubles are read leniently in form (decimal, exponent, hexadecimal, inf, infinity, nan, any
// case) but strictly in extent: the text must be a number from its first byte to its last. Doubles are written with the
// fewest digits that read back to the same value: whole numbers up to half of the int64 range as integers, others in
// the layout described at write_double. Long doubles are written with 17 decimals and without trailing zeros: the form
// of INCRBYFLOAT.
//
// Cost: write_int64 about 2-25 ns, parse_int64 about 0.3 ns a digit, write_double 40 ns for few decimals, else 140.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include "base/bytes.h"

namespace larder {

inline constexpr size_t kInt64TextBytesMax = 20;         // "-9223372036854775808"
inline constexpr size_t kDoubleTextBytesMax = 32;        // "-1.7976931348623157e+308"
inline constexpr size_t kLongDoubleTextBytesMax = 5120;  // 4933 digits before the point and 17 after it

std::optional<int64_t> parse_int64(Bytes text);
// The same strictness, no sign at all.
std::optional<uint64_t> parse_uint64(Bytes text);

enum class NanText : uint8_t { kReject, kAccept };

// Accepts what strtod accepts, without leading white space and without overflow to infinity or underflow to zero.
std::optional<double> parse_double(Bytes text, NanText nan = NanText::kReject);
std::optional<long double> parse_long_double(Bytes text, NanText nan = NanText::kReject);

// Two decimal digits for every number below 100.
inline constexpr char kTwoDigits[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

// 10^i where it matters to decimal_digits; 0 stands for 10^0, so that 0 has one digit.
inline constexpr uint64_t kDigitBounds[] = {0,
                                            10,
                                            100,
                                            1000,
                                            10000,
                                            100000,
                                            1000000,
                                            10000000,
                                            100000000,
                                            1000000000,
                                            10000000000,
                                            100000000000,
                                            1000000000000,
                                            10000000000000,
                                            100000000000000,
                                            1000000000000000,
                                            10000000000000000,
                                            100000000000000000,
                                            1000000000000000000,
                                            10000000000000000000u};

// The number of decimal digits of `value`; 1 for 0.
constexpr uint32_t decimal_digits(uint64_t value) {
  const uint32_t bits = static_cast<uint32_t>(std::bit_width(value | 1));
  const uint32_t guess = (bits * 1233) >> 12;  // floor(bits * log10(2)), exact for 1..64
  return guess + 1 - (value < kDigitBounds[guess] ? 1 : 0);
}

// Writes `value` without a terminator and returns the length. `out` has room for kInt64TextBytesMax bytes.
inline size_t write_uint64(char* out, uint64_t value) {
  if (value < 10) {
    *out = static_cast<char>('0' + value);
    return 1;
  }
  const uint32_t digits = decimal_digits(value);
  char* position = out + digits;
  // Four digits a step: the divisions of one step hang together, those of its two halves do not.
  while (value >= 10000) {
    const uint64_t rest = value / 10000;
    const auto four = static_cast<uint32_t>(value - rest * 10000);
    const uint32_t high = four / 100;
    position -= 4;
    std::memcpy(position, kTwoDigits + 2 * high, 2);
    std::memcpy(position + 2, kTwoDigits + 2 * (four - high * 100), 2);
    value = rest;
  }
  auto few = static_cast<uint32_t>(value);
  if (few >= 100) {
    const uint32_t high = few / 100;
    std::memcpy(position - 2, kTwoDigits + 2 * (few - high * 100), 2);
    few = high;
  }
  if (few >= 10) {
    std::memcpy(out, kTwoDigits + 2 * few, 2);
  } else {
    *out = static_cast<char>('0' + few);
  }
  return digits;
}

inline size_t write_int64(char* out, int64_t value) {
  if (value >= 0) return write_uint64(out, static_cast<uint64_t>(value));
  *out = '-';
  return 1 + write_uint64(out + 1, 0 - static_cast<uint64_t>(value));
}

// Writes a double in the protocol's form and returns the length. `out` has room for kDoubleTextBytesMax bytes.
// "inf", "-inf", "nan", "-0"; whole numbers of magnitude up to 2^62 as integers; otherwise the shortest digits that
// read back to the same value, plain while that needs few zeros ("0.00001", "123.25"), else "d.ddde+XX" / "d.ddde-XX".
size_t write_double(char* out, double value);

// Writes `value` with 17 decimals, rounded, and without trailing zeros or a bare point: 3 -> "3", 10.5 -> "10.5".
// `out` has room for kLongDoubleTextBytesMax bytes. Requires: `value` is finite.
size_t write_long_double_human(char* out, long double value);

std::string to_text(int64_t value);
std::string double_to_text(double value);

}  // namespace larder
