#pragma once

// What to send, to whom, and for how long: the flags of redis-benchmark with the same meaning.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace larder::load {

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string unix_socket;
  std::string username;
  std::string password;
  int64_t database = 0;
  int protocol_version = 2;

  int64_t clients = 50;
  int64_t requests = 100000;
  double duration_s = 0;  // --duration: run that long instead of a number of requests
  int64_t value_bytes = 3;
  int64_t key_space = 0;  // -r: random keys out of so many; 0: one key
  int64_t pipeline = 1;
  uint64_t seed = 0;
  std::vector<std::string> tests;    // -t; empty: all of the default suite
  std::vector<std::string> command;  // the rest of the arguments: one command of the user's own
  bool read_last_argument = false;   // -x: from standard input
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
