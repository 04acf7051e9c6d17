#pragma once

// CLIENT PAUSE: until when clients wait, and which of them.

#include <cstdint>

namespace larder {

struct PauseState {
  enum class Mode : uint8_t { kNone, kWrite, kAll };

  Mode mode = Mode::kNone;
  int64_t until_ms = 0;  // wall clock

  bool active(int64_t now_ms) const { return mode != Mode::kNone && now_ms < until_ms; }
};

}  // namespace larder
