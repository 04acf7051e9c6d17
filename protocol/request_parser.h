// Requests from bytes: the first half of the server's hot path. No copies, no allocation per request, any split.
//
//   a RESP array of bulk strings     *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n
//   or an inline line                SET k "v\x01" \r\n
//
// parse_request looks at a contiguous view that starts at a request's first byte. A complete request is appended to the
// caller's RequestArgs as views into that input, and the number of consumed bytes is returned; the caller goes on
// behind them. An incomplete request leaves what was found in a ParseProgress (as offsets, because the caller will move
// the tail to a buffer of the connection), so that a request arriving in n pieces costs O(bytes), not O(n x bytes).
//
//   read into arena -> parse, parse, parse (progress empty) -> kIncomplete: copy the rest to the connection
//   next read       -> append to that copy once `needed_bytes` are there, parse it with the same progress -> ...
//
// Invariants: a result depends on the bytes only, never on how they were split; views lie inside the input or, for
// quoted inline words, in the arena of RequestArgs; consumed <= input.size(); memory grows with the bytes that arrived,
// never with a count or length that a header merely claims; no recursion. Cost: a 3-argument SET 19 ns; see
// docs/design/protocol.md. Rejected: a state machine fed byte by byte (3 times slower), one allocated array per
// request, and copying arguments to own strings (what the whole tick is built to avoid).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

struct RequestLimits {
  static constexpr int64_t kBulkBytesMax = int64_t{512} * 1024 * 1024;  // proto-max-bulk-len
  static constexpr int64_t kArgumentCountMax = INT32_MAX;  // what Redis 7 allows; memory follows arrival, not the claim
  static constexpr size_t kInlineBytesMax = 64 * 1024;     // an inline line, and any header line
  static constexpr int64_t kUnauthenticatedArgumentCountMax = 10;
  static constexpr int64_t kUnauthenticatedBulkBytesMax = 16384;

  int64_t bulk_bytes_max = kBulkBytesMax;
  int64_t argument_count_max = kArgumentCountMax;
  size_t inline_bytes_max = kInlineBytesMax;
  // False for a connection that must log in first: it gets the two unauthenticated limits as well.
  bool authenticated = true;
};

enum class ParseOutcome : uint8_t { kRequest, kIncomplete, kError };

enum class ProtocolError : uint8_t {
  kNone,
  kInvalidMultibulkLength,
  kUnauthenticatedMultibulkLength,
  kInvalidBulkLength,
  kUnauthenticatedBulkLength,
  kExpectedDollar,
  kTooBigInlineRequest,
  kTooBigMultibulkCount,
  kTooBigBulkCount,
  kUnbalancedQuotes,
};

struct ParseResult {
  ParseOutcome outcome = ParseOutcome::kIncomplete;
  ProtocolError error = ProtocolError::kNone;
  char unexpected = 0;     // kExpectedDollar: the byte that was there
  uint32_t first_arg = 0;  // kRequest: where its arguments start in RequestArgs ...
  uint32_t arg_count = 0;  // ... and how many they are, at least 1
  // kRequest: its bytes are the encoding of its arguments, as anybody would write it.
  bool is_encoding = false;
  // kRequest: bytes of the request, with empty requests in front of it (they are skipped as Redis does).
  // kIncomplete: bytes of empty requests that may be dropped; the unfinished request starts behind them.
  size_t consumed = 0;
  // kIncomplete: counted from the start of the unfinished request (behind `consumed`), the fewest bytes with which
  // another try can get further. Exact for the end of a bulk string, so a caller may reserve for a large value once.
  size_t needed_bytes = 0;
};

// "Protocol error: invalid bulk length" ...: without the leading "ERR ", which is also how the log shows it.
std::string protocol_error_text(const ParseResult& result);

// The arguments of any number of requests, back to back: a flat array of views that is reused from tick to tick.
class RequestArgs {
 public:
  RequestArgs() = default;
  ~RequestArgs() { std::free(views_); }
  RequestArgs(RequestArgs&& other) noexcept { swap(other); }
  RequestArgs& operator=(RequestArgs&& other) noexcept {
    swap(other);
    return *this;
  }
  RequestArgs(const RequestArgs&) = delete;
  RequestArgs& operator=(const RequestArgs&) = delete;

  // Forgets all requests; keeps the memory, of unquoted texts and views, up to a bound.
  void clear();
  uint32_t size() const { return size_; }
  Bytes operator[](size_t index) const {
    LARDER_ASSERT(index < size_);
    return views_[index];
  }
  // Valid until the next parse into this object or clear(): take spans after the read phase, keep indexes until then.
  std::span<const Bytes> slice(uint32_t first, uint32_t count) const {
    LARDER_ASSERT(first <= size_ && count <= size_ - first);
    return {views_ + first, count};
  }
  std::span<const Bytes> slice(const ParseResult& result) const { return slice(result.first_arg, result.arg_count); }
  size_t memory_bytes() const { return capacity_ * sizeof(Bytes) + text_.capacity(); }

  // For parsers. Room for `n` more views, uninitialised; then commit how many were written.
  Bytes* reserve(size_t n) {
    if (capacity_ - size_ < n) [[unlikely]]
      grow(n);
    return views_ + size_;
  }
  void commit(size_t n) { size_ += static_cast<uint32_t>(n); }
  void truncate(uint32_t size) { size_ = size; }
  Arena& text() { return text_; }  // holds what cannot be a view of the input; blocks stay where they are until clear()
  void swap(RequestArgs& other) noexcept {
    std::swap(views_, other.views_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(text_, other.text_);
  }

 private:
  static_assert(std::is_trivially_copyable_v<Bytes>);
  void grow(size_t n);

  Bytes* views_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  Arena text_;
};

// What is known of an unfinished request. Empty (one null pointer) between requests: an idle connection pays 8 bytes.
class ParseProgress {
 public:
  ParseProgress();
  ~ParseProgress();
  ParseProgress(ParseProgress&&) noexcept;
  ParseProgress& operator=(ParseProgress&&) noexcept;

  bool active() const { return state_ != nullptr; }
  // Forgets the unfinished request; the next parse starts anew.
  void clear();
  size_t memory_bytes() const;

  struct State;
  State* state() { return state_.get(); }
  State& start();

 private:
  std::unique_ptr<State> state_;
};

// Parses one request at the start of `input`. With an active `progress`, `input` starts with the same bytes as when it
// was left (at the unfinished request's first byte) and has more behind them, if any.
// kRequest: appended to `args`, progress empty. kIncomplete: args as before. kError: args as before; the connection is
// to be closed after the error reply.
ParseResult parse_request(Bytes input, const RequestLimits& limits, ParseProgress& progress, RequestArgs& args);

// Splits a line into words with the quoting of inline requests, configuration files and the command line tool:
// words are separated by white space; "..." understands \xHH \n \r \t \b \a and backslash-anything; '...' understands
// \' only; a closing quote ends the word and must be followed by white space or the end. Words are views into `line`
// or, when quotes changed them, into args.text(). Returns false for unbalanced quotes (args is then as before).
bool split_quoted_words(Bytes line, RequestArgs& args);

namespace internal {
ParseResult parse_request_slow(Bytes input, const RequestLimits& limits, ParseProgress& progress, RequestArgs& args);
}

}  // namespace larder

#include "protocol/request_parser_inline.h"
