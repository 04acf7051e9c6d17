// Saving on request: SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF.

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/core/append_log.h"
#include "server/core/context.h"
#include "server/core/save_control.h"
#include "server/core/snapshot.h"

namespace larder {
namespace {

void save(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  if (ctx.services().saves.is_in_the_way()) return ctx.reply().error(kSaveInProgress);
  if (!ctx.services().saves.save_now().ok()) return ctx.reply().error(Bytes("ERR"));
  ctx.reply().ok();
}

void cancel_save(CommandContext& ctx) {
  if (!ctx.services().saves.cancel()) return ctx.reply().error(kNoSaveInProgress);
  ctx.reply().simple("Background saving cancelled");
}

void bgsave(CommandContext& ctx, ArgReader& args) {
  const bool cancels = args.take_word("CANCEL");
  const bool schedules = !cancels && args.take_word("SCHEDULE");
  if (!args.done(ctx.reply())) return;
  if (cancels) return cancel_save(ctx);
  SaveControl& saves = ctx.services().saves;
  if (saves.is_in_the_way()) return ctx.reply().error(kSaveInProgress);
  // Inside a transaction it waits for the end, so that the file has all of the transaction or nothing.
  const bool waits = !ctx.may_block();
  if (!waits && (saves.in_progress() || !ctx.services().snapshots.active())) {
    saves.in_progress() ? saves.schedule() : saves.save_in_background();
    return ctx.reply().simple("Background saving started");
  }
  if (!schedules && !waits) return ctx.reply().error(kOtherSnapshotInProgress);
  saves.schedule();
  ctx.reply().simple("Background saving scheduled");
}

void bgrewriteaof(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  AppendLog& log = ctx.services().append_log;
  // Inside a transaction it waits for the end, as a save does.
  const Status begun = log.rewrite(!ctx.may_block());
  if (!begun.ok())
    return ctx.reply().error(begun.code() == ErrorCode::kBusy ? Bytes(begun.message())
                                                              : Bytes("ERR " + begun.to_string()));
  ctx.reply().simple(log.rewrite_scheduled() ? "Background append only file rewriting scheduled"
                                             : "Background append only file rewriting started");
}

void lastsave(CommandContext& ctx, ArgReader& args) {
  if (args.done(ctx.reply())) ctx.reply().integer(ctx.services().saves.last_save_ms() / 1000);
}

constexpr CommandSpec kPersistenceRows[] = {
    {.name = "bgrewriteaof", .arity = 1, .flags = kNoAsyncLoading | kAdmin | kNotInScripts, .run = bgrewriteaof},
    {.name = "bgsave", .arity = -1, .flags = kNoAsyncLoading | kAdmin | kNotInScripts, .run = bgsave},
    {.name = "lastsave",
     .arity = 1,
     .flags = kWhileLoading | kWhileStale | kFast,
     .acl = Acl::kAdmin | Acl::kDangerous,
     .run = lastsave,
     .tips = "nondeterministic_output"},
    {.name = "save", .arity = 1, .flags = kNoAsyncLoading | kAdmin | kNotInScripts | kNoMulti, .run = save},
};

}  // namespace

const CommandFamily kPersistenceFamily{"server", kPersistenceRows, kPersistenceDocs};

}  // namespace larder
