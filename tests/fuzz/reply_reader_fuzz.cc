// The reply reader under any bytes: the same replies and the same error however they are split, and where the
// reader is content to the last byte the scanner counts the same.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "protocol/reply_reader.h"

namespace larder {
namespace {

struct ReadStream {
  std::vector<Reply> replies;
  std::string error;
  bool finished = false;  // every byte belonged to a complete reply
};

template <class PieceSize>
ReadStream read_all(Bytes stream, PieceSize piece_bytes) {
  ReplyLimits limits;
  limits.depth_max = 16;
  limits.text_bytes_max = 4096;
  limits.line_bytes_max = 256;
  ReplyReader reader(limits);
  ReadStream read;
  while (!stream.empty()) {
    const Bytes piece = stream.substr(0, piece_bytes());
    stream.remove_prefix(piece.size());
    reader.feed(piece);
    Reply reply;
    ReplyOutcome outcome;
    while ((outcome = reader.next(&reply)) == ReplyOutcome::kReply) read.replies.push_back(std::move(reply));
    if (outcome == ReplyOutcome::kError) {
      read.error.assign(reader.error());
      break;
    }
  }
  read.finished = reader.idle();
  return read;
}

// NaN differs from itself, so doubles are compared by their text.
bool same(const Reply& a, const Reply& b) {
  if (a.kind != b.kind || a.integer != b.integer || a.text != b.text || a.null_array != b.null_array ||
      a.verbatim_format != b.verbatim_format || a.elements.size() != b.elements.size() ||
      a.attributes.size() != b.attributes.size()) {
    return false;
  }
  for (size_t i = 0; i < a.elements.size(); i++) {
    if (!same(a.elements[i], b.elements[i])) return false;
  }
  for (size_t i = 0; i < a.attributes.size(); i++) {
    if (!same(a.attributes[i], b.attributes[i])) return false;
  }
  return true;
}

}  // namespace
}  // namespace larder

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  using namespace larder;
  if (input_bytes < 2 || input_bytes > 4096) return 0;
  const Bytes stream(reinterpret_cast<const char*>(input) + 2, input_bytes - 2);
  Random random(input[0]);
  const uint64_t piece_max = uint64_t{input[1]} + 1;
  const ReadStream whole = read_all(stream, [&] { return stream.size(); });
  const ReadStream pieces = read_all(stream, [&] { return random.uniform(piece_max) + 1; });
  LARDER_ASSERT(whole.error == pieces.error);
  LARDER_ASSERT(whole.replies.size() == pieces.replies.size());
  for (size_t i = 0; i < whole.replies.size(); i++) LARDER_ASSERT(same(whole.replies[i], pieces.replies[i]));

  ReplyScanner scanner;
  ReplyScanner::Counts counts;
  const bool scanned = scanner.feed(stream, &counts);
  if (whole.error.empty() && whole.finished) {
    LARDER_ASSERT(scanned);
    LARDER_ASSERT(counts.replies + counts.pushes == whole.replies.size());
  }
  return 0;
}
