#pragma once

// What the rest of the server knows of scripts: an interface, because server/script is the only home of Lua. The engine is
// made by whoever wires the server (main.cc, tests) and handed to Server::set_scripting().
//
// A script runs inside the command that called it, on the loop's thread. While one runs for longer than
// busy-reply-threshold, the engine asks the RequestPump again and again to let the other clients in: their requests are
// answered with BUSY, but for those commands that end the script or the server (kAllowBusy).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

struct Command;

// Implemented by the side that has the sockets (server/net, tests).
class RequestPump {
 public:
  virtual ~RequestPump() = default;
  // Called every few milliseconds while a script runs, before the server counts as busy.
  virtual void script_is_running() {}
  // Receives what other clients have sent, executes it through Server::busy_tick() and sends the replies; does not wait.
  // False: the server is to stop, and the script with it.
  [[nodiscard]] virtual bool serve_others() = 0;
};

class Scripting {
 public:
  virtual ~Scripting() = default;

  struct Usage {
    uint64_t script_vm_bytes = 0;
    uint64_t function_vm_bytes = 0;
    uint64_t cache_bytes = 0;    // sources of cached scripts
    uint64_t library_bytes = 0;  // sources of libraries
    size_t cached_scripts = 0;
    size_t libraries = 0;
    size_t functions = 0;
    uint64_t evicted_scripts = 0;

    uint64_t source_bytes() const { return cache_bytes + library_bytes; }
  };
  virtual Usage usage() const = 0;

  // The wall clock when the running script began: it stands still for the script. Requires: one runs.
  virtual int64_t started_us() const = 0;

  // Whether one has been running for so long that other clients are let in.
  virtual bool is_busy() const = 0;

  // The flags that a request of a command that runs scripts counts as: a script or function that says of itself what it
  // does is judged by that, like a command.
  virtual uint32_t request_flags(const Command& command, std::span<const Bytes> argv) = 0;

  // ---- Background work: garbage that calls have left in a state that lasts.
  virtual bool is_cleaning() const = 0;
  // One small piece of it; true when there is more.
  virtual bool clean_some() = 0;

  // ---- For snapshots and logs: the sources of the function libraries, as FUNCTION LOAD got them, sorted by name.
  virtual std::vector<std::string> library_sources() const = 0;
  // Loads a library from such a source and replaces one of its name. The error is FUNCTION LOAD's.
  virtual Status load_library(Bytes source) = 0;
  virtual void remove_all_libraries() = 0;
};

}  // namespace larder
