#include "server/core/propagation.h"

#include <functional>

#include "base/number_text.h"

namespace larder {
namespace {

constexpr size_t kLineEndBytes = 2;

// A type's byte, a length, the end of the line. Lengths are mostly short: what branches tell takes the fewest instructions.
size_t header_bytes(size_t length) {
  const uint32_t digits = length < 10 ? 1 : length < 100 ? 2 : length < 1000 ? 3 : decimal_digits(length);
  return 1 + digits + kLineEndBytes;
}

}  // namespace

bool Propagation::came_as(Bytes request, std::span<const Bytes> argv) {
  constexpr std::less<const char*> kBefore;  // of pointers into different objects too
  const char* const begin = argv.front().data();
  if (request.empty() || kBefore(begin, request.data()) || !kBefore(begin, request.data() + request.size()))
    return false;
  size_t bytes = header_bytes(argv.size());
  for (const Bytes argument : argv) bytes += header_bytes(argument.size()) + argument.size() + kLineEndBytes;
  return bytes == request.size();
}

}  // namespace larder
