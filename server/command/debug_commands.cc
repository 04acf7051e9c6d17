// DEBUG, for tests of the server and of clients: refused unless enable-debug-command allows it.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/number_text.h"
#include "server/command/debug_handlers.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/config/settings.h"
#include "server/core/aof_load.h"
#include "server/core/append_log.h"
#include "server/core/context.h"
#include "server/core/flush_queue.h"
#include "server/core/held_replies.h"
#include "server/core/loading.h"
#include "server/core/propagation.h"
#include "server/core/save_control.h"
#include "server/core/scripting.h"
#include "server/core/snapshot.h"
#include "storage/encoding_name.h"
#include "storage/eviction.h"

namespace larder {
namespace {

void debug_sleep(CommandContext& ctx, ArgReader& args) {
  // What is no number sleeps for no time, as the reference does.
  const double seconds = parse_double(args.take<Bytes>()).value_or(0);
  constexpr double kSleepMaxS = 3600;
  if (seconds > 0) ctx.services().process.sleep_us(static_cast<int64_t>(std::min(seconds, kSleepMaxS) * 1e6));
  ctx.reply().ok();
}

void debug_error(CommandContext& ctx, ArgReader& args) { ctx.reply().error(args.take<Bytes>()); }

void debug_set_active_expire(CommandContext& ctx, ArgReader& args) {
  ctx.services().settings.active_expiry = args.take<Bytes>() != "0";
  ctx.reply().ok();
}

void debug_object(CommandContext& ctx, ArgReader& args) {
  const Entry* entry = ctx.keys().find(args.take<Key>());
  if (entry == nullptr) return ctx.reply().error(kNoSuchKey);
  const Bytes encoding = encoding_name(*entry);
  char address[32];
  std::snprintf(address, sizeof(address), "%p", static_cast<const void*>(entry));
  std::string text = "Value at:" + std::string(address);
  text += " refcount:1 encoding:" + std::string(encoding);
  text += " serializedlength:" + std::to_string(entry->value_bytes());
  text += " lru:" + std::to_string(entry->access_state()) + " lru_seconds_idle:0";
  ctx.reply().simple(text);
}

// One reply of each kind, for client authors.
bool write_simple_example(ReplyWriter& reply, Bytes kind) {
  if (kind == "string") return reply.bulk("Hello World"), true;
  if (kind == "integer") return reply.integer(12345), true;
  if (kind == "double") return reply.double_value(3.141), true;
  if (kind == "null") return reply.null(), true;
  if (kind == "bignum") return reply.big_number("1234567999999999999999999999999999999"), true;
  if (kind == "true") return reply.boolean(true), true;
  if (kind == "false") return reply.boolean(false), true;
  if (kind == "verbatim") return reply.verbatim("txt", "This is a verbatim\nstring"), true;
  return false;
}

bool write_aggregate_example(ReplyWriter& reply, Bytes kind) {
  if (kind == "array" || kind == "set") {
    kind == "array" ? reply.array(3) : reply.set(3);
    for (int i = 0; i < 3; ++i) reply.integer(i);
    return true;
  }
  if (kind == "map") {
    reply.map(3);
    for (int i = 0; i < 3; ++i) {
      reply.integer(i);
      reply.boolean(i == 1);
    }
    return true;
  }
  return false;
}

void write_attribute_example(ReplyWriter& reply) {
  if (reply.attribute(1)) {
    reply.bulk("key-popularity");
    reply.array(2);
    reply.bulk("key:123");
    reply.integer(90);
  }
  reply.bulk("Some real reply following the attribute");
}

void write_push_example(ReplyWriter& reply) {
  if (!reply.resp3()) return reply.error(Bytes("ERR RESP2 is not supported by this command"));
  reply.push(2);
  reply.bulk("server-cpu-usage");
  reply.integer(42);
  reply.bulk("Some real reply following the push reply");
}

void debug_protocol(CommandContext& ctx, ArgReader& args) {
  const std::string kind = to_lower(args.take<Bytes>());
  if (write_simple_example(ctx.reply(), kind) || write_aggregate_example(ctx.reply(), kind)) return;
  if (kind == "attrib") return write_attribute_example(ctx.reply());
  if (kind == "push") return write_push_example(ctx.reply());
  ctx.reply().error(
      Bytes("ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"));
}

void forget_everything(CommandContext& ctx) {
  Services& services = ctx.services();
  if (services.scripting != nullptr) services.scripting->remove_all_libraries();
  for (int db = 0; db < services.store.database_count(); ++db) {
    ctx.database_changing(static_cast<uint16_t>(db));
    services.flushed.add(ctx.keys().keyspace(db).flush());
  }
}

// A load ended half-way: a start finds on the disk what was there before.
void end_half_loaded(CommandContext& ctx) {
  ctx.services().log.warning("Only a part of the data is in memory now, which is not saved. Exiting.");
  end_unloaded(ctx.services(), ctx.dispatcher());
}

// To the end, while nobody else is served.
Status load_now(Services& services, std::unique_ptr<LoadTask> task) {
  Status loaded;
  services.loading.begin(std::move(task), [&loaded](const Status& status) { loaded = status; });
  services.loading.finish();
  return loaded;
}

struct ReloadWords {
  bool saves = true;
  bool flushes = true;
  bool merges = false;
};

std::optional<ReloadWords> read_reload_words(ArgReader& args) {
  ReloadWords words;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("NOSAVE")) {
      words.saves = false;
    } else if (args.take_word("NOFLUSH")) {
      words.flushes = false;
    } else if (args.take_word("MERGE")) {
      words.merges = true;
    } else {
      return std::nullopt;
    }
  }
  return words;
}

RdbLoadOptions reload_options(CommandContext& ctx, const ReloadWords& words) {
  RdbLoadOptions load;
  load.now_ms = ctx.now_ms();
  load.drop_expired = !ctx.services().append_log.keeps_log();  // a log is to be told of each removal
  load.limits = rdb_limits(ctx.services().settings);
  load.replaces = words.merges;
  return load;
}

// Whether the file can be loaded, as far as can be said before anything is forgotten for it.
Status look_at_file(Services& services, RdbLoadOptions load, const ReloadWords& words) {
  load.only_check = true;
  LARDER_TRY_ASSIGN(const auto task, RdbLoadTask::open(services.files, services.saves.path(), services.store, load));
  std::optional<std::string> known;
  task->loader().on_looked_at = [&](int db, const Entry& entry) {
    if (words.flushes || words.merges || known) return;
    const HashedKey key = services.store.hashed(entry.key());
    if (services.store.database(db).table().find(key.hash, key.bytes) != nullptr) known = std::string(key.bytes);
  };
  bool more = true;
  while (more && !known) {
    LARDER_TRY_ASSIGN(more, task->step());
  }
  return known ? Status(ErrorCode::kInvalidArgument, "the key '" + *known + "' is there already") : Status();
}

// Saves, forgets everything and loads it again.
void debug_reload(CommandContext& ctx, ArgReader& args) {
  const std::optional<ReloadWords> words = read_reload_words(args);
  if (!words) {
    return ctx.reply().error(Bytes("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."));
  }
  Services& services = ctx.services();
  services.saves.end();
  if (words->saves && !services.saves.save_now().ok()) return ctx.reply().error(Bytes("ERR"));
  const RdbLoadOptions load = reload_options(ctx, *words);
  const auto fails = [&](const Status& why) {
    services.log.warning("DEBUG RELOAD: {}: {}", services.saves.path(), why.to_string());
    ctx.reply().error(kReloadFailed);
  };
  if (const Status looked = look_at_file(services, load, *words); !looked.ok()) return fails(looked);
  auto task = RdbLoadTask::open(services.files, services.saves.path(), services.store, load);
  if (!task) return fails(task.status());
  load_functions_too((*task)->loader(), services);
  // What the log has would become other data with what changes from now on: it begins anew with those of the file.
  const bool begins_log = !words->saves && services.append_log.keeps_log();
  if (begins_log) {
    services.propagation.set_sink(nullptr);
    services.append_log.turn_off();
  }
  if (words->flushes) forget_everything(ctx);
  Status loaded = load_now(services, std::move(*task));
  if (loaded.ok() && begins_log) loaded = services.append_log.turn_on();
  if (!loaded.ok()) {
    fails(loaded);
    return end_half_loaded(ctx);
  }
  if (begins_log) services.propagation.set_sink(&services.append_log);
  services.saves.note_loaded();
  ctx.reply().ok();
}

// Forgets everything and loads the log that is there. One that is on is closed first, so that all of it is read, and gone
// on with afterwards.
Status load_log_again(CommandContext& ctx) {
  Services& services = ctx.services();
  AppendLog& log = services.append_log;
  const bool was_on = log.on();
  if (!was_on && log.state() != AppendLog::State::kOff) return {ErrorCode::kBusy, "the log has no base yet"};
  if (was_on && log.is_elsewhere()) return {ErrorCode::kBusy, "the log is in another folder before the next rewrite"};
  services.saves.end();
  if (was_on) services.propagation.set_sink(nullptr);
  const Status closed = log.finish();
  services.held_replies.release(log.durable_group());
  if (!closed.ok()) {
    if (!was_on) return closed;
    // Its end is not on the disk, so that it begins anew with the data that are here.
    LARDER_TRY(log.turn_on());
    services.propagation.set_sink(&log);
    return closed;
  }
  auto task = std::make_unique<AofLoad>(services, ctx.dispatcher());
  LARDER_TRY_ASSIGN(const bool found, task->open());
  if (!found) return {ErrorCode::kNotFound, task->name() + ": no log"};
  const std::shared_ptr<const AofLoad::Place> place = task->place();
  forget_everything(ctx);
  if (Status loaded = load_now(services, std::move(task)); !loaded.ok()) {
    end_half_loaded(ctx);
    return loaded;
  }
  services.saves.note_loaded();
  if (!was_on) return {};
  LARDER_TRY(log.start(place->manifest, place->resume));
  services.propagation.set_sink(&log);
  return {};
}

void debug_load_log(CommandContext& ctx, ArgReader&) {
  Services& services = ctx.services();
  const bool was_on = services.append_log.keeps_log();
  const Status loaded = load_log_again(ctx);
  if (loaded.ok()) return ctx.reply().ok();
  services.log.warning("DEBUG LOADAOF: {}", loaded.to_string());
  // What is on the disk stays as it is; a log of these data would take its place.
  if (was_on && !services.append_log.keeps_log()) {
    services.settings.append_only = false;
    services.log.warning("The append only log is off now, because it could not be loaded");
  }
  ctx.reply().error(Bytes("ERR Error trying to load the AOF files, check server logs"));
}

void debug_help(CommandContext& ctx, ArgReader& args);

constexpr size_t kAnyNumber = SIZE_MAX;

// DEBUG's subcommands are no commands of their own: COMMAND INFO does not know them.
struct DebugSubcommand {
  Bytes name;
  size_t arguments;
  Bytes help;
  CommandHandler run;
  bool takes_data = false;  // looks at the data as a whole: not while they are loaded, maybe in the middle of a value
};

namespace dc = debug_commands;

constexpr DebugSubcommand kSubcommands[] = {
    {"DIGEST", 0, "DIGEST: a fingerprint of the whole dataset; the same data has the same one.", dc::digest, true},
    {"DIGEST-VALUE", kAnyNumber, "DIGEST-VALUE <key> [key ...]: fingerprints of values.", dc::digest_value, true},
    {"ERROR", 1, "ERROR <text>: reply with this error.", debug_error},
    {"LOADAOF", 0, "LOADAOF: forget everything and load the append-only log.", debug_load_log, true},
    {"LOG", 1, "LOG <message>: write it into the server's log.", dc::log},
    {"OBJECT", 1, "OBJECT <key>: how the value of a key is kept.", debug_object, true},
    {"POPULATE", kAnyNumber, "POPULATE <count> [prefix] [size]: create so many keys with string values.", dc::populate, true},
    {"PROTOCOL", 1, "PROTOCOL <kind>: a reply of this kind.", debug_protocol},
    {"RELOAD", kAnyNumber, "RELOAD [NOSAVE] [NOFLUSH] [MERGE]: save, forget everything and load it again.",
     debug_reload, true},
    {"SET-ACTIVE-EXPIRE", 1, "SET-ACTIVE-EXPIRE <0|1>: whether keys expire that nobody looks at.",
     debug_set_active_expire},
    {"SLEEP", 1, "SLEEP <seconds>: stop the whole server for a while.", debug_sleep},
    {"HELP", 0, "HELP: print this help.", debug_help},
};

void debug_help(CommandContext& ctx, ArgReader&) {
  ctx.reply().array(1 + std::size(kSubcommands));
  ctx.reply().simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const DebugSubcommand& sub : kSubcommands) ctx.reply().simple(sub.help);
}

void debug(CommandContext& ctx, ArgReader& args) {
  const Bytes name = args.take<Bytes>();
  for (const DebugSubcommand& sub : kSubcommands) {
    if (!equals_ignore_case(sub.name, name)) continue;
    if (sub.arguments != kAnyNumber && args.remaining() != sub.arguments) continue;
    if (sub.takes_data && ctx.services().loading.active()) return ctx.reply().error(kLoading);
    return sub.run(ctx, args);
  }
  ctx.reply().error(Bytes(subcommand_syntax_error("debug", name)));
}

constexpr CommandSpec kDebugRows[] = {
    {.name = "debug",
     .arity = -2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kProtected,
     .run = debug},
};

}  // namespace

const CommandFamily kDebugFamily{"server", kDebugRows, kDebugDocs};

}  // namespace larder
