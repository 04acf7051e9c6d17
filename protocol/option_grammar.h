// Options of a command as a table: SET's NX | XX | GET | EX s | PX ms | KEEPTTL ... in any order, some excluding
// others.
//
//   enum SetOption : size_t { kNx, kXx, kGet, kEx, kPx, kKeepTtl };            // the row's index is its name
//   constexpr OptionRule kSetRules[] = {
//       {"NX", OptionArgument::kNone, 1}, {"XX", OptionArgument::kNone, 1}, {"GET"},
//       {"EX", OptionArgument::kInteger, 2}, {"PX", OptionArgument::kInteger, 2}, {"KEEPTTL", OptionArgument::kNone,
//       2},
//   };
//   const auto options = parse_options(args, kSetRules);
//   if (!args.done(ctx.reply())) return;
//   if (options.has(kEx)) ttl_s = options.integer(kEx);
//
// As Redis does it: the words are checked first (unknown word, missing argument or two words that exclude each other:
// syntax error), the numbers after them; a word may be repeated, the last one counts. Two different words exclude each
// other when their `groups` share a bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "protocol/arg_reader.h"

namespace larder {

enum class OptionArgument : uint8_t { kNone, kInteger, kDouble, kBytes };

struct OptionRule {
  Bytes word;  // upper case
  OptionArgument argument = OptionArgument::kNone;
  uint32_t groups = 0;
};

struct OptionValue {
  bool present = false;
  Bytes bytes;          // the argument's text, for any kind that has one
  int64_t integer = 0;  // kInteger
  double number = 0;    // kDouble
};

namespace internal {
void parse_options(ArgReader& args, const OptionRule* rules, size_t rule_count, OptionValue* values,
                   bool stop_at_unknown);
}

template <size_t N>
class OptionValues {
 public:
  bool has(size_t rule) const { return values_[rule].present; }
  int64_t integer(size_t rule) const { return values_[rule].integer; }
  double number(size_t rule) const { return values_[rule].number; }
  Bytes bytes(size_t rule) const { return values_[rule].bytes; }
  const OptionValue& operator[](size_t rule) const { return values_[rule]; }

  std::array<OptionValue, N> values_{};
};

// Consumes all remaining arguments as options. Errors are latched in `args`.
template <size_t N>
OptionValues<N> parse_options(ArgReader& args, const OptionRule (&rules)[N]) {
  OptionValues<N> options;
  if (!args.at_end()) internal::parse_options(args, rules, N, options.values_.data(), false);
  return options;
}

// Consumes options up to the first argument that is none of the words, and leaves that for the caller.
template <size_t N>
OptionValues<N> parse_leading_options(ArgReader& args, const OptionRule (&rules)[N]) {
  OptionValues<N> options;
  if (!args.at_end()) internal::parse_options(args, rules, N, options.values_.data(), true);
  return options;
}

}  // namespace larder
