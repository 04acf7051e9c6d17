#include "tests/support/reply_text.h"

namespace larder::testing {
namespace {

constexpr size_t kLineBytesMax = 110;

// Text of a simple string or error: bare at the top of a line, quoted where a bracket or space would end it.
std::string status_text(char mark, Bytes text, bool nested) {
  bool plain = !text.empty() && text.front() != '"' && text.front() != '~' && text.back() != ' ';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e) plain = false;
    if (nested && (c == ' ' || c == '[' || c == ']' || c == '{' || c == '}' || c == ':' || c == '<' || c == '>'))
      plain = false;
  }
  return mark + (plain ? std::string(text) : larder::quoted(text));
}

std::string scalar_text(const Reply& reply, bool nested) {
  switch (reply.kind) {
    case ReplyKind::kNull:
      return reply.null_array ? "(nil-array)" : "(nil)";
    case ReplyKind::kSimple:
      return status_text('+', reply.text, nested);
    case ReplyKind::kError:
      return status_text('-', reply.text, nested);
    case ReplyKind::kInteger:
      return std::to_string(reply.integer);
    case ReplyKind::kDouble:
      return "double " + reply.text;
    case ReplyKind::kBoolean:
      return reply.integer != 0 ? "true" : "false";
    case ReplyKind::kBigNumber:
      return "big " + reply.text;
    case ReplyKind::kVerbatim:
      return "verbatim " + reply.verbatim_format + " " + larder::quoted(reply.text);
    default:
      return larder::quoted(reply.text);
  }
}

Bytes opening(ReplyKind kind) {
  switch (kind) {
    case ReplyKind::kMap:
      return "{";
    case ReplyKind::kSet:
      return "set [";
    case ReplyKind::kPush:
      return "push [";
    default:
      return "[";
  }
}

std::string one_line(const Reply& reply, bool nested) {
  if (!reply.is_aggregate()) return scalar_text(reply, nested);
  const bool is_map = reply.kind == ReplyKind::kMap;
  std::string text(opening(reply.kind));
  for (size_t i = 0; i < reply.elements.size(); ++i) {
    if (i > 0) text += is_map && i % 2 == 1 ? ": " : " ";
    text += one_line(reply.elements[i], true);
  }
  return text + (is_map ? "}" : "]");
}

void append_lines(std::string& out, const Reply& reply, size_t indent, bool nested) {
  const std::string line = one_line(reply, nested);
  if (!reply.is_aggregate() || reply.elements.empty() || indent + line.size() <= kLineBytesMax) {
    out += line;
    return;
  }
  const bool is_map = reply.kind == ReplyKind::kMap;
  out += opening(reply.kind);
  for (size_t i = 0; i < reply.elements.size(); ++i) {
    if (is_map && i % 2 == 1) {
      out += ": ";
    } else {
      out += "\n" + std::string(indent + 2, ' ');
    }
    append_lines(out, reply.elements[i], indent + 2, true);
  }
  out += "\n" + std::string(indent, ' ') + (is_map ? "}" : "]");
}

}  // namespace

std::string reply_text(const Reply& reply) {
  std::string text;
  append_lines(text, reply, 0, false);
  return text;
}

}  // namespace larder::testing
