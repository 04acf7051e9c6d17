// Feeds a byte stream to the request parser as a connection does, in any pieces, and writes down what came out: the
// unit tests and the fuzz target compare the outcomes of different splits.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "protocol/request_parser.h"

namespace larder {

struct ParsedStream {
  std::vector<std::vector<std::string>> requests;
  std::string error;        // empty: none
  size_t unread_bytes = 0;  // of an unfinished request
  friend bool operator==(const ParsedStream&, const ParsedStream&) = default;
};

class StreamParser {
 public:
  explicit StreamParser(const RequestLimits& limits) : limits_(limits) {}

  // Adds a piece and parses all that is complete. Returns false after a protocol error.
  bool feed(Bytes piece) {
    if (!parsed_.error.empty()) return false;
    // A block of exactly the right size, anew each time: a sanitizer sees every byte read beyond it, and no view
    // survives.
    const size_t size = tail_size_ + piece.size();
    std::unique_ptr<char[]> block(new char[size]);
    if (tail_size_ > 0) std::memcpy(block.get(), tail_.get(), tail_size_);
    if (!piece.empty()) std::memcpy(block.get() + tail_size_, piece.data(), piece.size());
    const size_t read_bytes = parse_all(Bytes(block.get(), size));
    tail_size_ = size - read_bytes;
    tail_.reset(new char[tail_size_]);
    if (tail_size_ > 0) std::memcpy(tail_.get(), block.get() + read_bytes, tail_size_);
    parsed_.unread_bytes = tail_size_;
    return parsed_.error.empty();
  }

  const ParsedStream& parsed() const { return parsed_; }

 private:
  // Returns how many bytes are done with.
  size_t parse_all(Bytes input) {
    size_t at = 0;
    for (;;) {
      const Bytes rest = input.substr(at);
      const bool too_early = rest.size() < needed_bytes_;
      const uint32_t args_before = args_.size();
      const ParseResult result = parse_request(rest, limits_, progress_, args_);
      LARDER_ASSERT(result.consumed <= rest.size());
      if (result.outcome != ParseOutcome::kRequest) {
        LARDER_ASSERT(args_.size() == args_before);
        LARDER_ASSERT(progress_.memory_bytes() <= 512 + 32 * rest.size());  // follows arrival, not the claim
      }
      // Fewer bytes than were asked for cannot have been enough.
      LARDER_ASSERT(!too_early || (result.outcome == ParseOutcome::kIncomplete && result.consumed == 0));
      at += result.consumed;
      needed_bytes_ = 0;
      switch (result.outcome) {
        case ParseOutcome::kRequest:
          LARDER_ASSERT(!progress_.active() && result.arg_count > 0 && result.consumed > 0);
          take_request(result, rest);
          continue;
        case ParseOutcome::kIncomplete:
          LARDER_ASSERT(result.needed_bytes > input.size() - at);
          LARDER_ASSERT(progress_.active() || at == input.size());
          needed_bytes_ = result.needed_bytes;
          args_.clear();
          return at;
        case ParseOutcome::kError:
          LARDER_ASSERT(!progress_.active());
          parsed_.error = protocol_error_text(result);
          args_.clear();
          return at;
      }
    }
  }

  void take_request(const ParseResult& result, Bytes input) {
    std::vector<std::string>& request = parsed_.requests.emplace_back();
    for (const Bytes arg : args_.slice(result)) {
      const bool inside = arg.data() >= input.data() && arg.data() + arg.size() <= input.data() + result.consumed;
      LARDER_ASSERT(inside || has_quotes(input.substr(0, result.consumed)));
      request.emplace_back(arg);
    }
  }
  static bool has_quotes(Bytes text) { return text.find_first_of("\"'") != Bytes::npos; }

  const RequestLimits limits_;
  RequestArgs args_;
  ParseProgress progress_;
  std::unique_ptr<char[]> tail_;
  size_t tail_size_ = 0;
  size_t needed_bytes_ = 0;
  ParsedStream parsed_;
};

inline ParsedStream parse_whole(Bytes input, const RequestLimits& limits = {}) {
  StreamParser parser(limits);
  parser.feed(input);
  return parser.parsed();
}

// `piece_bytes` is asked for the size of each next piece.
template <class PieceSize>
ParsedStream parse_in_pieces(Bytes input, const RequestLimits& limits, PieceSize piece_bytes) {
  StreamParser parser(limits);
  while (!input.empty()) {
    const size_t size = std::min<size_t>(std::max<size_t>(piece_bytes(), 1), input.size());
    if (!parser.feed(input.substr(0, size))) break;
    input.remove_prefix(size);
  }
  return parser.parsed();
}

}  // namespace larder
