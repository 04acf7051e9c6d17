#include "clients/cpp/endpoint.h"

#include "base/number_text.h"

namespace larder::client {
namespace {

constexpr int64_t kPortMax = 65535;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescape(Bytes text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Status read_database(Bytes text, Endpoint& endpoint) {
  if (text.empty()) return Status();
  const auto number = parse_int64(text);
  if (!number || *number < 0 || *number > INT32_MAX)
    return invalid("invalid database number in URI: " + std::string(text));
  endpoint.database = static_cast<int32_t>(*number);
  return Status();
}

Status read_host_and_port(Bytes text, Endpoint& endpoint) {
  Bytes port;
  if (!text.empty() && text[0] == '[') {
    const size_t end = text.find(']');
    if (end == Bytes::npos) return invalid("missing ']' in URI");
    endpoint.host = std::string(text.substr(1, end - 1));
    if (end + 1 < text.size() && text[end + 1] == ':') port = text.substr(end + 2);
  } else {
    const size_t colon = text.rfind(':');
    if (!text.substr(0, colon).empty()) endpoint.host = std::string(text.substr(0, colon));
    if (colon != Bytes::npos) port = text.substr(colon + 1);
  }
  if (port.empty()) return Status();
  const auto number = parse_int64(port);
  if (!number || *number < 1 || *number > kPortMax) return invalid("invalid port in URI: " + std::string(port));
  endpoint.port = static_cast<uint16_t>(*number);
  return Status();
}

void read_user_info(Bytes text, Endpoint& endpoint) {
  const size_t colon = text.find(':');
  if (colon == Bytes::npos) {
    endpoint.password = unescape(text);
  } else {
    endpoint.username = unescape(text.substr(0, colon));
    endpoint.password = unescape(text.substr(colon + 1));
  }
}

}  // namespace

std::string Endpoint::to_string() const {
  if (!unix_socket.empty()) return unix_socket;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_uri(Bytes uri) {
  constexpr Bytes kTcp = "redis://";
  constexpr Bytes kUnix = "unix://";
  Endpoint endpoint;
  if (uri.substr(0, 9) == "rediss://") {
    return Error{ErrorCode::kUnsupported, "rediss:// needs TLS, which this client does not have"};
  }
  if (uri.substr(0, kUnix.size()) == kUnix) {
    Bytes path = uri.substr(kUnix.size());
    const size_t query = path.find("?db=");
    if (query != Bytes::npos) {
      LARDER_TRY(read_database(path.substr(query + 4), endpoint));
      path = path.substr(0, query);
    }
    endpoint.unix_socket = unescape(path);
    return endpoint;
  }
  if (uri.substr(0, kTcp.size()) != kTcp) return invalid("invalid URI scheme: redis:// or unix:// expected");
  Bytes rest = uri.substr(kTcp.size());
  const size_t slash = rest.find('/');
  if (slash != Bytes::npos) {
    LARDER_TRY(read_database(rest.substr(slash + 1), endpoint));
    rest = rest.substr(0, slash);
  }
  const size_t at = rest.rfind('@');
  if (at != Bytes::npos) {
    read_user_info(rest.substr(0, at), endpoint);
    rest = rest.substr(at + 1);
  }
  LARDER_TRY(read_host_and_port(rest, endpoint));
  return endpoint;
}

}  // namespace larder::client
