#include "server/core/monitors.h"

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "server/core/client.h"
#include "server/core/delivery.h"

namespace larder {
namespace {

// What a line buffer keeps after a long request.
constexpr size_t kKeptLineBytes = 4096;

}  // namespace

void Monitors::add(Client& client) {
  client.gate |= kGateMonitor;
  clients_.push_back(&client);
}

void Monitors::remove(Client& client) {
  if (!(client.gate & kGateMonitor)) return;
  client.gate &= ~kGateMonitor;
  std::erase(clients_, &client);
}

void Monitors::show(const Client& client, std::span<const Bytes> argv) {
  const int64_t now_us = services_.clock.wall_us();
  char time[48];
  const int size = std::snprintf(time, sizeof time, "+%lld.%06lld [%d ", static_cast<long long>(now_us / 1000000),
                                 static_cast<long long>(now_us % 1000000), client.db);
  line_.assign(time, static_cast<size_t>(size));
  line_ += (client.flags & kClientUnixSocket) ? "unix:" + client.local : client.peer;
  line_ += ']';
  for (const Bytes argument : argv) {
    line_ += ' ';
    append_quoted(&line_, argument);
  }
  line_ += "\r\n";
  for (Client* monitor : clients_) services_.delivery.send(*monitor, Bytes(line_));
  if (line_.capacity() > kKeptLineBytes) line_ = std::string();
}

}  // namespace larder
