#pragma once

// The table of commands: from the name in a request to its row and statistics.
//
// Names are found through an open-addressing table keyed by the first eight bytes of the name, folded to lower case in
// one word, and its length; a hit costs one multiplication and one or two comparisons. Commands live in a vector that
// never changes after start-up, so a `Command*` is stable and its index counts densely (ACL bits, statistics).

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/histogram.h"
#include "server/core/command_docs.h"
#include "server/core/command_spec.h"

namespace larder {

// Counted per command, as INFO commandstats shows it.
struct CommandStats {
  uint64_t calls = 0;
  uint64_t cpu_ns = 0;
  uint64_t rejected_calls = 0;
  uint64_t failed_calls = 0;
  std::unique_ptr<Histogram> latency_ns;  // null until the first call with latency-tracking on
};

struct Command {
  const CommandSpec* spec = nullptr;
  const CommandDocs* docs = nullptr;
  const Command* parent = nullptr;  // the container of a subcommand
  std::string full_name;            // "get", "config|get"
  uint32_t index = 0;
  int8_t first_key = 0;  // index of the first key among the arguments, 0 when it is not fixed; for the prefetch stage
  int8_t item = 0;       // index of the argument that names an item of that key's collection, 0 when none does
  bool renamed = false;  // it, or its container: clients know it by another name than its row's, or by none
  std::vector<Command*> subcommands;
  mutable CommandStats stats;

  bool is_container() const { return !subcommands.empty(); }
  bool is_write() const { return (spec->flags & kWrite) != 0; }
};

// What one family brings: its rows and their documentation.
struct CommandFamily {
  Bytes group;  // group name in COMMAND DOCS: "string", "generic" ...
  std::span<const CommandSpec> rows;
  std::span<const CommandDocs> docs;
};

class Registry {
 public:
  explicit Registry(std::span<const CommandFamily> families);

  // The command of that name, in any case; null when there is none. Subcommands are not searched.
  const Command* find(Bytes name) const;
  // The subcommand of a container; null when there is none of that name.
  static const Command* find_subcommand(const Command& container, Bytes name);
  // The command that a request means: a subcommand when the first argument names one. Null when the name is unknown, a
  // container when its subcommand is missing or unknown.
  const Command* resolve(std::span<const Bytes> argv) const { return resolve_in(find(argv[0]), argv); }
  // The same for a request of a log: logs have the names of the rows, whatever clients call the commands. (Those that
  // earlier builds wrote have the clients' names.)
  const Command* resolve_logged(std::span<const Bytes> argv) const;
  // "config|get" or "get"; null when there is none.
  const Command* find_full_name(Bytes full_name) const;

  // Top-level commands in the order of the families.
  std::span<const Command* const> commands() const { return top_level_; }
  // Every command and subcommand.
  std::span<const std::unique_ptr<Command>> all() const { return all_; }
  Bytes group_of(const Command& command) const { return groups_[command.index]; }

  // Renames a command (rename-command in the configuration); an empty new name removes it. False: no such command, or
  // the new name is taken. Only at start-up.
  bool rename(Bytes name, Bytes new_name);
  void reset_stats() const;

 private:
  struct Cell {
    uint64_t word = 0;  // first eight bytes of the name, folded
    Command* command = nullptr;
    Bytes name;  // in names_
  };
  static const Command* resolve_in(const Command* command, std::span<const Bytes> argv) {
    if (command == nullptr || !command->is_container() || argv.size() < 2) return command;
    const Command* sub = find_subcommand(*command, argv[1]);
    return sub != nullptr ? sub : command;
  }
  Command& add(const CommandSpec& spec, const CommandFamily& family, Command* parent);
  // Makes the cells anew from the names.
  void index_names();

  std::vector<std::unique_ptr<Command>> all_;
  std::vector<const Command*> top_level_;
  std::vector<const Command*> renamed_;
  std::vector<Bytes> groups_;
  std::vector<Cell> cells_;
  std::deque<std::pair<std::string, Command*>> names_;  // a deque: the strings must not move
};

// One key of a request.
struct KeyPosition {
  uint32_t index = 0;  // into argv
  uint16_t flags = 0;  // KeyFlag
};

// Every key of a request, found through the command's key specs. False when the arguments do not fit the specs (a key
// count that is not a number or too large). Requires: the arity matches.
bool find_keys(const Command& command, std::span<const Bytes> argv, std::vector<KeyPosition>& keys);

}  // namespace larder
