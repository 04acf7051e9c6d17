// OBJECT: how a value is kept and how it was used. Asking does not count as a use.

#include "server/command/generic_handlers.h"
#include "storage/encoding_name.h"
#include "storage/eviction.h"

namespace larder {
namespace {

// The entry of the one key that these commands take; null when an error or the reply for a missing key is written.
const Entry* take_entry(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return nullptr;
  const Entry* entry = ctx.keys().find(key);
  if (entry == nullptr) ctx.reply().null();
  return entry;
}

}  // namespace

namespace generic_commands {

void object_encoding(CommandContext& ctx, ArgReader& args) {
  const Entry* entry = take_entry(ctx, args);
  if (entry != nullptr) ctx.reply().bulk(encoding_name(*entry));
}

void object_freq(CommandContext& ctx, ArgReader& args) {
  const Entry* entry = take_entry(ctx, args);
  if (entry == nullptr) return;
  const AccessTracker& access = ctx.services().store.access();
  if (access.tracking() != AccessTracking::kFrequency) return ctx.reply().error(kFrequencyNotTracked);
  ctx.reply().integer(access.frequency(entry->access_state()));
}

void object_idletime(CommandContext& ctx, ArgReader& args) {
  const Entry* entry = take_entry(ctx, args);
  if (entry == nullptr) return;
  const AccessTracker& access = ctx.services().store.access();
  if (access.tracking() != AccessTracking::kRecency) return ctx.reply().error(kIdleTimeNotTracked);
  ctx.reply().integer(access.idle_seconds(entry->access_state()));
}

// Values are not shared between keys, so that there is always one reference.
void object_refcount(CommandContext& ctx, ArgReader& args) {
  if (take_entry(ctx, args) != nullptr) ctx.reply().integer(1);
}

}  // namespace generic_commands
}  // namespace larder
