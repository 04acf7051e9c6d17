#include "base/log.h"

#include "base/number_text.h"

namespace larder {

namespace {

// Text from outside goes into a line with control bytes escaped: a newline in a key must not start a line of its own.
void append_escaped(std::string* out, Bytes text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out->push_back(c);
      continue;
    }
    out->append("\\x");
    out->push_back(kHexDigits[byte >> 4]);
    out->push_back(kHexDigits[byte & 15]);
  }
}

void append_unsigned(std::string* out, uint64_t value) {
  char text[kInt64TextBytesMax];
  out->append(text, write_uint64(text, value));
}

void append_padded(std::string* out, int64_t value, size_t width) {
  const std::string text = to_text(value);
  if (text.size() < width) out->append(width - text.size(), '0');
  out->append(text);
}

struct CivilDate {
  int64_t year;
  uint32_t month;  // 1..12
  uint32_t day;    // 1..31
};

// Days since 1970-01-01 to the Gregorian calendar, after Howard Hinnant's "chrono-Compatible Low-Level Date
// Algorithms".
CivilDate civil_date(int64_t days) {
  days += 719468;  // to 0000-03-01
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<uint32_t>(days - era * 146097);
  const uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t shifted_month = (5 * day_of_year + 2) / 153;  // 0 is March
  const uint32_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

// "21 Nov 2026 14:03:07.123"
void append_time(std::string* out, int64_t wall_us, int32_t offset_s) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr int64_t kDaySeconds = 86400;
  const int64_t local_us = wall_us + int64_t{offset_s} * 1000000;
  int64_t seconds = local_us / 1000000;
  int64_t rest_us = local_us % 1000000;
  if (rest_us < 0) {
    rest_us += 1000000;
    seconds--;
  }
  int64_t days = seconds / kDaySeconds;
  int64_t in_day = seconds % kDaySeconds;
  if (in_day < 0) {
    in_day += kDaySeconds;
    days--;
  }
  const CivilDate date = civil_date(days);
  append_padded(out, date.day, 2);
  out->push_back(' ');
  out->append(kMonths[date.month - 1]);
  out->push_back(' ');
  append_padded(out, date.year, 4);
  out->push_back(' ');
  append_padded(out, in_day / 3600, 2);
  out->push_back(':');
  append_padded(out, in_day / 60 % 60, 2);
  out->push_back(':');
  append_padded(out, in_day % 60, 2);
  out->push_back('.');
  append_padded(out, rest_us / 1000, 3);
}

}  // namespace

void LogValue::append_to(std::string* out) const {
  switch (kind_) {
    case Kind::kText:
      append_escaped(out, text_);
      return;
    case Kind::kSigned:
      out->append(to_text(signed_));
      return;
    case Kind::kUnsigned:
      append_unsigned(out, unsigned_);
      return;
    case Kind::kDouble:
      out->append(double_to_text(double_));
      return;
    case Kind::kChar: {
      const char c = static_cast<char>(signed_);
      append_escaped(out, Bytes(&c, 1));
      return;
    }
  }
}

std::string format_text(Bytes pattern, std::initializer_list<LogValue> values) {
  std::string out;
  const LogValue* next = values.begin();
  while (next != values.end()) {
    const size_t hole = pattern.find("{}");
    if (hole == Bytes::npos) break;
    out.append(pattern.substr(0, hole));
    (next++)->append_to(&out);
    pattern.remove_prefix(hole + 2);
  }
  out.append(pattern);
  for (; next != values.end(); next++) {
    out.push_back(' ');
    next->append_to(&out);
  }
  return out;
}

Log::Log(LogSink& sink, const Clock& clock, LogLevel level)
    : sink_(&sink), clock_(&clock), level_(level), process_id_(os_process_id()) {}

void Log::write(LogLevel level, Bytes pattern, std::initializer_list<LogValue> values) {
  static constexpr char kMarks[] = {'.', '-', '*', '#', '#'};
  if (!enabled(level)) return;
  const int64_t now_us = clock_->wall_us();
  std::string line = to_text(process_id_);
  line.push_back(':');
  line.push_back(role_);
  line.push_back(' ');
  append_time(&line, now_us, clock_->local_offset_s(now_us / 1000000));
  line.push_back(' ');
  line.push_back(kMarks[static_cast<size_t>(level)]);
  line.push_back(' ');
  line += format_text(pattern, values);
  line.push_back('\n');
  sink_->write_line(level, line);
}

}  // namespace larder
