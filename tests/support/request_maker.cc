#include "tests/support/request_maker.h"

#include <algorithm>
#include <utility>

#include "server/core/command_docs.h"

namespace larder::testing {
namespace {

using Type = GrammarArgument::Type;

constexpr size_t kRequestWordsMax = 60;

}  // namespace

RequestMaker::RequestMaker(const Registry& registry, Random& random, std::span<const Bytes> excluded)
    : random_(random) {
  const auto is_excluded = [excluded](Bytes name) {
    return std::find(excluded.begin(), excluded.end(), name) != excluded.end();
  };
  for (const auto& command : registry.all()) {
    const Bytes first_name = Bytes(command->full_name).substr(0, command->full_name.find('|'));
    const bool wanted = command->spec->run != nullptr && command->docs != nullptr;
    if (!wanted || is_excluded(command->full_name) || is_excluded(first_name)) continue;
    auto grammar = parse_argument_grammar(command->docs->grammar);
    if (grammar) commands_.push_back({command.get(), std::move(*grammar)});
  }
}

RequestMaker::Request RequestMaker::make() {
  const Entry& entry = commands_[random_.uniform(commands_.size())];
  Request request;
  if (entry.command->parent != nullptr) request.emplace_back(entry.command->parent->spec->name);
  request.emplace_back(entry.command->spec->name);
  for (const GrammarArgument& argument : entry.grammar) add(argument, request);
  spoil(request);
  return request;
}

void RequestMaker::add(const GrammarArgument& argument, Request& request) {
  if (argument.optional && random_.one_in(2)) return;
  const uint64_t times = argument.multiple ? 1 + random_.uniform(4) : 1;
  for (uint64_t i = 0; i < times && request.size() < kRequestWordsMax; ++i) {
    if (!argument.token.empty() && (i == 0 || argument.multiple_token)) request.push_back(argument.token);
    if (argument.type == Type::kPureToken) continue;
    if (argument.type == Type::kOneOf) {
      add(argument.arguments[random_.uniform(argument.arguments.size())], request);
    } else if (argument.type == Type::kBlock) {
      for (const GrammarArgument& inner : argument.arguments) add(inner, request);
    } else {
      request.push_back(value(argument.type));
    }
  }
}

void RequestMaker::spoil(Request& request) {
  if (random_.one_in(20) && request.size() > 1) request.pop_back();
  if (random_.one_in(20)) request.push_back(hostile());
  if (random_.one_in(20)) request[random_.uniform(request.size())] = hostile();
}

std::string RequestMaker::value(Type type) {
  if (random_.one_in(12)) return hostile();
  switch (type) {
    case Type::kKey:
      return "key:" + std::to_string(random_.uniform(40));
    case Type::kInteger:
      return integer();
    case Type::kDouble:
      return random_.one_in(3) ? integer() : std::to_string(random_.real() * 1000 - 500);
    case Type::kUnixTime:
      return std::to_string(1700000000 + random_.between(-100, 1000));
    case Type::kPattern:
      return random_.one_in(2) ? "*" : "key:[0-" + std::to_string(random_.uniform(10)) + "]*";
    default:
      return random_.one_in(3) ? integer()
                               : std::string(random_.uniform(80), static_cast<char>('a' + random_.uniform(26)));
  }
}

std::string RequestMaker::integer() {
  switch (random_.uniform(4)) {
    case 0:
      return std::to_string(random_.uniform(3));
    case 1:
      return std::to_string(random_.between(-20, 200));
    case 2:
      return std::to_string(random_.between(-100000, 100000));
    default:
      return std::to_string(random_.uniform(20));
  }
}

std::string RequestMaker::hostile() {
  static const std::vector<std::string> kHostile = {"",
                                                    "0",
                                                    "-0",
                                                    "-1",
                                                    "9223372036854775807",
                                                    "-9223372036854775808",
                                                    "9223372036854775808",
                                                    "18446744073709551615",
                                                    "1e308",
                                                    "-1e400",
                                                    "nan",
                                                    "inf",
                                                    "-inf",
                                                    "0x10",
                                                    " 1",
                                                    "1 ",
                                                    "+1",
                                                    "01",
                                                    "1.5",
                                                    "4294967296",
                                                    "536870911",
                                                    "536870912",
                                                    "2147483648",
                                                    std::string(1, '\0'),
                                                    "\r\n",
                                                    "*",
                                                    "[",
                                                    "[^",
                                                    "\\",
                                                    "{}",
                                                    "key:1",
                                                    "NX",
                                                    "EX",
                                                    "GET",
                                                    "LIMIT",
                                                    "COUNT",
                                                    "MATCH",
                                                    "%s%n",
                                                    "\xff\xfe",
                                                    std::string(300, '9'),
                                                    std::string(20000, 'z')};
  return kHostile[random_.uniform(kHostile.size())];
}

}  // namespace larder::testing
