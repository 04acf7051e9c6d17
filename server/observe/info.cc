#include "server/observe/info.h"

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/os_process.h"
#include "base/version.h"
#include "server/config/option_table.h"
#include "server/core/append_log.h"
#include "server/core/blocking_table.h"
#include "server/core/client_list.h"
#include "server/core/compatibility.h"
#include "server/core/flush_queue.h"
#include "server/core/loading.h"
#include "server/core/memory_limit.h"
#include "server/core/pubsub.h"
#include "server/core/registry.h"
#include "server/core/save_control.h"
#include "server/core/scripting.h"
#include "server/core/server_stats.h"
#include "server/core/snapshot.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"
#include "server/observe/info_fields.h"
#include "storage/keyspace.h"

// One function per section, and a table of them in the order in which they are shown.

namespace larder {
namespace {

constexpr uint64_t kSecondsPerDay = 24 * 3600;
constexpr int64_t kLruClockMask = (1 << 24) - 1;
constexpr char kNoReplicationId[] = "0000000000000000000000000000000000000000";

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// By the monotonic clock; 0 for a moment that there is not.
int64_t us_since(const Services& services, int64_t moment_us) {
  return moment_us == 0 ? 0 : services.clock.mono_us() - moment_us;
}

std::string compiler_version() {
#ifdef __clang__
  return std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__) + "." +
         std::to_string(__clang_patchlevel__);
#else
  return std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." + std::to_string(__GNUC_PATCHLEVEL__);
#endif
}

void listeners(const Settings& settings, InfoFields& fields) {
  size_t index = 0;
  const auto add = [&](const std::string& value) { fields.text("listener" + std::to_string(index++), value); };
  if (settings.port != 0) {
    std::string value = "name=tcp";
    for (const std::string& address : settings.bind) value += ",bind=" + address;
    add(value + ",port=" + std::to_string(settings.port));
  }
  if (!settings.unix_socket.empty()) add("name=unix,bind=" + settings.unix_socket);
}

void server_section(const Services& services, InfoFields& fields) {
  const Settings& settings = services.settings;
  const ServerIdentity& identity = services.identity;
  const int64_t now_ms = services.clock.wall_ms();
  const auto uptime_s = static_cast<uint64_t>(std::max<int64_t>(now_ms - identity.started_ms, 0) / 1000);
  fields.text("redis_version", kRedisVersion);
  fields.text("larder_version", kVersion);
  fields.text("redis_git_sha1", "00000000");
  fields.text("redis_git_dirty", "0");
  fields.text("redis_build_id", kBuildId);
  fields.text("redis_mode", "standalone");
  fields.text("os", identity.os);
  fields.number("arch_bits", 8 * sizeof(void*));
  fields.text("monotonic_clock", "POSIX clock_gettime");
  fields.text("multiplexing_api", "libuv");
  fields.text("atomicvar_api", "c11-builtin");
  fields.text("gcc_version", compiler_version());
  fields.number("process_id", identity.process_id);
  fields.text("process_supervised", "no");
  fields.text("run_id", identity.run_id);
  fields.number("tcp_port", settings.port);
  fields.number("server_time_usec", services.clock.wall_us());
  fields.number("uptime_in_seconds", uptime_s);
  fields.number("uptime_in_days", uptime_s / kSecondsPerDay);
  fields.number("hz", settings.hz);
  fields.number("configured_hz", settings.hz);
  fields.number("lru_clock", now_ms / 1000 & kLruClockMask);
  fields.text("executable", identity.executable);
  fields.text("config_file", identity.config_file);
  fields.number("io_threads_active", 0);
  listeners(settings, fields);
}

void clients_section(const Services& services, InfoFields& fields) {
  uint64_t input_max = 0;
  uint64_t output_max = 0;
  uint64_t blocked = 0;  // those included whose requests wait for the end of a pause
  for (const auto& client : services.clients.all()) {
    input_max = std::max<uint64_t>(input_max, client->unread_bytes());
    output_max = std::max<uint64_t>(output_max, client->queued_bytes());
    if (client->is_blocked()) ++blocked;
  }
  fields.number("connected_clients", services.clients.count());
  fields.number("cluster_connections", 0);
  fields.number("maxclients", services.settings.maxclients);
  fields.number("client_recent_max_input_buffer", input_max);
  fields.number("client_recent_max_output_buffer", output_max);
  fields.number("blocked_clients", blocked);
  fields.number("pubsub_clients", services.pubsub.client_count());
  fields.number("tracking_clients", services.tracking.client_count());
  fields.number("watching_clients", services.transactions.watching_clients());
  fields.number("total_watched_keys", services.transactions.watched_key_count());
  fields.number("clients_in_timeout_table", services.blocking.timeout_count());
  fields.number("total_blocking_keys", services.blocking.key_count());
  fields.number("total_blocking_keys_on_nokey", services.blocking.key_count_on_removal());
}

struct MemoryFigures {
  uint64_t used = 0;      // data, tables, clients, the buffers of the tick, sources of scripts
  uint64_t overhead = 0;  // of it: what is neither key nor value
  uint64_t clients = 0;
  uint64_t resident = 0;
  uint64_t peak = 0;
};

MemoryFigures memory_figures(const Services& services) {
  MemoryFigures memory;
  memory.clients = services.memory_limit.count_all();
  memory.used = services.memory_limit.used_bytes();
  memory.overhead = services.memory_limit.overhead_bytes();
  memory.resident = services.process.resident_bytes();
  memory.peak = std::max(services.stats.memory_peak_bytes, memory.used);
  return memory;
}

void allocator_fields(const MemoryFigures& memory, InfoFields& fields) {
  const auto resident = static_cast<int64_t>(memory.resident);
  const auto used = static_cast<int64_t>(memory.used);
  fields.decimal("allocator_frag_ratio", 1, 2);
  fields.number("allocator_frag_bytes", 0);
  fields.decimal("allocator_rss_ratio", 1, 2);
  fields.number("allocator_rss_bytes", 0);
  fields.decimal("rss_overhead_ratio", ratio(memory.resident, memory.used), 2);
  fields.number("rss_overhead_bytes", resident - used);
  fields.decimal("mem_fragmentation_ratio", ratio(memory.resident, memory.used), 2);
  fields.number("mem_fragmentation_bytes", resident - used);
}

void script_fields(const Services& services, InfoFields& fields) {
  const Scripting::Usage usage = services.scripting != nullptr ? services.scripting->usage() : Scripting::Usage();
  fields.number("used_memory_vm_eval", usage.script_vm_bytes);
  fields.bytes_and_human("used_memory_lua", usage.script_vm_bytes);
  fields.number("used_memory_scripts_eval", usage.cache_bytes);
  fields.number("number_of_cached_scripts", usage.cached_scripts);
  fields.number("number_of_functions", usage.functions);
  fields.number("number_of_libraries", usage.libraries);
  fields.number("used_memory_vm_functions", usage.function_vm_bytes);
  fields.bytes_and_human("used_memory_vm_total", usage.script_vm_bytes + usage.function_vm_bytes);
  fields.number("used_memory_functions", usage.library_bytes);
  fields.bytes_and_human("used_memory_scripts", usage.cache_bytes + usage.library_bytes);
}

void memory_section(const Services& services, InfoFields& fields) {
  const MemoryFigures memory = memory_figures(services);
  const uint64_t dataset = memory.used - std::min(memory.used, memory.overhead);
  fields.bytes_and_human("used_memory", memory.used);
  fields.bytes_and_human("used_memory_rss", memory.resident);
  fields.bytes_and_human("used_memory_peak", memory.peak);
  fields.decimal("used_memory_peak_perc", 100 * ratio(memory.used, memory.peak), 2, "%");
  fields.number("used_memory_overhead", memory.overhead);
  fields.number("used_memory_startup", 0);
  fields.number("used_memory_dataset", dataset);
  fields.decimal("used_memory_dataset_perc", 100 * ratio(dataset, memory.used), 2, "%");
  fields.number("allocator_allocated", memory.used);
  fields.number("allocator_active", memory.used);
  fields.number("allocator_resident", memory.used);
  fields.bytes_and_human("total_system_memory", os_total_memory_bytes());
  script_fields(services, fields);
  fields.bytes_and_human("maxmemory", services.memory_limit.limit_bytes());
  fields.text("maxmemory_policy", services.options.text_of("maxmemory-policy").value_or(""));
  allocator_fields(memory, fields);
  fields.zeros(
      {"mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"});
  fields.number("mem_clients_normal", memory.clients);
  fields.number("mem_cluster_links", 0);
  fields.number("mem_aof_buffer", services.append_log.figures().pending_bytes);
  fields.number("mem_huge_pages", services.store.huge_bytes());
  fields.text("mem_allocator", os_allocator_name());
  fields.number("active_defrag_running", services.stats.defrag_running_percent);
  fields.number("lazyfree_pending_objects", services.flushed.pending_entries() + services.store.garbage_count());
  fields.number("lazyfreed_objects", 0);
}

void loading_fields(const Loading& loading, InfoFields& fields) {
  const LoadTask& task = loading.task();
  const uint64_t total = std::max<uint64_t>(task.bytes_total(), 1);
  fields.number("loading_start_time", loading.started_ms() / 1000);
  fields.number("loading_total_bytes", task.bytes_total());
  fields.number("loading_rdb_used_mem", 0);
  fields.number("loading_loaded_bytes", task.bytes_done());
  fields.decimal("loading_loaded_perc", 100 * ratio(task.bytes_done(), total), 2);
  fields.number("loading_eta_seconds", loading.remaining_s());
}

void log_fields(const AppendLog& log, InfoFields& fields) {
  const AppendLog::Figures figures = log.figures();
  fields.number("aof_enabled", log.keeps_log() ? 1 : 0);
  fields.number("aof_rewrite_in_progress", log.rewriting() ? 1 : 0);
  fields.number("aof_rewrite_scheduled", log.rewrite_scheduled() ? 1 : 0);
  fields.number("aof_last_rewrite_time_sec", figures.last_rewrite_s);
  fields.number("aof_current_rewrite_time_sec", figures.current_rewrite_s);
  fields.text("aof_last_bgrewrite_status", figures.last_rewrite_ok ? "ok" : "err");
  fields.number("aof_rewrites", figures.rewrites);
  fields.number("aof_rewrites_consecutive_failures", figures.rewrite_failures_in_a_row);
  fields.text("aof_last_write_status", log.failed() ? "err" : "ok");
  fields.number("aof_last_cow_size", 0);
  if (!log.keeps_log()) return;
  fields.number("aof_current_size", figures.current_bytes);
  fields.number("aof_base_size", figures.base_bytes);
  fields.number("aof_pending_rewrite", log.rewrite_scheduled() ? 1 : 0);
  fields.number("aof_buffer_length", figures.pending_bytes);
  fields.number("aof_pending_bio_fsync", figures.pending_bytes > 0 ? 1 : 0);
  fields.number("aof_delayed_fsync", figures.delayed_syncs);
  fields.number("aof_syncs", figures.syncs);
}

void persistence_section(const Services& services, InfoFields& fields) {
  const SaveControl& saves = services.saves;
  fields.number("loading", services.loading.active() ? 1 : 0);
  fields.zeros({"async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"});
  fields.text("current_fork_perc", "0.00");
  fields.number("current_save_keys_processed", services.snapshots.keys_done());
  fields.number("current_save_keys_total", services.snapshots.keys_total());
  fields.number("rdb_changes_since_last_save", saves.changes());
  fields.number("rdb_bgsave_in_progress", saves.in_progress() ? 1 : 0);
  fields.number("rdb_last_save_time", saves.last_save_ms() / 1000);
  fields.text("rdb_last_bgsave_status", saves.last_ok() ? "ok" : "err");
  fields.number("rdb_last_bgsave_time_sec", saves.last_duration_s());
  fields.number("rdb_current_bgsave_time_sec", saves.running_s());
  fields.number("rdb_saves", saves.saves());
  fields.number("rdb_last_cow_size", 0);
  fields.number("rdb_last_load_keys_expired", services.loading.last_keys_expired());
  fields.number("rdb_last_load_keys_loaded", services.loading.last_keys_loaded());
  log_fields(services.append_log, fields);
  fields.zeros({"module_fork_in_progress", "module_fork_last_cow_size"});
  if (services.loading.active()) loading_fields(services.loading, fields);
}

void traffic_fields(const ServerStats& stats, InfoFields& fields) {
  constexpr double kBytesPerKilobyte = 1024;
  fields.number("total_connections_received", stats.connections_received);
  fields.number("total_commands_processed", stats.commands_processed);
  fields.number("instantaneous_ops_per_sec", stats.ops.per_second());
  fields.number("total_net_input_bytes", stats.net_input_bytes);
  fields.number("total_net_output_bytes", stats.net_output_bytes);
  fields.zeros({"total_net_repl_input_bytes", "total_net_repl_output_bytes"});
  fields.decimal("instantaneous_input_kbps", static_cast<double>(stats.input.per_second()) / kBytesPerKilobyte, 2);
  fields.decimal("instantaneous_output_kbps", static_cast<double>(stats.output.per_second()) / kBytesPerKilobyte, 2);
  fields.decimal("instantaneous_input_repl_kbps", 0, 2);
  fields.decimal("instantaneous_output_repl_kbps", 0, 2);
  fields.number("rejected_connections", stats.connections_rejected);
}

// Turns of the loop with requests are what a tick is; the time of turns without any is in the sum.
void tick_fields(const ServerStats& stats, InfoFields& fields) {
  const uint64_t ticks_per_s = stats.tick_rate.per_second();
  fields.number("eventloop_cycles", stats.ticks);
  fields.number("eventloop_duration_sum", stats.turn_us());
  fields.number("eventloop_duration_cmd_sum", stats.tick_ns / 1000);
  fields.number("instantaneous_eventloop_cycles_per_sec", ticks_per_s);
  fields.number("instantaneous_eventloop_duration_usec",
                ticks_per_s == 0 ? 0 : stats.tick_time_us.per_second() / ticks_per_s);
}

void stats_section(const Services& services, InfoFields& fields) {
  const ServerStats& stats = services.stats;
  traffic_fields(stats, fields);
  fields.zeros({"sync_full", "sync_partial_ok", "sync_partial_err"});
  fields.number("expired_keys", stats.expired_keys);
  fields.number("expired_subkeys", stats.expired_fields);
  fields.decimal("expired_stale_perc", 0, 2);
  fields.zeros({"expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"});
  fields.number("evicted_keys", stats.evicted_keys);
  fields.number("evicted_clients", stats.evicted_clients);
  const int64_t exceeded_us = us_since(services, stats.memory_exceeded_since_us);
  fields.number("total_eviction_exceeded_time", (stats.memory_exceeded_us + exceeded_us) / 1000);
  fields.number("current_eviction_exceeded_time", exceeded_us / 1000);
  fields.number("keyspace_hits", stats.keyspace_hits);
  fields.number("keyspace_misses", stats.keyspace_misses);
  fields.number("pubsub_channels", services.pubsub.topic_count(TopicKind::kChannel));
  fields.number("pubsub_patterns", services.pubsub.topic_count(TopicKind::kPattern));
  fields.number("pubsubshard_channels", services.pubsub.topic_count(TopicKind::kShardChannel));
  fields.zeros({"latest_fork_usec", "total_forks", "migrate_cached_sockets", "slave_expires_tracked_keys"});
  fields.number("active_defrag_hits", stats.defrag_moved);
  fields.number("active_defrag_misses", stats.defrag_left);
  fields.zeros({"active_defrag_key_hits", "active_defrag_key_misses"});
  const int64_t defrag_us = us_since(services, stats.defrag_since_us);
  fields.number("total_active_defrag_time", (stats.defrag_us + defrag_us) / 1000);
  fields.number("current_active_defrag_time", defrag_us / 1000);
  fields.number("tracking_total_keys", services.tracking.key_count());
  fields.number("tracking_total_items", services.tracking.item_count());
  fields.number("tracking_total_prefixes", services.tracking.prefix_count());
  fields.number("unexpected_error_replies", stats.unexpected_error_replies);
  fields.number("total_error_replies", stats.error_replies);
  fields.number("dump_payload_sanitizations", 0);
  fields.number("total_reads_processed", stats.reads_processed);
  fields.number("total_writes_processed", stats.writes_processed);
  fields.zeros({"io_threaded_reads_processed", "io_threaded_writes_processed"});
  fields.number("client_query_buffer_limit_disconnections", stats.input_limit_disconnections);
  fields.number("client_output_buffer_limit_disconnections", stats.output_limit_disconnections);
  fields.zeros({"reply_buffer_shrinks", "reply_buffer_expands"});
  tick_fields(stats, fields);
  fields.number("acl_access_denied_auth", stats.acl_denied_auth);
  fields.zeros({"acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"});
  fields.number("larder_ticks", stats.ticks);
  fields.number("larder_tick_requests_max", stats.tick_requests_max);
}

void replication_section(const Services& services, InfoFields& fields) {
  fields.text("role", "master");
  fields.number("connected_slaves", 0);
  fields.text("master_failover_state", "no-failover");
  fields.text("master_replid", services.identity.run_id);
  fields.text("master_replid2", kNoReplicationId);
  fields.number("master_repl_offset", 0);
  fields.number("second_repl_offset", -1);
  fields.number("repl_backlog_active", 0);
  fields.text("repl_backlog_size", services.options.text_of("repl-backlog-size").value_or("0"));
  fields.zeros({"repl_backlog_first_byte_offset", "repl_backlog_histlen"});
}

void cpu_section(const Services&, InfoFields& fields) {
  constexpr double kSecond = 1e6;
  const CpuTime process = os_cpu_time(CpuScope::kProcess);
  const CpuTime children = os_cpu_time(CpuScope::kEndedChildren);
  const CpuTime thread = os_cpu_time(CpuScope::kThisThread);
  fields.decimal("used_cpu_sys", static_cast<double>(process.system_us) / kSecond, 6);
  fields.decimal("used_cpu_user", static_cast<double>(process.user_us) / kSecond, 6);
  fields.decimal("used_cpu_sys_children", static_cast<double>(children.system_us) / kSecond, 6);
  fields.decimal("used_cpu_user_children", static_cast<double>(children.user_us) / kSecond, 6);
  fields.decimal("used_cpu_sys_main_thread", static_cast<double>(thread.system_us) / kSecond, 6);
  fields.decimal("used_cpu_user_main_thread", static_cast<double>(thread.user_us) / kSecond, 6);
}

void modules_section(const Services&, InfoFields&) {}

void commandstats_section(const Services& services, InfoFields& fields) {
  for (const auto& command : services.registry.all()) {
    const CommandStats& stats = command->stats;
    if (stats.calls == 0 && stats.rejected_calls == 0 && stats.failed_calls == 0) continue;
    const double usec = static_cast<double>(stats.cpu_ns) / 1000;
    char value[256];
    std::snprintf(value, sizeof value, "calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu",
                  static_cast<unsigned long long>(stats.calls), static_cast<unsigned long long>(stats.cpu_ns / 1000),
                  stats.calls == 0 ? 0.0 : usec / static_cast<double>(stats.calls),
                  static_cast<unsigned long long>(stats.rejected_calls),
                  static_cast<unsigned long long>(stats.failed_calls));
    fields.text("cmdstat_" + command->full_name, value);
  }
}

void errorstats_section(const Services& services, InfoFields& fields) {
  for (const auto& [word, count] : services.stats.errors) {
    fields.text("errorstat_" + word, "count=" + std::to_string(count));
  }
}

void latencystats_section(const Services& services, InfoFields& fields) {
  for (const auto& command : services.registry.all()) {
    const Histogram* latency = command->stats.latency_ns.get();
    if (latency == nullptr || latency->count() == 0) continue;
    std::string value;
    for (const double percentile : services.settings.latency_tracking_percentiles) {
      char part[64];
      std::snprintf(part, sizeof part, "%sp%.10g=%.3f", value.empty() ? "" : ",", percentile,
                    static_cast<double>(latency->percentile(percentile)) / 1000);
      value += part;
    }
    fields.text("latency_percentiles_usec_" + command->full_name, value);
  }
}

void cluster_section(const Services&, InfoFields& fields) { fields.number("cluster_enabled", 0); }

void keyspace_section(const Services& services, InfoFields& fields) {
  const int64_t now_ms = services.clock.wall_ms();
  for (int db = 0; db < services.store.database_count(); ++db) {
    const Keyspace& keyspace = services.store.database(db);
    if (keyspace.size() == 0) continue;
    fields.text("db" + std::to_string(db), "keys=" + std::to_string(keyspace.size()) +
                                               ",expires=" + std::to_string(keyspace.volatile_count()) +
                                               ",avg_ttl=" + std::to_string(keyspace.average_ttl_ms(now_ms)));
  }
}

struct Section {
  Bytes name;
  Bytes title;
  bool is_default;
  void (*write)(const Services&, InfoFields&);
};

constexpr Section kSections[] = {
    {"server", "Server", true, server_section},
    {"clients", "Clients", true, clients_section},
    {"memory", "Memory", true, memory_section},
    {"persistence", "Persistence", true, persistence_section},
    {"stats", "Stats", true, stats_section},
    {"replication", "Replication", true, replication_section},
    {"cpu", "CPU", true, cpu_section},
    {"modules", "Modules", true, modules_section},
    {"commandstats", "Commandstats", false, commandstats_section},
    {"errorstats", "Errorstats", true, errorstats_section},
    {"latencystats", "Latencystats", false, latencystats_section},
    {"cluster", "Cluster", true, cluster_section},
    {"keyspace", "Keyspace", true, keyspace_section},
};

bool is_wanted(const Section& section, std::span<const Bytes> names) {
  if (names.empty()) return section.is_default;
  for (const Bytes name : names) {
    if (equals_ignore_case(name, section.name)) return true;
    if (equals_ignore_case(name, "all") || equals_ignore_case(name, "everything")) return true;
    if (section.is_default && equals_ignore_case(name, "default")) return true;
  }
  return false;
}

}  // namespace

std::string info_text(const Services& services, std::span<const Bytes> sections) {
  InfoFields fields;
  for (const Section& section : kSections) {
    if (!is_wanted(section, sections)) continue;
    fields.section(section.title);
    section.write(services, fields);
  }
  return fields.take();
}

}  // namespace larder
