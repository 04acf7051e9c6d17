// Whole databases: counting, emptying and swapping them.

#include <span>

#include "server/command/families.h"
#include "server/core/command_docs.h"
#include "server/core/command_spec.h"
#include "server/core/context.h"
#include "server/core/flush_queue.h"
#include "server/core/save_control.h"
#include "server/core/tracking.h"

namespace larder {
namespace {

enum class FlushMode : uint8_t { kSync, kAsync };

// FLUSHDB and FLUSHALL answer at once and free the memory in pieces between ticks, whatever lazyfree-lazy-user-flush
// says; only the word SYNC makes the client wait until everything is given back.
FlushMode take_flush_mode(ArgReader& args) {
  if (args.take_word("SYNC")) return FlushMode::kSync;
  args.take_word("ASYNC");
  return FlushMode::kAsync;
}

void flush_database(CommandContext& ctx, int db, FlushMode mode) {
  ctx.database_changing(static_cast<uint16_t>(db));
  ctx.services().stats.dirty += ctx.keys().keyspace(db).size();
  FlushedKeyspace flushed = ctx.keys().keyspace(db).flush();
  if (mode == FlushMode::kAsync) ctx.services().flushed.add(std::move(flushed));
  // With kSync it is freed here, at the end of its life.
}

void dbsize(CommandContext& ctx, ArgReader& args) {
  if (args.done(ctx.reply())) ctx.reply().integer(static_cast<int64_t>(ctx.keys().keyspace().size()));
}

void flushdb(CommandContext& ctx, ArgReader& args) {
  const FlushMode mode = take_flush_mode(args);
  if (!args.done(ctx.reply())) return;
  flush_database(ctx, ctx.client().db, mode);
  ctx.services().tracking.database_changed();
  ctx.reply().ok();
}

void flushall(CommandContext& ctx, ArgReader& args) {
  const FlushMode mode = take_flush_mode(args);
  if (!args.done(ctx.reply())) return;
  for (int db = 0; db < ctx.services().store.database_count(); ++db) flush_database(ctx, db, mode);
  // Inside a transaction the file is to have all of it.
  ctx.services().saves.data_flushed(ctx.may_block());
  ctx.services().tracking.database_changed();
  ctx.reply().ok();
}

void swapdb(CommandContext& ctx, ArgReader& args) {
  const int64_t first = args.take_int(INT32_MIN, INT32_MAX, kInvalidFirstDbIndex, kInvalidFirstDbIndex);
  const int64_t second = args.take_int(INT32_MIN, INT32_MAX, kInvalidSecondDbIndex, kInvalidSecondDbIndex);
  Store& store = ctx.services().store;
  const int64_t count = store.database_count();
  if (first < 0 || first >= count || second < 0 || second >= count) args.fail(kDbIndexOutOfRange);
  if (!args.done(ctx.reply())) return;
  if (first != second) {
    const auto a = static_cast<uint16_t>(first);
    const auto b = static_cast<uint16_t>(second);
    // Told before and after: a watched key changes when it was there, and when it is now.
    ctx.database_changing(a);
    ctx.database_changing(b);
    store.swap_databases(a, b);
    // Repeated before the second telling, which may find that a key is over: its removal is one of the other database.
    ctx.propagate_as({"SWAPDB", ctx.argv()[1], ctx.argv()[2]});
    ctx.database_changing(a);
    ctx.database_changing(b);
    // Caches do not know databases apart: what they hold may be of either.
    ctx.services().tracking.database_changed();
    ++ctx.services().stats.dirty;
  }
  ctx.reply().ok();
}

constexpr CommandSpec kDatabaseRows[] = {
    {"dbsize",
     1,
     kReadonly | kFast,
     Acl::kKeyspace,
     {},
     dbsize,
     {},
     "request_policy:all_shards,response_policy:agg_sum"},
    {"flushall",
     -1,
     kWrite | kAllDbs,
     Acl::kKeyspace | Acl::kDangerous,
     {},
     flushall,
     {},
     "request_policy:all_shards,response_policy:all_succeeded"},
    {"flushdb",
     -1,
     kWrite,
     Acl::kKeyspace | Acl::kDangerous,
     {},
     flushdb,
     {},
     "request_policy:all_shards,response_policy:all_succeeded"},
    {"swapdb", 3, kWrite | kFast, Acl::kKeyspace | Acl::kDangerous, {}, swapdb},
};

constexpr CommandDocs kDatabaseDocs[] = {
    {"dbsize", "Tells how many keys the selected database holds.", "1.0.0", "O(1)", ""},
    {"flushall", "Removes every key of every database.", "1.0.0",
     "O(N) in the number of keys; freeing them does not keep other clients waiting unless SYNC is given",
     "[ASYNC | SYNC]"},
    {"flushdb", "Removes every key of the selected database.", "1.0.0",
     "O(N) in the number of keys; freeing them does not keep other clients waiting unless SYNC is given",
     "[ASYNC | SYNC]"},
    {"swapdb", "Exchanges the contents of two databases.", "4.0.0",
     "O(N) in the number of clients that watch keys of the two", "index1:integer index2:integer"},
};

}  // namespace

extern const CommandFamily kDatabaseFamily{"server", kDatabaseRows, kDatabaseDocs};

}  // namespace larder
