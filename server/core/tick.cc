#include "server/core/tick.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/prefetch.h"
#include "server/config/settings.h"
#include "server/core/append_log.h"
#include "server/core/client_memory.h"
#include "server/core/collection_reply.h"
#include "server/core/delivery.h"
#include "server/core/held_replies.h"
#include "server/core/memory_limit.h"
#include "server/core/propagation.h"
#include "server/core/registry.h"
#include "server/core/server_stats.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "storage/block_allocator.h"
#include "storage/keyspace.h"
#include "storage/structure.h"

namespace larder {
namespace {

// What the output buffer may keep between ticks.
constexpr size_t kKeptOutputBytes = 1024 * 1024;

constexpr size_t kShortArgumentPart = 8;
// Room behind a MiB of short arguments. What is not written takes no memory.
constexpr size_t kSparseRoomBytes = 63 * 1024 * 1024;

// Whether what an unfinished request needs next is little beside what is there of it, as in an MSET of very many. For that no exact room is
// made: the buffer would be copied at each of the allocator's sizes, and half a MiB of arguments received and parsed in one tick.
bool is_short_argument(size_t needed, size_t arrived) {
  return needed >= Tick::kExactRoomBytesMin && needed - std::min(arrived, needed) < arrived / kShortArgumentPart;
}

RequestLimits limits_for(const Client& client, const Settings& settings) {
  RequestLimits limits;
  limits.bulk_bytes_max = settings.bulk_bytes_max;
  limits.authenticated = (client.gate & kGateUnauthenticated) == 0;
  return limits;
}

}  // namespace

void Tick::PinCollector::pin(size_t offset, PinnedBytes pinned) {
  owed_bytes_ += pinned.size;
  pins_.push_back({offset, pinned, nullptr});
}

void Tick::PinCollector::source(size_t offset, std::unique_ptr<ReplySource> source) {
  owed_bytes_ += CollectionReply::kPieceBytes;
  pins_.push_back({offset, {}, std::move(source)});
}

void Tick::PinCollector::shift(size_t from_offset, ptrdiff_t by_bytes) {
  for (auto pin = pins_.rbegin(); pin != pins_.rend() && pin->offset >= from_offset; ++pin) {
    pin->offset = static_cast<size_t>(static_cast<ptrdiff_t>(pin->offset) + by_bytes);
  }
}

void Tick::drop(Pin& pin) {
  if (pin.bytes.release != nullptr) pin.bytes.release(pin.bytes.owner);
}

Tick::Tick(Services& services, Dispatcher& dispatcher) : services_(services), dispatcher_(dispatcher) {}

Tick::Room Tick::input_room(Client& client) {
  // The last room was not used (nothing was there, or the connection was at its end): it is given out again.
  if (arena_room_ != nullptr) input_.trim_to(arena_room_);
  if (!client.unread) {
    const size_t room = (client.flags & kClientSendsLarge) ? kFirstPieceBytes : kTurnInputBytes;
    arena_room_ = input_.allocate(room);
    return {arena_room_, room};
  }
  // In the middle of a request: receive behind what is there, and for a large value in large pieces.
  arena_room_ = nullptr;
  const size_t room = room_for_rest(client, client.unread->size());
  const size_t left = kTickInputBytes - std::min(moved_bytes_, kTickInputBytes);
  const size_t want = std::min(room, std::max(left, kTurnInputBytes));
  if (client.unread_needed >= kExactRoomBytesMin) {
    client.unread->reserve_exactly(room);
  } else if (const size_t arrived = client.unread->size();
             arrived >= kLargeInputBytes && client.unread->free_bytes() < room) {
    // Very many arguments, and nobody knows how many bytes they are: each time the buffer doubled all of it was copied.
    client.unread->reserve_exactly(std::min(arrived * kRoomPerLargeArrived, std::max(arrived, kSparseRoomBytes)));
  }
  return {client.unread->reserve(room), want};
}

// Behind so much that has arrived of the client's unfinished request.
size_t Tick::room_for_rest(const Client& client, size_t arrived) {
  const size_t needed = client.unread_needed;
  if (needed <= arrived) return kTurnInputBytes;
  // In proportion to what has arrived: a client that only announces a large value gets no room for the announcement. With a MiB
  // at a time a value of 200 MB was copied at each of the allocator's sizes, others waited for 1.2 s, and three times its size
  // was resident.
  const size_t shown = (client.flags & kClientSendsLarge) ? std::max(arrived, kTurnInputBytes) : arrived;
  const size_t room_max = shown >= kLargeInputBytes
                              ? shown * kRoomPerLargeArrived
                              : std::clamp(shown * kRoomPerArrived, kTurnInputBytes, kLargeInputBytes);
  const size_t missing = needed - arrived;
  if (needed < kExactRoomBytesMin) return std::clamp(missing, kTurnInputBytes, room_max);
  // All that the allocator gives for it anyway.
  const size_t room = std::min(missing + kRoomBehindValue, room_max);
  return block_bytes(arrived + room) - arrived;
}

void Tick::received(Client& client, size_t count) {
  client.bytes_in += count;
  moved_bytes_ += count;
  services_.stats.net_input_bytes += count;
  ++services_.stats.reads_processed;
  if (arena_room_ != nullptr) {
    input_.trim_to(arena_room_ + count);
    open_turn(client, {arena_room_, count}, false);
    arena_room_ = nullptr;
  } else {
    client.unread->commit(count);
    const bool is_whole = client.unread_needed > 0 && client.unread_needed <= client.unread->size();
    if (is_whole) moved_bytes_ += client.unread_needed;  // once more, into its entry
    open_turn(client, client.unread->bytes(), true);
  }
}

void Tick::resume(Client& client) {
  client.flags &= ~(kClientHeld | kClientPostponed);
  if (client.turn == Client::kNoTurn && client.unread) open_turn(client, client.unread->bytes(), true);
}

void Tick::open_turn(Client& client, Bytes input, bool is_clients) {
  LARDER_ASSERT(client.turn == Client::kNoTurn);
  client.turn = static_cast<uint32_t>(turns_.size());
  Turn turn;
  turn.client = &client;
  turn.input = input;
  turn.is_clients = is_clients;
  turns_.push_back(turn);
  if (!(client.gate & (kGateClosing | kGateBlocked))) {
    parse(client.turn);
  } else {
    turns_.back().held = true;
  }
}

// Parses what is complete. A client that is not authenticated gets one request at a time, because the limits of the next
// depend on its outcome.
void Tick::parse(uint32_t turn_index) {
  Turn& turn = turns_[turn_index];
  Client& client = *turn.client;
  const RequestLimits limits = limits_for(client, services_.settings);
  turn.needed_bytes = 0;
  // Requests of a pipeline are mostly of one kind: the name is looked up when it is another than before.
  Bytes name;
  const Command* named = nullptr;
  while (turn.parsed < turn.input.size()) {
    const ParseResult result = parse_request(turn.input.substr(turn.parsed), limits, client.progress, arguments_);
    turn.parsed += result.consumed;
    if (result.outcome == ParseOutcome::kRequest) [[likely]] {
      Request request{nullptr, turn_index, result.first_arg, result.arg_count, result.is_encoding,
                      false,   0,          turn.parsed};
      const std::span<const Bytes> arguments = arguments_.slice(result);
      const bool plain = named != nullptr && named->parent == nullptr && !named->is_container();
      if (!plain || arguments[0] != name) {
        named = services_.registry.resolve(arguments);
        name = arguments[0];
      }
      request.command = named;
      requests_.push_back(request);
      if (!limits.authenticated) return;
      continue;
    }
    if (result.outcome == ParseOutcome::kError) {
      turn.protocol_error = result;
    } else {
      turn.needed_bytes = result.needed_bytes;
    }
    return;
  }
}

void Tick::run(int64_t now_ms) {
  barrier_ = 0;
  dispatcher_.set_now_ms(now_ms);
  services_.store.set_now(now_ms);
  ++services_.stats.ticks;
  is_spent_ = false;
  end_ns_ = dispatcher_.now_ns() + kTickBudgetNs;
  execute_all();
  services_.stats.tick_ns += dispatcher_.now_ns() + kTickBudgetNs - end_ns_;
  if (is_spent_) postpone_rest();
  services_.stats.tick_requests_max = std::max<uint64_t>(services_.stats.tick_requests_max, requests_.size());
  // Turns without a complete request still have a tail to keep or an error to answer.
  for (uint32_t i = 0; i < turns_.size(); ++i) {
    if (turns_[i].output_begin == turns_[i].output_end && turns_[i].executed == 0) {
      switch_turn(i);
    }
  }
  close_turn();
  for (Turn& turn : turns_) {
    if (turn.client == nullptr) continue;
    turn.client->last_active_ms = now_ms;
    keep_rest(turn);
    if (turn.postponed) (turn.executed > 0 ? cut_off_ : not_begun_).push_back(turn.client->id);
    services_.client_memory.measure(*turn.client);
  }
  end_group();
  services_.tracking.send_broadcasts();
  services_.client_memory.enforce();
  if (services_.memory_limit.is_set()) services_.memory_limit.count_tables();
}

void Tick::execute_all() {
  const size_t count = requests_.size();
  const size_t ahead = std::min(count, kPrefetchAhead);
  const size_t items_ahead = std::max<size_t>(ahead / 2, 1);  // as far as entries are on their way
  looks_for_items_ = false;
  for (size_t i = 0; i < ahead; ++i) look_ahead(i, ahead, count);
  dispatcher_.start_clock();
  for (size_t i = 0; i < count && !is_spent_; ++i) {
    look_ahead(i + ahead, ahead, count);
    if (looks_for_items_ && i % items_ahead == 0) prefetch_items(i, std::min(i + items_ahead, count));
    execute(requests_[i]);
  }
}

// Further stages, for the requests that look for an item in a large collection: that is a table of its own. A window whose
// first few collections are small is taken for one of small collections, which have nothing that could be fetched.
void Tick::prefetch_items(size_t begin, size_t end) {
  struct Item {
    const Structure* structure;
    uint64_t hash;
  };
  if (end - begin < 2) return;
  constexpr size_t kSmallMax = 4;
  std::array<Item, kPrefetchAhead / 2> items;
  size_t count = 0;
  size_t small = 0;
  for (size_t i = begin; i < end && (count > 0 || small < kSmallMax); ++i) {
    const Request& request = requests_[i];
    const Client* client = turns_[request.turn].client;
    if (request.hash == 0 || client == nullptr || request.command->item == 0) continue;
    const auto index = static_cast<uint32_t>(request.command->item);
    if (index >= request.argument_count) continue;
    const Structure* structure = services_.store.database(client->db).structure_of(request.hash);
    if (structure == nullptr) {
      ++small;
      continue;
    }
    prefetch_line(structure);
    items[count++] = {structure, services_.store.hashed(arguments_[request.first_argument + index]).hash};
  }
  for (size_t i = 0; i < count; ++i) items[i].structure->prefetch_bucket(items[i].hash);
  for (size_t i = 0; i < count; ++i) items[i].structure->prefetch_item(items[i].hash);
  for (size_t i = 0; i < count; ++i) items[i].structure->prefetch_place(items[i].hash);
}

void Tick::look_ahead(size_t newest, size_t ahead, size_t count) {
  if (newest < count) prefetch_bucket(requests_[newest]);
  if (const size_t at = newest - ahead / 2; at < count) prefetch_entry(requests_[at]);
  if (const size_t at = newest - (ahead - ahead / 4); at < count) prefetch_beyond(requests_[at]);
}

void Tick::prefetch_bucket(Request& request) {
  const Command* command = request.command;
  if (command == nullptr || command->first_key == 0) return;
  if (static_cast<uint32_t>(command->first_key) >= request.argument_count) return;
  const Client* client = turns_[request.turn].client;
  if (client == nullptr) return;
  request.hash =
      services_.store.hashed(arguments_[request.first_argument + static_cast<uint32_t>(command->first_key)]).hash;
  services_.store.database(client->db).prefetch_bucket(request.hash);
  looks_for_items_ |= command->item != 0;
}

void Tick::prefetch_entry(Request& request) {
  const Client* client = turns_[request.turn].client;
  if (request.hash == 0 || client == nullptr) return;
  request.is_beyond = services_.store.database(client->db).prefetch_entry(request.hash) == Prefetched::kBeyond;
}

void Tick::prefetch_beyond(const Request& request) {
  if (!request.is_beyond) [[likely]]
    return;
  const Client* client = turns_[request.turn].client;
  if (client != nullptr) services_.store.database(client->db).prefetch_beyond(request.hash);
}

void Tick::switch_turn(uint32_t turn_index) {
  if (running_turn_ == turn_index) return;
  close_turn();
  running_turn_ = turn_index;
  Turn& turn = turns_[turn_index];
  turn.output_begin = turn.output_end = output_.size();
  turn.first_pin = static_cast<uint32_t>(pins_.size());
  pin_collector_.start_count();
  if (turn.client != nullptr) reply_.redirect(output_, turn.client->protocol, &pin_collector_);
}

void Tick::close_turn() {
  if (running_turn_ == Client::kNoTurn) return;
  Turn& turn = turns_[running_turn_];
  running_turn_ = Client::kNoTurn;
  if (turn.client != nullptr && turn.protocol_error.outcome == ParseOutcome::kError && !turn.held &&
      !turn.client->wants_close()) {
    const std::string text = protocol_error_text(turn.protocol_error);
    services_.log.verbose("Protocol error ({}) from client {}", text, turn.client->peer);
    reply_.error(Bytes("ERR " + text));
    turn.client->gate |= kGateClosing;
    turn.client->link->wake();
  }
  turn.output_end = output_.size();
  turn.pin_count = static_cast<uint32_t>(pins_.size()) - turn.first_pin;
}

void Tick::execute(const Request& first) {
  const uint32_t turn_index = first.turn;
  switch_turn(turn_index);
  if (!execute_one(first)) return;
  // The input of a client that was not authenticated is parsed request by request; behind an AUTH that went well, all of
  // the rest at once.
  const size_t parsed_before = requests_.size();
  for (size_t next = parsed_before; has_unparsed_input(turns_[turn_index]);) {
    parse(turn_index);
    if (next == requests_.size()) break;
    bool goes_on = true;
    while (goes_on && next < requests_.size()) goes_on = execute_one(requests_[next++]) && !is_spent_;
    if (!goes_on) break;
  }
  requests_.resize(parsed_before);
}

// False when nothing more of this client is to be executed in this tick.
bool Tick::execute_one(const Request& request) {
  Turn& turn = turns_[request.turn];
  Client* client = turn.client;
  if (client == nullptr || turn.held || client->wants_close()) return false;
  Propagation& propagation = services_.propagation;
  if (propagation.active()) {
    const Bytes bytes = turn.input.substr(turn.executed, request.end - turn.executed);
    propagation.begin_request(request.is_encoding ? bytes : Bytes());
  }
  const bool is_large = turn.is_clients && request.end - turn.executed >= kExactRoomBytesMin;
  if (is_large) services_.store.offer(*client->unread);
  const auto outcome = dispatcher_.execute(
      *client, request.command, arguments_.slice(request.first_argument, request.argument_count), request.hash, reply_);
  propagation.end_request();
  if (is_large) end_offer(turn);
  if (outcome == Dispatcher::Outcome::kHold) {
    turn.held = true;
    return false;
  }
  turn.executed = request.end;
  look_at_bounds(turn);
  return turn.client != nullptr && !turn.held && !client->wants_close();
}

// What lies in memory that a value has taken over stays there for the rest of the tick.
void Tick::end_offer(Turn& turn) {
  BlobPin taken_over = services_.store.end_offer();
  if (!taken_over) return;
  taken_over_.push_back(std::move(taken_over));
  turn.is_clients = false;
}

void Tick::look_at_bounds(Turn& turn) {
  const size_t owed_bytes = output_.size() - turn.output_begin + pin_collector_.owed_bytes();
  if (owed_bytes > kTurnOutputBytes) [[unlikely]]
    cut_off(turn, owed_bytes);
  // The end of the request that has just run is the stopwatch's latest time.
  is_spent_ = output_.size() > kTickOutputBytes || dispatcher_.running().start_ns > end_ns_;
}

// The rest of a pipeline with large replies waits for the next tick, so that these are sent meanwhile, and judged against
// the client's limit.
void Tick::cut_off(Turn& turn, size_t owed_bytes) {
  Client* client = turn.client;
  if (client == nullptr) return;
  if (close_over_hard_limit(services_, *client, owed_bytes)) {
    output_.truncate(turn.output_begin);
    for (size_t i = turn.first_pin; i < pins_.size(); ++i) drop(pins_[i]);
    pins_.resize(std::min<size_t>(pins_.size(), turn.first_pin));
    return;
  }
  postpone(turn);
}

// The tick has used up its time or its output.
void Tick::postpone_rest() {
  for (Turn& turn : turns_) {
    if (turn.client != nullptr && !turn.held && !turn.client->wants_close()) postpone(turn);
  }
}

// If it has requests left.
void Tick::postpone(Turn& turn) {
  turn.held = turn.postponed = turn.parsed != turn.executed || has_unparsed_input(turn);
}

void Tick::take_postponed(std::deque<uint64_t>& ids) {
  if (not_begun_.empty() && cut_off_.empty()) [[likely]]
    return;  // to insert nothing into a deque takes 200 instructions
  ids.insert(ids.end(), not_begun_.begin(), not_begun_.end());
  ids.insert(ids.end(), cut_off_.begin(), cut_off_.end());
  not_begun_.clear();
  cut_off_.clear();
}

bool Tick::has_unparsed_input(const Turn& turn) {
  return turn.parsed == turn.executed && turn.parsed != turn.input.size() && turn.needed_bytes == 0 &&
         turn.protocol_error.outcome != ParseOutcome::kError;
}

// Moves what is not executed to the client's own buffer, or drops what is executed from it.
void Tick::keep_rest(Turn& turn) {
  Client& client = *turn.client;
  if (turn.held) {
    client.flags |= kClientHeld | (turn.postponed ? kClientPostponed : 0u);
    // Behind a held request everything is parsed anew when the client is resumed.
    client.progress.clear();
    client.unread_needed = 0;
  } else {
    // Empty requests in front of an unfinished one are consumed too.
    turn.executed = turn.protocol_error.outcome == ParseOutcome::kError ? turn.input.size() : turn.parsed;
    const size_t arrived = turn.input.size() - turn.executed;
    if (turn.needed_bytes != client.unread_needed) {
      client.unread_needed = is_short_argument(turn.needed_bytes, arrived) ? 0 : turn.needed_bytes;
    }
  }
  const Bytes rest = client.wants_close() ? Bytes() : turn.input.substr(turn.executed);
  look_at_size(turn);
  if (rest.empty()) {
    client.unread.reset();
  } else if (!turn.is_clients) {
    const size_t room = client.unread_needed >= kExactRoomBytesMin ? room_for_rest(client, rest.size()) : 0;
    client.unread = std::make_unique<Buffer>(rest.size() + room);
    client.unread->append(rest);
  } else {
    client.unread->consume_front(turn.executed);
    // The room of a large value that has been executed is not kept for the request behind it.
    if (turn.executed > 0) client.unread->shrink(kLargeInputBytes);
  }
  if (client.unread || client.transaction) check_input_limit(client);
}

// Whoever has sent a large request whole probably sends another, until something else comes.
void Tick::look_at_size(const Turn& turn) {
  Client& client = *turn.client;
  if (turn.executed > kTurnInputBytes) {
    client.flags |= kClientSendsLarge;
  } else if (!turn.is_clients && client.unread_needed <= kTurnInputBytes) {
    client.flags &= ~uint32_t{kClientSendsLarge};
  }
}

// What a client makes the server keep of its requests: an unfinished one, and those queued behind MULTI.
void Tick::check_input_limit(Client& client) {
  const size_t kept = client.unread_bytes() + (client.transaction ? client.transaction->queued_bytes : 0);
  if (static_cast<int64_t>(kept) <= services_.settings.query_buffer_limit_bytes || client.wants_close()) return;
  ++services_.stats.input_limit_disconnections;
  services_.log.warning("Closing client id={} addr={} that reached max query buffer length: {} bytes", client.id,
                        client.peer, kept);
  client.close_now();
}

Bytes Tick::take_output(const Turn& turn) {
  Client& client = *turn.client;
  const Bytes all = output_.bytes();
  const Bytes range = all.substr(turn.output_begin, turn.output_end - turn.output_begin);
  if (barrier_ != 0 && turn.output_end > turn.output_begin) {
    services_.held_replies.hold(client, barrier_);
  } else if (turn.pin_count == 0 && client.queued_bytes() == 0) {
    return range;
  }
  append_output(client.queue(), turn.output_begin, turn.output_end, turn.first_pin, turn.pin_count);
  return {};
}

void Tick::append_output(OutputQueue& queue, size_t begin, size_t end, size_t first_pin, size_t pin_count) {
  const Bytes all = output_.bytes();
  size_t at = begin;
  for (size_t i = first_pin; i < first_pin + pin_count; ++i) {
    Pin& pin = pins_[i];
    queue.append(all.substr(at, pin.offset - at));
    if (pin.source != nullptr) {
      queue.append(std::move(pin.source));
    } else {
      queue.append(pin.bytes);
      pin.bytes.release = nullptr;  // the queue holds it now
    }
    at = pin.offset;
  }
  queue.append(all.substr(at, end - at));
}

OutputQueue& Tick::outbox(Client& client) {
  client.link->wake();
  OutputQueue& queue = client.queue();
  if (const uint64_t group = services_.append_log.reply_group(); group != 0) services_.held_replies.hold(client, group);
  // Its turn may be one of the other tick.
  if (client.turn >= turns_.size() || turns_[client.turn].client != &client) return queue;
  Turn& turn = turns_[client.turn];
  if (running_turn_ == client.turn) {
    turn.output_end = output_.size();
    turn.pin_count = static_cast<uint32_t>(pins_.size()) - turn.first_pin;
  }
  append_output(queue, turn.output_begin, turn.output_end, turn.first_pin, turn.pin_count);
  turn.output_begin = turn.output_end;
  turn.first_pin += turn.pin_count;
  turn.pin_count = 0;
  return queue;
}

void Tick::end_group() { barrier_ = services_.propagation.end_group(); }

void Tick::release(uint32_t turn_index) {
  LARDER_ASSERT(turn_index != running_turn_);
  Turn& turn = turns_[turn_index];
  if (turn.client == nullptr) return;
  // Requests of a client lie together, so a later turn has not begun. Its requests in the list are skipped from now on.
  if (running_turn_ != Client::kNoTurn && turn_index > running_turn_) turn.held = true;
  keep_rest(turn);
  turn.client->turn = Client::kNoTurn;
  turn.client = nullptr;
}

void Tick::finish() {
  for (Turn& turn : turns_) {
    if (turn.client != nullptr) turn.client->turn = Client::kNoTurn;
  }
  for (Pin& pin : pins_) drop(pin);
  pins_.clear();
  turns_.clear();
  requests_.clear();
  if (requests_.capacity() > 2 * kTickRequests) requests_.shrink_to_fit();
  arguments_.clear();
  taken_over_.clear();
  arena_room_ = nullptr;
  moved_bytes_ = 0;
  input_.reset();
  output_.clear();
  output_.shrink(kKeptOutputBytes);
}

void Tick::forget(Client& client) {
  // Its turn may be one of the other tick.
  if (client.turn >= turns_.size() || turns_[client.turn].client != &client) return;
  turns_[client.turn].client = nullptr;
  client.turn = Client::kNoTurn;
}

}  // namespace larder
