#include <algorithm>
#include <cstdio>

#include "base/assert.h"
#include "base/number_text.h"
#include "server/config/invalid.h"
#include "server/config/memory_text.h"
#include "server/config/option_rows.h"

// Values of the common types, from text to Settings and back. Reading parses into the canonical text or a number first,
// and stores only when everything held.

namespace larder {
namespace {

std::string octal_text(int64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%llo", static_cast<unsigned long long>(value));
  return text;
}

std::string number_text(const OptionRow& row, int64_t value) {
  if (row.type == OptionType::kOctal) return octal_text(value);
  if (row.type == OptionType::kMemoryOrPercent && value < 0) return to_text(-value) + "%";
  return to_text(value);
}

bool is_number(const OptionRow& row) {
  return row.type == OptionType::kInteger || row.type == OptionType::kOctal || row.type == OptionType::kMemory ||
         row.type == OptionType::kMemoryOrPercent;
}

Status check_bounds(const OptionRow& row, int64_t value) {
  if (value >= row.min && value <= row.max) return {};
  if (row.type == OptionType::kMemoryOrPercent && value < 0) {
    return invalid("percentage argument must be less or equal to " + to_text(-row.min));
  }
  const int64_t min = row.type == OptionType::kMemoryOrPercent ? std::max<int64_t>(row.min, 0) : row.min;
  return invalid("argument must be between " + number_text(row, min) + " and " + number_text(row, row.max) +
                 " inclusive");
}

std::optional<int64_t> parse_octal(Bytes text) {
  if (text.empty() || text.size() > 20) return {};
  int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return {};
    value = value * 8 + (digit - '0');
  }
  return value;
}

Status parse_number(const OptionRow& row, Bytes text, int64_t& value) {
  std::optional<int64_t> parsed;
  switch (row.type) {
    case OptionType::kOctal:
      parsed = parse_octal(text);
      if (!parsed) return invalid("argument couldn't be parsed as an octal number");
      break;
    case OptionType::kMemory:
      parsed = parse_memory(text);
      if (!parsed) return invalid("argument must be a memory value");
      break;
    case OptionType::kMemoryOrPercent:
      if (!text.empty() && text.back() == '%') {
        parsed = parse_int64(text.substr(0, text.size() - 1));
        if (parsed && *parsed < 0) parsed.reset();
        if (parsed) parsed = -*parsed;
      } else {
        parsed = parse_memory(text);
      }
      if (!parsed) return invalid("argument must be a memory or percent value");
      break;
    default:
      parsed = parse_int64(text);
      if (!parsed) return invalid("argument couldn't be parsed into an integer");
      break;
  }
  LARDER_TRY(check_bounds(row, *parsed));
  value = std::max(*parsed, row.least);
  return {};
}

// The index of a word of the row, or nothing.
std::optional<uint8_t> word_index(const OptionRow& row, Bytes word) {
  for (size_t i = 0; i < row.words.size(); ++i) {
    if (equals_ignore_case(row.words[i], word)) return static_cast<uint8_t>(i);
  }
  return {};
}

Status no_such_word(const OptionRow& row) {
  std::string reason = "argument(s) must be one of the following: ";
  for (size_t i = 0; i < row.words.size(); ++i) {
    if (i > 0) reason += ", ";
    reason += row.words[i];
  }
  return invalid(std::move(reason));
}

// The canonical text of a set of words: in the order of the row; the first word stands for none of the others.
Status parse_word_set(const OptionRow& row, std::span<const Bytes> words, std::string& canonical) {
  uint32_t chosen = 0;
  if (words.empty()) return no_such_word(row);
  for (const Bytes word : words) {
    const auto index = word_index(row, word);
    if (!index) return no_such_word(row);
    chosen |= 1u << *index;
  }
  if (chosen > 1) chosen &= ~1u;
  canonical.clear();
  for (size_t i = 0; i < row.words.size(); ++i) {
    if (!(chosen >> i & 1)) continue;
    if (!canonical.empty()) canonical += ' ';
    canonical += row.words[i];
  }
  return {};
}

// The canonical text of one word for types whose text is stored: those without a member, strings and words.
Status parse_text(const OptionRow& row, Bytes word, std::string& canonical) {
  if (row.type == OptionType::kEnum) {
    const auto index = word_index(row, word);
    if (!index) return no_such_word(row);
    canonical = row.words[*index];
    return {};
  }
  if (row.type == OptionType::kBool) {
    if (!equals_ignore_case(word, "yes") && !equals_ignore_case(word, "no")) {
      return invalid("argument must be 'yes' or 'no'");
    }
    canonical = to_lower(word);
    return {};
  }
  if (is_number(row)) {
    int64_t value = 0;
    LARDER_TRY(parse_number(row, word, value));
    canonical = number_text(row, value);
    return {};
  }
  canonical = word;
  return {};
}

void store(const OptionRow& row, std::string canonical, Settings& settings) {
  if (row.flag != nullptr) {
    settings.*row.flag = canonical == "yes";
  } else if (row.text != nullptr) {
    settings.*row.text = std::move(canonical);
  } else if (row.enum_set != nullptr) {
    row.enum_set(settings, *word_index(row, canonical));
  } else {
    LARDER_ASSERT(row.has(kAcceptedOnly));
    if (canonical == row.default_text) {
      settings.accepted.erase(std::string(row.name));
    } else {
      settings.accepted.insert_or_assign(std::string(row.name), std::move(canonical));
    }
  }
}

}  // namespace

Status read_option(const OptionRow& row, std::span<const Bytes> words, Settings& settings) {
  if (row.special != nullptr) return row.special->read(words, settings);
  std::string canonical;
  if (row.type == OptionType::kEnumSet) {
    LARDER_TRY(parse_word_set(row, words, canonical));
  } else {
    if (words.size() != 1) return invalid("wrong number of arguments");
    LARDER_TRY(parse_text(row, words[0], canonical));
  }
  if (row.check != nullptr) LARDER_TRY(row.check(canonical));
  if (row.number != nullptr) return parse_number(row, words[0], settings.*row.number);
  store(row, std::move(canonical), settings);
  return {};
}

std::string write_option(const OptionRow& row, const Settings& settings) {
  if (row.special != nullptr) return row.special->write(settings);
  if (row.flag != nullptr) return settings.*row.flag ? "yes" : "no";
  if (row.number != nullptr) return number_text(row, settings.*row.number);
  if (row.text != nullptr) return settings.*row.text;
  if (row.enum_get != nullptr) return std::string(row.words[row.enum_get(settings)]);
  const auto found = settings.accepted.find(row.name);
  return found == settings.accepted.end() ? std::string(row.default_text) : found->second;
}

std::vector<Bytes> split_at_spaces(Bytes text) {
  std::vector<Bytes> words;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (words.empty()) words.push_back({});
  return words;
}

bool same_value(const OptionRow& row, const Settings& a, const Settings& b) {
  return write_option(row, a) == write_option(row, b);
}

}  // namespace larder
