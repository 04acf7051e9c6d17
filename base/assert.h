// Assertions that stay on in production. They guard against programmer errors only: whatever a client, a disk or a peer
// can send is checked and answered with a typed error instead.
#pragma once

namespace larder {

// Prints "file:line: assertion failed: expression" to standard error and aborts the process.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace larder

#define LARDER_ASSERT(condition)                                            \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) \
                                                     : ::larder::assertion_failed(#condition, __FILE__, __LINE__))

// Marks a place that control flow cannot reach; reaching it is an assertion failure, not undefined behaviour.
#define LARDER_UNREACHABLE() ::larder::assertion_failed("unreachable", __FILE__, __LINE__)
