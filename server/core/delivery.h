#pragma once

// What clients are sent that is no reply to a request of theirs: messages, invalidations, lines of MONITOR.
//
// Order. A client gets everything in the order in which it happened. What its own requests of this tick have been
// answered so far goes before a message (Tick::outbox does that). A message to the very client whose request is running (it
// publishes to its own channel, changes a key that it watches for) waits until that request is answered, a transaction as
// a whole, so that no message lies inside a reply.
//
// Copies. A message is encoded once per kind and receives only its first byte anew for the other protocol. Up to
// kSharedBytesMin it is copied into each queue; beyond, the queues share one block and only the header is copied.
//
// Limits. Each client's queue is judged when something is put into it, against the limits of its class: within one tick a
// publisher can send a slow subscriber any amount. A client over its limit is closed, its queue freed at once, and it
// gets nothing more.

#include <cstdint>
#include <initializer_list>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "server/core/client.h"
#include "server/core/services.h"

namespace larder {

// A message on its way to any number of clients: an array (RESP2) or push (RESP3) of bulk strings.
class PushMessage {
 public:
  // From this size on a payload is shared. A pinned piece costs its receiver two allocations and an entry of the
  // writev, about what copying 1 KB costs.
  static constexpr size_t kSharedBytesMin = 2048;

  // The last element, which several messages may have in common (the channel's and the patterns').
  class Payload {
   public:
    explicit Payload(Bytes text) : text_(text) {
      if (text.size() >= kSharedBytesMin) shared_ = SharedBytes(text, "\r\n");
    }

   private:
    friend class PushMessage;
    Bytes text_;
    SharedBytes shared_;
  };

  // Encodes `front` and `payload`. All live as long as the message, `scratch` is its own until then.
  PushMessage(Buffer& scratch, std::initializer_list<Bytes> front, const Payload& payload);

  // The part to copy, as `protocol` wants it. Valid until the next call.
  Bytes head(uint8_t protocol) const {
    scratch_.mutable_data()[0] = protocol == 3 ? '>' : '*';
    return scratch_.bytes();
  }
  // What follows the head; empty when that is all.
  const SharedBytes& tail() const { return tail_; }

 private:
  Buffer& scratch_;
  SharedBytes tail_;
};

class Delivery {
 public:
  explicit Delivery(Services& services) : services_(services) {}

  void send(Client& to, const PushMessage& message);
  // Complete protocol bytes, in the client's own protocol.
  void send(Client& to, Bytes bytes);

  // The client whose request is running, null between requests. For requests inside a transaction or a script, the
  // client that asked for the whole.
  Client* running() const { return running_; }

  // Around one request as a client sends it. What its client was sent meanwhile follows the reply in `reply`, which the
  // request's own reply must be complete in when this ends.
  class Request {
   public:
    Request(Delivery& delivery, Client& client, ReplyWriter& reply)
        : delivery_(delivery), reply_(reply), outer_(delivery.running_) {
      delivery.running_ = &client;
    }
    // A request that another client's script has let in leaves what waits to that client.
    ~Request() {
      delivery_.running_ = outer_;
      if (outer_ == nullptr && !delivery_.deferred_.empty()) [[unlikely]]
        delivery_.flush_deferred(reply_);
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

   private:
    Delivery& delivery_;
    ReplyWriter& reply_;
    Client* outer_;
  };

 private:
  void flush_deferred(ReplyWriter& reply);

  Services& services_;
  Client* running_ = nullptr;
  Buffer deferred_;  // for running_
};

// Judges what a client is owed against the limits of its class: closes it when they are exceeded, says so in the log,
// and frees what it is owed. Call it when the queue has grown, when it has shrunk, and now and then.
void check_output_limits(Services& services, Client& client);

// The same for the hard limit alone, with `more_bytes` that are not in the client's queue yet: whether it was closed for that.
bool close_over_hard_limit(Services& services, Client& client, size_t more_bytes);

}  // namespace larder
