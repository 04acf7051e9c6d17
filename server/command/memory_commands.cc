// MEMORY: what is used, by what.

#include <algorithm>
#include <string>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/append_log.h"
#include "server/core/context.h"
#include "server/core/memory_limit.h"
#include "server/core/scripting.h"

namespace larder {
namespace {

struct MemoryFigures {
  uint64_t total = 0;
  uint64_t overhead = 0;   // of it: what is neither key nor value
  uint64_t clients = 0;    // a value that several are sent counts for each
  uint64_t tables = 0;     // of the overhead: those of the store
  uint64_t scripts = 0;    // their sources
  uint64_t libraries = 0;  // of functions, likewise
  uint64_t resident = 0;
  uint64_t peak = 0;
  uint64_t keys = 0;

  uint64_t dataset() const { return total - std::min(total, overhead); }
};

MemoryFigures memory_figures(CommandContext& ctx) {
  Services& services = ctx.services();
  MemoryFigures figures;
  figures.clients = services.memory_limit.count_all();
  figures.total = services.memory_limit.used_bytes();
  figures.tables = services.store.overhead_bytes();
  figures.overhead = services.memory_limit.overhead_bytes();
  if (services.scripting != nullptr) {
    const Scripting::Usage usage = services.scripting->usage();
    figures.scripts = usage.cache_bytes;
    figures.libraries = usage.library_bytes;
  }
  for (int db = 0; db < services.store.database_count(); ++db) figures.keys += services.store.database(db).size();
  figures.resident = std::max(services.process.resident_bytes(), figures.total);
  figures.peak = std::max(services.stats.memory_peak_bytes, figures.total);
  return figures;
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void write_count(ReplyWriter& reply, Bytes name, uint64_t value) {
  reply.bulk(name);
  reply.integer(static_cast<int64_t>(value));
}

void write_ratio(ReplyWriter& reply, Bytes name, double value) {
  reply.bulk(name);
  reply.double_value(value);
}

// Databases with keys: how much of the store's tables is theirs, by their share of the keys.
size_t write_databases(CommandContext& ctx, const MemoryFigures& figures) {
  size_t count = 0;
  for (int db = 0; db < ctx.services().store.database_count(); ++db) {
    const Keyspace& keyspace = ctx.services().store.database(db);
    if (keyspace.size() == 0) continue;
    ++count;
    const double share = ratio(keyspace.size(), figures.keys);
    ctx.reply().bulk("db." + std::to_string(db));
    ctx.reply().map(2);
    write_count(ctx.reply(), "overhead.hashtable.main",
                static_cast<uint64_t>(share * static_cast<double>(figures.tables)));
    // Deadlines lie in the entries; their index is part of the figure above.
    write_count(ctx.reply(), "overhead.hashtable.expires", 0);
  }
  return count;
}

void memory_stats(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const MemoryFigures figures = memory_figures(ctx);
  ReplyWriter& reply = ctx.reply();
  const auto mark = reply.begin_deferred(32);
  write_count(reply, "peak.allocated", figures.peak);
  write_count(reply, "total.allocated", figures.total);
  write_count(reply, "startup.allocated", 0);
  write_count(reply, "replication.backlog", 0);
  write_count(reply, "clients.slaves", 0);
  write_count(reply, "clients.normal", figures.clients);
  write_count(reply, "cluster.links", 0);
  write_count(reply, "aof.buffer", ctx.services().append_log.figures().pending_bytes);
  write_count(reply, "lua.caches", figures.scripts);
  write_count(reply, "functions.caches", figures.libraries);
  const size_t databases = write_databases(ctx, figures);
  write_count(reply, "overhead.total", figures.overhead);
  write_count(reply, "keys.count", figures.keys);
  write_count(reply, "keys.bytes-per-key", figures.keys == 0 ? 0 : figures.dataset() / figures.keys);
  write_count(reply, "dataset.bytes", figures.dataset());
  write_ratio(reply, "dataset.percentage", 100 * ratio(figures.dataset(), figures.total));
  write_ratio(reply, "peak.percentage", 100 * ratio(figures.total, figures.peak));
  write_count(reply, "allocator.allocated", figures.total);
  write_count(reply, "allocator.active", figures.total);
  write_count(reply, "allocator.resident", figures.total);
  write_ratio(reply, "allocator-fragmentation.ratio", 1);
  write_count(reply, "allocator-fragmentation.bytes", 0);
  write_ratio(reply, "allocator-rss.ratio", 1);
  write_count(reply, "allocator-rss.bytes", 0);
  write_ratio(reply, "rss-overhead.ratio", ratio(figures.resident, figures.total));
  write_count(reply, "rss-overhead.bytes", figures.resident - figures.total);
  write_ratio(reply, "fragmentation", ratio(figures.resident, figures.total));
  write_count(reply, "fragmentation.bytes", figures.resident - figures.total);
  reply.end_deferred_map(mark, 27 + databases);
}

void memory_usage(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  if (args.take_word("SAMPLES")) {
    // Every byte is accounted for, so nothing has to be sampled.
    if (args.take<int64_t>() < 0) args.fail(kSyntax);
  }
  if (!args.done(ctx.reply())) return;
  const Entry* entry = ctx.keys().find(key);
  if (entry == nullptr) return ctx.reply().null();
  ctx.reply().integer(static_cast<int64_t>(ctx.keys().keyspace().entry_memory_bytes(*entry)));
}

void memory_doctor(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  constexpr uint64_t kTooSmallToJudge = 5 * 1024 * 1024;
  const MemoryFigures figures = memory_figures(ctx);
  std::string text;
  if (figures.total < kTooSmallToJudge) {
    text = "There is too little data in this instance to say anything about its use of memory.\n";
  }
  if (text.empty() && ratio(figures.total, figures.peak) < 0.6) {
    text += "* Peak: the instance once used far more memory than now. Pages may not have gone back to the system.\n";
  }
  if (figures.total >= kTooSmallToJudge && ratio(figures.resident, figures.total) > 1.5) {
    text += "* Resident memory: the process holds over one and a half times what its data needs.\n";
  }
  if (figures.total >= kTooSmallToJudge && figures.clients > figures.total / 4) {
    text += "* Clients: over a quarter of the memory belongs to the buffers of connected clients.\n";
  }
  if (text.empty()) text = "Nothing is wrong with the use of memory in this instance.\n";
  ctx.reply().verbatim("txt", text);
}

void memory_malloc_stats(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().verbatim("txt", "Stats not supported for the current allocator");
}

void memory_purge(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  // Empty pages go back to the system as they become empty; there is nothing left to do by hand.
  ctx.reply().ok();
}

constexpr CommandSpec kMemorySubRows[] = {
    {.name = "doctor",
     .arity = 2,
     .run = memory_doctor,
     .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special"},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
    {.name = "malloc-stats",
     .arity = 2,
     .flags = kWhileLoading,
     .run = memory_malloc_stats,
     .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special"},
    {.name = "purge",
     .arity = 2,
     .flags = kWhileLoading,
     .run = memory_purge,
     .tips = "request_policy:all_shards,response_policy:all_succeeded"},
    {.name = "stats",
     .arity = 2,
     .run = memory_stats,
     .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special"},
    {.name = "usage", .arity = -3, .flags = kReadonly, .keys = key_specs("RO@i2:range(0,1,0)"), .run = memory_usage},
};

constexpr CommandSpec kMemoryRows[] = {
    {.name = "memory", .arity = -2, .subcommands = kMemorySubRows},
};

}  // namespace

const CommandFamily kMemoryFamily{"server", kMemoryRows, kMemoryDocs};

}  // namespace larder
