// Replies into a buffer: the second half of the server's hot path. One writer serves both protocol versions; a handler
// says what it means (map, set, null, double ...) and the version is handled here.
//
//   RESP2                                       RESP3
//   null    $-1          null_array *-1         _
//   map(n)  *2n          set(n)/push(n) *n      %n  ~n  >n
//   double_value  bulk   boolean  :1 / :0       ,1.5  #t / #f
//   big_number    bulk   verbatim bulk          (123  =15\r\ntxt:...
//
// Every small emitter reserves once and writes with plain stores. A reply whose length is not known beforehand is
// written behind a deferred header, which is filled in when it ends; only if the header needs more digits than were set
// aside do bytes move. Large values are not copied: with a PinnedSink the writer emits the bulk header, hands the sink
// the position and the pinned bytes, and goes on behind them (writev sends the pieces). Invariant: what was written
// before a begin_deferred() never moves. Cost: integer(small) 1-2 ns, bulk of 100 bytes 5 ns. Rejected: building a
// string per reply and appending it; a virtual writer per version (an indirect call per element).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/number_text.h"
#include "protocol/error_text.h"
#include "protocol/reply_source.h"

namespace larder {

// Bytes that stay where they are until `release(owner)` is called, once, by whoever holds them last.
struct PinnedBytes {
  const char* data = nullptr;
  size_t size = 0;
  void* owner = nullptr;
  void (*release)(void* owner) = nullptr;

  Bytes bytes() const { return {data, size}; }
};

// Keeps the order of pinned pieces among the bytes of a Buffer.
class PinnedSink {
 public:
  virtual ~PinnedSink() = default;
  // `pinned` belongs between the buffer's bytes before and from `offset` (counted in Buffer::bytes()). The sink takes
  // over the duty to release it. Calls come with offsets that never decrease.
  virtual void pin(size_t offset, PinnedBytes pinned) = 0;
  // The same for a part that is written while it is sent.
  virtual void source(size_t offset, std::unique_ptr<ReplySource> source) = 0;
  // A deferred header changed its length: offsets at or behind `from_offset` are to be moved by `by_bytes`.
  virtual void shift(size_t from_offset, ptrdiff_t by_bytes) = 0;
};

class ReplyWriter {
 public:
  // Values of at least this size are worth a pin: below it, copying costs less than the entry of the writev and the
  // release.
  static constexpr size_t kPinBytesMin = 16 * 1024;

  // Borrows the buffer and the sink (which may be null: then everything is copied).
  explicit ReplyWriter(Buffer& out, int protocol_version = 2, PinnedSink* sink = nullptr)
      : out_(&out), sink_(sink), resp3_(protocol_version == 3) {}

  int protocol_version() const { return resp3_ ? 3 : 2; }
  bool resp3() const { return resp3_; }
  void set_protocol_version(int version) { resp3_ = version == 3; }
  Buffer& buffer() { return *out_; }
  PinnedSink* pinned_sink() const { return sink_; }
  // Turns the writer to another connection's output.
  void redirect(Buffer& out, int protocol_version, PinnedSink* sink) {
    out_ = &out;
    sink_ = sink;
    resp3_ = protocol_version == 3;
    error_count_ = 0;
  }

  // "+text". Requires: no CR or LF in it.
  void simple(Bytes text);
  // The same for a text from outside: CR and LF become spaces, as in an error.
  void simple_line(Bytes text);
  void ok() { raw("+OK\r\n"); }
  void queued() { raw("+QUEUED\r\n"); }
  // "-text". CR and LF in it become spaces, so that no argument quoted in an error can forge a reply.
  void error(ErrorText text) { error(text.text()); }
  void error(Bytes text);
  void integer(int64_t value);
  void bulk(Bytes bytes);
  // The same for a short text that the compiler knows (the name of a field): its header is a constant, too.
  template <size_t kTextSize>
  void literal(const char (&text)[kTextSize]);
  // The integer's text as a bulk string.
  void bulk_integer(int64_t value);
  // The double's text as a bulk string in both versions.
  void bulk_double(double value);
  // A bulk string of bytes that can stay where they are: pinned when the sink takes pins and the size is worth it, else
  // copied and released at once. Always takes over the duty to release.
  void pinned(PinnedBytes bytes);
  // True when pinned() would pin a value of this size: ask before taking a reference that costs something.
  bool wants_pin(size_t size_bytes) const { return sink_ != nullptr && size_bytes >= kPinBytesMin; }

  // A part of the reply that is written while it is sent: whole elements behind a header that is written already. Requires:
  // takes_sources(). It reads what is there now, so nothing is to change before this call.
  void source(std::unique_ptr<ReplySource> source) { sink_->source(out_->size(), std::move(source)); }
  bool takes_sources() const { return sink_ != nullptr; }

  void null();        // a missing string or element
  void null_array();  // a missing list: EXEC aborted, blocking pop timed out, LPOP with a count
  void array(size_t count) { header('*', count); }
  void empty_array() { raw("*0\r\n"); }
  void map(size_t pair_count) { header(resp3_ ? '%' : '*', resp3_ ? pair_count : 2 * pair_count); }
  void set(size_t count) { header(resp3_ ? '~' : '*', count); }
  void push(size_t count) { header(resp3_ ? '>' : '*', count); }
  // RESP3: announces `pair_count` pairs of attributes that the caller writes next, and returns true. RESP2 has none:
  // returns false, and the caller writes no pairs.
  [[nodiscard]] bool attribute(size_t pair_count);

  void double_value(double value);
  void boolean(bool value);
  // Decimal digits with an optional sign. CR and LF become spaces.
  void big_number(Bytes digits);
  // `format` is three bytes: "txt" or "mkd".
  void verbatim(Bytes format, Bytes text);
  // Complete protocol bytes, as they are.
  void raw(Bytes bytes) { out_->append(bytes); }

  // A header to be filled in when the number of elements is known. Marks nest like brackets: the latest begun ends
  // first.
  struct Mark {
    size_t offset;
    uint32_t header_bytes;
  };
  // `count_expected` sets aside digits; a wrong guess costs a move of the elements, nothing else.
  [[nodiscard]] Mark begin_deferred(size_t count_expected = 0);
  void end_deferred_array(Mark mark, size_t count) { end_deferred(mark, '*', count); }
  void end_deferred_map(Mark mark, size_t pair_count) {
    end_deferred(mark, resp3_ ? '%' : '*', resp3_ ? pair_count : 2 * pair_count);
  }
  void end_deferred_set(Mark mark, size_t count) { end_deferred(mark, resp3_ ? '~' : '*', count); }
  void end_deferred_push(Mark mark, size_t count) { end_deferred(mark, resp3_ ? '>' : '*', count); }

  // Position in the buffer: to measure a reply, or to drop it again (with no pins or open marks behind the position).
  size_t position() const { return out_->size(); }
  void truncate_to(size_t position) { out_->truncate(position); }
  // error() calls since construction or redirect(): how the dispatcher sees that a command failed.
  uint32_t error_count() const { return error_count_; }

 private:
  static constexpr size_t kHeaderBytesMax = 1 + 20 + 2;

  void header(char type, uint64_t count) {
    char* out = out_->reserve(kHeaderBytesMax);
    out_->commit_to(write_header(out, type, count));
  }
  static char* write_header(char* out, char type, uint64_t count) {
    out[0] = type;
    if (count < 10) {
      out[1] = static_cast<char>('0' + count);
      out[2] = '\r';
      out[3] = '\n';
      return out + 4;
    }
    out += 1 + write_uint64(out + 1, count);
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
  }
  void end_deferred(Mark mark, char type, size_t count);
  // Ends a reply of one line, whatever is in the text: CR and LF become spaces, so that no text can forge another reply.
  void one_line(Bytes text);

  Buffer* out_;
  PinnedSink* sink_;
  uint32_t error_count_ = 0;
  bool resp3_;
};

inline void ReplyWriter::simple(Bytes text) {
  char* out = out_->reserve(text.size() + 3);
  *out = '+';
  if (!text.empty()) std::memcpy(out + 1, text.data(), text.size());
  std::memcpy(out + 1 + text.size(), "\r\n", 2);
  out_->commit(text.size() + 3);
}

inline void ReplyWriter::integer(int64_t value) {
  char* out = out_->reserve(kHeaderBytesMax);
  if (static_cast<uint64_t>(value) < 10) {
    const char text[4] = {':', static_cast<char>('0' + value), '\r', '\n'};
    std::memcpy(out, text, 4);
    out_->commit(4);
    return;
  }
  *out++ = ':';
  out += write_int64(out, value);
  std::memcpy(out, "\r\n", 2);
  out_->commit_to(out + 2);
}

inline void ReplyWriter::bulk(Bytes bytes) {
  char* out = out_->reserve(kHeaderBytesMax + bytes.size() + 2);
  out = write_header(out, '$', bytes.size());
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  out += bytes.size();
  std::memcpy(out, "\r\n", 2);
  out_->commit_to(out + 2);
}

template <size_t kTextSize>
void ReplyWriter::literal(const char (&text)[kTextSize]) {
  constexpr size_t kBytes = kTextSize - 1;
  static_assert(kBytes < 100);
  constexpr size_t kHeadBytes = kBytes < 10 ? 4 : 5;
  constexpr char kTens = static_cast<char>('0' + kBytes / 10);
  constexpr char kUnits = static_cast<char>('0' + kBytes % 10);
  constexpr char kShortHead[] = {'$', kUnits, '\r', '\n'};
  constexpr char kLongHead[] = {'$', kTens, kUnits, '\r', '\n'};
  char* out = out_->reserve(kHeadBytes + kBytes + 2);
  std::memcpy(out, kBytes < 10 ? kShortHead : kLongHead, kHeadBytes);
  std::memcpy(out + kHeadBytes, text, kBytes);
  std::memcpy(out + kHeadBytes + kBytes, "\r\n", 2);
  out_->commit(kHeadBytes + kBytes + 2);
}

inline void ReplyWriter::bulk_integer(int64_t value) {
  char text[kInt64TextBytesMax];
  bulk({text, write_int64(text, value)});
}

inline void ReplyWriter::null() {
  if (resp3_) {
    raw("_\r\n");
  } else {
    raw("$-1\r\n");
  }
}

inline void ReplyWriter::null_array() {
  if (resp3_) {
    raw("_\r\n");
  } else {
    raw("*-1\r\n");
  }
}

inline void ReplyWriter::boolean(bool value) {
  if (resp3_) {
    raw(value ? Bytes("#t\r\n") : Bytes("#f\r\n"));
  } else {
    raw(value ? Bytes(":1\r\n") : Bytes(":0\r\n"));
  }
}

}  // namespace larder
