#include "server/command/stream_arguments.h"

#include <algorithm>

namespace larder {
namespace {

constexpr size_t kIdTextBytesMax = 127;

// A number as strtoull reads it: white space, a plus sign and leading zeros are fine.
bool parse_id_number(Bytes text, uint64_t* number) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (text.empty()) return false;
  uint64_t value = 0;
  for (const char digit : text) {
    if (!is_digit(digit)) return false;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return false;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(digit - '0'), &value)) return false;
  }
  *number = value;
  return true;
}

// Redis's limits of what one approximate trim may do when the client sets none.
constexpr int64_t kNodesTrimmedMax = 100;
constexpr int64_t kEntriesTrimmedDefault = 10'000;
constexpr int64_t kEntriesTrimmedMax = 1'000'000;

uint64_t default_trim_limit(int64_t node_entries_max) {
  int64_t limit;
  if (__builtin_mul_overflow(node_entries_max, kNodesTrimmedMax, &limit)) return kEntriesTrimmedMax;
  if (limit <= 0) return kEntriesTrimmedDefault;
  return static_cast<uint64_t>(std::min(limit, kEntriesTrimmedMax));
}

// The threshold behind MAXLEN or MINID.
void take_threshold(ArgReader& args, StreamTrim::By by, StreamTrim* trim) {
  if (trim->by != StreamTrim::By::kNothing) return args.fail(kTrimConflict);
  trim->by = by;
  if (args.remaining() >= 2 && args.peek() == "~") {
    trim->approximate = true;
    args.skip();
  } else if (args.remaining() >= 2 && args.peek() == "=") {
    args.skip();
  }
  if (by == StreamTrim::By::kId) {
    trim->id_min = take_stream_id(args);
  } else {
    trim->length_max = static_cast<uint64_t>(args.take_int(0, INT64_MAX, kTrimLengthNegative));
  }
}

}  // namespace

bool parse_stream_id(Bytes text, StreamId* id, uint64_t missing_seq, bool* open_sequence) {
  if (open_sequence != nullptr) *open_sequence = false;
  if (text.empty() || text.size() > kIdTextBytesMax) return false;
  StreamId parsed;
  const size_t dash = text.find('-');
  if (!parse_id_number(text.substr(0, dash), &parsed.ms)) return false;
  if (dash == Bytes::npos) {
    parsed.seq = missing_seq;
  } else if (open_sequence != nullptr && text.substr(dash + 1) == "*") {
    *open_sequence = true;
  } else if (!parse_id_number(text.substr(dash + 1), &parsed.seq)) {
    return false;
  }
  *id = parsed;
  return true;
}

StreamId take_stream_id(ArgReader& args) {
  StreamId id;
  const Bytes text = args.take<Bytes>();
  if (args.ok() && !parse_stream_id(text, &id)) args.fail(kInvalidStreamId);
  return id;
}

ErrorText parse_interval_bound(Bytes text, IntervalEnd end, StreamId* id) {
  const uint64_t missing_seq = end == IntervalEnd::kStart ? 0 : UINT64_MAX;
  if (text.size() > 1 && text.front() == '(') {
    if (!parse_stream_id(text.substr(1), id, missing_seq)) return kInvalidStreamId;
    if (end == IntervalEnd::kStart) return id->increment() ? ErrorText() : kInvalidStartId;
    return id->decrement() ? ErrorText() : kInvalidEndId;
  }
  if (text == "-") {
    *id = kStreamIdMin;
  } else if (text == "+") {
    *id = kStreamIdMax;
  } else if (!parse_stream_id(text, id, missing_seq)) {
    return kInvalidStreamId;
  }
  return {};
}

TrimOptions take_trim_options(ArgReader& args, bool may_forbid_create) {
  TrimOptions options;
  while (args.ok() && !args.at_end()) {
    const bool has_argument = args.remaining() >= 2;
    if (has_argument && args.take_word("MAXLEN")) {
      take_threshold(args, StreamTrim::By::kLength, &options.trim);
    } else if (has_argument && args.take_word("MINID")) {
      take_threshold(args, StreamTrim::By::kId, &options.trim);
    } else if (has_argument && args.take_word("LIMIT")) {
      options.trim.limit = static_cast<uint64_t>(args.take_int(0, INT64_MAX, kTrimLimitNegative));
      options.limit_given = true;
    } else if (may_forbid_create && args.take_word("NOMKSTREAM")) {
      options.no_create = true;
    } else {
      break;
    }
  }
  return options;
}

ErrorText settle_trim_limit(TrimOptions* options, int64_t node_entries_max) {
  StreamTrim& trim = options->trim;
  if (trim.limit > 0 && trim.by == StreamTrim::By::kNothing) return kTrimLimitAlone;
  if (options->limit_given) return trim.approximate ? ErrorText() : kTrimLimitExact;
  if (trim.approximate) trim.limit = default_trim_limit(node_entries_max);
  return {};
}

}  // namespace larder
