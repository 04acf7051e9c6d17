#pragma once

// Names of value types, as TYPE answers them and SCAN's TYPE option reads them.

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/entry.h"

namespace larder {

constexpr Bytes value_type_name(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "string";
    case ValueType::kList:
      return "list";
    case ValueType::kSet:
      return "set";
    case ValueType::kZset:
      return "zset";
    case ValueType::kHash:
      return "hash";
    case ValueType::kStream:
      return "stream";
  }
  LARDER_UNREACHABLE();
}

}  // namespace larder
