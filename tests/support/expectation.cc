#include "tests/support/expectation.h"

#include <cmath>
#include <functional>

#include "base/number_text.h"

namespace larder::testing {
namespace {

using Kind = Pattern::Kind;

bool is_text(const Reply& reply) {
  return reply.kind == ReplyKind::kSimple || reply.kind == ReplyKind::kBulk || reply.kind == ReplyKind::kVerbatim ||
         reply.kind == ReplyKind::kBigNumber;
}

bool elements_match(const Pattern& pattern, const Reply& reply, int protocol, Variables& variables) {
  const size_t count = pattern.elements.size();
  if (pattern.open_ended ? reply.elements.size() < count : reply.elements.size() != count) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!matches(pattern.elements[i], reply.elements[i], protocol, variables)) return false;
  }
  return true;
}

// Assigns patterns to elements one to one, whatever the order, by augmenting paths: a loose matcher never takes the only
// element that a strict one fits. `width` is 2 for the pairs of a map.
bool any_order_match(const Pattern& pattern, const Reply& reply, size_t width, int protocol, Variables& variables) {
  const size_t patterns = pattern.elements.size() / width;
  const size_t elements = reply.elements.size() / width;
  if (pattern.open_ended ? elements < patterns : elements != patterns) return false;
  const auto fits = [&](size_t p, size_t e) {
    for (size_t i = 0; i < width; ++i) {
      if (!matches(pattern.elements[p * width + i], reply.elements[e * width + i], protocol, variables)) return false;
    }
    return true;
  };
  std::vector<int64_t> owner(elements, -1);
  for (size_t p = 0; p < patterns; ++p) {
    std::vector<bool> tried(elements, false);
    const std::function<bool(size_t)> place = [&](size_t which) {
      for (size_t e = 0; e < elements; ++e) {
        if (tried[e] || !fits(which, e)) continue;
        tried[e] = true;
        if (owner[e] < 0 || place(static_cast<size_t>(owner[e]))) {
          owner[e] = static_cast<int64_t>(which);
          return true;
        }
      }
      return false;
    };
    if (!place(p)) return false;
  }
  return true;
}

bool is_near(const Pattern& pattern, const Reply& reply) {
  if (reply.kind != ReplyKind::kDouble && reply.kind != ReplyKind::kBulk && reply.kind != ReplyKind::kSimple)
    return false;
  const auto number = parse_double(reply.text);
  return number && std::abs(*number - pattern.number) <= pattern.tolerance;
}

std::string text_of(const Reply& reply) {
  return reply.kind == ReplyKind::kInteger ? std::to_string(reply.integer) : reply.text;
}

bool matches_exactly(const Pattern& pattern, const Reply& reply, int protocol, Variables& variables) {
  switch (pattern.kind) {
    case Kind::kSimple:
      return reply.kind == ReplyKind::kSimple && reply.text == pattern.text;
    case Kind::kError:
      return reply.is_error() && reply.text == pattern.text;
    case Kind::kInteger:
      return reply.kind == ReplyKind::kInteger && reply.integer == pattern.low;
    case Kind::kBulk:
      return reply.kind == ReplyKind::kBulk && reply.text == pattern.text;
    case Kind::kNil:
      return reply.is_null() && (protocol == 3 || !reply.null_array);
    case Kind::kNilArray:
      return reply.is_null() && (protocol == 3 || reply.null_array);
    case Kind::kArray:
      return reply.kind == ReplyKind::kArray && elements_match(pattern, reply, protocol, variables);
    case Kind::kPush:
      return reply.kind == ReplyKind::kPush && elements_match(pattern, reply, protocol, variables);
    case Kind::kMap:
      return reply.kind == ReplyKind::kMap && any_order_match(pattern, reply, 2, protocol, variables);
    case Kind::kSet:
      return reply.kind == ReplyKind::kSet && any_order_match(pattern, reply, 1, protocol, variables);
    case Kind::kDouble:
      return reply.kind == ReplyKind::kDouble && reply.text == pattern.text;
    case Kind::kBoolean:
      return reply.kind == ReplyKind::kBoolean && reply.integer == pattern.low;
    case Kind::kBigNumber:
      return reply.kind == ReplyKind::kBigNumber && reply.text == pattern.text;
    case Kind::kVerbatim:
      return reply.kind == ReplyKind::kVerbatim && reply.text == pattern.text &&
             reply.verbatim_format == pattern.format;
    default:
      return false;
  }
}

bool has_element_count(const Pattern& pattern, const Reply& reply) {
  if (!reply.is_aggregate()) return false;
  const auto count = static_cast<int64_t>(reply.elements.size() / (reply.kind == ReplyKind::kMap ? 2 : 1));
  return count >= pattern.low && count <= pattern.high;
}

bool each_matches(const Pattern& pattern, const Reply& reply, int protocol, Variables& variables) {
  if (!has_element_count(pattern, reply)) return false;
  for (const Reply& element : reply.elements) {
    if (!matches(pattern.elements[0], element, protocol, variables)) return false;
  }
  return true;
}

bool save(const Pattern& pattern, const Reply& reply, Variables& variables) {
  if (reply.is_error() || reply.is_null() || reply.is_aggregate()) return false;
  variables[pattern.text] = text_of(reply);
  return true;
}

}  // namespace

bool matches(const Pattern& pattern, const Reply& reply, int protocol, Variables& variables) {
  switch (pattern.kind) {
    case Kind::kTextRegex:
      return is_text(reply) && std::regex_search(reply.text, *pattern.regex);
    case Kind::kErrorRegex:
      return reply.is_error() && std::regex_search(reply.text, *pattern.regex);
    case Kind::kErrorCode:
      return reply.is_error() && reply.error_code() == pattern.text;
    case Kind::kUnordered:
      return (reply.kind == ReplyKind::kArray || reply.kind == ReplyKind::kSet) &&
             any_order_match(pattern, reply, 1, protocol, variables);
    case Kind::kAny:
      return true;
    case Kind::kAnyInteger:
      return reply.kind == ReplyKind::kInteger;
    case Kind::kAnyBulk:
      return reply.kind == ReplyKind::kBulk;
    case Kind::kAnyError:
      return reply.is_error();
    case Kind::kAnyArray:
      return reply.kind == ReplyKind::kArray;
    case Kind::kIntegerRange:
      return reply.kind == ReplyKind::kInteger && reply.integer >= pattern.low && reply.integer <= pattern.high;
    case Kind::kNear:
      return is_near(pattern, reply);
    case Kind::kByteCount: {
      const auto size = static_cast<int64_t>(reply.text.size());
      return reply.kind == ReplyKind::kBulk && size >= pattern.low && size <= pattern.high;
    }
    case Kind::kAnyOf:
      for (const Pattern& alternative : pattern.elements) {
        if (matches(alternative, reply, protocol, variables)) return true;
      }
      return false;
    case Kind::kElementCount:
      return has_element_count(pattern, reply);
    case Kind::kEach:
      return each_matches(pattern, reply, protocol, variables);
    case Kind::kSave:
      return save(pattern, reply, variables);
    case Kind::kVariable: {
      const auto found = variables.find(pattern.text);
      const bool has_text = is_text(reply) || reply.kind == ReplyKind::kInteger;
      return found != variables.end() && has_text && text_of(reply) == found->second;
    }
    default:
      return matches_exactly(pattern, reply, protocol, variables);
  }
}

}  // namespace larder::testing
