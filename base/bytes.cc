#include "base/bytes.h"

namespace larder {

std::string to_lower(Bytes text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

std::string to_upper(Bytes text) {
  std::string out(text);
  for (char& c : out) c = to_upper(c);
  return out;
}

std::string to_hex(Bytes raw) {
  std::string out;
  out.reserve(raw.size() * 2);
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kHexDigits[byte >> 4]);
    out.push_back(kHexDigits[byte & 15]);
  }
  return out;
}

bool from_hex(Bytes hex, std::string* raw) {
  raw->clear();
  if (hex.size() % 2 != 0) return false;
  raw->reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    raw->push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

namespace {

void append_quoted_byte(std::string* out, char c) {
  switch (c) {
    case '\\':
    case '"':
      out->push_back('\\');
      out->push_back(c);
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    case '\a':
      out->append("\\a");
      return;
    case '\b':
      out->append("\\b");
      return;
    default:
      break;
  }
  if (c >= ' ' && c <= '~') {
    out->push_back(c);
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out->append("\\x");
  out->push_back(kHexDigits[byte >> 4]);
  out->push_back(kHexDigits[byte & 15]);
}

}  // namespace

void append_quoted(std::string* out, Bytes raw) {
  out->push_back('"');
  for (const char c : raw) append_quoted_byte(out, c);
  out->push_back('"');
}

std::string quoted(Bytes raw) {
  std::string out;
  out.reserve(raw.size() + 2);
  append_quoted(&out, raw);
  return out;
}

}  // namespace larder
