#pragma once

// What there is to know of every option: one row each, in option_rows.cc.
//
// A row binds a name to a member of Settings and gives its type and bounds. All names of Redis 7.2 are there; an option
// whose feature Larder does not have (or does not need) is marked kAcceptedOnly: it is validated and kept like any other,
// so that existing configuration files and tools work, and has no effect. Its value lives in Settings::accepted, or in a
// member of Settings where the feature is near. docs/guides/configuration.md lists them; a test holds it to the rows.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "server/config/settings.h"

namespace larder {

enum class OptionType : uint8_t {
  kBool,             // yes, no
  kInteger,          // decimal, within bounds
  kOctal,            // file permissions
  kMemory,           // bytes: 100, 1k, 1kb, 1m, 1mb, 1g, 1gb
  kMemoryOrPercent,  // the same, or 5% (kept as -5)
  kEnum,             // one of `words`
  kEnumSet,          // several of `words`, the first stands for none
  kString,
  kSpecial,  // has its own reader and writer
};

enum OptionFlag : uint16_t {
  kImmutable = 1u << 0,  // set at start only
  kSensitive = 1u << 1,  // a secret: never logged
  kHidden = 1u << 2,     // shown only to who asks by its exact name
  kProtectedConfig = 1u << 3,
  kMultiArgument = 1u << 4,  // a line of the file may give several words; CONFIG SET splits at spaces
  kAcceptedOnly = 1u << 5,
  kWarnWithoutEffect = 1u << 6,  // with kAcceptedOnly: without its effect a promise is broken, so the log says it
  kNotWhileLoading = 1u << 7,
};

struct OptionRow;

// Reader and writer of an option that is of no common type. `words` are the words behind the name. The reader changes
// nothing when it fails; the message is the bare reason.
struct SpecialOption {
  Status (*read)(std::span<const Bytes> words, Settings& settings);
  std::string (*write)(const Settings& settings);
  // The lines of a configuration file, without the name; null: write() is the one line.
  std::vector<std::string> (*lines)(const Settings& settings) = nullptr;
  // Reads a line of a configuration file after the first of this option; null: the same as read.
  Status (*read_more)(std::span<const Bytes> words, Settings& settings) = nullptr;
};

struct OptionRow {
  Bytes name;
  Bytes alias = {};  // an older name, or empty
  OptionType type = OptionType::kString;
  uint16_t flags = 0;
  int64_t min = 0;
  int64_t max = 0;
  int64_t least = INT64_MIN;              // a number that is less is taken, and raised to this
  std::span<const Bytes> words = {};      // kEnum, kEnumSet
  Bytes default_text = {};                // without a member: the value as long as none was set
  Status (*check)(Bytes text) = nullptr;  // kString, kInteger: more to obey than the type says

  // Where the value is; all null when it is in Settings::accepted.
  bool Settings::*flag = nullptr;
  int64_t Settings::*number = nullptr;
  std::string Settings::*text = nullptr;
  uint8_t (*enum_get)(const Settings&) = nullptr;  // kEnum kept as an enum class: its index in `words`
  void (*enum_set)(Settings&, uint8_t) = nullptr;
  const SpecialOption* special = nullptr;

  bool has(OptionFlag wanted) const { return (flags & wanted) != 0; }
};

// All rows, sorted by name.
std::span<const OptionRow> option_rows();
// By name or older name, in any case; null when there is none.
const OptionRow* find_option(Bytes name);

// Names of the options that were set to something and that have no effect, where it matters (kWarnWithoutEffect).
std::vector<Bytes> options_without_effect(const Settings& settings);

// The canonical text of an option's value.
std::string write_option(const OptionRow& row, const Settings& settings);
// Reads a value. Changes nothing when it fails; the message is the bare reason, in Redis's words. Flags are not looked
// at: whether the option may be changed is the caller's question.
Status read_option(const OptionRow& row, std::span<const Bytes> words, Settings& settings);
// The words of a text that stands for several; one empty word when there are none. Views into `text`.
std::vector<Bytes> split_at_spaces(Bytes text);
// Whether two settings have the same value of this option.
bool same_value(const OptionRow& row, const Settings& a, const Settings& b);

}  // namespace larder
