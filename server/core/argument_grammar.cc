#include "server/core/argument_grammar.h"

#include <algorithm>
#include <iterator>

namespace larder {
namespace {

using Type = GrammarArgument::Type;
using Sequence = std::vector<GrammarArgument>;

struct TypeName {
  Bytes name;
  Type type;
};
constexpr TypeName kTypeNames[] = {
    {"string", Type::kString},        {"integer", Type::kInteger},
    {"double", Type::kDouble},        {"key", Type::kKey},
    {"pattern", Type::kPattern},      {"unix-time", Type::kUnixTime},
    {"pure-token", Type::kPureToken}, {"oneof", Type::kOneOf},
    {"block", Type::kBlock},
};

constexpr Bytes kKeyNames[] = {"key",         "key1",   "key2",    "newkey", "source",
                               "destination", "srckey", "destkey", "dstkey", "member-key"};
constexpr Bytes kIntegerNames[] = {"count",       "cursor",       "db",           "decrement", "destination-db",
                                   "end",         "index",        "increment",    "integer",   "len",
                                   "maxlen",      "ms",           "milliseconds", "numkeys",   "numfields",
                                   "offset",      "rank",         "seconds",      "start",     "stop",
                                   "ttl",         "timeout",      "bit",          "width",     "port",
                                   "client-id",   "numlocal",     "numreplicas",  "protover",  "limit",
                                   "num-matches", "min-idle-time"};
constexpr Bytes kDoubleNames[] = {"score",  "longitude", "latitude",  "radius",
                                  "height", "weight",    "max-score", "min-score"};

template <size_t N>
bool listed(const Bytes (&names)[N], Bytes name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Type type_of_name(Bytes name) {
  if (listed(kKeyNames, name)) return Type::kKey;
  if (name == "pattern") return Type::kPattern;
  if (name.starts_with("unix-time")) return Type::kUnixTime;
  if (listed(kIntegerNames, name)) return Type::kInteger;
  if (listed(kDoubleNames, name)) return Type::kDouble;
  return Type::kString;
}

bool is_token(Bytes word) {
  return std::none_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string joined_names(const Sequence& arguments, Bytes separator) {
  std::string name;
  for (const GrammarArgument& argument : arguments) {
    if (!name.empty()) name += separator;
    name += argument.name;
  }
  return name;
}

class GrammarParser {
 public:
  explicit GrammarParser(Bytes text) : text_(text) {}

  Result<Sequence> parse() {
    Sequence arguments;
    skip_space();
    if (!at_end()) {
      arguments = parse_alternatives('\0');
      if (failed_ == nullptr && !at_end()) fail("unbalanced bracket");
    }
    if (failed_ != nullptr) {
      return Error{ErrorCode::kInvalidArgument, std::string(failed_) + " at offset " + std::to_string(at_)};
    }
    return arguments;
  }

 private:
  // A bound on brackets inside brackets, far above any command's.
  static constexpr int kDepthMax = 16;

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_space() {
    while (peek() == ' ') ++at_;
  }
  void fail(const char* why) {
    if (failed_ == nullptr) failed_ = why;
  }
  bool eat(Bytes word) {
    skip_space();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    skip_space();
    return true;
  }

  // Everything up to `close` (or the end). One alternative comes back as its items, several as one oneof.
  Sequence parse_alternatives(char close) {
    std::vector<Sequence> alternatives;
    do {
      alternatives.push_back(parse_sequence(close));
    } while (failed_ == nullptr && eat("|"));
    if (failed_ == nullptr && alternatives.size() == 1) return std::move(alternatives[0]);
    GrammarArgument one_of;
    one_of.type = Type::kOneOf;
    for (Sequence& alternative : alternatives) one_of.arguments.push_back(as_one(std::move(alternative)));
    one_of.name = joined_names(one_of.arguments, "-or-");
    return {one_of};
  }

  Sequence parse_sequence(char close) {
    Sequence items;
    while (failed_ == nullptr) {
      skip_space();
      if (at_end() || peek() == '|' || (close != '\0' && peek() == close)) break;
      if (peek() == '[' && take_repetition(items)) continue;
      take_item(items);
    }
    if (items.empty()) fail("an argument is missing");
    return items;
  }

  void take_item(Sequence& items) {
    Sequence group;
    if (peek() == '[' || peek() == '<') {
      group = {parse_group()};
    } else {
      group = {parse_word()};
    }
    if (failed_ != nullptr) return;
    GrammarArgument& argument = group[0];
    if (eat("...")) argument.multiple = true;
    // A token just before it belongs to this argument.
    const bool takes_token = !argument.optional && argument.type != Type::kPureToken && argument.token.empty();
    if (takes_token && !items.empty() && is_bare_token(items.back())) {
      argument.token = items.back().token;
      items.pop_back();
    }
    items.push_back(std::move(argument));
  }

  static bool is_bare_token(const GrammarArgument& argument) {
    return argument.type == Type::kPureToken && !argument.optional && !argument.multiple;
  }

  // `[x ...]` behind its own first occurrence: marks that as repeatable instead of adding an argument.
  bool take_repetition(Sequence& items) {
    const size_t start = at_;
    if (++depth_ > kDepthMax) fail("too many brackets");
    ++at_;
    Sequence again = failed_ == nullptr ? parse_sequence(']') : Sequence();
    --depth_;
    if (failed_ != nullptr) return true;
    const bool repeats = eat("]") && !again.empty() && (again.back().multiple || eat("..."));
    if (repeats) {
      again.back().multiple = false;
      if (ends_with_sequence(items, again)) {
        mark_repeated(items, again.size());
        return true;
      }
      if (again.size() == 1 && !items.empty() && same_but_token(items.back(), again[0])) {
        items.back().multiple = true;
        return true;
      }
    }
    at_ = start;
    return false;
  }

  // `TOKEN x [x ...]`: the token stands once, in front of all of them.
  static bool same_but_token(GrammarArgument first, const GrammarArgument& again) {
    if (first.token.empty() || first.type == Type::kPureToken) return false;
    first.token.clear();
    return first == again;
  }

  static bool ends_with_sequence(const Sequence& items, const Sequence& tail) {
    return items.size() >= tail.size() &&
           std::equal(tail.begin(), tail.end(), items.end() - static_cast<ptrdiff_t>(tail.size()));
  }

  static void mark_repeated(Sequence& items, size_t count) {
    if (count > 1) {
      Sequence tail(items.end() - static_cast<ptrdiff_t>(count), items.end());
      items.resize(items.size() - count);
      items.push_back(as_one(std::move(tail)));
    }
    items.back().multiple = true;
    items.back().multiple_token = !items.back().token.empty();
  }

  GrammarArgument parse_group() {
    const bool optional = peek() == '[';
    const char close = optional ? ']' : '>';
    ++at_;
    if (++depth_ > kDepthMax) fail("too many brackets");
    Sequence inside = failed_ == nullptr ? parse_alternatives(close) : Sequence();
    --depth_;
    if (!eat(optional ? Bytes("]") : Bytes(">"))) fail("a closing bracket is missing");
    if (failed_ != nullptr) return {};
    GrammarArgument argument = as_one(std::move(inside));
    argument.optional = argument.optional || optional;
    return argument;
  }

  // A sequence as a single argument: itself when it is one, else a block. A leading token becomes the block's.
  static GrammarArgument as_one(Sequence items) {
    if (items.size() == 1) return std::move(items[0]);
    GrammarArgument block;
    block.type = Type::kBlock;
    if (!items.empty() && is_bare_token(items[0])) {
      block.token = items[0].token;
      block.name = items[0].name;
      items.erase(items.begin());
    } else if (!items.empty() && !items[0].token.empty()) {
      // TOKEN a b: the token went to `a`, but it is the block's.
      block.token = std::move(items[0].token);
      block.name = to_lower(block.token);
      items[0].token.clear();
    } else {
      block.name = joined_names(items, "-");
    }
    block.arguments = std::move(items);
    return block;
  }

  GrammarArgument parse_word() {
    const size_t start = at_;
    while (!at_end() && Bytes(" []<>|").find(peek()) == Bytes::npos && text_.substr(at_, 3) != "...") ++at_;
    Bytes word = text_.substr(start, at_ - start);
    GrammarArgument argument;
    if (word.empty()) {
      fail("a word is missing");
    } else if (is_token(word)) {
      argument.type = Type::kPureToken;
      argument.token = word;
      argument.name = to_lower(word);
    } else {
      const size_t colon = word.find(':');
      argument.name = word.substr(0, colon);
      argument.type = colon == Bytes::npos ? type_of_name(argument.name) : explicit_type(word.substr(colon + 1));
    }
    return argument;
  }

  Type explicit_type(Bytes name) {
    for (const TypeName& known : kTypeNames) {
      if (known.name == name && known.type < Type::kPureToken) return known.type;
    }
    fail("unknown type");
    return Type::kString;
  }

  Bytes text_;
  size_t at_ = 0;
  int depth_ = 0;
  const char* failed_ = nullptr;
};

}  // namespace

Bytes grammar_type_name(Type type) {
  for (const TypeName& known : kTypeNames) {
    if (known.type == type) return known.name;
  }
  LARDER_UNREACHABLE();
}

Result<std::vector<GrammarArgument>> parse_argument_grammar(Bytes grammar) { return GrammarParser(grammar).parse(); }

}  // namespace larder
