#include "server/script/script_cache.h"

#include <cstring>

namespace larder {

size_t ScriptCache::Hash::operator()(std::string_view sha) const {
  uint64_t words[2] = {};
  if (sha.size() >= sizeof(words)) std::memcpy(words, sha.data(), sizeof(words));
  return (words[0] ^ (words[1] * 31)) * 0x9e3779b97f4a7c15ull >> 16;
}

void ScriptCache::use(CachedScript& script) {
  if (!script.is_kept) used_.splice(used_.end(), used_, script.use);
}

CachedScript* ScriptCache::find(Bytes sha) {
  auto found = scripts_.find(sha);
  if (found == scripts_.end()) found = scripts_.find(to_lower(sha));
  if (found == scripts_.end()) return nullptr;
  use(*found->second);
  return found->second.get();
}

CachedScript* ScriptCache::find_source(Bytes source) {
  const auto found = by_source_.find(source);
  if (found == by_source_.end()) return nullptr;
  use(*found->second);
  return found->second;
}

CachedScript& ScriptCache::add(Bytes source, std::string sha, bool is_kept) {
  auto script = std::make_unique<CachedScript>();
  script->sha = sha;
  script->source = source;
  script->is_kept = is_kept;
  CachedScript& added = *script;
  if (!is_kept) {
    added.use = used_.insert(used_.end(), &added);
    eval_bytes_ += source.size();
  }
  source_bytes_ += source.size();
  by_source_[added.source] = &added;
  scripts_[std::move(sha)] = std::move(script);
  return added;
}

void ScriptCache::keep(CachedScript& script) {
  if (script.is_kept) return;
  forget_use(script);
  script.is_kept = true;
}

void ScriptCache::forget_use(CachedScript& script) {
  used_.erase(script.use);
  eval_bytes_ -= script.source.size();
}

CachedScript* ScriptCache::surplus() {
  const bool too_many = used_.size() > kEvalScriptsMax;
  const bool too_large = eval_bytes_ > kEvalBytesMax && used_.size() > 1;
  return too_many || too_large ? used_.front() : nullptr;
}

void ScriptCache::remove(CachedScript& script) {
  if (!script.is_kept) forget_use(script);
  source_bytes_ -= script.source.size();
  by_source_.erase(script.source);
  scripts_.erase(scripts_.find(script.sha));
}

void ScriptCache::drop_some(size_t scripts_max) {
  used_.clear();
  for (; scripts_max > 0 && !scripts_.empty(); --scripts_max) {
    by_source_.erase(by_source_.begin());
    scripts_.erase(scripts_.begin());
  }
}

}  // namespace larder
