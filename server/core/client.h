#pragma once

// One connected client as the commands see it: identity, state, and what it is owed. No socket is in here; the side
// that has one implements ClientLink and drives the client through core/tick.h.
//
// An idle client is small on purpose (the budget for a whole idle connection is 800 bytes): buffers, queues and the
// state of transactions are allocated when they are needed and given back when they are not.
//
// `gate` collects every reason why a request of this client may not take the short way through the dispatcher; it is
// zero for a client that simply sends commands.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/request_parser.h"
#include "server/core/output_queue.h"

namespace larder {

struct BlockedState;
struct Subscriptions;
struct TrackingState;
struct Transaction;

// Where a connection came from; what protected mode and CLIENT LIST ask.
struct ClientOrigin {
  std::string peer;   // "127.0.0.1:5000", "[::1]:5000" or "/path/of/socket:0"
  std::string local;  // the address it connected to
  int fd = -1;        // as CLIENT LIST shows it
  bool is_loopback = false;
  bool is_unix_socket = false;
};

// The connection's side of a client. Implemented by server/net, and by tests.
class ClientLink {
 public:
  virtual ~ClientLink() = default;
  // The client's queue got something outside of its own turn, or the client is to be closed: look at it at the end of
  // this tick.
  virtual void wake() = 0;
};

enum ClientGate : uint32_t {
  kGateUnauthenticated = 1u << 0,
  kGateTransaction = 1u << 1,  // MULTI: requests are queued
  kGateSubscriber = 1u << 2,   // RESP2 subscriber mode: few commands are allowed
  kGateReply = 1u << 3,        // CLIENT REPLY OFF or SKIP
  kGateClosing = 1u << 4,      // close once what it is owed is sent; takes no more requests
  kGateBlocked = 1u << 5,      // a blocking command waits; requests stay unread
  kGateMonitor = 1u << 6,
};

enum ClientFlag : uint32_t {
  kClientNoEvict = 1u << 0,
  kClientNoTouch = 1u << 1,
  kClientReplyOff = 1u << 2,
  kClientReplySkipNext = 1u << 3,  // the reply of the next command is dropped
  kClientReplySkip = 1u << 4,      // the reply of this command is dropped
  kClientCloseNow = 1u << 5,       // close without sending what is queued
  kClientReplica = 1u << 6,
  kClientPubsub = 1u << 7,
  kClientUnixSocket = 1u << 8,
  kClientLoopback = 1u << 9,
  kClientScript = 1u << 12,        // the client that runs the requests of scripts
  kClientDenyBlocking = 1u << 11,  // runs the requests of a transaction or a script: nothing waits
  kClientHeld = 1u << 10,          // requests wait for the end of a pause: nothing more is read until then
  kClientPostponed = 1u << 15,     // held only because a tick had enough: resumed in one of the next
  kClientRepliesHeld = 1u << 13,   // part of the queue waits for the log
  kClientCapaRedirect = 1u << 14,  // it said with CLIENT CAPA that it understands redirections
  kClientSendsLarge = 1u << 16,    // its last request was larger than a turn's input
};

struct Client {
  // What is kept of the requests behind a blocking one; more stays in the socket.
  static constexpr size_t kBlockedInputBytesMax = 256 * 1024;
  static constexpr size_t kUncountedRoomBytesMin = 1024 * 1024;  // so much behind what has arrived counts

  Client(uint64_t client_id, ClientLink& client_link);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  uint64_t id;
  ClientLink* link;
  uint32_t gate = 0;
  uint32_t flags = 0;
  uint16_t db = 0;
  uint8_t protocol = 2;
  int fd = -1;

  int64_t connected_ms = 0;    // wall clock
  int64_t last_active_ms = 0;  // wall clock; when its last request was received
  uint64_t commands = 0;       // requests executed
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Bytes last_command;  // full name of the last request ("client|list"); lives in the registry

  std::string peer;   // address of the other side
  std::string local;  // address of this side
  std::string name;
  std::string lib_name;
  std::string lib_version;
  std::string user = "default";

  Client* caller = nullptr;  // of the scripts' client: on whose behalf it runs; null for all others

  // An unfinished request's bytes; null when there are none.
  std::unique_ptr<Buffer> unread;
  size_t unread_needed = 0;  // bytes that `unread` must hold before its request can get further; 0: not known
  // How far the unfinished request is parsed.
  ParseProgress progress;
  std::unique_ptr<Transaction> transaction;      // MULTI or WATCH state; null without
  std::unique_ptr<BlockedState> blocked;         // while a blocking command waits
  std::unique_ptr<Subscriptions> subscriptions;  // null without
  std::unique_ptr<TrackingState> tracking;       // CLIENT TRACKING; null when off
  // What the socket has not taken yet; null when the client is up to date.
  std::unique_ptr<OutputQueue> queue_;
  int64_t over_soft_limit_since_ms = 0;  // when the queue went over the soft limit; 0 = it is not

  // Position of the client in its turn of the current tick; kNoTurn outside of one.
  static constexpr uint32_t kNoTurn = UINT32_MAX;
  uint32_t turn = kNoTurn;
  uint32_t list_position = 0;  // in ClientList

  // What ClientMemory knows of it.
  static constexpr uint8_t kNoBucket = UINT8_MAX;
  size_t counted_bytes = 0;         // all that the store does not count
  size_t counted_buffer_bytes = 0;  // of them
  size_t measured_bytes = 0;
  uint32_t memory_position = 0;  // in its bucket
  uint8_t memory_bucket = kNoBucket;

  OutputQueue& queue() {
    if (!queue_) queue_ = std::make_unique<OutputQueue>();
    return *queue_;
  }
  size_t queued_bytes() const { return queue_ ? queue_->bytes() : 0; }
  size_t owed_bytes() const { return queue_ ? queue_->owed_bytes() : 0; }
  // What of memory_bytes() the store counts, too.
  size_t stored_bytes() const { return queue_ ? queue_->stored_bytes() : 0; }
  size_t sendable_bytes() const { return queue_ ? queue_->sendable_bytes() : 0; }
  size_t unread_bytes() const { return unread ? unread->size() : 0; }
  // What they take. Room for a large value that nothing was received into yet has no memory behind it, and does not count.
  size_t unread_held_bytes() const {
    return unread ? std::min(unread->capacity(), unread->size() + kUncountedRoomBytesMin) : 0;
  }
  // Whether its requests wait for something, other than for room in a tick.
  bool is_blocked() const { return (gate & kGateBlocked) || (flags & (kClientHeld | kClientPostponed)) == kClientHeld; }
  bool wants_close() const { return (gate & kGateClosing) || (flags & kClientCloseNow); }
  // Whether to receive from it now. From one that waits in a blocking command, to notice when it goes, but not without end.
  bool takes_input() const {
    if (gate & kGateBlocked) return !wants_close() && unread_bytes() < kBlockedInputBytesMax;
    return !wants_close() && !(flags & kClientHeld);
  }
  // Bytes of memory that this client holds, its buffers included.
  size_t memory_bytes() const;
  // Of these, what can grow quickly: requests that wait, and what it is owed, without what the store counts.
  size_t buffer_bytes() const {
    size_t bytes = unread_held_bytes();
    if (queue_) bytes += queue_->owed_bytes() - queue_->stored_bytes();
    if (transaction) [[unlikely]]
      bytes += transaction_bytes();
    return bytes;
  }

  size_t transaction_bytes() const;

  // Stops reading; closes when everything it is owed is sent.
  void close_after_reply() {
    gate |= kGateClosing;
    link->wake();
  }
  // Closes at the end of this tick without sending what is queued.
  void close_now() {
    flags |= kClientCloseNow;
    gate |= kGateClosing;
    link->wake();
  }
};

}  // namespace larder
