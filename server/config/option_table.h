#pragma once

// The options of a running server by name: reading, changing several at once or none, and telling whoever depends on one.
//
// What there is to know of an option (name, type, bounds, flags) stands in option_rows.cc; the values are in Settings,
// which the table borrows and is alone in writing to. Parts of the server that must act when a value changes (open a
// port, resize the slow log) subscribe a function; when that one fails, the whole change is taken back and the functions
// run again with the old values, so that a CONFIG SET either worked or did nothing.
//
//     options.subscribe({"slowlog-max-len"}, [&] {
//       slowlog.set_max_entries(static_cast<size_t>(settings.slowlog_max_len));
//       return Status();
//     });
//
// Values as text are canonical, byte for byte as Redis prints them in CONFIG GET. Not for the hot path: a change costs
// one copy of Settings.

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "server/config/option_rows.h"
#include "server/config/settings.h"

namespace larder {

class OptionTable {
 public:
  // At most so many options in one change.
  static constexpr size_t kAssignmentsMax = 1024;

  // `settings` outlives the table.
  explicit OptionTable(Settings& settings);

  struct Named {
    Bytes name;        // the option's own, or the pattern itself where that is a name (in the letters of who asked)
    std::string text;  // canonical
  };
  // Every option whose name (or older name) matches one of the patterns, each once, sorted by name. Hidden options
  // answer only to their exact name.
  std::vector<Named> find(std::span<const Bytes> patterns) const;
  // The canonical text of one option; nothing when there is none of that name.
  std::optional<std::string> text_of(Bytes name) const;

  struct Assignment {
    Bytes name;
    Bytes value;
  };
  // Whether options that redirect files may be changed (enable-protected-configs, asked for by who knows the client).
  enum class ProtectedConfigs : uint8_t { kRefuse, kAllow };
  // CONFIG SET: all or nothing. The message of an error is the complete text for the wire.
  Status set(std::span<const Assignment> assignments, ProtectedConfigs protected_configs = ProtectedConfigs::kRefuse);
  // Changes one option from inside (REPLICAOF, CONFIG SET's relatives): no right is asked, subscribers are told. The
  // message of an error is the bare reason.
  Status set_one(Bytes name, std::span<const Bytes> words);

  // `apply` runs after a change of any of the named options, once per change; the new values are in Settings by then.
  // Its error message becomes the reason that the client reads. Requires: options of these names exist.
  void subscribe(std::initializer_list<Bytes> names, std::function<Status()> apply);
  // The same, and runs before all others: they depend on what it does.
  void subscribe_first(std::initializer_list<Bytes> names, std::function<Status()> apply);

  Settings& settings() { return settings_; }
  const Settings& settings() const { return settings_; }

 private:
  struct Subscriber {
    std::vector<const OptionRow*> rows;
    std::function<Status()> apply;
  };
  static Subscriber subscriber_of(std::initializer_list<Bytes> names, std::function<Status()> apply);
  // Tells the subscribers of those rows that differ from `before`; when one refuses, everything is as before.
  Status apply_or_take_back(const Settings& before, std::span<const OptionRow* const> rows, const OptionRow** failed);
  // Runs the subscribers of the changed rows. On failure names the row that the failing one hangs on.
  Status apply_changes(std::span<const OptionRow* const> changed, const OptionRow** failed);
  Status resolve(std::span<const Assignment> assignments, ProtectedConfigs protected_configs,
                 std::vector<const OptionRow*>& rows) const;

  Settings& settings_;
  std::vector<Subscriber> subscribers_;
};

}  // namespace larder
