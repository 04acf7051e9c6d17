#include "persistence/rdb_legacy.h"

#include <cstdint>

#include "storage/listpack.h"

namespace larder {
namespace {

constexpr size_t kZiplistHeaderBytes = 10;
constexpr uint8_t kEnd = 0xff;
constexpr uint8_t kLongPrevious = 0xfe;
constexpr uint8_t kZipmapLongLength = 254;

// Reads forwards and remembers whether it ever went too far.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  size_t offset() const { return at_; }
  uint8_t peek() const { return at_ < bytes_.size() ? static_cast<uint8_t>(bytes_[at_]) : 0; }
  uint8_t byte() {
    const Bytes one = take(1);
    return ok_ ? static_cast<uint8_t>(one[0]) : 0;
  }
  uint64_t little_endian(size_t byte_count) {
    const Bytes raw = take(byte_count);
    uint64_t value = 0;
    for (size_t i = raw.size(); i-- > 0;) value = (value << 8) | static_cast<uint8_t>(raw[i]);
    return value;
  }
  uint64_t big_endian(size_t byte_count) {
    uint64_t value = 0;
    for (const char c : take(byte_count)) value = (value << 8) | static_cast<uint8_t>(c);
    return value;
  }
  Bytes take(size_t size) {
    if (!ok_ || size > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

 private:
  Bytes bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

void append(Buffer* sequence, const PackedText& text) {
  char* out = sequence->reserve(text.total_bytes());
  sequence->commit_to(text.write(out));
}

// A number of `byte_count` bytes, sign included.
int64_t signed_number(Reader& in, size_t byte_count) {
  const size_t shift = 64 - 8 * byte_count;
  return static_cast<int64_t>(in.little_endian(byte_count) << shift) >> shift;
}

// The content of an entry behind the size of the one before.
void read_ziplist_content(Reader& in, Buffer* sequence) {
  const uint8_t code = in.byte();
  size_t size = 0;
  switch (code >> 6) {
    case 0:
      size = code;
      break;
    case 1:
      size = (static_cast<size_t>(code & 0x3f) << 8) | in.byte();
      break;
    case 2:
      size = in.big_endian(4);
      break;
    default: {
      int64_t number = (code & 0x0f) - 1;  // 0xf1 to 0xfd: the number itself
      if (code == 0xc0) number = signed_number(in, 2);
      if (code == 0xd0) number = signed_number(in, 4);
      if (code == 0xe0) number = signed_number(in, 8);
      if (code == 0xf0) number = signed_number(in, 3);
      if (code == 0xfe) number = signed_number(in, 1);
      const bool known = code == 0xc0 || code == 0xd0 || code == 0xe0 || (code >= 0xf0 && code <= 0xfe);
      if (!known) (void)in.take(SIZE_MAX);
      if (in.ok()) append(sequence, PackedText(number));
      return;
    }
  }
  const Bytes text = in.take(size);
  if (in.ok()) append(sequence, PackedText(text));
}

}  // namespace

bool read_ziplist(Bytes ziplist, Buffer* sequence, size_t* count) {
  Reader in(ziplist);
  const uint64_t total_bytes = in.little_endian(4);
  const uint64_t tail_offset = in.little_endian(4);
  const uint64_t stated_count = in.little_endian(2);
  if (!in.ok() || total_bytes != ziplist.size()) return false;
  *count = 0;
  size_t previous_bytes = 0;
  size_t last_offset = kZiplistHeaderBytes;
  while (in.ok() && in.offset() < ziplist.size() && in.peek() != kEnd) {
    last_offset = in.offset();
    uint64_t stated_previous = in.byte();
    if (stated_previous == kLongPrevious) stated_previous = in.little_endian(4);
    if (stated_previous != previous_bytes) return false;
    read_ziplist_content(in, sequence);
    previous_bytes = in.offset() - last_offset;
    ++*count;
  }
  const bool ended = in.byte() == kEnd && in.ok() && in.offset() == ziplist.size();
  const bool count_fits = stated_count == *count || stated_count == UINT16_MAX;
  return ended && count_fits && tail_offset == last_offset;
}

bool read_zipmap(Bytes zipmap, Buffer* sequence, size_t* count) {
  Reader in(zipmap);
  const uint8_t stated_count = in.byte();
  *count = 0;
  const auto read_length = [&in]() -> uint64_t {
    const uint8_t first = in.byte();
    return first == kZipmapLongLength ? in.little_endian(4) : first;
  };
  while (in.ok() && in.offset() < zipmap.size() && in.peek() != kEnd) {
    const Bytes name = in.take(read_length());
    const uint64_t value_bytes = read_length();
    const uint8_t free_bytes = in.byte();
    const Bytes value = in.take(value_bytes);
    (void)in.take(free_bytes);
    if (!in.ok()) return false;
    append(sequence, PackedText(name));
    append(sequence, PackedText(value));
    *count += 2;
  }
  const bool ended = in.byte() == kEnd && in.ok() && in.offset() == zipmap.size();
  return ended && (stated_count >= kZipmapLongLength || stated_count == *count / 2);
}

}  // namespace larder
