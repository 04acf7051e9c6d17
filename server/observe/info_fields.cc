#include "server/observe/info_fields.h"

#include <cstdio>

#include "server/config/memory_text.h"

namespace larder {

void InfoFields::section(Bytes title) {
  if (!text_.empty()) text_ += "\r\n";
  text_ += "# ";
  text_ += title;
  text_ += "\r\n";
}

void InfoFields::text(Bytes name, Bytes value) {
  text_ += name;
  text_ += ':';
  // A line end in a value (a path, say) would forge fields.
  for (const char c : value) text_ += c == '\r' || c == '\n' ? ' ' : c;
  text_ += "\r\n";
}

void InfoFields::decimal(Bytes name, double value, int decimals, Bytes suffix) {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  text(name, std::string(digits) + std::string(suffix));
}

void InfoFields::bytes_and_human(Bytes name, uint64_t bytes) {
  number(name, bytes);
  text(std::string(name) + "_human", human_bytes(bytes));
}

}  // namespace larder
