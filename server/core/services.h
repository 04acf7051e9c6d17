#pragma once

// The parts of a server that a command may reach, as references. Each is owned by `Server`; a command sees this bundle
// through its context, so a part can be replaced in a test, and what a family depends on shows in what it includes.

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace larder {

class AppendLog;
class BlockingTable;
class Clock;
class ClientList;
class ClientMemory;
class Delivery;
class FileSystem;
class FlushQueue;
class HeldReplies;
class KeyEvents;
class LatencyMonitor;
class LeftoverQueue;
class Loading;
class MemoryLimit;
class Log;
class OptionTable;
class Monitors;
class Notifications;
class Propagation;
class PubSub;
class Random;
class Registry;
class SaveControl;
class RequestPump;
class Scripting;
class Slowlog;
class Snapshots;
class Store;
class Tick;
class Tracking;
class TransactionTable;
struct ServerStats;
struct Settings;
struct PauseState;

// What a command may ask of the process as a whole. Implemented by server/main through server/net, and by tests.
class ProcessControl {
 public:
  virtual ~ProcessControl() = default;
  // Stops the server after this tick.
  virtual void request_shutdown() = 0;
  // From any thread: the loop takes a turn soon.
  virtual void wake_loop() = 0;
  // Sleeps the whole server, for DEBUG SLEEP only.
  virtual void sleep_us(int64_t duration_us) = 0;
  // Resident memory of the process, in bytes; 0 when it cannot be told.
  virtual uint64_t resident_bytes() const = 0;
};

// Facts of this process that do not change while it runs.
struct ServerIdentity {
  std::string run_id;       // 40 hexadecimal digits
  std::string executable;   // path of the binary
  std::string config_file;  // absolute path, or empty
  std::string os;           // "Linux 6.1.0 x86_64"
  int64_t process_id = 0;
  int64_t started_ms = 0;  // wall clock
};

struct Services {
  Clock& clock;
  Random& random;
  FileSystem& files;
  Log& log;
  Store& store;
  Settings& settings;
  OptionTable& options;
  Registry& registry;
  ClientList& clients;
  ServerStats& stats;
  Slowlog& slowlog;
  LatencyMonitor& latency;
  TransactionTable& transactions;
  BlockingTable& blocking;
  KeyEvents& key_events;
  Propagation& propagation;
  AppendLog& append_log;
  HeldReplies& held_replies;
  FlushQueue& flushed;
  LeftoverQueue& leftovers;
  MemoryLimit& memory_limit;
  Snapshots& snapshots;
  SaveControl& saves;
  Loading& loading;
  PauseState& pause;
  ProcessControl& process;
  ServerIdentity& identity;
  Tick& tick;
  Delivery& delivery;
  PubSub& pubsub;
  Notifications& notifications;
  Monitors& monitors;
  Tracking& tracking;
  ClientMemory& client_memory;
  // Set once the server is wired; null in a server without scripts, or without anybody to serve meanwhile.
  Scripting* scripting = nullptr;
  RequestPump* pump = nullptr;
};

}  // namespace larder
