#pragma once

// Scripts by the SHA-1 of their source. Those that SCRIPT LOAD brought stay until SCRIPT FLUSH; of those that only EVAL
// brought, the last used, up to kEvalScriptsMax of them and kEvalBytesMax of source: an application that writes values into
// its scripts' texts would fill the memory.

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"

namespace larder {

struct CachedScript {
  std::string sha;  // 40 lower-case digits
  std::string source;
  uint32_t flags = 0;  // ScriptFlag
  int reference = 0;   // of the compiled function, in the runtime of that generation
  uint64_t generation = 0;
  bool is_kept = false;                    // by SCRIPT LOAD
  std::list<CachedScript*>::iterator use;  // in the order of use, when it is not kept
};

class ScriptCache {
 public:
  static constexpr size_t kEvalScriptsMax = 500;
  static constexpr uint64_t kEvalBytesMax = uint64_t{32} << 20;

  // By name, digits in any case; null when there is none. Counts as a use.
  CachedScript* find(Bytes sha);
  // By source: spares the hashing that the name takes.
  CachedScript* find_source(Bytes source);
  // A script that is not there yet.
  CachedScript& add(Bytes source, std::string sha, bool is_kept);
  void keep(CachedScript& script);
  // The script to remove, as those of its kind are too many or too large; null when they are not. Never the one used last.
  CachedScript* surplus();
  void remove(CachedScript& script);
  // Removes about `scripts_max` of those that are left. Nothing else may be called any more: views of sources are gone.
  void drop_some(size_t scripts_max);

  size_t size() const { return scripts_.size(); }
  uint64_t source_bytes() const { return source_bytes_; }

 private:
  struct Hash {
    using is_transparent = void;
    // The names are digests: any of their digits are as random as all of them.
    size_t operator()(std::string_view sha) const;
  };
  void use(CachedScript& script);
  void forget_use(CachedScript& script);

  std::unordered_map<std::string, std::unique_ptr<CachedScript>, Hash, std::equal_to<>> scripts_;
  std::unordered_map<std::string_view, CachedScript*> by_source_;
  std::list<CachedScript*> used_;  // the oldest first
  uint64_t source_bytes_ = 0;
  uint64_t eval_bytes_ = 0;  // of it: of those in used_
};

}  // namespace larder
