#pragma once

// What to send, to whom, and for how long: the flags of redis-benchmark with the same meaning, and more.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/load/key_source.h"

namespace larder::load {

struct ValueSizes {
  int64_t min_bytes = 0;  // 0: not said
  int64_t max_bytes = 0;
};

// A server of --compare.
struct NamedServer {
  std::string name;
  std::string host;
  uint16_t port = 0;
};

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string unix_socket;
  std::string username;
  std::string password;
  int64_t database = 0;
  int protocol_version = 2;

  int64_t clients = 50;
  int64_t threads = 1;
  int64_t requests = 100000;
  double duration_s = 0;  // --duration: run that long instead of a number of requests
  double warmup_s = 0;    // --warmup: what is not counted, before that
  double rate = 0;  // --rate: requests a second, sent when they are due whatever is still in flight; 0: closed loop
  ValueSizes value_sizes;
  int64_t key_space = 0;         // -r: random keys out of so many; 0: one key
  std::optional<KeyShape> keys;  // --keys
  int64_t sets = 0;              // --ratio
  int64_t gets = 0;
  int64_t pipeline = 1;
  int64_t subscribers = -1;          // --subscribers; negative: as the workload says
  std::optional<uint64_t> seed;      // --seed; without it every run draws other keys
  std::vector<std::string> tests;    // -t; empty: all of the default suite
  std::vector<std::string> command;  // the rest of the arguments: one command of the user's own
  std::vector<NamedServer> compare;  // --compare
  int64_t rounds = 3;                // of a comparison
  bool read_last_argument = false;   // -x: from standard input; whoever reads it appends it to `command`
  bool keeps_connections = true;     // -k 0: a new one for each pipeline of requests
  bool tracking = false;             // --enable-tracking
  bool cluster = false;              // --cluster: still one server is loaded, and that is said
  bool idle = false;                 // -I: the connections are opened, and nothing is sent
  bool quiet = false;
  bool csv = false;
  bool json = false;
  bool loop = false;
  bool help = false;
  bool version = false;
};

Result<LoadOptions> parse_load_options(const std::vector<std::string>& arguments);
std::string load_help_text();

}  // namespace larder::load
