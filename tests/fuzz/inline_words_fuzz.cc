// Quoting: whatever split_quoted_words makes of a line, quoting its words again and splitting that gives the same
// words.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "protocol/request_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  using namespace larder;
  const Bytes line(reinterpret_cast<const char*>(input), input_bytes);
  RequestArgs args;
  if (!split_quoted_words(line, args)) {
    LARDER_ASSERT(args.size() == 0);
    return 0;
  }
  std::string again;
  size_t total_bytes = 0;
  for (uint32_t i = 0; i < args.size(); i++) {
    total_bytes += args[i].size();
    again += ' ';
    append_quoted(&again, args[i]);
  }
  LARDER_ASSERT(total_bytes <= line.size());  // unquoting never lengthens
  RequestArgs second;
  LARDER_ASSERT(split_quoted_words(again, second));
  LARDER_ASSERT(second.size() == args.size());
  for (uint32_t i = 0; i < args.size(); i++) LARDER_ASSERT(second[i] == args[i]);
  return 0;
}
