#pragma once

// How stream commands name IDs and what is cut off a stream.
//
//   ms-seq          an ID; `ms` alone means the sequence 0, or the last one where an interval ends
//   - +             the smallest and the largest ID, where an interval is asked for
//   (ms-seq         an interval's bound that is not part of it
//   * ms-*          an ID that XADD completes

#include <cstdint>

#include "base/bytes.h"
#include "protocol/arg_reader.h"
#include "storage/stream_structure.h"

namespace larder {

// One ID without any special form. Nothing, and *id unchanged, when it is none. With `open_sequence` the form "ms-*" is one
// too: *open_sequence tells whether it was used.
[[nodiscard]] bool parse_stream_id(Bytes text, StreamId* id, uint64_t missing_seq = 0, bool* open_sequence = nullptr);

// The same for the next argument; latches kInvalidStreamId.
StreamId take_stream_id(ArgReader& args);

enum class IntervalEnd : uint8_t { kStart, kEnd };
// A bound of an interval, as an inclusive one. Returns the error or an empty text.
ErrorText parse_interval_bound(Bytes text, IntervalEnd end, StreamId* id);
inline void take_interval_bound(ArgReader& args, IntervalEnd end, StreamId* id) {
  const Bytes text = args.take<Bytes>();
  if (args.ok()) args.fail(parse_interval_bound(text, end, id));
}

// The words of XADD and XTRIM before the ID: [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT n]].
struct TrimOptions {
  StreamTrim trim;
  bool limit_given = false;
  bool no_create = false;
};
// Reads words up to the first that is none of them. Errors are latched.
TrimOptions take_trim_options(ArgReader& args, bool may_forbid_create);
// Checks that the limit fits the rest, as Redis does it after the ID was read, and sets the limit of an approximate trim
// without one. `node_entries_max`: the setting stream-node-max-entries.
ErrorText settle_trim_limit(TrimOptions* options, int64_t node_entries_max);

}  // namespace larder
