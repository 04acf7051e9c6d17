#pragma once

// Where a server is and how to log in.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace larder::client {

struct Endpoint {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string unix_socket;  // not empty: this path instead of host and port
  std::string username;     // empty: "default"
  std::string password;     // empty: no AUTH
  int32_t database = 0;
  // 2, or 3 for RESP3 (a HELLO 3 is sent on connecting).
  int protocol_version = 2;
  std::string client_name;  // empty: none is set
  int64_t connect_timeout_ms = 5000;
  int64_t reply_timeout_ms = 0;  // 0: wait for ever

  // "127.0.0.1:6379", "[::1]:6379" or the path of the socket.
  std::string to_string() const;
};

// Reads redis://[[user:]password@]host[:port][/database]; also with unix:///path[?db=n]. %XX escapes are resolved in user, password
// and path. kInvalidArgument says what is wrong; rediss:// (TLS) is refused.
Result<Endpoint> parse_uri(Bytes uri);

}  // namespace larder::client
