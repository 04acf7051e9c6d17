// Byte strings and the few operations on them that every layer needs. Letters are ASCII letters everywhere: command
// names, option words and patterns never depend on a locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace larder {

// A borrowed run of bytes, any values, not terminated. The owner is whoever handed it out; see there for how long it
// lives.
using Bytes = std::string_view;

inline namespace literals {
using namespace std::string_view_literals;
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
// The six bytes that the C locale calls white space.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr bool equals_ignore_case(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

constexpr bool starts_with_ignore_case(Bytes text, Bytes prefix) {
  return text.size() >= prefix.size() && equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

// a == b, without a call where they are short, as keys and members are.
inline bool same_bytes(Bytes a, Bytes b) {
  const auto load = [](const char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return word;
  };
  const size_t count = a.size();
  if (b.size() != count) return false;
  if (count > 32 || count < 8) return count == 0 || std::memcmp(a.data(), b.data(), count) == 0;
  const char* end_a = a.data() + count;
  const char* end_b = b.data() + count;
  uint64_t difference = load(a.data()) ^ load(b.data());
  difference |= load(end_a - 8) ^ load(end_b - 8);
  if (count > 16) difference |= (load(a.data() + 8) ^ load(b.data() + 8)) | (load(end_a - 16) ^ load(end_b - 16));
  return difference == 0;
}

std::string to_lower(Bytes text);
std::string to_upper(Bytes text);

// Removes white space at both ends.
constexpr Bytes trim(Bytes text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

inline constexpr char kHexDigits[] = "0123456789abcdef";

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(Bytes raw);
// The reverse. Returns false, leaving *raw unspecified, for an odd length or a byte that is no hexadecimal digit.
[[nodiscard]] bool from_hex(Bytes hex, std::string* raw);

// The bytes between double quotes, with \" \\ \n \r \t \a \b and \xHH for what does not print: the form in which the
// slow log, MONITOR and the command line tool show arbitrary bytes.
std::string quoted(Bytes raw);
void append_quoted(std::string* out, Bytes raw);

}  // namespace larder
