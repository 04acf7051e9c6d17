#include "protocol/reply_writer.h"

namespace larder {

namespace {

bool is_line_end(char c) { return c == '\r' || c == '\n'; }

}  // namespace

void ReplyWriter::one_line(Bytes text) {
  char* out = out_->reserve(text.size() + 2);
  for (const char c : text) *out++ = is_line_end(c) ? ' ' : c;
  std::memcpy(out, "\r\n", 2);
  out_->commit_to(out + 2);
}

void ReplyWriter::error(Bytes text) {
  // Line ends around the text are dropped.
  while (!text.empty() && is_line_end(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_line_end(text.front())) text.remove_prefix(1);
  out_->append('-');
  one_line(text);
  error_count_++;
}

void ReplyWriter::simple_line(Bytes text) {
  out_->append('+');
  one_line(text);
}

void ReplyWriter::bulk_double(double value) {
  char text[kDoubleTextBytesMax];
  bulk({text, write_double(text, value)});
}

void ReplyWriter::double_value(double value) {
  if (!resp3_) return bulk_double(value);
  char* out = out_->reserve(1 + kDoubleTextBytesMax + 2);
  *out++ = ',';
  out += write_double(out, value);
  std::memcpy(out, "\r\n", 2);
  out_->commit_to(out + 2);
}

void ReplyWriter::pinned(PinnedBytes bytes) {
  if (wants_pin(bytes.size)) {
    header('$', bytes.size);
    sink_->pin(out_->size(), bytes);
    raw("\r\n");
    return;
  }
  bulk(bytes.bytes());
  if (bytes.release != nullptr) bytes.release(bytes.owner);
}

bool ReplyWriter::attribute(size_t pair_count) {
  if (resp3_) header('|', pair_count);
  return resp3_;
}

void ReplyWriter::big_number(Bytes digits) {
  resp3_ ? out_->append('(') : header('$', digits.size());
  one_line(digits);
}

void ReplyWriter::verbatim(Bytes format, Bytes text) {
  LARDER_ASSERT(format.size() == 3);
  if (!resp3_) return bulk(text);
  header('=', text.size() + 4);
  raw(format);
  raw(":");
  raw(text);
  raw("\r\n");
}

ReplyWriter::Mark ReplyWriter::begin_deferred(size_t count_expected) {
  // The digits of twice the expected count when RESP2 may turn a map into an array would be a guess on a guess: one
  // digit too few only costs the move.
  const uint32_t header_bytes = 1 + decimal_digits(count_expected) + 2;
  const Mark mark{out_->size(), header_bytes};
  out_->reserve(header_bytes);
  out_->commit(header_bytes);
  return mark;
}

void ReplyWriter::end_deferred(Mark mark, char type, size_t count) {
  LARDER_ASSERT(mark.offset + mark.header_bytes <= out_->size());
  char text[kHeaderBytesMax];
  const auto header_bytes = static_cast<size_t>(write_header(text, type, count) - text);
  char* place = out_->mutable_data() + mark.offset;
  if (header_bytes != mark.header_bytes) [[unlikely]] {
    place = out_->resize_gap(mark.offset, mark.header_bytes, header_bytes);
    if (sink_ != nullptr) {
      const auto by_bytes = static_cast<ptrdiff_t>(header_bytes) - static_cast<ptrdiff_t>(mark.header_bytes);
      sink_->shift(mark.offset + mark.header_bytes, by_bytes);
    }
  }
  std::memcpy(place, text, header_bytes);
}

}  // namespace larder
