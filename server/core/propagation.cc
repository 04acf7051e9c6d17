#include "server/core/propagation.h"

#include <functional>

#include "base/number_text.h"

namespace larder {
namespace {

constexpr size_t kLineEndBytes = 2;

}  // namespace

bool Propagation::came_as(Bytes request, std::span<const Bytes> argv) {
  constexpr std::less<const char*> kBefore;  // of pointers into different objects too
  const char* const begin = argv.front().data();
  if (request.empty() || kBefore(begin, request.data()) || !kBefore(begin, request.data() + request.size()))
    return false;
  size_t bytes = 1 + decimal_digits(argv.size()) + kLineEndBytes;
  for (const Bytes argument : argv) {
    bytes += 1 + decimal_digits(argument.size()) + kLineEndBytes + argument.size() + kLineEndBytes;
  }
  return bytes == request.size();
}

}  // namespace larder
