// Glob matching under any pattern and text: no byte outside is read, time is bounded by their product, and what must
// hold for every pattern holds. The input is pattern, a zero byte, text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/glob.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  using namespace larder;
  if (input_bytes > 1024) return 0;
  const Bytes all(reinterpret_cast<const char*>(input), input_bytes);
  const size_t split = all.find('\0');
  // Copies of the exact size, so that a sanitizer sees a read beyond the end.
  const std::string pattern(all.substr(0, split));
  const std::string text(split == Bytes::npos ? Bytes() : all.substr(split + 1));
  const bool matched = glob_match(pattern, text);
  if (matched) {
    LARDER_ASSERT(glob_match("*" + pattern, text));
    LARDER_ASSERT(glob_match("*" + pattern, "x" + text));
  }
  if (glob_is_literal(pattern)) LARDER_ASSERT(matched == (pattern == text));
  if (pattern.find('[') == std::string::npos && matched) LARDER_ASSERT(glob_match(pattern, text, true));
  std::string escaped;
  for (const char c : text) {
    escaped += '\\';
    escaped += c;
  }
  LARDER_ASSERT(glob_match(escaped, text));
  LARDER_ASSERT(glob_match(escaped + "*", text + "tail"));
  return 0;
}
