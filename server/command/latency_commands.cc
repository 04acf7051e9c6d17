// LATENCY: the spikes that the latency monitor recorded, and the distribution of every command's time.

#include <algorithm>
#include <string>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/config/settings.h"
#include "server/core/context.h"
#include "server/observe/latency_monitor.h"

namespace larder {
namespace {

void latency_latest(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const auto& events = ctx.services().latency.events();
  ctx.reply().array(events.size());
  for (const auto& [name, event] : events) {
    ctx.reply().array(4);
    ctx.reply().bulk(name);
    ctx.reply().integer(event.samples.back().wall_s);
    ctx.reply().integer(event.samples.back().latency_ms);
    ctx.reply().integer(event.max_ms);
  }
}

void latency_history(CommandContext& ctx, ArgReader& args) {
  const Bytes name = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  const LatencyMonitor::Event* event = ctx.services().latency.find(name);
  if (event == nullptr) return ctx.reply().empty_array();
  ctx.reply().array(event->samples.size());
  for (const auto& sample : event->samples) {
    ctx.reply().array(2);
    ctx.reply().integer(sample.wall_s);
    ctx.reply().integer(sample.latency_ms);
  }
}

void latency_reset(CommandContext& ctx, ArgReader& args) {
  LatencyMonitor& latency = ctx.services().latency;
  size_t count = args.at_end() ? latency.reset_all() : 0;
  for (const Bytes name : args.rest()) count += latency.reset(name) ? 1 : 0;
  ctx.reply().integer(static_cast<int64_t>(count));
}

std::string short_age(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

// One line per sample, newest last: its age and a bar as long as its share of the worst.
std::string latency_bars(Bytes name, const LatencyMonitor::Event& event, int64_t now_s) {
  constexpr int64_t kBarMax = 60;
  int64_t high = 0;
  int64_t low = INT64_MAX;
  for (const auto& sample : event.samples) {
    high = std::max(high, sample.latency_ms);
    low = std::min(low, sample.latency_ms);
  }
  std::string text = std::string(name) + " - high " + std::to_string(high) + " ms, low " + std::to_string(low) +
                     " ms (all time high " + std::to_string(event.max_ms) + " ms)\n" + std::string(80, '-') + "\n";
  for (const auto& sample : event.samples) {
    std::string age = short_age(now_s - sample.wall_s);
    age.resize(5, ' ');
    const int64_t length = std::max<int64_t>(1, sample.latency_ms * kBarMax / std::max<int64_t>(high, 1));
    text += age + std::string(static_cast<size_t>(length), '#') + " " + std::to_string(sample.latency_ms) + "\n";
  }
  return text;
}

void latency_graph(CommandContext& ctx, ArgReader& args) {
  const Bytes name = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  const LatencyMonitor::Event* event = ctx.services().latency.find(name);
  if (event == nullptr) {
    return ctx.reply().error(Bytes("ERR No samples available for event '" + std::string(name) + "'"));
  }
  ctx.reply().verbatim("txt", latency_bars(name, *event, ctx.now_ms() / 1000));
}

std::string latency_report(const LatencyMonitor& latency) {
  std::string text = "Latency spikes were seen in this instance:\n\n";
  size_t number = 0;
  for (const auto& [name, event] : latency.events()) {
    int64_t sum_ms = 0;
    for (const auto& sample : event.samples) sum_ms += sample.latency_ms;
    const auto count = static_cast<int64_t>(event.samples.size());
    text += std::to_string(++number) + ". " + name + ": " + std::to_string(count) + " spikes (average " +
            std::to_string(sum_ms / count) + " ms, worst of all time " + std::to_string(event.max_ms) + " ms).\n";
  }
  text += "\n- `command` and `fast-command`: SLOWLOG GET names the requests that took long.\n";
  return text;
}

void latency_doctor(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const LatencyMonitor& latency = ctx.services().latency;
  if (!latency.events().empty()) return ctx.reply().verbatim("txt", latency_report(latency));
  if (ctx.services().settings.latency_monitor_threshold_ms == 0) {
    return ctx.reply().verbatim("txt",
                                "Latency monitoring is disabled in this instance. CONFIG SET "
                                "latency-monitor-threshold <milliseconds> enables it.\n");
  }
  ctx.reply().verbatim("txt", "No latency spike was seen so far.\n");
}

// Calls and the cumulated counts of the powers of two of microseconds at which they grow.
void write_histogram(ReplyWriter& reply, const Command& command) {
  constexpr uint64_t kFirstBucketNs = 1024;
  const Histogram& histogram = *command.stats.latency_ns;
  reply.bulk(command.full_name);
  reply.map(2);
  reply.bulk("calls");
  reply.integer(static_cast<int64_t>(histogram.count()));
  reply.bulk("histogram_usec");
  const auto mark = reply.begin_deferred();
  size_t buckets = 0;
  uint64_t before = 0;
  for (uint64_t upper_ns = kFirstBucketNs; before < histogram.count(); upper_ns *= 2) {
    // The widest bucket of the histogram ends where counting must stop.
    const bool last = upper_ns >= (uint64_t{1} << 62);
    const uint64_t below = last ? histogram.count() : histogram.count_at_or_below(upper_ns - 1);
    if (below > before) {
      reply.integer(static_cast<int64_t>(upper_ns / 1000));
      reply.integer(static_cast<int64_t>(below));
      ++buckets;
    }
    before = below;
  }
  reply.end_deferred_map(mark, buckets);
}

void latency_histogram(CommandContext& ctx, ArgReader& args) {
  const Registry& registry = ctx.services().registry;
  const auto mark = ctx.reply().begin_deferred();
  size_t count = 0;
  const auto write = [&](const Command& command) {
    if (!command.stats.latency_ns || command.stats.latency_ns->count() == 0) return;
    write_histogram(ctx.reply(), command);
    ++count;
  };
  const bool all = args.at_end();
  if (all) {
    for (const auto& command : registry.all()) write(*command);
  }
  for (const Bytes name : args.rest()) {
    const Command* command = registry.find_full_name(name);
    if (command == nullptr) continue;
    write(*command);
    for (const Command* sub : command->subcommands) write(*sub);
  }
  ctx.reply().end_deferred_map(mark, count);
}

constexpr CommandSpec kLatencySubRows[] = {
    {.name = "doctor",
     .arity = 2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_doctor,
     .tips = "nondeterministic_output,request_policy:all_nodes,response_policy:special"},
    {.name = "graph",
     .arity = 3,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_graph,
     .tips = "nondeterministic_output,request_policy:all_nodes,response_policy:special"},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = container_help},
    {.name = "histogram",
     .arity = -2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_histogram,
     .tips = "nondeterministic_output,request_policy:all_nodes,response_policy:special"},
    {.name = "history",
     .arity = 3,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_history,
     .tips = "nondeterministic_output,request_policy:all_nodes,response_policy:special"},
    {.name = "latest",
     .arity = 2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_latest,
     .tips = "nondeterministic_output,request_policy:all_nodes,response_policy:special"},
    {.name = "reset",
     .arity = -2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale,
     .run = latency_reset,
     .tips = "request_policy:all_nodes,response_policy:agg_sum"},
};

constexpr CommandSpec kLatencyRows[] = {
    {.name = "latency", .arity = -2, .subcommands = kLatencySubRows},
};

}  // namespace

const CommandFamily kLatencyFamily{"server", kLatencyRows, kLatencyDocs};

}  // namespace larder
