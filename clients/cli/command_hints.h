#pragma once

// What the interactive mode knows of the server's commands: names to complete, and the arguments that may follow. Both
// come from the server itself (COMMAND DOCS), so they fit whatever version is at the other end.

#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/reply_reader.h"

namespace larder::cli {

class CommandHints {
 public:
  // Reads the reply of COMMAND DOCS, of either protocol version. What does not look like it is passed over.
  void load(const Reply& docs);
  bool empty() const { return hints_.empty(); }

  // Names that begin with `prefix` in any case, in upper case and sorted. "CONFIG G" gives "CONFIG GET".
  std::vector<std::string> completions(Bytes prefix) const;
  // The arguments that may follow what is typed: "key value [NX | XX]". Empty when the command is not known or all of
  // its fixed arguments are there.
  std::string hint_for(Bytes line) const;
  // Everything known of a command, or the commands of a group ("@string"), for HELP. Empty when it is not known.
  std::string help_for(Bytes name) const;

 private:
  struct Hint {
    std::vector<std::string> arguments;  // each argument's text
    std::string summary;
    std::string since;
    std::string group;
  };
  void load_command(const std::string& name, const Reply& facts);

  std::map<std::string, Hint> hints_;  // by name in upper case, "CONFIG GET"
};

}  // namespace larder::cli
