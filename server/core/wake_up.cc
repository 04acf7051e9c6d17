#include "server/core/wake_up.h"

#include <vector>

#include "base/assert.h"
#include "base/buffer.h"
#include "protocol/error_text.h"
#include "protocol/reply_writer.h"
#include "server/core/blocking_table.h"
#include "server/core/client.h"
#include "server/core/dispatcher.h"
#include "server/core/pause.h"
#include "server/core/registry.h"
#include "server/core/server_stats.h"
#include "server/core/tick.h"
#include "storage/keyspace.h"

namespace larder {
namespace {

// Whether those who wait in the queue should look again.
bool may_find_something(Services& services, const WaitQueue& queue, int64_t now_ms) {
  if (queue.wakes_on_removal) return true;
  Keyspace& keyspace = services.store.database(queue.place->db);
  const Entry* entry = keyspace.find(services.store.hashed(queue.place->key), now_ms, Touch::kNo);
  return entry != nullptr && entry->type() == queue.type;
}

// The client goes on: it gets the reply and its further requests run.
void finish(Services& services, Client& client, Bytes reply) {
  const bool is_unanswered = client.blocked->is_unanswered;
  services.blocking.release(client);
  if (is_unanswered || reply.empty()) {
    client.link->wake();
  } else {
    services.tick.outbox(client).append(reply);
  }
}

// Tries the client's request again. False: it found nothing and waits on.
bool try_again(Services& services, Dispatcher& dispatcher, Client& client) {
  BlockedState& state = *client.blocked;
  const std::vector<Bytes> argv(state.arguments.begin(), state.arguments.end());
  Buffer bytes;
  ReplyWriter reply(bytes, client.protocol);
  state.found_nothing = false;
  client.gate &= ~kGateBlocked;
  const auto outcome = dispatcher.execute_again(client, *state.command, argv, reply);
  if (state.found_nothing || outcome == Dispatcher::Outcome::kHold) {
    client.gate |= kGateBlocked;
    return false;
  }
  finish(services, client, bytes.bytes());
  return true;
}

void serve_queue(Services& services, Dispatcher& dispatcher, const WaitQueue& queue) {
  // Those who wait now; a request that finds nothing stays in its place. Trying one releases nobody else, so the next
  // one is known before.
  size_t left = queue.count;
  for (Waiter* waiter = queue.first; waiter != nullptr && left > 0; --left) {
    if (!may_find_something(services, queue, dispatcher.now_ms())) return;
    Waiter* const next = waiter->next;
    Client* const client = waiter->state->client;
    waiter = next;
    if (client == nullptr) continue;  // it waits no longer
    if (client->wants_close()) {
      services.blocking.release(*client);
    } else if (!try_again(services, dispatcher, *client) && queue.sharing != WaitSharing::kEveryone) {
      return;
    }
  }
}

}  // namespace

void serve_waiting(Services& services, Dispatcher& dispatcher) {
  BlockingTable& table = services.blocking;
  while (table.has_ready() && !services.pause.active(dispatcher.now_ms())) {
    WaitPlace& place = table.next_ready();
    // No queue is added or removed meanwhile: nobody begins to wait while a request is tried again.
    for (const auto& queue : place.queues) serve_queue(services, dispatcher, *queue);
    table.done_with(place);
  }
}

bool time_out_waiting(Services& services, Dispatcher& dispatcher, int64_t now_ms, size_t clients_max) {
  for (size_t i = 0; i < clients_max; ++i) {
    Client* client = services.blocking.overdue(now_ms);
    if (client == nullptr) return false;
    unblock(services, dispatcher, *client, UnblockReply::kAsTimedOut);
  }
  return services.blocking.overdue(now_ms) != nullptr;
}

void unblock(Services& services, Dispatcher& dispatcher, Client& client, UnblockReply how) {
  LARDER_ASSERT(client.blocked != nullptr);
  Buffer bytes;
  ReplyWriter reply(bytes, client.protocol);
  CommandStats& stats = client.blocked->command->stats;
  if (how == UnblockReply::kError) {
    reply.error(kUnblocked);
    services.stats.count_error(bytes.bytes());
    ++stats.failed_calls;
  } else if (client.blocked->answers_timeout) {
    client.blocked->is_over = true;
    const std::vector<Bytes> argv(client.blocked->arguments.begin(), client.blocked->arguments.end());
    dispatcher.replay(client, *client.blocked->command, argv, reply);
  } else {
    reply.null_array();
  }
  ++stats.calls;
  ++client.commands;
  ++services.stats.commands_processed;
  finish(services, client, bytes.bytes());
}

}  // namespace larder
