#pragma once

// One turn of the loop: what was received becomes requests, requests become replies.
//
// The side with the sockets (server/net, or a test) drives a tick through these steps:
//
//     for each readable client:  room = input_room(client); receive into it; received(client, n)
//     run()                                    prefetch, execute
//     for each of turns():       bytes = take_output(turn); send; what the socket did not take -> give_back()
//     finish()                                 arenas are reset
//
// Input of a client without an unfinished request lands in the tick's arena, and its requests are views into it; only an
// unfinished tail is copied to the client (`Client::unread`). A client with an unfinished request receives into its own
// buffer, so a large value that arrives in many pieces is received in place and never copied again.
//
// run() works through all requests of all clients in order of arrival. While one is executed, what the later ones look up is on its
// way to the cache: the bucket of the one kPrefetchAhead further on, the entry of the one half as far. So a thousand clients with
// one request each gain as much as one client with a thousand.
//
// Replies of the whole tick go into one buffer. Each turn's replies are one contiguous range of it, except where a large
// value is sent from where it lies (a pin): then the range is split around the pin.
//
// Bounds: a client gets at most kTurnInputBytes of new input a tick (a large value: what is left of kTickInputBytes), and
// with that a bounded number of requests; a tick that is full() takes no more clients, they come in the next. A client that
// is held (paused, blocked) keeps its bytes and is taken up again by resume().
// What requests make of it is bounded too: a client whose replies pass kTurnOutputBytes is cut off there, and a tick whose
// replies pass kTickOutputBytes or that has run for kTickBudgetNs ends. What was not executed is postponed: it stays with
// its clients as if they were held, and take_postponed() names them, those that had nothing before those that were cut off.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/reply_writer.h"
#include "protocol/request_parser.h"
#include "server/core/client.h"
#include "server/core/dispatcher.h"
#include "server/core/services.h"
#include "storage/blob.h"

namespace larder {

class Tick {
 public:
  static constexpr size_t kTurnInputBytes = 32 * 1024;
  // Of a client that sends requests larger than that: what comes first is copied to where the rest arrives.
  static constexpr size_t kFirstPieceBytes = 4 * 1024;
  static constexpr size_t kLargeInputBytes = 1024 * 1024;
  // Room for a large value, as a multiple of what has arrived of it: each time it grows that is copied. From kLargeInputBytes on
  // it is more, so that of the largest value no more than 9 MB are.
  static constexpr size_t kRoomPerArrived = 7;
  static constexpr size_t kRoomPerLargeArrived = 63;
  // Of a request from this size on the room ends soon behind what it needs, so that its value can stay where it lies.
  static constexpr size_t kExactRoomBytesMin = 64 * 1024;
  static constexpr size_t kRoomBehindValue = 1024;  // for the arguments behind it
  static constexpr size_t kPrefetchAhead = 64;
  // Where a tick is full, about a millisecond of work: beyond this more requests gain nothing, and others wait for all of
  // them.
  static constexpr size_t kTickRequests = 4 * 1024;
  static constexpr size_t kTickInputBytes = 512 * 1024;
  // Of one client, what lies elsewhere and is only pinned included; of all together, what was written.
  static constexpr size_t kTurnOutputBytes = 1024 * 1024;
  static constexpr size_t kTickOutputBytes = 4 * 1024 * 1024;
  // Some times what a full tick of ordinary requests takes.
  static constexpr uint64_t kTickBudgetNs = 4'000'000;

  // One client's part of the tick.
  struct Turn {
    Client* client = nullptr;
    Bytes input;              // everything it has sent that is not consumed
    size_t parsed = 0;        // bytes of input that are parsed into requests
    size_t executed = 0;      // bytes of input whose requests are executed
    size_t output_begin = 0;  // its replies in the tick's output
    size_t output_end = 0;
    uint32_t first_pin = 0;
    uint32_t pin_count = 0;
    ParseResult protocol_error;  // outcome kError when the input is malformed at `parsed`
    bool held = false;           // a request was not run; the rest of the input waits
    bool postponed = false;      // held for no other reason than a bound of this tick
    bool is_clients = false;     // input lies in the client's own buffer, not in memory of the tick
    size_t needed_bytes = 0;     // of the unfinished request at `parsed`, 0 when there is none
  };

  struct Room {
    char* at;
    size_t bytes;
  };

  Tick(Services& services, Dispatcher& dispatcher);

  // Where to receive new bytes of this client, at least one. Used up by received() or dropped by the next input_room().
  Room input_room(Client& client);
  // `count` bytes were received into the room: parses them. Requires: count > 0.
  void received(Client& client, size_t count);
  // How much of what one tick may have was taken by requests that were there before something was received: half of it
  // is for others.
  bool half_full() const { return requests_.size() >= kTickRequests / 2; }
  // True when what is received is enough for one tick: the other clients wait for the next.
  bool full() const { return requests_.size() >= kTickRequests || moved_bytes_ >= kTickInputBytes; }
  // Takes up a client whose unread bytes may hold whole requests (it was held and no longer is).
  void resume(Client& client);

  // Executes everything parsed. `now_ms` is the wall clock.
  void run(int64_t now_ms);

  std::span<const Turn> turns() const { return turns_; }
  // What this turn is to send at once. Empty when there is nothing, or when it went to the client's queue because it
  // must come after what is queued or holds pins. Valid until finish().
  Bytes take_output(const Turn& turn);
  // Where others put what they send the client: its queue, with what its own turn has produced so far put in front. Wakes
  // the link. Not while a reply to this client is being written.
  OutputQueue& outbox(Client& client);
  // Puts the part of the output that the socket did not take into the client's queue.
  static void give_back(Client& client, Bytes rest) { client.queue().append(rest); }
  void finish();
  // Adds the ids of the clients that run() has postponed, in the order in which they are to be resumed.
  void take_postponed(std::deque<uint64_t>& ids);

  // While a request of this tick runs on and on: the turn it belongs to, and the way out for the others. release() makes
  // the turn's client free for another tick; what it has sent and is not executed stays with it (resume() takes it up
  // there). Its output is to be taken before. Requires: turn_index != running_turn().
  uint32_t running_turn() const { return running_turn_; }
  // Before the first release(): the output that is taken from now on waits for what the tick has changed so far.
  void end_group();
  void release(uint32_t turn_index);

  // The client is gone: its turn is void. Must be called before a client in turns() is destroyed.
  void forget(Client& client);
  size_t memory_bytes() const { return input_.capacity() + output_.capacity(); }

 private:
  struct Request {
    const Command* command;
    uint32_t turn;
    uint32_t first_argument;
    uint32_t argument_count;
    bool is_encoding;  // its bytes, of its arguments
    bool is_beyond;    // its key is not in its home bucket
    uint64_t hash;
    size_t end;  // offset behind the request in its turn's input
  };
  // A large value that belongs at `offset` of the tick's output.
  struct Pin {
    size_t offset;
    PinnedBytes bytes;                    // or
    std::unique_ptr<ReplySource> source;  // a part that is written while it is sent
  };
  class PinCollector final : public PinnedSink {
   public:
    explicit PinCollector(std::vector<Pin>& pins) : pins_(pins) {}
    void pin(size_t offset, PinnedBytes pinned) override;
    void source(size_t offset, std::unique_ptr<ReplySource> source) override;
    void shift(size_t from_offset, ptrdiff_t by_bytes) override;
    // Bytes that the client is owed for them, since start_count(): of a source what it writes ahead.
    size_t owed_bytes() const { return owed_bytes_; }
    void start_count() { owed_bytes_ = 0; }

   private:
    std::vector<Pin>& pins_;
    size_t owed_bytes_ = 0;
  };

  void open_turn(Client& client, Bytes input, bool is_clients);
  void parse(uint32_t turn_index);
  void execute_all();
  void look_ahead(size_t newest, size_t ahead, size_t count);
  void prefetch_bucket(Request& request);
  void prefetch_entry(Request& request);
  void prefetch_beyond(const Request& request);
  void prefetch_items(size_t begin, size_t end);
  void switch_turn(uint32_t turn_index);
  void close_turn();
  void execute(const Request& request);
  bool execute_one(const Request& request);
  void end_offer(Turn& turn);
  void look_at_bounds(Turn& turn);
  void cut_off(Turn& turn, size_t owed_bytes);
  void postpone_rest();
  static void postpone(Turn& turn);
  static bool has_unparsed_input(const Turn& turn);
  void keep_rest(Turn& turn);
  static void look_at_size(const Turn& turn);
  static size_t room_for_rest(const Client& client, size_t arrived);
  void check_input_limit(Client& client);
  static void drop(Pin& pin);
  void append_output(OutputQueue& queue, size_t begin, size_t end, size_t first_pin, size_t pin_count);

  Services& services_;
  Dispatcher& dispatcher_;
  Arena input_;
  Buffer output_;
  RequestArgs arguments_;
  std::vector<Request> requests_;
  std::vector<Turn> turns_;
  std::vector<Pin> pins_;
  PinCollector pin_collector_{pins_};
  ReplyWriter reply_{output_, 2, &pin_collector_};
  char* arena_room_ = nullptr;       // the latest room given out, when it lies in the arena
  size_t moved_bytes_ = 0;           // received in this tick, and large values again when they go into their entries
  std::vector<BlobPin> taken_over_;  // input that is part of the data set now
  uint64_t barrier_ = 0;             // group of the log that this tick's replies wait for
  uint32_t running_turn_ = Client::kNoTurn;
  uint64_t end_ns_ = 0;           // on the dispatcher's stopwatch: when this tick has used up its time
  bool looks_for_items_ = false;  // a request that is ahead does, in a collection
  bool is_spent_ = false;
  std::vector<uint64_t> cut_off_;    // ids of clients that were postponed in the middle of their requests
  std::vector<uint64_t> not_begun_;  // the others that were postponed
};

}  // namespace larder
