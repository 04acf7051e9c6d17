#include "base/number_text.h"

#include <cerrno>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>

#include "base/assert.h"
#include "base/short_load.h"

namespace larder {

namespace {

constexpr uint64_t kDigitsWithoutOverflow = 19;  // every number of 19 digits fits in 64 bits
constexpr size_t kDigitsOfWord = 8;
constexpr uint64_t kNoDigits = UINT64_MAX;

// The value of up to eight digits, all at once: pairs of digits are joined, then pairs of those. kNoDigits when there is
// another byte among them.
uint64_t parse_word(const char* text, size_t size) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  // The digits at the top, so that the last one is in the last byte; below them zeros.
  const uint64_t missing_bits = 8 * (kDigitsOfWord - size);
  uint64_t digits = (load_short(text, size) << missing_bits) ^ ((kOnes * '0') >> missing_bits << missing_bits);
  // A digit is now 0 to 9: adding 118 to it does not reach the highest bit.
  if (((digits + kOnes * 118) | digits) & (kOnes << 7)) return kNoDigits;
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ffull;
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffffull;
  return (digits * 10000 + (digits >> 32)) & 0xffffffffull;
}

// Digits only, no leading zero but "0" itself.
std::optional<uint64_t> parse_magnitude(const char* at, size_t size) {
  if (size == 0 || size > kDigitsWithoutOverflow + 1) return std::nullopt;
  if (*at == '0') return size == 1 ? std::optional<uint64_t>(0) : std::nullopt;
  uint64_t value = 0;
  const char* const safe_end = at + (size < kDigitsWithoutOverflow ? size : kDigitsWithoutOverflow);
  for (; at != safe_end; at++) {
    const uint32_t digit = static_cast<unsigned char>(*at) - uint32_t{'0'};
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  if (size <= kDigitsWithoutOverflow) return value;
  const uint32_t digit = static_cast<unsigned char>(*at) - uint32_t{'0'};
  if (digit > 9 || value > (UINT64_MAX - digit) / 10) return std::nullopt;
  return value * 10 + digit;
}

// Any integer. Apart from the short ones, whose path keeps its result in registers that way.
[[gnu::noinline]] std::optional<int64_t> parse_any_int64(Bytes text) {
  const bool negative = !text.empty() && text[0] == '-';
  const auto magnitude = parse_magnitude(text.data() + negative, text.size() - negative);
  if (!magnitude) return std::nullopt;
  if (!negative) {
    if (*magnitude > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<int64_t>(*magnitude);
  }
  if (*magnitude == 0 || *magnitude > static_cast<uint64_t>(INT64_MAX) + 1) return std::nullopt;
  return static_cast<int64_t>(0 - *magnitude);
}

}  // namespace

std::optional<int64_t> parse_int64(Bytes text) {
  // Most numbers of requests are short.
  if (text.size() - 1 < kDigitsOfWord && text[0] >= '1' && text[0] <= '9') {
    const uint64_t value = parse_word(text.data(), text.size());
    if (value != kNoDigits) [[likely]]
      return static_cast<int64_t>(value);
  }
  return parse_any_int64(text);
}

std::optional<uint64_t> parse_uint64(Bytes text) { return parse_magnitude(text.data(), text.size()); }

namespace {

void convert(const char* text, char** end, double* out) { *out = std::strtod(text, end); }
void convert(const char* text, char** end, long double* out) { *out = std::strtold(text, end); }

// The C library's reading of `text`, which must not be empty or start with white space. It needs a terminator, hence
// the copy; a zero byte inside ends the number early and is thereby rejected.
template <class T>
std::optional<T> parse_with_library(Bytes text, NanText nan) {
  constexpr size_t kStackBytes = 256;
  if (text.empty() || is_space(text[0])) return std::nullopt;
  char stack[kStackBytes];
  std::string heap;
  const char* start = stack;
  if (text.size() < kStackBytes) {
    std::memcpy(stack, text.data(), text.size());
    stack[text.size()] = '\0';
  } else {
    heap.assign(text);
    start = heap.c_str();
  }
  char* end = nullptr;
  T value = 0;
  errno = 0;
  convert(start, &end, &value);
  if (end != start + text.size()) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  if (std::isnan(value) && nan == NanText::kReject) return std::nullopt;
  return value;
}

}  // namespace

namespace {

// Few digits with or without a point among them: the digits and the power of ten are exact doubles then, and their
// quotient is the one nearest to the number. Nothing for anything else.
std::optional<double> parse_short_decimal(Bytes text) {
  constexpr size_t kDigitsMax = 15;
  constexpr double kPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kDigitsMax + 1 || !is_digit(text.front()) || !is_digit(text.back())) return {};
  int64_t digits = 0;
  size_t point = text.size() - 1;
  for (size_t i = 0; i < text.size(); i++) {
    if (is_digit(text[i])) {
      digits = digits * 10 + (text[i] - '0');
    } else if (text[i] == '.' && point == text.size() - 1) {
      point = i;
    } else {
      return {};
    }
  }
  const double value = static_cast<double>(digits) / kPowers[text.size() - 1 - point];
  return negative ? -value : value;
}

}  // namespace

std::optional<double> parse_double(Bytes text, NanText nan) {
  if (text.empty()) return std::nullopt;
  if (const auto value = parse_short_decimal(text)) return value;
  // Plain decimals, the usual case, are read without the copy and without the locale. "inf", hexadecimal, '+' and
  // whatever does not end where the text ends goes the general way.
  if (is_digit(text.back())) {
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc() && end == text.data() + text.size()) return value;
  }
  return parse_with_library<double>(text, nan);
}

std::optional<long double> parse_long_double(Bytes text, NanText nan) {
  if (text.size() >= kLongDoubleTextBytesMax) return std::nullopt;
  return parse_with_library<long double>(text, nan);
}

namespace {

constexpr double kWholeMax = 0x1p62;  // whole numbers up to here are written as integers

// Lays out the digits of a positive number 0.d1d2d3... x 10^point: where the point goes and when an exponent is used
// follows what Redis 7.2 and later send for a score.
size_t lay_out_double(char* out, const char* digits, int digit_count, int point) {
  const int last_place = point - digit_count;  // power of ten of the last digit
  const int exponent = point - 1;              // power of ten of the first digit
  const int exponent_size = exponent < 0 ? -exponent : exponent;
  if (last_place >= 0 && exponent_size < digit_count + 7) {
    std::memcpy(out, digits, static_cast<size_t>(digit_count));
    std::memset(out + digit_count, '0', static_cast<size_t>(last_place));
    return static_cast<size_t>(digit_count + last_place);
  }
  if (last_place < 0 && (last_place > -7 || exponent_size < 4)) {
    if (point <= 0) {
      const int zeros = -point;
      std::memcpy(out, "0.", 2);
      std::memset(out + 2, '0', static_cast<size_t>(zeros));
      std::memcpy(out + 2 + zeros, digits, static_cast<size_t>(digit_count));
      return static_cast<size_t>(2 + zeros + digit_count);
    }
    std::memcpy(out, digits, static_cast<size_t>(point));
    out[point] = '.';
    std::memcpy(out + point + 1, digits + point, static_cast<size_t>(digit_count - point));
    return static_cast<size_t>(digit_count + 1);
  }
  char* at = out;
  *at++ = digits[0];
  if (digit_count > 1) {
    *at++ = '.';
    std::memcpy(at, digits + 1, static_cast<size_t>(digit_count - 1));
    at += digit_count - 1;
  }
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  at += write_uint64(at, static_cast<uint64_t>(exponent_size));
  return static_cast<size_t>(at - out);
}

// A number with few decimals, which most scores and amounts are, without the search for the shortest digits: if value is the double
// nearest to m / 10^k with m below 10^15, these are its digits, because no two such decimals share a double; the smallest k gives
// the fewest. Powers up to 10^22 are exact and the division rounds once. Returns 0 when value is no such number. 8 ns where the search
// takes 50.
size_t write_few_decimals(char* out, double value) {
  constexpr double kPowers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
  constexpr double kDigitsMax = 1e15;
  for (size_t i = 0; i < std::size(kPowers); i++) {
    const double scaled = value * kPowers[i];
    if (scaled >= kDigitsMax) return 0;
    const auto whole = static_cast<uint64_t>(scaled + 0.5);
    if (static_cast<double>(whole) / kPowers[i] != value) continue;
    char digits[kInt64TextBytesMax];
    const auto digit_count = static_cast<int>(write_uint64(digits, whole));
    return lay_out_double(out, digits, digit_count, digit_count - static_cast<int>(i + 1));
  }
  return 0;
}

size_t write_shortest(char* out, double value) {
  // The library gives "d.ddde+XX", which is taken apart and laid out anew.
  char text[kDoubleTextBytesMax];
  const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  LARDER_ASSERT(written.ec == std::errc());
  char digits[20];
  int digit_count = 0;
  const char* at = text;
  for (; *at != 'e'; at++) {
    if (*at != '.') digits[digit_count++] = *at;
  }
  const bool negative_exponent = at[1] == '-';
  int exponent = 0;
  for (at += 2; at != written.ptr; at++) exponent = exponent * 10 + (*at - '0');
  return lay_out_double(out, digits, digit_count, (negative_exponent ? -exponent : exponent) + 1);
}

}  // namespace

size_t write_double(char* out, double value) {
  if (std::isnan(value)) {
    std::memcpy(out, "nan", 3);
    return 3;
  }
  if (value >= -kWholeMax && value <= kWholeMax) {
    const auto whole = static_cast<int64_t>(value);
    if (static_cast<double>(whole) == value && (whole != 0 || !std::signbit(value))) return write_int64(out, whole);
  }
  size_t sign_bytes = 0;
  if (std::signbit(value)) {
    *out++ = '-';
    sign_bytes = 1;
    value = -value;
  }
  if (value == 0) {
    *out = '0';
    return sign_bytes + 1;
  }
  if (std::isinf(value)) {
    std::memcpy(out, "inf", 3);
    return sign_bytes + 3;
  }
  const size_t written_bytes = write_few_decimals(out, value);
  return sign_bytes + (written_bytes != 0 ? written_bytes : write_shortest(out, value));
}

namespace {

// Removes trailing zeros behind the point, the point if nothing is left behind it, and the sign of a zero.
size_t trim_decimals(char* text, size_t size) {
  if (std::memchr(text, '.', size) != nullptr) {
    while (text[size - 1] == '0') size--;
    if (text[size - 1] == '.') size--;
  }
  if (size == 2 && text[0] == '-' && text[1] == '0') {
    text[0] = '0';
    return 1;
  }
  return size;
}

#if LDBL_MANT_DIG == 64
constexpr uint64_t kDecimalsScale = 100'000'000'000'000'000;  // 10^17

// value = mantissa x 2^-places with a 64-bit mantissa, so the fraction times 10^17 is exact in 128 bits and rounds
// once, to even on a tie, as printf does. Ten times as fast as printf. Requires: 0 <= value < 2^63.
size_t write_decimals_exactly(char* out, long double value) {
  __extension__ using Wide = unsigned __int128;
  const auto whole_part = static_cast<uint64_t>(value);
  uint64_t whole = whole_part;
  int exponent = 0;
  const long double fraction =
      std::frexp(value - static_cast<long double>(whole_part), &exponent);  // in [0.5, 1), or 0
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, 64));
  const int places = 64 - exponent;  // at least 64
  uint64_t decimals = 0;
  if (mantissa != 0 && places < 127) {
    const Wide product = static_cast<Wide>(mantissa) * kDecimalsScale;  // below 2^121
    const Wide half = static_cast<Wide>(1) << (places - 1);
    const Wide rest = product & ((half << 1) - 1);
    decimals = static_cast<uint64_t>(product >> places);
    if (rest > half || (rest == half && (decimals & 1) != 0)) decimals++;
    if (decimals == kDecimalsScale) {
      decimals = 0;
      whole++;
    }
  }
  size_t size = write_uint64(out, whole);
  if (decimals == 0) return size;
  out[size] = '.';
  char* const first = out + size + 1;
  std::memset(first, '0', 17);
  char text[kInt64TextBytesMax];
  const size_t digit_count = write_uint64(text, decimals);
  std::memcpy(first + (17 - digit_count), text, digit_count);
  size += 18;
  return trim_decimals(out, size);
}
#endif

}  // namespace

size_t write_long_double_human(char* out, long double value) {
  LARDER_ASSERT(std::isfinite(value));
#if LDBL_MANT_DIG == 64
  if (value > -0x1p63L && value < 0x1p63L) {
    if (!std::signbit(value)) return write_decimals_exactly(out, value);
    const size_t size = write_decimals_exactly(out + 1, -value);
    if (size == 1 && out[1] == '0') {
      out[0] = '0';
      return 1;
    }
    out[0] = '-';
    return size + 1;
  }
#endif
  const int size = std::snprintf(out, kLongDoubleTextBytesMax, "%.17Lf", value);
  LARDER_ASSERT(size > 0 && static_cast<size_t>(size) < kLongDoubleTextBytesMax);
  return trim_decimals(out, static_cast<size_t>(size));
}

std::string to_text(int64_t value) {
  char text[kInt64TextBytesMax];
  return std::string(text, write_int64(text, value));
}

std::string double_to_text(double value) {
  char text[kDoubleTextBytesMax];
  return std::string(text, write_double(text, value));
}

}  // namespace larder
