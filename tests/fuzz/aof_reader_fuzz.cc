// The reader of the append-only log on arbitrary bytes: nothing may crash, and what it says of the end must be true: the file cut
// there is complete and has the same commands.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/memory_file_system.h"
#include "persistence/aof_reader.h"

namespace {

using namespace larder;

struct Found {
  std::string commands;
  uint64_t count = 0;
  AofReader::End end;
};

Found read(Bytes text) {
  MemoryFileSystem files;
  files.set_content("/f", text);
  const auto file = files.open("/f", OpenMode::kRead);
  AofReader reader(**file, text.size());
  Found found;
  while (true) {
    const Result<bool> more = reader.next(7);
    if (!more) std::abort();
    for (const AofReader::Command& command : reader.commands()) {
      // A MULTI that is open at the end is cut off with what follows it.
      if (command.offset >= text.size()) std::abort();
      for (const Bytes word : reader.argv(command)) found.commands.append(word).append(1, '\0');
    }
    if (!*more) break;
  }
  found.count = reader.command_count();
  found.end = reader.end();
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes text(reinterpret_cast<const char*>(data), size);
  const Found found = read(text);
  if (found.end.offset > size) std::abort();
  const Found again = read(text.substr(0, found.end.offset));
  // A base that is cut is given a new end.
  const bool is_cut_base = again.end.ending == AofReader::Ending::kCutShort;
  if (again.end.ending != AofReader::Ending::kComplete && !is_cut_base) std::abort();
  if (!found.commands.starts_with(again.commands)) std::abort();
  return 0;
}
