#include "clients/cli/reply_format.h"

#include <cstdio>

#include "base/number_text.h"

namespace larder::cli {
namespace {

std::string integer_text(int64_t value) {
  char digits[kInt64TextBytesMax];
  return {digits, write_int64(digits, value)};
}

// ---- Standard: what a person reads at a terminal

// Elements are numbered; the numbers of one aggregate have the same width, and what is nested is indented by it.
std::string standard(const Reply& reply, const std::string& indent);

std::string standard_map(const Reply& reply, const std::string& indent) {
  std::string out;
  const size_t pairs = reply.elements.size() / 2;
  const size_t width = integer_text(static_cast<int64_t>(pairs)).size();
  for (size_t i = 0; i < pairs; ++i) {
    const std::string number = integer_text(static_cast<int64_t>(i + 1));
    const std::string prefix = std::string(width - number.size(), ' ') + number + "# ";
    std::string key = standard(reply.elements[2 * i], indent + std::string(prefix.size(), ' '));
    key.pop_back();  // its line end
    out += (i == 0 ? "" : indent) + prefix + key + " => ";
    const std::string deeper = indent + std::string(prefix.size(), ' ');
    const Reply& value = reply.elements[2 * i + 1];
    if (value.is_aggregate() && !value.elements.empty()) out += "\n" + deeper;
    out += standard(value, deeper);
  }
  return out;
}

std::string standard_list(const Reply& reply, const std::string& indent) {
  const char mark = reply.kind == ReplyKind::kSet ? '~' : ')';
  const size_t width = integer_text(static_cast<int64_t>(reply.elements.size())).size();
  std::string out;
  for (size_t i = 0; i < reply.elements.size(); ++i) {
    const std::string number = integer_text(static_cast<int64_t>(i + 1));
    const std::string prefix = std::string(width - number.size(), ' ') + number + mark + " ";
    out += (i == 0 ? "" : indent) + prefix;
    out += standard(reply.elements[i], indent + std::string(prefix.size(), ' '));
  }
  return out;
}

std::string empty_text(ReplyKind kind) {
  if (kind == ReplyKind::kMap) return "(empty hash)\n";
  if (kind == ReplyKind::kSet) return "(empty set)\n";
  return kind == ReplyKind::kPush ? "(empty push)\n" : "(empty array)\n";
}

std::string standard(const Reply& reply, const std::string& indent) {
  switch (reply.kind) {
    case ReplyKind::kNull:
      return "(nil)\n";
    case ReplyKind::kSimple:
      return reply.text + "\n";
    case ReplyKind::kVerbatim:
      return reply.text + "\n";
    case ReplyKind::kError:
      return "(error) " + reply.text + "\n";
    case ReplyKind::kInteger:
      return "(integer) " + integer_text(reply.integer) + "\n";
    case ReplyKind::kBulk:
      return quote(reply.text) + "\n";
    case ReplyKind::kDouble:
      return "(double) " + reply.text + "\n";
    case ReplyKind::kBoolean:
      return reply.integer ? "(true)\n" : "(false)\n";
    case ReplyKind::kBigNumber:
      return reply.text + "\n";
    case ReplyKind::kArray:
    case ReplyKind::kSet:
    case ReplyKind::kPush:
      return reply.elements.empty() ? empty_text(reply.kind) : standard_list(reply, indent);
    case ReplyKind::kMap:
      return reply.elements.empty() ? empty_text(reply.kind) : standard_map(reply, indent);
  }
  return "";
}

// ---- Raw

std::string raw(const Reply& reply, const std::string& delimiter) {
  switch (reply.kind) {
    case ReplyKind::kNull:
      return "";
    case ReplyKind::kInteger:
      return integer_text(reply.integer);
    case ReplyKind::kBoolean:
      return reply.integer ? "(true)" : "(false)";
    case ReplyKind::kArray:
    case ReplyKind::kSet:
    case ReplyKind::kPush:
    case ReplyKind::kMap: {
      std::string out;
      for (size_t i = 0; i < reply.elements.size(); ++i) {
        const bool after_map_key = reply.kind == ReplyKind::kMap && i % 2 == 1;
        if (i > 0) out += after_map_key ? " " : delimiter;
        out += raw(reply.elements[i], delimiter);
      }
      return out;
    }
    case ReplyKind::kError:
      return reply.text + "\n";
    default:
      return reply.text;
  }
}

// ---- CSV

std::string csv(const Reply& reply) {
  switch (reply.kind) {
    case ReplyKind::kNull:
      return "NULL";
    case ReplyKind::kInteger:
      return integer_text(reply.integer);
    case ReplyKind::kBoolean:
      return reply.integer ? "true" : "false";
    case ReplyKind::kDouble:
      return reply.text;
    case ReplyKind::kError:
      return "ERROR," + quote(reply.text);
    case ReplyKind::kArray:
    case ReplyKind::kSet:
    case ReplyKind::kPush:
    case ReplyKind::kMap: {
      std::string out;
      for (size_t i = 0; i < reply.elements.size(); ++i) out += (i == 0 ? "" : ",") + csv(reply.elements[i]);
      return out;
    }
    default:
      return quote(reply.text);
  }
}

// ---- JSON

// `quoted`: the text is first quoted like at a terminal, so that every byte can be had back from what JSON can hold.
std::string json_string(Bytes text, bool quoted) {
  if (quoted) {
    const std::string with_quotes = quote(text);
    return json_string(Bytes(with_quotes).substr(1, with_quotes.size() - 2), false);
  }
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        continue;
      case '\\':
        out += "\\\\";
        continue;
      case '\n':
        out += "\\n";
        continue;
      case '\r':
        out += "\\r";
        continue;
      case '\t':
        out += "\\t";
        continue;
      case '\b':
        out += "\\b";
        continue;
      case '\f':
        out += "\\f";
        continue;
      default:
        break;
    }
    if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json(const Reply& reply, bool quoted) {
  switch (reply.kind) {
    case ReplyKind::kNull:
      return "null";
    case ReplyKind::kInteger:
      return integer_text(reply.integer);
    case ReplyKind::kBoolean:
      return reply.integer ? "true" : "false";
    case ReplyKind::kDouble:
      // JSON has no infinities.
      return reply.text.find_first_of("infa") == std::string::npos ? reply.text : json_string(reply.text, quoted);
    case ReplyKind::kError:
      return "{\"error\":" + json_string(reply.text, quoted) + "}";
    case ReplyKind::kMap: {
      std::string out = "{";
      for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        const Reply& key = reply.elements[i];
        const bool text_key = key.kind == ReplyKind::kBulk || key.kind == ReplyKind::kSimple;
        out += (i == 0 ? "" : ",") + json_string(text_key ? key.text : raw(key, ","), quoted) + ":" +
               json(reply.elements[i + 1], quoted);
      }
      return out + "}";
    }
    case ReplyKind::kArray:
    case ReplyKind::kSet:
    case ReplyKind::kPush: {
      std::string out = "[";
      for (size_t i = 0; i < reply.elements.size(); ++i) out += (i == 0 ? "" : ",") + json(reply.elements[i], quoted);
      return out + "]";
    }
    default:
      return json_string(reply.text, quoted);
  }
}

}  // namespace

std::string quote(Bytes bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    switch (c) {
      case '\\':
      case '"':
        out += '\\';
        out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          out += c;
        } else {
          char escape[8];
          std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned char>(c));
          out += escape;
        }
    }
  }
  return out + "\"";
}

std::string format_reply(const Reply& reply, OutputFormat format, const std::string& delimiter) {
  switch (format) {
    case OutputFormat::kRaw:
      return raw(reply, delimiter);
    case OutputFormat::kCsv:
      return csv(reply);
    case OutputFormat::kJson:
      return json(reply, false);
    case OutputFormat::kQuotedJson:
      return json(reply, true);
    case OutputFormat::kAuto:
    case OutputFormat::kStandard:
      break;
  }
  return standard(reply, "");
}

}  // namespace larder::cli
