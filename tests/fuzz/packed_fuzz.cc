// The packed sequences of files, today's and those of older versions: listpacks, ziplists and zipmaps. The first byte
// chooses. What is taken must be walked in both directions with as many elements as were counted, and come out of a frame
// as it went in. RESTORE, with what the elements mean, is rdb_payload_fuzz.cc's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/buffer.h"
#include "persistence/rdb_legacy.h"
#include "storage/listpack.h"

namespace {

using namespace larder;

void check_sequence(Bytes sequence, size_t count) {
  std::vector<const char*> starts;
  std::string repacked;
  for (const PackedElement& element : PackedRange(sequence)) {
    starts.push_back(element.at);
    char digits[kInt64TextBytesMax];
    const Bytes text = element.text(digits);
    LARDER_ASSERT(text.size() == element.text_bytes() && element.equals(text));
    const PackedText packed(text);
    std::string bytes(packed.total_bytes(), '\0');
    const char* end = packed.write(bytes.data());
    LARDER_ASSERT(end == bytes.data() + bytes.size());
    repacked += bytes;
  }
  LARDER_ASSERT(starts.size() == count && count_packed(sequence) == count);
  const char* at = sequence.data() + sequence.size();
  for (size_t i = starts.size(); i-- > 0;) {
    at = read_packed_before(at).at;
    LARDER_ASSERT(at == starts[i]);
  }
  if (count > 0) LARDER_ASSERT(packed_at(sequence, -1).at == starts.back());
  char header[kListpackHeaderBytes];
  write_listpack_header(header, repacked, count);
  const std::string framed = std::string(header, sizeof header) + repacked + '\xff';
  Bytes again;
  size_t count_again = 0;
  const bool good = read_listpack_frame(framed, &again, &count_again);
  LARDER_ASSERT(good && again == repacked && count_again == count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A copy of the exact size, so that a sanitizer sees a read beyond the end.
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  size_t count = 0;
  if (data[0] % 3 == 0) {
    Bytes sequence;
    if (read_listpack_frame(input, &sequence, &count)) check_sequence(sequence, count);
    return 0;
  }
  Buffer sequence;
  const bool good = data[0] % 3 == 1 ? read_ziplist(input, &sequence, &count) : read_zipmap(input, &sequence, &count);
  if (good) check_sequence(sequence.bytes(), count);
  return 0;
}
