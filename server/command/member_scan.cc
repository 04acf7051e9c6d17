#include "server/command/member_scan.h"

#include <algorithm>

#include "base/glob.h"
#include "base/number_text.h"

namespace larder {

bool MemberScanOptions::passes(Bytes member) const { return pattern == "*" || glob_match(pattern, member); }

// Like C's strtoul: with a sign, with leading zeros, and nothing at all is 0.
uint64_t take_scan_cursor(ArgReader& args) {
  Bytes text = args.take<Bytes>();
  const bool negative = text.starts_with('-');
  const bool has_sign = negative || text.starts_with('+');
  if (has_sign) text.remove_prefix(1);
  if (text.empty() && !has_sign) return 0;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.empty() ? 0 : text.size() - 1));
  const auto cursor = parse_uint64(text);
  if (!cursor) args.fail(kInvalidCursor);
  return negative ? 0 - cursor.value_or(0) : cursor.value_or(0);
}

MemberScanOptions take_scan_options(ArgReader& args, bool novalues) {
  return take_scan_options(args, novalues ? Bytes("NOVALUES") : Bytes());
}

MemberScanOptions take_scan_options(ArgReader& args, Bytes no_values_word) {
  MemberScanOptions options;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("MATCH")) {
      options.pattern = args.take<Bytes>();
    } else if (args.take_word("COUNT")) {
      options.count = args.take<int64_t>();
      if (options.count < 1) args.fail(kSyntax);
    } else if (!no_values_word.empty() && args.take_word(no_values_word)) {
      options.no_values = true;
    } else {
      args.fail(kSyntax);
    }
  }
  return options;
}

void reply_empty_scan(ReplyWriter& reply) {
  reply_scan_cursor(reply, 0);
  reply.empty_array();
}

void reply_scan_cursor(ReplyWriter& reply, uint64_t next_cursor) {
  char digits[kInt64TextBytesMax];
  reply.array(2);
  reply.bulk({digits, write_uint64(digits, next_cursor)});
}

}  // namespace larder
