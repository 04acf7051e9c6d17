// The reader of the log's manifest on arbitrary text: it is refused, or what was understood can be written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "persistence/aof_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using larder::AofManifest;
  const auto manifest = AofManifest::parse({reinterpret_cast<const char*>(data), size});
  if (!manifest) return 0;
  const std::string text = manifest->text();
  if (text.empty()) return 0;
  const auto again = AofManifest::parse(text);
  if (!again || !(*again == *manifest)) std::abort();
  return 0;
}
