#pragma once

// The first line of a script: "#!lua flags=no-writes,allow-oom", or "#!lua name=library" for a function library.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

enum ScriptFlag : uint32_t {
  kScriptNoWrites = 1u << 0,
  kScriptAllowOom = 1u << 1,
  kScriptAllowStale = 1u << 2,
  kScriptNoCluster = 1u << 3,
  kScriptAllowCrossSlotKeys = 1u << 4,
  kScriptCompatible = 1u << 5,  // no first line at all: the rules of servers before flags existed
};

// The flag of a word in a call of register_function, in letters of any case; 0 for an unknown one.
uint32_t script_flag_of(Bytes word);
inline constexpr Bytes kScriptFlagWords[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                             "allow-cross-slot-keys"};

struct ScriptHeader {
  uint32_t flags = kScriptCompatible;
  Bytes code;  // the source behind the first line; its line end is kept, so that line numbers stay right
};

// Reads the first line of an EVAL script. The message of an error is the reply's text.
Result<ScriptHeader> read_script_header(Bytes source);

struct LibraryHeader {
  std::string engine;
  std::string name;
  Bytes code;
};

// The same for a library.
Result<LibraryHeader> read_library_header(Bytes source);

}  // namespace larder
