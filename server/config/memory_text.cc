#include "server/config/memory_text.h"

#include <cstdio>

namespace larder {
namespace {

struct Unit {
  Bytes word;
  int64_t bytes;
};
constexpr Unit kUnits[] = {
    {"", 1},
    {"b", 1},
    {"k", 1000},
    {"kb", 1024},
    {"m", 1000 * 1000},
    {"mb", 1024 * 1024},
    {"g", 1000 * 1000 * 1000},
    {"gb", 1024 * 1024 * 1024},
};

}  // namespace

std::optional<int64_t> parse_memory(Bytes text) {
  if (text.empty()) return 0;
  size_t digits = 0;
  int64_t amount = 0;
  while (digits < text.size() && is_digit(text[digits])) {
    if (__builtin_mul_overflow(amount, 10, &amount)) return {};
    if (__builtin_add_overflow(amount, text[digits] - '0', &amount)) return {};
    ++digits;
  }
  if (digits == 0) return {};
  for (const Unit& unit : kUnits) {
    if (!equals_ignore_case(text.substr(digits), unit.word)) continue;
    if (__builtin_mul_overflow(amount, unit.bytes, &amount)) return {};
    return amount;
  }
  return {};
}

std::string human_bytes(uint64_t bytes) {
  constexpr char kLetters[] = "BKMGTPE";
  if (bytes < 1024) return std::to_string(bytes) + "B";
  double amount = static_cast<double>(bytes);
  size_t unit = 0;
  while (amount >= 1024 && unit + 2 < sizeof(kLetters)) {
    amount /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%c", amount, kLetters[unit]);
  return text;
}

}  // namespace larder
