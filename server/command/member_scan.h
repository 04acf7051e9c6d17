#pragma once

// SSCAN, HSCAN and ZSCAN: what they have in common beside the walk itself.
//
//     SSCAN key cursor [MATCH pattern] [COUNT count]
//     HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
//     ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]
//
// As in Redis the cursor is judged first, then the key, and only then the options: those of a missing key are not read.

#include <cstdint>
#include <limits>

#include "base/bytes.h"
#include "protocol/arg_reader.h"
#include "protocol/reply_writer.h"

namespace larder {

struct MemberScanOptions {
  Bytes pattern = "*";
  int64_t count = 10;
  bool no_values = false;

  bool passes(Bytes member) const;
};

// The cursor. What is none latches kInvalidCursor.
uint64_t take_scan_cursor(ArgReader& args);
// The options, all that is left. Errors are latched. `novalues`: whether the command knows that word.
MemberScanOptions take_scan_options(ArgReader& args, bool novalues = false);
// The same with another word for NOVALUES; empty: the command knows none.
MemberScanOptions take_scan_options(ArgReader& args, Bytes no_values_word);
// The reply for a missing key.
void reply_empty_scan(ReplyWriter& reply);
// The outer array and the cursor; the array of elements is the caller's to write.
void reply_scan_cursor(ReplyWriter& reply, uint64_t next_cursor);

// Steps through a table until `count` items were visited, in a bounded number of steps: step(cursor) visits a few, adds
// their number to *visited and returns the next cursor. Returns the cursor to go on with.
template <class Step>
uint64_t scan_steps(uint64_t cursor, int64_t count, Step step) {
  constexpr int64_t kStepsPerItemMax = 10;
  int64_t visited = 0;
  int64_t steps_left = count < std::numeric_limits<int64_t>::max() / kStepsPerItemMax
                           ? count * kStepsPerItemMax
                           : std::numeric_limits<int64_t>::max();
  do {
    cursor = step(cursor, &visited);
  } while (cursor != 0 && visited < count && --steps_left > 0);
  return cursor;
}

}  // namespace larder
