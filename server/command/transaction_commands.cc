// MULTI, EXEC, DISCARD, WATCH and UNWATCH. Queueing itself is the dispatcher's: see core/transaction.h.

#include <memory>
#include <utility>
#include <vector>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/propagation.h"
#include "server/core/transaction.h"

namespace larder {
namespace {

bool in_transaction(const Client& client) { return client.transaction && client.transaction->open; }

void multi(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  if (in_transaction(ctx.client())) return ctx.reply().error(kMultiNested);
  ctx.services().transactions.open(ctx.client());
  ctx.reply().ok();
}

void discard(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  if (!in_transaction(ctx.client())) return ctx.reply().error(kDiscardWithoutMulti);
  ctx.services().transactions.close(ctx.client());
  ctx.reply().ok();
}

void watch(CommandContext& ctx, ArgReader& args) {
  if (in_transaction(ctx.client())) return ctx.reply().error(kWatchInsideMulti);
  KeyAccess& keys = ctx.keys();
  for (const Bytes key : args.rest()) {
    // A key whose time is over is not removed: a script that is running may be counting on it.
    const bool was_expired = keys.keyspace().is_left_expired(keys.hashed(Key{key}), ctx.now_ms());
    ctx.services().transactions.watch(ctx.client(), ctx.client().db, key, was_expired);
  }
  ctx.reply().ok();
}

void unwatch(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.services().transactions.close(ctx.client());
  ctx.reply().ok();
}

// A watched key that ran out of time since counts as changed: looking at it removes it and tells its watchers.
void notice_expired(CommandContext& ctx, const Transaction& transaction) {
  for (const WatchedKey& watched : transaction.watched) {
    ctx.keys().keyspace(watched.db).contains(ctx.services().store.hashed(watched.key), ctx.now_ms());
  }
}

void run_queued(CommandContext& ctx, const std::vector<QueuedRequest>& requests) {
  Dispatcher& dispatcher = ctx.dispatcher();
  ctx.reply().array(requests.size());
  ctx.client().flags |= kClientDenyBlocking;
  ctx.services().propagation.begin_unit();
  std::vector<Bytes> argv;
  for (const QueuedRequest& request : requests) {
    argv.assign(request.arguments.begin(), request.arguments.end());
    dispatcher.call(ctx.client(), *request.command, argv, 0, ctx.reply());
  }
  ctx.services().propagation.end_unit();
  ctx.client().flags &= ~kClientDenyBlocking;
}

void exec(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  Client& client = ctx.client();
  if (!in_transaction(client)) return ctx.reply().error(kExecWithoutMulti);
  notice_expired(ctx, *client.transaction);
  const bool aborted = client.transaction->aborted;
  const bool changed = client.transaction->watch_broken;
  TransactionTable& transactions = ctx.services().transactions;
  if (aborted || changed) {
    transactions.close(client);
    return aborted ? ctx.reply().error(kExecAbort) : ctx.reply().null_array();
  }
  std::unique_ptr<Transaction> ended = transactions.take_requests(client);
  run_queued(ctx, ended->requests);
  transactions.spent(std::move(ended));
}

constexpr CommandSpec kTransactionRows[] = {
    {.name = "multi",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoMulti | kAllowBusy,
     .acl = Acl::kTransaction,
     .run = multi},
    {.name = "exec",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kSkipSlowlog,
     .acl = Acl::kTransaction,
     .run = exec},
    {.name = "discard",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kAllowBusy,
     .acl = Acl::kTransaction,
     .run = discard},
    {.name = "watch",
     .arity = -2,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoMulti | kAllowBusy,
     .acl = Acl::kTransaction,
     .keys = key_specs("RO@i1:range(-1,1,0)"),
     .run = watch},
    {.name = "unwatch",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kAllowBusy,
     .acl = Acl::kTransaction,
     .run = unwatch},
};

}  // namespace

const CommandFamily kTransactionFamily{"transactions", kTransactionRows, kTransactionDocs};

}  // namespace larder
