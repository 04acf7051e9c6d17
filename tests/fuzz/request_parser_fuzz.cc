// The request parser under any bytes, split in any way. The property: however a stream is cut, the same requests and
// the same error come out; views lie inside the input; consumed bytes never exceed it; memory follows arrival. (All but
// the first are asserted in StreamParser, which feeds the parser blocks of exactly the right size.)
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/random.h"
#include "tests/unit/protocol/request_splits.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  using namespace larder;
  constexpr size_t kHeadBytes = 3;
  constexpr size_t kBytesMax = 8192;
  if (input_bytes < kHeadBytes || input_bytes > kBytesMax) return 0;
  // The first bytes choose limits and splits, the rest is the stream.
  RequestLimits limits;
  limits.authenticated = (input[0] & 1) == 0;
  if ((input[0] & 2) != 0) limits.inline_bytes_max = 32;
  if ((input[0] & 4) != 0) limits.bulk_bytes_max = 64;
  if ((input[0] & 8) != 0) limits.argument_count_max = 5;
  const Bytes stream(reinterpret_cast<const char*>(input) + kHeadBytes, input_bytes - kHeadBytes);

  const ParsedStream whole = parse_whole(stream, limits);
  Random random(input[1]);
  const uint64_t piece_max = uint64_t{input[2]} + 1;
  const auto check = [&whole](const ParsedStream& pieces) {
    LARDER_ASSERT(pieces.requests == whole.requests);
    LARDER_ASSERT(pieces.error == whole.error);
    LARDER_ASSERT(!whole.error.empty() || pieces.unread_bytes == whole.unread_bytes);
  };
  check(parse_in_pieces(stream, limits, [&] { return random.uniform(piece_max) + 1; }));
  if (stream.size() <= 512) check(parse_in_pieces(stream, limits, [] { return 1; }));
  return 0;
}
