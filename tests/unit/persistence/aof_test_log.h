#pragma once

// What the tests of the log's reader and writer share: commands that are numbered, and a reading of everything that a folder holds.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/memory_file_system.h"
#include "base/number_text.h"
#include "persistence/aof_manifest.h"
#include "persistence/aof_reader.h"
#include "persistence/aof_writer.h"

namespace larder {

inline constexpr const char* kTestDirectory = "/log";
inline constexpr const char* kTestName = "a";

// "SET <number> <filler>": what a test appends, and finds again by its number.
inline void append_numbered(Buffer& out, uint64_t number, size_t filler_bytes = 10) {
  const std::string text = std::to_string(number);
  const std::string filler(filler_bytes, static_cast<char>('a' + number % 26));
  const Bytes argv[] = {"SET", text, filler};
  append_aof_command(out, argv);
}

struct ReadLog {
  std::vector<uint64_t> numbers;  // of the commands, in their order
  AofReader::End end;             // of the last file that was read
  std::string broken_file;        // one that is not complete though others follow, or damaged
  AofWriter::Resume resume;
};

inline void read_aof_file(MemoryFileSystem& files, const std::string& path, ReadLog& log, size_t commands_max = 3) {
  auto file = files.open(path, OpenMode::kRead);
  ASSERT_TRUE(file.ok()) << path;
  AofReader reader(**file, files.file_size(path).value_or(0));
  while (true) {
    const Result<bool> more = reader.next(commands_max);
    ASSERT_TRUE(more.ok()) << more.error().to_string();
    for (const AofReader::Command& command : reader.commands()) {
      const auto argv = reader.argv(command);
      const auto number = argv.size() < 2 ? std::nullopt : parse_int64(argv[1]);
      if (argv[0] == "SET" && number) log.numbers.push_back(static_cast<uint64_t>(*number));
    }
    if (!*more) break;
  }
  log.end = reader.end();
  log.resume = {reader.salt(), reader.last_sequence(), log.end.offset};
}

// All that the manifest names, in order, as a server that starts would read it.
inline ReadLog read_aof_folder(MemoryFileSystem& files) {
  ReadLog log;
  const Result<AofManifest> manifest = read_aof_manifest(files, kTestDirectory, kTestName);
  EXPECT_TRUE(manifest.ok());
  if (!manifest) return log;
  std::vector<std::string> names;
  if (manifest->base) names.push_back(manifest->base->name);
  for (const AofManifest::File& file : manifest->incremental) names.push_back(file.name);
  for (size_t i = 0; i < names.size(); ++i) {
    read_aof_file(files, join_path(kTestDirectory, names[i]), log);
    const bool is_whole = log.end.ending == AofReader::Ending::kComplete;
    if (!is_whole && (i + 1 < names.size() || log.end.ending == AofReader::Ending::kDamaged)) {
      log.broken_file = names[i] + ": " + log.end.reason;
      break;
    }
  }
  return log;
}

}  // namespace larder
