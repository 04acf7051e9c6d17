// What a look-up of a typed value answers: the value, nothing, or "another type lives here".
//
//   auto value = keyspace.read<StringValue>(key, now_ms);
//   if (value.wrong_type()) ...           // or: value.error(), to hand on
//   if (value) use(value->size());
#pragma once

#include <cstdint>
#include <new>
#include <utility>

#include "base/assert.h"

namespace larder {

enum class LookupError : uint8_t { kMissing, kWrongType };

template <class Value>
class [[nodiscard]] Lookup {
 public:
  Lookup(Value value) : state_(State::kFound), value_(value) {}
  Lookup(LookupError error) : state_(error == LookupError::kMissing ? State::kMissing : State::kWrongType) {}

  explicit operator bool() const { return state_ == State::kFound; }
  bool found() const { return state_ == State::kFound; }
  bool missing() const { return state_ == State::kMissing; }
  bool wrong_type() const { return state_ == State::kWrongType; }
  // Requires: !found().
  LookupError error() const {
    LARDER_ASSERT(!found());
    return missing() ? LookupError::kMissing : LookupError::kWrongType;
  }

  // Requires: found().
  Value& operator*() {
    LARDER_ASSERT(found());
    return value_;
  }
  Value* operator->() { return &**this; }
  const Value& operator*() const {
    LARDER_ASSERT(found());
    return value_;
  }
  const Value* operator->() const { return &**this; }

 private:
  enum class State : uint8_t { kFound, kMissing, kWrongType };
  State state_;
  Value value_{};
};

}  // namespace larder
