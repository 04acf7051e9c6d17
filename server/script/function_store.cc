#include "server/script/function_store.h"

#include <algorithm>

#include "base/assert.h"

namespace larder {

LibraryFunction* FunctionLibrary::find(Bytes function_name) const {
  for (const auto& function : functions) {
    if (equals_ignore_case(function->name, function_name)) return function.get();
  }
  return nullptr;
}

bool is_function_name(Bytes name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    const char letter = to_lower(c);
    return (letter >= 'a' && letter <= 'z') || is_digit(c) || c == '_';
  });
}

FunctionLibrary* FunctionStore::find_library(Bytes name) const {
  const auto found = libraries_.find(name);
  return found == libraries_.end() ? nullptr : found->second.get();
}

LibraryFunction* FunctionStore::find(Bytes function_name) const {
  const bool has_capitals =
      std::any_of(function_name.begin(), function_name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  const auto found = has_capitals ? functions_.find(to_lower(function_name)) : functions_.find(function_name);
  return found == functions_.end() ? nullptr : found->second;
}

const LibraryFunction* FunctionStore::find_conflict(const FunctionLibrary& library) const {
  for (const auto& function : library.functions) {
    const LibraryFunction* other = find(function->name);
    if (other != nullptr && other->library->name != library.name) return function.get();
  }
  return nullptr;
}

void FunctionStore::add(std::unique_ptr<FunctionLibrary> library) {
  LARDER_ASSERT(find_library(library->name) == nullptr);
  for (const auto& function : library->functions) {
    function->library = library.get();
    const bool is_new = functions_.emplace(to_lower(function->name), function.get()).second;
    LARDER_ASSERT(is_new);
  }
  source_bytes_ += library->source.size();
  std::string name = library->name;
  libraries_.emplace(std::move(name), std::move(library));
}

std::unique_ptr<FunctionLibrary> FunctionStore::remove(Bytes name) {
  const auto found = libraries_.find(name);
  if (found == libraries_.end()) return nullptr;
  std::unique_ptr<FunctionLibrary> library = std::move(found->second);
  libraries_.erase(found);
  for (const auto& function : library->functions) functions_.erase(to_lower(function->name));
  source_bytes_ -= library->source.size();
  return library;
}

void FunctionStore::drop_some(size_t libraries_max) {
  for (; libraries_max > 0 && !libraries_.empty(); --libraries_max) {
    const size_t functions = libraries_.begin()->second->functions.size();
    for (size_t i = 0; i < functions; ++i) functions_.erase(functions_.begin());
    libraries_.erase(libraries_.begin());
  }
}

}  // namespace larder
