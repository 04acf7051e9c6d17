#include "server/core/blocking_table.h"

#include <algorithm>

#include "base/assert.h"
#include "server/core/client.h"

namespace larder {

void BlockedState::undo_some(size_t steps_max) {
  for (; steps_max > 0 && !waiters.empty(); --steps_max) {
    table.leave(waiters.back());
    waiters.pop_back();
  }
  arguments.resize(arguments.size() - std::min(steps_max, arguments.size()));
}

void BlockingTable::wait(Client& client, const Command& command, std::span<const Bytes> argv,
                         const BlockRequest& request) {
  client.gate |= kGateBlocked;
  if (client.blocked) {
    client.blocked->found_nothing = true;
    return;
  }
  client.blocked = std::make_unique<BlockedState>(*this, client);
  BlockedState& state = *client.blocked;
  state.command = &command;
  const std::span<const Bytes> kept = request.request.empty() ? argv : request.request;
  state.arguments.assign(kept.begin(), kept.end());
  for (const std::string& argument : state.arguments) state.argument_bytes += sizeof(argument) + argument.capacity();
  state.is_unanswered = (client.flags & (kClientReplyOff | kClientReplySkip)) != 0;
  state.deadline_ms = request.deadline_ms;
  if (state.deadline_ms != 0) state.deadline_at = deadlines_.emplace(state.deadline_ms, &client);
  state.note = request.note;
  state.answers_timeout = request.answers_timeout;
  state.waiters.reserve(std::max<size_t>(request.keys.size(), 1));
  if (request.awaits_log) join(state, places_.find_or_add({kLogDatabase, {}}), request);
  for (const Bytes key : request.keys) join(state, places_.find_or_add({client.db, key}), request);
}

void BlockingTable::join(BlockedState& state, WaitPlace& place, const BlockRequest& request) {
  WaitQueue& queue = queue_for(place, request);
  // The same key again: who came last is this client.
  if (queue.last != nullptr && queue.last->state == &state) return;
  Waiter& waiter = state.waiters.emplace_back(Waiter{&state, &queue, queue.last, nullptr});
  (queue.last != nullptr ? queue.last->next : queue.first) = &waiter;
  queue.last = &waiter;
  ++queue.count;
}

void BlockingTable::release(Client& client) {
  if (!client.blocked) return;
  if (client.blocked->deadline_ms != 0) deadlines_.erase(client.blocked->deadline_at);
  client.blocked->client = nullptr;
  leftovers_.add(std::move(client.blocked));
  client.gate &= ~kGateBlocked;
  released_.push_back(client.id);
}

void BlockingTable::forget(Client& client) {
  if (!client.blocked) return;
  release(client);
  released_.pop_back();
}

void BlockingTable::leave(Waiter& waiter) {
  WaitQueue& queue = *waiter.queue;
  (waiter.previous != nullptr ? waiter.previous->next : queue.first) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : queue.last) = waiter.previous;
  if (--queue.count == 0) drop_if_unused(*queue.place);
}

WaitQueue& BlockingTable::queue_for(WaitPlace& place, const BlockRequest& request) {
  for (const auto& queue : place.queues) {
    if (queue->type == request.type && queue->sharing == request.sharing &&
        queue->wakes_on_removal == request.wakes_on_removal && queue->group == request.group) {
      return *queue;
    }
  }
  auto queue = std::make_unique<WaitQueue>();
  queue->place = &place;
  queue->type = request.type;
  queue->sharing = request.sharing;
  queue->wakes_on_removal = request.wakes_on_removal;
  queue->group = request.group;
  return *place.queues.emplace_back(std::move(queue));
}

void BlockingTable::drop_if_unused(WaitPlace& place) {
  if (place.is_visited) return;
  std::erase_if(place.queues, [](const auto& queue) { return queue->count == 0; });
  if (!place.queues.empty() || place.is_ready) return;
  places_.remove(place);
}

void BlockingTable::key_changed(uint16_t db, Bytes key) {
  if (WaitPlace* place = places_.find({db, key})) make_ready(*place);
}

void BlockingTable::database_changed(uint16_t db) {
  std::vector<WaitPlace*> changed;
  places_.for_each([&](const WaitPlace& place) {
    if (place.db == db) changed.push_back(const_cast<WaitPlace*>(&place));
  });
  for (WaitPlace* place : changed) make_ready(*place);
}

void BlockingTable::make_ready(WaitPlace& place) {
  if (place.is_ready) return;
  place.is_ready = true;
  ready_.push_back(&place);
}

WaitPlace& BlockingTable::next_ready() {
  LARDER_ASSERT(has_ready());
  WaitPlace& place = *ready_.front();
  ready_.pop_front();
  place.is_ready = false;
  place.is_visited = true;
  return place;
}

void BlockingTable::done_with(WaitPlace& place) {
  place.is_visited = false;
  drop_if_unused(place);
}

Client* BlockingTable::overdue(int64_t now_ms) const {
  if (deadlines_.empty() || deadlines_.begin()->first > now_ms) return nullptr;
  return deadlines_.begin()->second;
}

size_t BlockingTable::key_count_on_removal() const {
  size_t count = 0;
  places_.for_each([&](const WaitPlace& place) {
    count += std::any_of(place.queues.begin(), place.queues.end(),
                         [](const auto& queue) { return queue->wakes_on_removal && queue->count > 0; });
  });
  return count;
}

}  // namespace larder
