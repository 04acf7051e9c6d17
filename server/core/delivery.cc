#include "server/core/delivery.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "protocol/reply_writer.h"
#include "server/config/settings.h"
#include "server/core/client_memory.h"
#include "server/core/leftovers.h"
#include "server/core/server_stats.h"
#include "server/core/tick.h"

namespace larder {
namespace {

const OutputLimit& limit_of(const Settings& settings, const Client& client) {
  const ClientClass kind = (client.flags & kClientReplica)  ? ClientClass::kReplica
                           : (client.flags & kClientPubsub) ? ClientClass::kPubsub
                                                            : ClientClass::kNormal;
  return settings.output_limits[static_cast<size_t>(kind)];
}

bool is_over(int64_t owed_bytes, int64_t limit_bytes) { return limit_bytes > 0 && owed_bytes > limit_bytes; }

void close_over_limit(Services& services, Client& client, int64_t owed_bytes) {
  ++services.stats.output_limit_disconnections;
  services.log.warning("Client id={} addr={} closed for overcoming of output buffer limits: {} bytes are owed",
                       client.id, client.peer, owed_bytes);
  services.leftovers.add(std::move(client.queue_));
  client.close_now();
}

}  // namespace

PushMessage::PushMessage(Buffer& scratch, std::initializer_list<Bytes> front, const Payload& payload)
    : scratch_(scratch), tail_(payload.shared_) {
  scratch.clear();
  ReplyWriter writer(scratch);
  writer.push(front.size() + 1);
  for (const Bytes element : front) writer.bulk(element);
  if (tail_.empty()) {
    writer.bulk(payload.text_);
    return;
  }
  writer.raw("$");
  char digits[kInt64TextBytesMax];
  writer.raw({digits, write_uint64(digits, payload.text_.size())});
  writer.raw("\r\n");
}

void Delivery::send(Client& to, const PushMessage& message) {
  if (message.tail().empty()) return send(to, message.head(to.protocol));
  if (to.flags & kClientCloseNow) return;
  if (&to == running_) {
    deferred_.append(message.head(to.protocol));
    deferred_.append(message.tail().bytes());
    return;
  }
  OutputQueue& queue = services_.tick.outbox(to);
  queue.append(message.head(to.protocol));
  const Bytes tail = message.tail().bytes();
  queue.append({tail.data(), tail.size(), message.tail().retain(), SharedBytes::release});
  check_output_limits(services_, to);
}

void Delivery::send(Client& to, Bytes bytes) {
  if (to.flags & kClientCloseNow) return;
  if (&to == running_) return deferred_.append(bytes);
  services_.tick.outbox(to).append(bytes);
  check_output_limits(services_, to);
}

void Delivery::flush_deferred(ReplyWriter& reply) {
  reply.raw(deferred_.bytes());
  deferred_.clear();
  deferred_.shrink(PushMessage::kSharedBytesMin);
}

void check_output_limits(Services& services, Client& client) {
  services.client_memory.measure(client);
  const OutputLimit& limit = limit_of(services.settings, client);
  const auto owed = static_cast<int64_t>(client.owed_bytes());
  bool exceeded = is_over(owed, limit.hard_bytes);
  if (is_over(owed, limit.soft_bytes)) {
    const int64_t now_ms = services.clock.wall_ms();
    if (client.over_soft_limit_since_ms == 0) client.over_soft_limit_since_ms = now_ms;
    exceeded |= now_ms - client.over_soft_limit_since_ms > limit.soft_seconds * 1000;
  } else {
    client.over_soft_limit_since_ms = 0;
  }
  if (exceeded && !(client.flags & kClientCloseNow)) close_over_limit(services, client, owed);
}

bool close_over_hard_limit(Services& services, Client& client, size_t more_bytes) {
  const auto owed = static_cast<int64_t>(client.owed_bytes() + more_bytes);
  if (!is_over(owed, limit_of(services.settings, client).hard_bytes) || (client.flags & kClientCloseNow)) return false;
  close_over_limit(services, client, owed);
  return true;
}

}  // namespace larder
