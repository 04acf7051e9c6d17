// DUMP and RESTORE: values as payloads in the RDB format, which Redis reads and writes as well.

#include <algorithm>
#include <string>
#include <vector>

#include "base/number_text.h"
#include "persistence/dump_payload.h"
#include "persistence/rdb_loader.h"
#include "persistence/rdb_writer.h"
#include "protocol/option_grammar.h"
#include "server/command/expiry_time.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/config/settings.h"
#include "server/core/context.h"
#include "server/core/loading.h"
#include "storage/eviction.h"

namespace larder {
namespace {

void dump(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return;
  const Entry* entry = ctx.keys().read_entry(key);
  if (entry == nullptr) return ctx.reply().null();
  const Settings& settings = ctx.services().settings;
  RdbWriteOptions options;
  options.version = static_cast<int>(settings.rdb_version);
  ctx.reply().bulk(dump_entry(ctx.services().store, *entry, options, settings.rdb_compression));
}

enum RestoreOption : size_t { kReplace, kAbsTtl, kIdleTime, kFreq };
constexpr OptionRule kRestoreRules[] = {
    {"REPLACE"},
    {"ABSTTL"},
    {"IDLETIME", OptionArgument::kInteger, 1},
    {"FREQ", OptionArgument::kInteger, 1},
};
using RestoreOptions = OptionValues<std::size(kRestoreRules)>;

constexpr int64_t kFrequencyMax = 255;

RestoreOptions read_restore_options(ArgReader& args) {
  const auto options = parse_options(args, kRestoreRules);
  if (options.has(kIdleTime) && options.integer(kIdleTime) < 0) args.fail(kInvalidIdleTime);
  const int64_t frequency = options.integer(kFreq);
  if (options.has(kFreq) && (frequency < 0 || frequency > kFrequencyMax)) args.fail(kInvalidFrequency);
  return options;
}

// The access state that the options ask for, where the server tracks that kind. False: none.
bool wanted_access_state(CommandContext& ctx, const RestoreOptions& options, uint32_t* state) {
  const AccessTracker& access = ctx.services().store.access();
  if (options.has(kFreq) && access.tracking() == AccessTracking::kFrequency) {
    *state = access.state_of_frequency(static_cast<uint8_t>(options.integer(kFreq)));
    return true;
  }
  if (options.has(kIdleTime) && access.tracking() == AccessTracking::kRecency) {
    *state = access.state_of_idle(static_cast<uint32_t>(std::min<int64_t>(options.integer(kIdleTime), UINT32_MAX)));
    return true;
  }
  return false;
}

// Says what to repeat: the same with a time to live that does not depend on when.
void propagate_restore(CommandContext& ctx, int64_t deadline_ms, const RestoreOptions& options) {
  if (options.has(kAbsTtl) || deadline_ms == kNoDeadline || !ctx.propagates()) return;
  const std::string ttl = to_text(deadline_ms);
  std::vector<Bytes> argv(ctx.argv().begin(), ctx.argv().end());
  argv[2] = ttl;
  argv.push_back("ABSTTL");
  ctx.propagate_as(argv);
}

struct Restored {
  Key key;
  int64_t deadline_ms = kNoDeadline;
};

// Puts the value that was built in `built` into its place.
void put_restored(CommandContext& ctx, const Restored& restored, Keyspace& built, const RestoreOptions& options) {
  KeyAccess& keys = ctx.keys();
  const bool replaced = options.has(kReplace) && keys.erase(restored.key);
  if (restored.deadline_ms <= ctx.now_ms()) {
    // It would be over at once: what was there is gone, and nothing comes.
    if (replaced) {
      ctx.propagate_as({"DEL", restored.key.bytes});
      ctx.changed(restored.key.bytes, Event::kDel);
    }
    return ctx.reply().ok();
  }
  const HashedKey key = keys.hashed(restored.key);
  built.move_entry(key, keys.keyspace(), key, ctx.now_ms());
  if (restored.deadline_ms != kNoDeadline) keys.keyspace().set_deadline(key, restored.deadline_ms, ctx.now_ms());
  uint32_t access_state = 0;
  if (wanted_access_state(ctx, options, &access_state)) keys.keyspace().set_access_state(key, access_state);
  ctx.changed(restored.key.bytes, Event::kRestore);
  propagate_restore(ctx, restored.deadline_ms, options);
  ctx.reply().ok();
}

void restore(CommandContext& ctx, ArgReader& args) {
  const auto [key, ttl_text, payload] = args.take<Key, Bytes, Bytes>();
  const RestoreOptions options = read_restore_options(args);
  if (!args.done(ctx.reply())) return;
  if (!options.has(kReplace) && ctx.keys().contains(key)) return ctx.reply().error(kBusyKey);
  const auto ttl_ms = parse_int64(ttl_text);
  if (!ttl_ms) return ctx.reply().error(kNotInteger);
  if (*ttl_ms < 0) return ctx.reply().error(kInvalidTtl);
  Restored restored{key, kNoDeadline};
  if (*ttl_ms > 0) {
    const auto deadline =
        deadline_from(*ttl_ms, options.has(kAbsTtl) ? kUnixMilliseconds : kMillisecondsFromNow, ctx.now_ms());
    if (!deadline) return ctx.reply().error(kInvalidTtl);
    restored.deadline_ms = *deadline;
  }
  if (!check_dump_payload(payload)) return ctx.reply().error(kBadDump);
  // In a keyspace of its own first, so that damage leaves what is there alone.
  Keyspace built(ctx.services().store, ctx.client().db);
  const HashedKey hashed = ctx.keys().hashed(key);
  const RdbLimits limits = rdb_limits(ctx.services().settings);
  const bool good = read_dump_payload(payload, limits, built, hashed, ctx.now_ms()).ok();
  if (!good || !built.contains(hashed, ctx.now_ms())) return ctx.reply().error(kBadDataFormat);
  put_restored(ctx, restored, built, options);
}

constexpr CommandSpec kDumpRows[] = {
    {.name = "dump",
     .arity = 2,
     .flags = kReadonly,
     .acl = Acl::kKeyspace,
     .keys = key_specs("RO+ACCESS@i1:range(0,1,0)"),
     .run = dump,
     .tips = "nondeterministic_output"},
    {.name = "restore",
     .arity = -4,
     .flags = kWrite | kDenyOom,
     .acl = Acl::kKeyspace | Acl::kDangerous,
     .keys = key_specs("OW+UPDATE@i1:range(0,1,0)"),
     .run = restore},
    {.name = "restore-asking",
     .arity = -4,
     .flags = kWrite | kDenyOom | kAsking,
     .acl = Acl::kKeyspace | Acl::kDangerous,
     .keys = key_specs("OW+UPDATE@i1:range(0,1,0)"),
     .run = restore},
};

}  // namespace

const CommandFamily kDumpFamily{"generic", kDumpRows, kDumpDocs};

}  // namespace larder
