#pragma once

// Function libraries: what FUNCTION LOAD brought, found by library and by function.
//
// A library is its source; what was compiled from it lives in a Lua state and is made again when the state is. Function names
// are one space for all libraries, in any case of letters; library names are exact.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace larder {

struct FunctionLibrary;

struct LibraryFunction {
  std::string name;
  std::string description;
  bool has_description = false;
  uint32_t flags = 0;  // ScriptFlag
  int reference = 0;   // of the compiled function, in the state of `library->generation`
  FunctionLibrary* library = nullptr;
};

struct FunctionLibrary {
  std::string name;
  std::string source;
  uint64_t generation = 0;
  std::vector<std::unique_ptr<LibraryFunction>> functions;

  // In any case; null when there is none.
  LibraryFunction* find(Bytes function_name) const;
};

// Letters, digits and underscores, at least one.
bool is_function_name(Bytes name);

class FunctionStore {
 public:
  using Libraries = std::map<std::string, std::unique_ptr<FunctionLibrary>, std::less<>>;

  FunctionLibrary* find_library(Bytes name) const;
  LibraryFunction* find(Bytes function_name) const;
  // A function of `library` that another library has already, null when there is none. The library of the same name does
  // not count: `library` is to replace it.
  const LibraryFunction* find_conflict(const FunctionLibrary& library) const;

  // Requires: no library of its name, no function of theirs is there.
  void add(std::unique_ptr<FunctionLibrary> library);
  // Returns it; null when there is none.
  std::unique_ptr<FunctionLibrary> remove(Bytes name);
  // Removes about `libraries_max` of those that are left. Nothing else may be called any more but size().
  void drop_some(size_t libraries_max);
  size_t size() const { return libraries_.size(); }

  // By name.
  const Libraries& libraries() const { return libraries_; }
  size_t function_count() const { return functions_.size(); }
  uint64_t source_bytes() const { return source_bytes_; }

 private:
  Libraries libraries_;
  std::map<std::string, LibraryFunction*, std::less<>> functions_;  // by the name in small letters
  uint64_t source_bytes_ = 0;
};

}  // namespace larder
