// The names that OBJECT ENCODING shows: those of Redis 7.2, which tools look for, whatever the value is really kept as.
#pragma once

#include "base/bytes.h"
#include "storage/entry.h"

namespace larder {

// Strings: int, embstr (up to 44 bytes, never edited), raw. Collections: listpack, intset, or what the structure says.
Bytes encoding_name(const Entry& entry);

}  // namespace larder
