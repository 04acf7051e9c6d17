// Replies from bytes, for clients: the C++ client library, the command line tool, the load generator and the tests.
//
// ReplyReader builds typed values from RESP2 and RESP3, incrementally: an explicit stack of open aggregates is kept
// between calls, so a reply arriving in many pieces costs O(bytes). Depth and sizes are bounded, because a client does
// not trust its server either. No recursion. ReplyScanner only counts: it finds where replies end and whether they are
// errors, at a few ns a reply. Not supported, as no server sends them: streamed strings and aggregates of RESP3 ("$?",
// "*?").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"

namespace larder {

enum class ReplyKind : uint8_t {
  kNull,       // _  $-1  *-1
  kSimple,     // +
  kError,      // -  and RESP3's blob error !
  kInteger,    // :
  kBulk,       // $
  kArray,      // *
  kMap,        // %  elements: key, value, key, value ...
  kSet,        // ~
  kPush,       // >
  kDouble,     // ,
  kBoolean,    // #  (integer is 1 or 0)
  kBigNumber,  // (
  kVerbatim,   // =  text without its format prefix; format in verbatim_format
};

struct Reply {
  ReplyKind kind = ReplyKind::kNull;
  bool null_array = false;        // kNull that came as *-1
  int64_t integer = 0;            // kInteger, kBoolean
  double number = 0;              // kDouble
  std::string text;               // kSimple, kError, kBulk, kBigNumber, kVerbatim; kDouble: as the server wrote it
  std::string verbatim_format;    // kVerbatim: "txt" or "mkd"
  std::vector<Reply> elements;    // kArray, kMap, kSet, kPush
  std::vector<Reply> attributes;  // key, value, key, value ... that preceded this reply (RESP3)

  bool is_null() const { return kind == ReplyKind::kNull; }
  bool is_error() const { return kind == ReplyKind::kError; }
  bool is_aggregate() const {
    return kind == ReplyKind::kArray || kind == ReplyKind::kMap || kind == ReplyKind::kSet || kind == ReplyKind::kPush;
  }
  // The first word of an error: "ERR", "WRONGTYPE", "MOVED" ...
  Bytes error_code() const { return Bytes(text).substr(0, text.find(' ')); }
  friend bool operator==(const Reply&, const Reply&) = default;
};

struct ReplyLimits {
  size_t depth_max = 64;
  size_t text_bytes_max = size_t{512} * 1024 * 1024;
  size_t line_bytes_max = 1024 * 1024;         // a simple string, error, number or header
  size_t element_count_max = size_t{1} << 30;  // of one aggregate; memory follows arrival, not the claim
};

enum class ReplyOutcome : uint8_t { kReply, kIncomplete, kError };

class ReplyReader {
 public:
  explicit ReplyReader(ReplyLimits limits = {});
  ~ReplyReader();
  ReplyReader(ReplyReader&&) noexcept;
  ReplyReader& operator=(ReplyReader&&) noexcept;

  // Received bytes: either handed over, or read straight into the buffer (reserve and commit).
  void feed(Bytes bytes) { input_.append(bytes); }
  Buffer& input() { return input_; }

  // Takes the next complete reply out of the input. kError is final: the stream has lost its framing, error() says how.
  ReplyOutcome next(Reply* reply);
  Bytes error() const { return error_; }
  // No unfinished reply and no unread bytes.
  bool idle() const { return open_.empty() && pending_attributes_.empty() && input_.empty(); }
  // Forgets everything: for a new connection.
  void reset();

 private:
  // An aggregate whose elements are still arriving. Its `reply` collects them.
  struct Open {
    Reply reply;
    uint64_t elements_left;
    bool is_attribute;
  };
  enum class Step : uint8_t { kItem, kOpened, kIncomplete, kError };

  Step read_item(Reply* item);
  Step read_line_item(char type, Bytes line, Reply* item);
  Step read_text(char type, Bytes line, Reply* item);
  Step open_aggregate(char type, Bytes line, Reply* item);
  Step fail(Bytes text);
  bool place_item(Reply* item);

  ReplyLimits limits_;
  Buffer input_;
  std::vector<Open> open_;
  std::vector<Reply> pending_attributes_;
  size_t line_scanned_ = 0;  // bytes of an unfinished line known to hold no line feed
  bool failed_ = false;
  std::string error_;
};

// Counts complete top-level replies in a stream that is fed piece by piece.
class ReplyScanner {
 public:
  struct Counts {
    uint64_t replies = 0;  // errors included, pushes not
    uint64_t errors = 0;   // top-level errors
    uint64_t nulls = 0;    // top-level nulls: misses
    uint64_t pushes = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };

  // What completed in these bytes. Returns false, finally, when the bytes are not RESP.
  [[nodiscard]] bool feed(Bytes bytes, Counts* completed);
  void reset() { *this = ReplyScanner(); }
  // The text of the first top-level error seen, cut to 200 bytes: what went wrong is worth a line of the report.
  const std::string& first_error() const { return first_error_; }

 private:
  enum class State : uint8_t { kType, kCount, kLine, kSkip, kBroken };
  void start_item(char type);
  const char* read_count(const char* at, const char* end, Counts* completed);
  const char* read_line(const char* at, const char* end, Counts* completed);
  void finish_count(Counts* completed);
  void finish_item(Counts* completed);

  State state_ = State::kType;
  char type_ = 0;        // of the item being read
  char top_type_ = 0;    // of the reply's outermost item; 0 before it came
  bool is_top_ = false;  // the item being read is the outermost one
  bool top_null_ = false;
  bool negative_ = false;
  bool any_digit_ = false;
  bool keep_error_ = false;  // the line being read is the first top-level error
  uint64_t number_ = 0;      // the count or length being read
  uint64_t skip_bytes_ = 0;  // of a bulk string and its line end
  uint64_t items_left_ = 0;  // until the reply is complete; 0 between replies
  std::string first_error_;
};

}  // namespace larder
