// DEBUG's subcommands on data: fingerprints to compare servers by, and keys to fill one with.

#include <string>

#include "base/log.h"
#include "server/command/dataset_digest.h"
#include "server/command/debug_handlers.h"
#include "server/config/settings.h"

namespace larder::debug_commands {

void digest(CommandContext& ctx, ArgReader&) { ctx.reply().simple(digest_of(ctx.services().store).hex()); }

void digest_value(CommandContext& ctx, ArgReader& args) {
  const auto keys = args.rest();
  ctx.reply().array(keys.size());
  for (const Bytes key : keys) {
    Digest digest;
    if (const Entry* entry = ctx.keys().find(Key{key})) mix_value(digest, ctx.services().store, *entry);
    ctx.reply().simple(digest.hex());
  }
}

// Keys "prefix:N" with values "value:N", cut off or filled up with zero bytes to a size. Those that exist stay.
void populate(CommandContext& ctx, ArgReader& args) {
  const int64_t count = args.take_int(0, INT64_MAX, kNotPositive, kNotPositive);
  const std::string prefix(args.at_end() ? Bytes("key") : args.take<Bytes>());
  const int64_t size_max = ctx.services().settings.bulk_bytes_max;
  const int64_t size = args.at_end() ? 0 : args.take_int(0, size_max, kNotPositive, kNotPositive);
  if (!args.done(ctx.reply())) return;
  for (int64_t i = 0; i < count; i++) {
    const std::string key = prefix + ":" + std::to_string(i);
    if (ctx.keys().contains(Key{key})) continue;
    std::string value = "value:" + std::to_string(i);
    if (size > 0) value.resize(static_cast<size_t>(size));
    ctx.keys().assign_string(Key{key}, value);
    ctx.changed(key, Event::kQuiet);
    if (ctx.propagates()) ctx.propagate_as({"SET", key, value});
  }
  ctx.reply().ok();
}

void log(CommandContext& ctx, ArgReader& args) {
  ctx.services().log.warning("DEBUG LOG: {}", args.take<Bytes>());
  ctx.reply().ok();
}

}  // namespace larder::debug_commands
