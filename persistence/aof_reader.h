#pragma once

// One append-only file as a sequence of commands, and the judgement of its end.
//
//     AofReader reader(file, file_bytes, offset);
//     while (true) {
//       LARDER_TRY_ASSIGN(const bool more, reader.next(32));
//       for (const AofReader::Command& command : reader.commands()) run(reader.argv(command));
//       if (!more) break;
//     }
//     reader.end()   // how it ended, where, why
//
// Commands inside a group come out only after the group's checksum and place in the sequence were verified; commands outside
// of groups (of Redis, Valkey, or of a base file) as they are. Lines that start with '#' are skipped. A command that is
// not complete, a bad line, a wrong checksum end the reading; what they are is judged by what the rest of the file claims:
//
//   kComplete  the file ends behind a command
//   kTorn      it ends within one, or within a group or a MULTI; or what is bad was never claimed to be durable
//   kDamaged   anything else: bytes that were once whole on the disk are not any more, or no log at all
//   kCutShort  a base of ours that ends behind a group, but not the last one: nobody knows how much is missing
//
// A base of ours was complete when the manifest named it, so it is never torn.
//
// Redis and Valkey cut an unfinished group behind its last whole command, and go on there. What is left of it and all that they
// wrote are commands outside of groups then: see taken_over().
//
// offset in end() is where the first command that is lost begins (for a MULTI without its EXEC: the MULTI), so that the file
// cut there is complete. Padding at the end is in front of nothing: the offset is where it begins. Memory: the largest group or command, plus kReadBytes. Hostile files cost no more than their size.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "protocol/request_parser.h"

namespace larder {

class AofReader {
 public:
  static constexpr size_t kReadBytes = 1024 * 1024;

  enum class Ending : uint8_t { kComplete, kTorn, kDamaged, kCutShort };
  struct End {
    Ending ending = Ending::kComplete;
    uint64_t offset = 0;  // everything in front is whole
    std::string reason;   // empty for kComplete
  };
  struct Command {
    uint32_t first_argument;
    uint32_t argument_count;
    uint64_t offset;  // in the file
  };

  // Borrows the file, which holds `file_bytes`; begins at `offset` (behind an RDB preamble).
  AofReader(File& file, uint64_t file_bytes, uint64_t offset = 0);

  // Reads up to `commands_max` commands (at least one). False when there are no more behind them: see end(). An error is
  // one of the disk.
  Result<bool> next(size_t commands_max);
  // What next() has read; views are valid until the next call.
  std::span<const Command> commands() const { return commands_; }
  std::span<const Bytes> argv(const Command& command) const {
    return arguments_.slice(command.first_argument, command.argument_count);
  }

  // Requires: next() has returned false.
  const End& end() const { return end_; }

  uint64_t offset() const { return position_; }
  uint64_t file_bytes() const { return file_bytes_; }
  uint64_t command_count() const { return command_count_; }
  // What a writer needs to go on with this file: its salt (nothing: no line of ours is in it) and its last group.
  std::optional<uint64_t> salt() const { return salt_; }
  uint64_t last_sequence() const { return last_sequence_; }
  // The last group that was not finished when another server went on behind it, if there is one.
  std::optional<uint64_t> taken_over() const { return taken_over_; }
  // The file says that it is a base of ours: what is cut off it must be followed by a new end.
  bool is_base() const { return is_base_; }
  // It is one, and nothing so far said that it ends with the last group.
  bool base_end_is_missing() const { return is_base_ && claimed_sequence_ != last_sequence_; }
  // Groups of ours are at the end, and no claim behind the last of them: no file ends so that another one follows.
  bool end_is_missing() const {
    return salt_ && !outside_group_ && last_sequence_ > 0 && claimed_sequence_ != last_sequence_;
  }

 private:
  enum class Step : uint8_t { kCommand, kSkipped, kNeedsMore, kEnd };

  Result<Step> step();
  Result<Step> read_annotation();
  // A run of '#' in a file of ours: what a group that did not reach the disk as a whole leaves of it is its end.
  Result<Step> skip_padding();
  Result<Step> read_group();
  Result<Step> broken_group(uint64_t begin, std::string reason, bool ends_early);
  Result<bool> other_server_went_on(uint64_t offset);
  Result<Step> read_command();
  void skip_group_annotation();
  // True when `bytes` are there from the position on. May move what was read: only while no command is collected.
  Result<bool> fill(size_t bytes);
  Bytes available() const { return buffer_.bytes().substr(static_cast<size_t>(position_ - buffer_offset_)); }
  void advance(size_t bytes) { position_ += bytes; }
  Step finish(Ending ending, uint64_t offset, std::string reason);
  // The file ends behind a command or a line.
  Step finish_at_end();
  // The file ends, or goes wrong, at `offset`: torn or damaged?
  Result<Step> finish_broken(uint64_t offset, std::string reason, bool ends_early);
  Result<bool> durability_claimed_behind(uint64_t offset, uint64_t sequence);
  // What one piece of the rest, read at `at`, says.
  Result<bool> claims_in(Bytes piece, uint64_t at, uint64_t sequence, uint64_t& hashed_bytes_left);
  Result<bool> group_is_intact_at(uint64_t offset, Bytes line);
  void note_transaction(Bytes name, uint64_t offset);

  File& file_;
  const uint64_t file_bytes_;
  uint64_t position_;       // the next byte to look at
  uint64_t buffer_offset_;  // of the buffer's first byte
  Buffer buffer_;
  RequestArgs arguments_;
  std::vector<Command> commands_;
  uint64_t group_end_ = 0;      // of the group that the position is in; 0 outside of one
  bool outside_group_ = false;  // the latest command was in none: another server has written behind our groups
  std::optional<uint64_t> salt_;
  bool is_base_ = false;
  uint64_t last_sequence_ = 0;
  std::optional<uint64_t> claimed_sequence_;  // by the last #LD
  std::optional<uint64_t> taken_over_;        // offset of the group's line
  uint64_t command_count_ = 0;
  std::optional<uint64_t> padding_;     // offset of what was skipped last, if it was padding
  std::optional<uint64_t> open_multi_;  // offset of a MULTI without an EXEC so far
  bool ended_ = false;
  bool knows_times_only_ = false;  // of lines
  End end_;
};

}  // namespace larder
