#include <sys/random.h>

#include <cerrno>

#include "base/random.h"

namespace larder {

void os_entropy(void* out, size_t size_bytes) {
  char* position = static_cast<char*>(out);
  while (size_bytes > 0) {
    const ssize_t got = getrandom(position, size_bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    LARDER_ASSERT(got > 0);
    position += got;
    size_bytes -= static_cast<size_t>(got);
  }
}

}  // namespace larder
