#pragma once

// What a command handler sees: the keys of the client's database, the reply, the client, the time, and the services of
// the server. Never a socket, never the loop.
//
//     void strlen(CommandContext& ctx, ArgReader& args) {
//       const auto key = args.take<Key>();
//       if (!args.done(ctx.reply())) return;
//       const auto value = ctx.keys().read<StringValue>(key);
//       if (value.wrong_type()) return ctx.reply().error(kWrongType);
//       ctx.reply().integer(value ? value->size() : 0);
//     }
//
// A context lives for one command. Views that it hands out (keys, values) end with the command.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/bytes.h"
#include "protocol/arg_reader.h"
#include "protocol/error_text.h"
#include "protocol/reply_writer.h"
#include "server/core/blocking.h"
#include "server/core/client.h"
#include "server/core/events.h"
#include "server/core/key_access.h"
#include "server/core/registry.h"
#include "server/core/services.h"

namespace larder {

class Dispatcher;

class CommandContext {
 public:
  CommandContext(Dispatcher& dispatcher, Services& services, Client& client, ReplyWriter& reply, int64_t now_ms)
      : dispatcher_(dispatcher), services_(services), client_(client), reply_(reply), keys_(services, client, now_ms) {}

  KeyAccess& keys() { return keys_; }
  ReplyWriter& reply() { return reply_; }
  Client& client() { return client_; }
  Services& services() { return services_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  // Wall clock in milliseconds, the same during the whole command.
  int64_t now_ms() const { return keys_.now_ms(); }
  const Command& command() const { return *command_; }
  // All arguments of the request, the command's name(s) first.
  std::span<const Bytes> argv() const { return argv_; }

  // Tells that the value (or existence, or time to live) of `key` changed. The one place where watchers, notifications,
  // client-side caches, the log and the replicas learn of it. Call it once per changed key, after the change. `changes` is
  // what it adds to the changes that save points wait for: of a collection its elements; 0 for a further event of one change.
  void changed(Bytes key, Event event, uint64_t changes = 1) { changed_in(client_.db, key, event, changes); }
  void changed_in(uint16_t db, Bytes key, Event event, uint64_t changes = 1);
  // The same for what the groups of a stream know: readers of its entries, watchers and client-side caches, see nothing.
  void groups_changed(Bytes key, Event event, uint64_t changes = 1);
  // Every key of the database is gone or another (FLUSHDB, SWAPDB). Call it before the change: watchers of keys that
  // exist are told.
  void database_changing(uint16_t db);
  // What to repeat (log, replicas) in place of the request; several calls are repeated in their order. Without a call the
  // request itself is repeated if it changed anything. Costs nothing while nobody listens: see propagates().
  void propagate_as(std::span<const Bytes> argv);
  void propagate_as(std::initializer_list<Bytes> argv) { propagate_as(std::span(argv.begin(), argv.size())); }
  // The change needs no repeating, or is repeated by what propagate_as() was called with.
  void propagate_nothing() { replaced_ = true; }
  // Whether somebody listens: for commands whose replacement takes work to put together.
  bool propagates() const;
  bool propagation_replaced() const { return replaced_; }

  // Whether waiting is possible: not inside a transaction or a script.
  bool may_block() const;
  // There is nothing to take yet: the client waits (see server/core/blocking.h). Write no reply.
  void block(const BlockRequest& request);

  // Set by the dispatcher for each command.
  void begin(const Command& command, std::span<const Bytes> argv, uint64_t first_key_hash) {
    command_ = &command;
    argv_ = argv;
    replaced_ = false;
    keys_.begin(argv, command.first_key, first_key_hash);
  }

 private:
  Dispatcher& dispatcher_;
  Services& services_;
  Client& client_;
  ReplyWriter& reply_;
  const Command* command_ = nullptr;
  std::span<const Bytes> argv_;
  bool replaced_ = false;
  KeyAccess keys_;
};

}  // namespace larder
