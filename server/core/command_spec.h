#pragma once

// What is known of a command before it runs: one constexpr row per command.
//
// A row carries the name, arity, flags, ACL categories, where the keys are, and the handler. Everything that asks about
// commands (dispatch, COMMAND, COMMAND GETKEYS, ACL, the prefetch stage of the tick) reads these rows; nothing repeats
// them. Rows are literals and the functions below that build parts of them are `consteval`, so a malformed row (a key
// description that does not parse, an unknown category) is a compile error and not a start-up failure.
//
// Key positions are written in a compact text, several joined by ';':
//
//     RW+ACCESS+UPDATE@i1:range(0,1,0)
//     flags            begin  find
//
// begin: `iN` = the argument at index N (the command name is index 0), `kw:WORD@N` = the argument after WORD, searched
// from index N (from the end when N is negative), `?` = cannot be told without running the command.
// find: `range(last,step,limit)` = every step-th argument up to `last` (relative to the first key; negative counts from
// the end of the arguments: -1 is the last; with limit > 1 only the first 1/limit of them), `keynum(at,first,step)` =
// the number of keys stands `at` arguments after begin and the first key `first` arguments after begin, `?` = unknown.

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace larder {

class CommandContext;
class ArgReader;

// Command flags, one bit each. Names as COMMAND INFO prints them are in command_text.cc.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubsub = 1u << 4,
  kNotInScripts = 1u << 5,
  kBlocking = 1u << 6,
  kWhileLoading = 1u << 7,
  kWhileStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuthNeeded = 1u << 13,
  kMayReplicate = 1u << 14,
  kNoAsyncLoading = 1u << 15,
  kNoMulti = 1u << 16,
  kMovableKeys = 1u << 17,
  kAllowBusy = 1u << 18,
  kNoMandatoryKeys = 1u << 19,
  kTouchesArbitraryKeys = 1u << 20,
  kAllDbs = 1u << 21,
  kProtected = 1u << 22,
  kSentinel = 1u << 23,
  // For the tick alone, and without a name: the argument that names an item (field, member) of the collection that the
  // first key holds, when that has to be found.
  kItemAt2 = 2u << 24,
  kItemAt3 = 3u << 24,
  kItemAt4 = 4u << 24,
};
// The argument that the flags of a row name so; 0: none.
constexpr uint32_t item_argument(uint32_t flags) { return flags >> 24; }

// ACL categories beyond those that follow from the flags. @read, @write, @admin, @dangerous (admin), @fast, @slow,
// @pubsub and @blocking are derived from the flags by acl_categories().
enum class Acl : uint32_t {
  kNone = 0,
  kKeyspace = 1u << 0,
  kRead = 1u << 1,
  kWrite = 1u << 2,
  kSet = 1u << 3,
  kSortedSet = 1u << 4,
  kList = 1u << 5,
  kHash = 1u << 6,
  kString = 1u << 7,
  kBitmap = 1u << 8,
  kHyperLogLog = 1u << 9,
  kGeo = 1u << 10,
  kStream = 1u << 11,
  kPubsub = 1u << 12,
  kAdmin = 1u << 13,
  kFast = 1u << 14,
  kSlow = 1u << 15,
  kBlocking = 1u << 16,
  kDangerous = 1u << 17,
  kConnection = 1u << 18,
  kTransaction = 1u << 19,
  kScripting = 1u << 20,
};

constexpr Acl operator|(Acl a, Acl b) { return static_cast<Acl>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b)); }
constexpr bool has_category(Acl set, Acl one) { return (static_cast<uint32_t>(set) & static_cast<uint32_t>(one)) != 0; }

// What a command does with a key, as COMMAND INFO names it.
enum KeyFlag : uint16_t {
  kKeyRo = 1u << 0,
  kKeyRw = 1u << 1,
  kKeyOw = 1u << 2,
  kKeyRm = 1u << 3,
  kKeyAccess = 1u << 4,
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,
  kKeyIncomplete = 1u << 9,
  kKeyVariableFlags = 1u << 10,
};

struct KeySpec {
  enum class Begin : uint8_t { kNone, kIndex, kKeyword, kUnknown };
  enum class Find : uint8_t { kUnknown, kRange, kKeyCount };
  uint16_t flags = 0;
  Begin begin = Begin::kNone;
  Find find = Find::kUnknown;
  int8_t begin_index = 0;  // kIndex: position of the first key; kKeyword: where the search starts
  Bytes keyword;           // kKeyword
  // kRange: last, step, limit. kKeyCount: position of the count, of the first key, step.
  int8_t a = 0, b = 0, c = 0;
};

inline constexpr size_t kKeySpecsMax = 3;

struct KeySpecs {
  std::array<KeySpec, kKeySpecsMax> specs{};
  uint8_t count = 0;

  constexpr std::span<const KeySpec> all() const { return {specs.data(), count}; }
};

// First key, last key and step as the first six fields of COMMAND INFO give them; {0, 0, 0} without keys.
struct KeyRange {
  int8_t first = 0, last = 0, step = 0;
};
KeyRange key_range_of(const KeySpecs& keys);

using CommandHandler = void (*)(CommandContext&, ArgReader&);

struct CommandSpec {
  Bytes name;        // lower case; a subcommand's own name only ("get" of CONFIG GET)
  int8_t arity = 0;  // arguments with the name(s); negative: at least that many
  uint32_t flags = 0;
  Acl acl = Acl::kNone;
  KeySpecs keys{};
  CommandHandler run = nullptr;                   // null for a container of subcommands only
  std::span<const CommandSpec> subcommands = {};  // empty for a plain command
  Bytes tips = {};                                // comma-separated command tips, as COMMAND INFO lists them
};

constexpr bool arity_matches(const CommandSpec& spec, size_t argument_count) {
  const auto count = static_cast<int64_t>(argument_count);
  return spec.arity >= 0 ? count == spec.arity : count >= -spec.arity;
}

// Every ACL category of a command: its own and those that its flags imply.
constexpr Acl acl_categories(const CommandSpec& spec) {
  Acl all = spec.acl;
  if (spec.flags & kWrite) all = all | Acl::kWrite;
  const bool scripting = has_category(spec.acl, Acl::kScripting);
  if ((spec.flags & kReadonly) && !scripting) all = all | Acl::kRead;
  if (spec.flags & kAdmin) all = all | Acl::kAdmin | Acl::kDangerous;
  if (spec.flags & kPubsub) all = all | Acl::kPubsub;
  if (spec.flags & kBlocking) all = all | Acl::kBlocking;
  return all | ((spec.flags & kFast) ? Acl::kFast : Acl::kSlow);
}

namespace key_spec_text {

// Called during constant evaluation only when a description is malformed: not being constexpr, it stops the compiler.
void malformed_key_spec(const char* why);

struct Cursor {
  Bytes text;
  size_t at = 0;

  constexpr bool done() const { return at >= text.size(); }
  constexpr bool eat(char c) {
    if (done() || text[at] != c) return false;
    ++at;
    return true;
  }
  constexpr bool eat(Bytes word) {
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  constexpr int8_t number() {
    const bool negative = eat('-');
    if (done() || text[at] < '0' || text[at] > '9') malformed_key_spec("a number is missing");
    int value = 0;
    while (!done() && text[at] >= '0' && text[at] <= '9') value = value * 10 + (text[at++] - '0');
    return static_cast<int8_t>(negative ? -value : value);
  }
  constexpr Bytes until(char stop) {
    const size_t from = at;
    while (!done() && text[at] != stop) ++at;
    return text.substr(from, at - from);
  }
};

constexpr uint16_t flag_of(Bytes word) {
  constexpr struct {
    Bytes word;
    uint16_t flag;
  } kWords[] = {{"RO", kKeyRo},
                {"RW", kKeyRw},
                {"OW", kKeyOw},
                {"RM", kKeyRm},
                {"ACCESS", kKeyAccess},
                {"UPDATE", kKeyUpdate},
                {"INSERT", kKeyInsert},
                {"DELETE", kKeyDelete},
                {"NOT_KEY", kKeyNotKey},
                {"INCOMPLETE", kKeyIncomplete},
                {"VARIABLE_FLAGS", kKeyVariableFlags}};
  for (const auto& entry : kWords) {
    if (entry.word == word) return entry.flag;
  }
  malformed_key_spec("unknown key flag");
  return 0;
}

constexpr uint16_t parse_flags(Bytes text) {
  uint16_t flags = 0;
  Cursor cursor{text};
  while (!cursor.done()) {
    flags |= flag_of(cursor.until('+'));
    cursor.eat('+');
  }
  return flags;
}

constexpr void parse_find(Cursor& cursor, KeySpec& spec) {
  if (cursor.eat('?')) return;
  if (cursor.eat("range(")) {
    spec.find = KeySpec::Find::kRange;
  } else if (cursor.eat("keynum(")) {
    spec.find = KeySpec::Find::kKeyCount;
  } else {
    malformed_key_spec("range(...), keynum(...) or ? expected");
  }
  spec.a = cursor.number();
  if (!cursor.eat(',')) malformed_key_spec("',' expected");
  spec.b = cursor.number();
  if (!cursor.eat(',')) malformed_key_spec("',' expected");
  spec.c = cursor.number();
  if (!cursor.eat(')')) malformed_key_spec("')' expected");
}

constexpr KeySpec parse_one(Bytes text) {
  Cursor cursor{text};
  KeySpec spec;
  spec.flags = parse_flags(cursor.until('@'));
  if (!cursor.eat('@')) malformed_key_spec("'@' expected");
  if (cursor.eat("kw:")) {
    spec.begin = KeySpec::Begin::kKeyword;
    spec.keyword = cursor.until('@');
    if (!cursor.eat('@')) malformed_key_spec("'@' expected after the keyword");
    spec.begin_index = cursor.number();
  } else if (cursor.eat('i')) {
    spec.begin = KeySpec::Begin::kIndex;
    spec.begin_index = cursor.number();
  } else if (cursor.eat('?')) {
    spec.begin = KeySpec::Begin::kUnknown;
  } else {
    malformed_key_spec("iN, kw:WORD@N or ? expected");
  }
  if (!cursor.eat(':')) malformed_key_spec("':' expected");
  parse_find(cursor, spec);
  if (!cursor.done()) malformed_key_spec("trailing characters");
  return spec;
}

}  // namespace key_spec_text

// Parses the compact text described on top of this file.
consteval KeySpecs key_specs(const char* text) {
  key_spec_text::Cursor cursor{Bytes(text)};
  KeySpecs keys;
  while (!cursor.done()) {
    if (keys.count == kKeySpecsMax) key_spec_text::malformed_key_spec("too many key specs");
    keys.specs[keys.count++] = key_spec_text::parse_one(cursor.until(';'));
    cursor.eat(';');
  }
  return keys;
}

}  // namespace larder
