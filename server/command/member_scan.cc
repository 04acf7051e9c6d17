#include "server/command/member_scan.h"

#include "base/glob.h"
#include "base/number_text.h"

namespace larder {

bool MemberScanOptions::passes(Bytes member) const { return pattern == "*" || glob_match(pattern, member); }

uint64_t take_scan_cursor(ArgReader& args) {
  const auto cursor = parse_uint64(args.take<Bytes>());
  if (!cursor) args.fail(kInvalidCursor);
  return cursor.value_or(0);
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
